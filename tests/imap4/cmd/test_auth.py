from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthThrottled, AuthUnavailable

from ..room import Accounts, Room

CODE = b"OK [CAPABILITY IMAP4rev1 "


class LoginTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.connect()
        self.greeting = self.client.hear()

    def test_the_greeting_tells_capabilities_and_mechanisms(self):
        (line,) = self.greeting
        self.assertTrue(line.startswith(b"* OK [CAPABILITY IMAP4rev1 "))
        self.assertIn(b"AUTH=PLAIN", line)
        self.assertNotIn(b"STARTTLS", line)

    def test_login_answers_with_the_capabilities_that_follow(self):
        (answer,) = self.client.ask("LOGIN ann demo")
        self.assertTrue(answer.startswith(CODE))
        self.assertIn(b" CONDSTORE", answer)
        self.assertNotIn(b"AUTH=", answer)

    def test_quoted_and_literal_credentials(self):
        self.client.ask('LOGIN "ann" {4+}\r\ndemo')
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_a_wrong_password_is_told_as_such(self):
        self.assertEqual(
            self.client.ask("LOGIN ann wrong"),
            [b"NO [AUTHENTICATIONFAILED] Authentication failed"],
        )
        self.assertEqual(self.client.ask("SELECT INBOX"), [b"BAD Log in first"])

    def test_a_source_that_is_down_is_not_a_wrong_password(self):
        for fault in (AuthUnavailable, AuthThrottled):
            self.patch(Accounts, "login_password", failing(fault()))
            (answer,) = self.client.ask("LOGIN ann demo")
            self.assertTrue(answer.startswith(b"NO [UNAVAILABLE] "), answer)

    def test_plain_with_initial_response(self):
        initial = b64encode(b"\0ann\0demo")
        (answer,) = self.client.ask(b"AUTHENTICATE PLAIN " + initial)
        self.assertTrue(answer.startswith(CODE))

    def test_a_conversation_of_several_challenges(self):
        self.client.send(b"a AUTHENTICATE ASK\r\n")
        self.assertEqual(self.client.hear(), [b"+ " + b64encode(b"who?")])
        self.client.send(b64encode(b"ann") + b"\r\n")
        self.assertEqual(self.client.hear(), [b"+ " + b64encode(b"sure?")])
        self.client.send(b64encode(b"yes") + b"\r\nb NOOP\r\n")
        first, second = self.client.hear()
        self.assertTrue(first.startswith(b"a " + CODE))
        self.assertEqual(second, b"b OK NOOP completed")

    def test_a_pipelined_conversation_is_the_same(self):
        said = b"a AUTHENTICATE ASK\r\n%b\r\n%b\r\n"
        self.client.send(said % (b64encode(b"ann"), b64encode(b"yes")))
        self.assertTrue(self.client.hear()[-1].startswith(b"a " + CODE))

    def test_a_cancelled_conversation_is_bad_and_the_next_works(self):
        self.client.send(b"a AUTHENTICATE ASK\r\n*\r\n")
        self.assertTrue(self.client.hear()[-1].startswith(b"a BAD "))
        self.assertTrue(self.client.ask("LOGIN ann demo")[0].startswith(CODE))

    def test_no_base64_is_bad(self):
        self.client.send(b"a AUTHENTICATE ASK\r\n?\r\n")
        self.assertTrue(self.client.hear()[-1].startswith(b"a BAD "))

    def test_an_unknown_mechanism_is_refused(self):
        (answer,) = self.client.ask("AUTHENTICATE NTLM")
        self.assertTrue(answer.startswith(b"NO "), answer)

    def test_logout_says_bye_and_gives_the_login_back_once(self):
        self.client.ask("LOGIN ann demo")
        self.assertEqual(
            self.client.ask("LOGOUT"), [b"* BYE Logging out", b"OK LOGOUT completed"]
        )
        self.assertTrue(self.client.is_closed())
        self.assertEqual(self.room.accounts.logouts, 1)


class WithoutTlsTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room(tls=object())
        self.room.accounts.plaintext_without_tls = False
        self.client = self.room.connect()

    def test_login_is_disabled_and_said_to_be(self):
        (greeting,) = self.client.hear()
        self.assertIn(b" LOGINDISABLED", greeting)
        self.assertIn(b" STARTTLS", greeting)
        self.assertNotIn(b"AUTH=PLAIN", greeting)
        self.assertEqual(
            self.client.ask("LOGIN ann demo"), [b"NO [PRIVACYREQUIRED] Use TLS first"]
        )

    def test_starttls_makes_it_possible(self):
        self.client.hear()
        self.assertEqual(self.client.ask("STARTTLS"), [b"OK Begin TLS negotiation now"])
        self.client.start_tls()
        told, _ = self.client.ask("CAPABILITY")
        self.assertNotIn(b"LOGINDISABLED", told)
        self.assertNotIn(b"STARTTLS", told)
        self.assertTrue(self.client.ask("LOGIN ann demo")[0].startswith(CODE))

    def test_clear_text_behind_starttls_is_never_executed(self):
        self.client.hear()
        self.client.send(b"a STARTTLS\r\nb NOOP\r\n")
        (answer,) = self.client.hear()
        self.assertTrue(answer.startswith(b"a BAD "))
        self.assertFalse(self.client.transport.tls)

    def test_starttls_where_there_is_none(self):
        client = Room().connect()
        client.hear()
        self.assertEqual(client.ask("STARTTLS"), [b"BAD STARTTLS is not offered here"])
        self.assertFalse(client.transport.tls)


class AnyStateTests(SynchronousTestCase):
    def setUp(self):
        self.client = Room().login()

    def test_id_tells_the_name(self):
        self.assertEqual(
            self.client.ask('ID ("name" "mutt")'),
            [b'* ID ("name" "mailtwist")', b"OK ID completed"],
        )

    def test_enable_tells_what_it_knows(self):
        self.assertEqual(
            self.client.ask("ENABLE X-NEW CONDSTORE"),
            [b"* ENABLED CONDSTORE", b"OK ENABLE completed"],
        )
        self.assertEqual(
            self.client.ask("ENABLE X-NEW"), [b"* ENABLED", b"OK ENABLE completed"]
        )


def failing(fault):
    async def fails(*_):
        raise fault

    return fails
