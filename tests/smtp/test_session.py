"""Conversations: what is answered in which state, and what is delivered."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable, NoSuchUser, OverQuota, StorageFull

from .rooms import PLAIN, House, MailAccount
from .splits import CUTS, EACH_OCTET, pieces

ANN, BOB = "RCPT TO:<ann@example.test>", "RCPT TO:<bob@example.test>"
FROM = "MAIL FROM:<c@client.test>"


class CommandTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect()

    def test_the_greeting_names_the_host(self):
        self.assertEqual(self.client.said(), "220 mx.example.test ESMTP mailtwist\r\n")

    def test_every_command_in_every_order_has_its_code(self):
        self.client.said()
        for line, code in (
            ("NOOP", "250 2.0.0"),  # allowed before EHLO, RFC 5321 §4.1.4
            ("HELP", "214 2.0.0"),
            ("VRFY ann", "252 2.0.0"),
            ("RSET", "250 2.0.0"),
            (FROM, "503 5.5.1"),
            (ANN, "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            (f"AUTH PLAIN {PLAIN}", "503 5.5.1"),
            ("HELO client.test", "250"),
            ("MAIL FROM:<c@client.test> SIZE=5", "555 5.5.4"),  # not after HELO
            ("AUTH PLAIN", "503 5.5.1"),
            ("EHLO client.test", "250"),
            (ANN, "503 5.5.1"),
            ("mAiL FrOm: <c@client.test>", "250 2.1.0"),
            (FROM, "503 5.5.1"),  # nested
            ("DATA", "503 5.5.1"),
            ("AUTH PLAIN", "503 5.5.1"),  # RFC 4954 §4
            ("RCPT TO:<nobody@example.test>", "550 5.1.1"),
            ("DATA", "554 5.5.1"),  # no valid recipients
            ("rcpt to:<Postmaster>", "250 2.1.5"),
            (ANN, "250 2.1.5"),
            ("NOOP with words", "250 2.0.0"),
            ("DATA now", "501 5.5.4"),
            ("RSET all", "501 5.5.4"),
            ("RSET", "250 2.0.0"),
            ("DATA", "503 5.5.1"),
            (FROM, "250 2.1.0"),
            ("EHLO client.test", "250"),  # resets, RFC 5321 §4.1.4
            (ANN, "503 5.5.1"),
            ("EXPN staff", "252 2.0.0"),  # RFC 5321 §7.3
            ("VRFY", "501 5.5.4"),
        ):
            self.assertEqual(self.client.codes(line), [code], line)
        self.assertEqual(self.client.codes("QUIT"), ["221 2.0.0"])
        self.assertTrue(self.client.is_closed())

    def test_what_is_no_command(self):
        self.client.begin()
        for line, code in (
            ("", "500 5.5.1"),
            ("FOO", "500 5.5.1"),
            ("MAILFROM:<a@b>", "500 5.5.1"),
            (b"\xff\xfe", "500 5.5.1"),
            (b"NO\0OP", "500 5.5.1"),
            ("TURN", "502 5.5.1"),  # RFC 5321 Appendix F.1
            ("SEND FROM:<a@b>", "502 5.5.1"),  # RFC 5321 Appendix F.6
            ("SOML FROM:<a@b>", "502 5.5.1"),
            ("SAML FROM:<a@b>", "502 5.5.1"),
            ("HELP FOO", "504 5.5.4"),
        ):
            self.assertEqual(self.client.codes(line), [code], line)

    def test_trailing_white_space_is_tolerated(self):
        self.client.begin()
        lines = FROM + " ", ANN + "\t ", "DATA "
        self.assertEqual(self.client.codes(*lines), ["250 2.1.0", "250 2.1.5", "354"])

    def test_a_whole_group_is_answered_with_one_write(self):
        self.client.begin()
        writes, write = [], self.client.transport.write
        self.client.transport.write = lambda octets: (writes.append(1), write(octets))
        self.client.ask(FROM, ANN, BOB, "DATA")
        self.assertEqual(len(writes), 1)

    def test_small_replies_are_not_held_back_by_the_network(self):
        self.assertTrue(self.client.transport.no_delay)

    def test_HELO_and_EHLO_are_told_nothing_with_a_status(self):
        self.client.said()
        self.assertEqual(self.client.ask("HELO me"), "250 mx.example.test\r\n")
        self.assertNotIn("2.0.0", self.client.ask("EHLO me"))

    def test_no_command_follows_QUIT(self):
        self.client.begin()
        self.assertEqual(self.client.codes("QUIT", "NOOP"), ["221 2.0.0"])

    def test_a_unix_socket_has_no_address(self):
        client = self.house.connect(None).begin()
        self.assertEqual(client.codes(FROM, ANN, "DATA")[-1], "354")
        trace = self.house.delivery.sinks[-1].envelope.trace
        self.assertIn(b"(local socket)", trace)

    def test_VRFY_tells_the_truth_where_that_is_switched_on(self):
        client = House(vrfy=True).connect().begin()
        for argument, told in (
            ("ann@example.test", "250 2.1.5"),
            ("<ann@example.test>", "250 2.1.5"),
            ("nobody@example.test", "550 5.1.1"),
            ("a@elsewhere.test", "252 2.0.0"),
            ("a b", "501 5.1.3"),
        ):
            self.assertEqual(client.codes(f"VRFY {argument}"), [told], argument)


class MessageTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()
        self.delivery = self.house.delivery

    def send(self, *lines, to=(ANN,)):
        self.client.ask(FROM, *to, "DATA")
        return self.client.ask(*lines, ".")

    def test_a_message_arrives_with_its_envelope(self):
        told = self.send("Subject: x", "", "..a", "text", to=(ANN, BOB))
        ((envelope, octets),) = self.delivery.messages
        self.assertEqual(octets, b"Subject: x\r\n\r\n.a\r\ntext\r\n")
        self.assertEqual(told, f"250 2.0.0 {envelope.message_id} accepted\r\n")
        self.assertEqual(str(envelope.reverse_path), "c@client.test")
        self.assertEqual(
            [str(r.address) for r in envelope.recipients],
            ["ann@example.test", "bob@example.test"],
        )
        self.assertTrue(envelope.message_id.startswith(envelope.session_id))
        self.assertNotIn(b"for <", envelope.trace)

    def test_the_null_sender_and_the_parameters_are_passed_on(self):
        self.client.ask("MAIL FROM:<> SIZE=99 BODY=8BITMIME SMTPUTF8", ANN, "DATA", ".")
        envelope = self.delivery.messages[0][0]
        self.assertIsNone(envelope.reverse_path)
        self.assertEqual(
            (envelope.wishes.body, envelope.smtputf8, envelope.size_octets),
            ("8BITMIME", True, 99),
        )
        self.assertIn(b"with UTF8SMTP id", envelope.trace)

    def test_utf8_addresses_need_SMTPUTF8(self):
        self.assertEqual(
            self.client.codes("MAIL FROM:<josé@x.test>", FROM, "RCPT TO:<josé@x.test>"),
            ["553 5.6.7", "250 2.1.0", "553 5.6.7"],
        )
        self.assertEqual(
            self.client.codes("RSET", "MAIL FROM:<josé@x.test> SMTPUTF8"),
            ["250 2.0.0", "250 2.1.0"],
        )

    def test_the_trace_needs_no_SMTPUTF8_where_the_recipient_needs_none(self):
        """Else a host without it could not be sent what it may have (RFC 6531 §3.2)."""
        house = House(trusted=["192.0.2.0/24"])
        client = house.connect().begin()
        for address, told in (
            ("bob@bücher.test", "for <bob@xn--bcher-kva.test>"),
            ("josé@bücher.test", "for <josé@bücher.test>"),
        ):
            rcpt = f"RCPT TO:<{address}>"
            client.ask("MAIL FROM:<c@client.test> SMTPUTF8", rcpt, "DATA", ".")
            trace = house.delivery.messages[-1][0].trace
            self.assertIn(told.encode(), trace)

    def test_a_recipient_said_twice_gets_one_copy(self):
        self.send("x: y", to=(ANN, ANN))
        self.assertEqual(len(self.delivery.messages[0][0].recipients), 1)

    def test_many_messages_in_one_connection_have_different_ids(self):
        for _ in range(3):
            self.send("x: y")
        self.assertEqual(len({e.message_id for e, _ in self.delivery.messages}), 3)

    def test_one_verdict_for_all_recipients(self):
        full, gone, storage = OverQuota(), NoSuchUser(), StorageFull()
        for verdicts, code in (
            ([None, None], "250 2.0.0"),
            ([None, gone], "250 2.0.0"),  # durable for one: it must not come again
            ([full, None], "250 2.0.0"),
            ([full, storage], "452 4.2.2"),
            ([gone, storage], "452 4.3.1"),  # a temporary one before a permanent one
            ([gone, gone], "550 5.1.1"),
        ):
            self.delivery.verdicts = verdicts
            self.assertIn(code, self.send("x: y", to=(ANN, BOB)), verdicts)

    def test_a_mailbox_that_refused_is_told_of_once_and_by_its_store(self):
        self.delivery.verdicts = [None, OverQuota()]
        with capturedLogs() as events:
            self.assertIn("250 2.0.0", self.send("x: y", to=(ANN, BOB)))
        said = [formatEvent(event) for event in events]
        self.assertEqual([line for line in said if "not delivered" in line], [])

    def test_a_delivery_that_fails_is_451_and_the_log_knows_why(self):
        self.delivery.commit = Deferred()
        self.assertEqual(self.send("x: y"), "")
        self.delivery.commit.errback(RuntimeError("disk on fire at /dev/secret"))
        self.assertEqual(
            self.client.said(), "451 4.3.0 Internal error, try again later\r\n"
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_directory_that_is_down_is_never_an_unknown_user(self):
        async def down(address, *, may_relay, sender=None, size_octets=None, poster=()):
            raise AuthUnavailable()

        self.house.router.resolve = down
        told = self.client.ask(FROM, ANN)
        self.assertIn("451 4.3.0", told)
        self.assertNotIn("password", told)

    def test_a_text_without_header_keeps_its_first_line(self):
        self.send("hello: it is me, typing", "no header")
        self.send("hello")
        self.assertEqual(self.house.messages()[1], b"\r\nhello\r\n")

    def test_recipients_refused_leave_the_others(self):
        self.client.ask(FROM)
        self.assertEqual(
            self.client.codes(
                "RCPT TO:<nobody@example.test>",
                "RCPT TO:<full@example.test>",
                "RCPT TO:<a@elsewhere.test>",
                ANN,
                "DATA",
            ),
            ["550 5.1.1", "452 4.2.2", "550 5.7.1", "250 2.1.5", "354"],
        )
        self.client.ask(".")
        self.assertEqual(len(self.delivery.messages[0][0].recipients), 1)

    def test_a_reset_or_a_lost_connection_forgets_what_was_sent(self):
        self.client.ask(FROM, ANN, "DATA", "x: y", "", "half a mess")
        self.client.close()
        self.assertEqual(self.delivery.sinks[-1].state, "aborted")
        self.assertEqual(self.delivery.messages, [])
        self.assertEqual(len(self.house.factory.sessions), 0)


WHOLE = (
    b"EHLO client.test\r\nMAIL FROM:<c@client.test> SIZE=40\r\n"
    b"RCPT TO:<ann@example.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n"
    b"Subject: one\r\n\r\n..dot\r\nMAIL FROM:<x@y.test>\r\n.\r\n"
    b"FOO\r\n"
    + b"N"
    * 3000
    + b"\r\nMAIL FROM:<>\r\nRCPT TO:<Bob@example.test>\r\nDATA\r\n"
    b"bare\nLF\n.\nNOOP\r\n.\r\nRSET\r\nNOOP\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\n"
    b"VRFY x\r\nQUIT\r\nNOOP\r\n"
)


class SplitTests(SynchronousTestCase):
    def run_in(self, segments):
        house = House()
        client = house.connect()
        for segment in segments:
            client.send(segment)
        said = client.said()
        for envelope, _ in house.delivery.messages:
            said = said.replace(envelope.session_id, "ID")
        return said, house.messages(), client.is_closed()

    def test_the_whole_session_goes_as_it_should(self):
        said, messages, closed = self.run_in([WHOLE])
        self.assertEqual(
            [line[:9] for line in said.split("\r\n") if line[3:4] == " "],
            [
                "220 mx.ex",
                "250 HELP",
                "250 2.1.0",
                "250 2.1.5",
                "550 5.1.1",
                "354 Send ",
            ]
            + ["250 2.0.0", "500 5.5.1", "500 5.5.2", "250 2.1.0", "250 2.1.5"]
            + ["354 Send ", "554 5.6.0", "250 2.0.0", "250 2.0.0", "250 2.1.0"]
            + ["250 2.1.5", "354 Send ", "250 2.0.0", "252 2.0.0", "221 2.0.0"],
        )
        self.assertEqual(
            messages, [b"Subject: one\r\n\r\n.dot\r\nMAIL FROM:<x@y.test>\r\n", b""]
        )
        self.assertTrue(closed)

    def test_octet_by_octet_is_the_same(self):
        self.assertEqual(self.run_in(pieces(WHOLE, EACH_OCTET)), self.run_in([WHOLE]))

    @given(cuts=CUTS)
    @settings(max_examples=40)
    def test_any_split_gives_the_same_replies_and_messages(self, cuts):
        self.assertEqual(self.run_in(pieces(WHOLE, cuts)), self.run_in([WHOLE]))

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from(
                    [
                        b"EHLO x\r\n",
                        b"MAIL FROM:<>\r\n",
                        b"RCPT TO:<ann@example.test>\r\n",
                    ]
                    + [
                        b"DATA\r\n",
                        b"\r\n.\r\n",
                        b"AUTH PLAIN\r\n",
                        b"*\r\n",
                        b"STARTTLS\r\n",
                    ]
                    + [
                        b"AUTH PLAIN =\r\n",
                        b"AUTH\r\n",
                        b"AUTH LOGIN\r\n",
                        b"\r\n",
                        b"QUIT",
                    ]
                ),
            ),
            max_size=12,
        ),
        st.booleans(),
    )
    @settings(max_examples=150)
    def test_no_octets_raise_out_of_dataReceived(self, segments, tls):
        client = House().connect().begin(tls=tls)
        for segment in segments:
            client.send(segment)
        for line in client.transport.value().split(b"\r\n")[:-1]:
            self.assertRegex(line, rb"\A[2345]\d\d[ -]")
        client.close()
        self.assertEqual(self.flushLoggedErrors(), [])


class AuthTests(SynchronousTestCase):
    def setUp(self):
        self.house = House(role="submission")
        self.client = self.house.connect().begin(tls=True)

    def test_an_initial_response_logs_in(self):
        self.assertEqual(self.client.codes(f"AUTH PLAIN {PLAIN}"), ["235 2.7.0"])
        self.assertEqual(self.client.codes(f"AUTH PLAIN {PLAIN}"), ["503 5.5.1"])

    def test_challenges_and_responses(self):
        self.assertEqual(self.client.ask("AUTH PLAIN"), "334 \r\n")
        self.assertEqual(self.client.codes(PLAIN), ["235 2.7.0"])
        client = self.house.connect().begin(tls=True)
        self.assertEqual(client.ask("auth login"), "334 VXNlciBOYW1l\r\n")
        self.assertEqual(client.ask("YW5uQGV4YW1wbGUudGVzdA=="), "334 UGFzc3dvcmQ=\r\n")
        self.assertEqual(client.codes("czNjcmV0LW9mLWFubg=="), ["235 2.7.0"])

    def test_pipelined_responses_are_taken_in_order(self):
        lines = "AUTH LOGIN", "YW5uQGV4YW1wbGUudGVzdA==", "czNjcmV0LW9mLWFubg=="
        self.assertEqual(
            self.client.codes(*lines, "NOOP")[-2:], ["235 2.7.0", "250 2.0.0"]
        )

    def test_what_ends_an_exchange_without_a_login(self):
        for lines, code in (
            (("AUTH PLAIN AGEAYg==",), "535 5.7.8"),
            (("AUTH PLAIN =",), "535 5.7.8"),
            (("AUTH PLAIN", "*"), "501 5.7.0"),  # RFC 4954 §4
            (("AUTH PLAIN", "no base64!"), "501 5.5.2"),
            (("AUTH PLAIN", ""), "535 5.7.8"),
            (("AUTH PLAIN", "A" * 12_289), "500 5.5.2"),  # RFC 4954 §4
            (("AUTH LOGIN", "YW5u", "*"), "501 5.7.0"),
            (("AUTH FOO",), "504 5.5.4"),
            (("AUTH",), "501 5.5.4"),
        ):
            client = self.house.connect().begin(tls=True)
            self.assertEqual(client.codes(*lines)[-1], code, lines)
            self.assertEqual(client.codes("NOOP", FROM), ["250 2.0.0", "530 5.7.0"])

    def test_a_long_initial_response_passes_the_command_limit(self):
        self.assertEqual(
            self.client.codes("AUTH PLAIN " + "QUFB" * 3000), ["535 5.7.8"]
        )

    def test_no_password_without_tls(self):
        client = self.house.connect().begin()
        self.assertNotIn("AUTH", client.ask("EHLO me"))
        self.assertEqual(client.codes(f"AUTH PLAIN {PLAIN}"), ["538 5.7.11"])

    def test_the_login_is_ended_once(self):
        for end in (lambda c: c.ask("QUIT"), lambda c: c.close()):
            house = House()
            client = house.connect().begin(login=True)
            end(client)
            self.assertEqual(house.authenticator.logged_out, 1)

    def test_losing_the_connection_in_an_exchange_is_no_error(self):
        self.client.ask("AUTH LOGIN")
        self.client.close()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.house.factory.sessions), 0)


class SubmissionTests(SynchronousTestCase):
    def setUp(self):
        self.house = House(role="submission", received_login=True)

    def test_a_login_comes_before_MAIL(self):
        client = self.house.connect().begin()
        self.assertIn("530 5.7.0 Use TLS first", client.ask(FROM))
        client = self.house.connect().begin(tls=True)
        self.assertIn("530 5.7.0 Authentication required", client.ask(FROM))

    def test_trusted_networks_log_in_too(self):
        client = House(role="submission", trusted=["192.0.2.0/24"]).connect().begin()
        self.assertEqual(client.codes(FROM), ["530 5.7.0"])

    def test_the_sender_belongs_to_the_login(self):
        client = self.house.connect().begin(login=True)
        self.assertEqual(
            client.codes(
                "MAIL FROM:<bob@example.test>", "MAIL FROM:<ann@example.test>"
            ),
            ["550 5.7.1", "250 2.1.0"],
        )
        self.assertEqual(client.codes("RSET", "MAIL FROM:<>")[-1], "250 2.1.0")

    def test_the_sender_of_a_login_is_checked_on_port_25_too(self):
        client = House().connect().begin(login=True)
        self.assertEqual(client.codes("MAIL FROM:<bob@example.test>"), ["550 5.7.1"])

    def test_what_is_missing_is_added_and_the_trace_names_the_login(self):
        client = self.house.connect().begin(login=True)
        client.ask("MAIL FROM:<ann@example.test>", "RCPT TO:<x@elsewhere.test>", "DATA")
        client.ask("Subject: x", "", "text", ".")
        ((envelope, octets),) = self.house.delivery.messages
        self.assertRegex(
            octets,
            rb"\AFrom: ann@example.test\r\nDate: [^\r\n]+\r\n"
            rb"Message-ID: <[^>]+@mx.example.test>\r\nSubject: x\r\n",
        )
        self.assertIn(b"(authenticated as ann@example.test)", envelope.trace)
        self.assertIn(
            b"(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)", envelope.trace
        )
        self.assertIn(b"with ESMTPSA id", envelope.trace)
        self.assertEqual(envelope.login, "ann@example.test")

    def send_with_a_copy(self, verdicts=None):
        """(the last reply, recipients) of a message of which a copy is kept."""
        account = Account("ops@example.test", "/home/ops")
        copy = LocalRecipient(Address("ops", "example.test"), account, path=("Sent",))
        self.patch(MailAccount, "copy", copy)
        self.house.delivery.verdicts = verdicts
        client = self.house.connect().begin(login=True)
        client.ask("MAIL FROM:<ann@example.test>", "RCPT TO:<x@elsewhere.test>", "DATA")
        told = client.ask("text", ".")
        sent = self.house.delivery.sinks[-1].envelope.recipients
        return told, [each.address.local_part for each in sent]

    def test_a_copy_of_what_is_sent_is_one_more_recipient(self):
        told, sent = self.send_with_a_copy()
        self.assertIn("250 2.0.0", told)
        self.assertEqual(sent, ["x", "ops"])

    def test_the_fate_of_a_copy_is_not_told(self):
        told, _ = self.send_with_a_copy([None, OverQuota()])
        self.assertIn("250 2.0.0", told)
        told, _ = self.send_with_a_copy([OverQuota(), None])
        self.assertIn("452 4.2.2", told)

    def test_the_trace_tells_no_more_than_is_configured(self):
        house = House(received_client=False, received_tls=False)
        client = house.connect().begin(login=True)
        client.ask("MAIL FROM:<ann@example.test>", ANN, "DATA", ".")
        trace = house.delivery.messages[0][0].trace
        for hidden in (b"192.0.2.7", b"client.test", b"TLSv1.3", b"authenticated"):
            self.assertNotIn(hidden, trace)

    def test_a_message_of_a_stranger_is_left_as_it_is(self):
        house = House()
        client = house.connect().begin()
        client.ask(FROM, ANN, "DATA", "Subject: x", "", ".")
        self.assertEqual(house.messages(), [b"Subject: x\r\n\r\n"])


class RelayTests(SynchronousTestCase):
    """Never an open relay."""

    def test_who_may_send_elsewhere(self):
        trusted = House(trusted=["192.0.2.0/24", "2001:db8::/32"])
        for house, address, login, code in (
            (House(), "192.0.2.7", False, "550 5.7.1"),
            (House(), "192.0.2.7", True, "250 2.1.5"),
            (House(), "127.0.0.1", False, "550 5.7.1"),  # not even our own host
            (House(), None, False, "550 5.7.1"),  # nor a Unix socket
            (trusted, "192.0.2.7", False, "250 2.1.5"),
            (trusted, "192.0.3.7", False, "550 5.7.1"),
            (trusted, "::ffff:192.0.2.7", False, "250 2.1.5"),
            (trusted, "2001:db8::5", False, "250 2.1.5"),
            (trusted, "fe80::1%eth0", False, "550 5.7.1"),
            (trusted, None, False, "550 5.7.1"),
        ):
            client = house.connect(address).begin(login=login)
            client.ask("MAIL FROM:<ann@example.test>")
            for path in ("<x@elsewhere.test>", "<@example.test:x@elsewhere.test>"):
                self.assertEqual(client.codes(f"RCPT TO:{path}"), [code], address)

    def test_addresses_without_brackets_are_for_trusted_networks_and_logins(self):
        trusted = House(trusted=["192.0.2.7"]).connect().begin()
        login = House().connect().begin(login=True)
        stranger = House().connect().begin()
        typed = "mail from: ann@example.test", "rcpt to: ann@example.test"
        self.assertEqual(trusted.codes(*typed), ["250 2.1.0", "250 2.1.5"])
        self.assertEqual(login.codes(*typed), ["250 2.1.0", "250 2.1.5"])
        self.assertEqual(stranger.codes(*typed), ["501 5.1.7", "503 5.5.1"])
