"""IMAP4rev2 and UTF8=ACCEPT: what ENABLE changes, and that it can be taken back."""

from unicodedata import normalize

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import MailboxInfo

from ..room import HELLO, Room

CAFE = normalize("NFC", "Café")
APART = normalize("NFD", CAFE)


class EnableTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def test_names_are_told_as_capability_spells_them(self):
        lines = self.client.ask("ENABLE imap4REV2 utf8=accept Condstore")
        self.assertEqual(lines[0], b"* ENABLED IMAP4rev2 UTF8=ACCEPT CONDSTORE")

    def test_in_mid_selection_recent_goes_and_nothing_of_it_is_told(self):
        self.client.append()
        self.assertIn(b"* 1 RECENT", self.client.ask("SELECT INBOX"))
        self.client.ask("ENABLE IMAP4rev2")
        self.assertEqual(
            self.client.ask("FETCH 1 FLAGS")[0], b"* 1 FETCH (FLAGS ())", "the flag"
        )
        self.assertEqual(self.client.append(), [b"* 2 EXISTS", *self.client_ok(2)])

    def client_ok(self, uid):
        validity = self.room.folder().uid_validity
        return [b"OK [APPENDUID %d %d] APPEND completed" % (validity, uid)]

    def test_octets_that_are_no_utf8_are_bad_in_a_quoted_string(self):
        self.client.ask("ENABLE UTF8=ACCEPT")
        for command in (b'CREATE "\xe4"', b'LIST "" "\xff*"', b'LIST "\xc3" *'):
            self.assertTrue(self.client.ask(command)[-1].startswith(b"BAD "), command)

    def test_a_charset_is_refused_with_utf8_accept_alone(self):
        """RFC 6855 §3; RFC 9051 §6.4.4 lets rev2 name one."""
        for enabled, answer in (("IMAP4rev2", b"OK "), ("UTF8=ACCEPT", b"BAD ")):
            client = self.room.selected(messages=1)
            client.ask(f"ENABLE {enabled}")
            found = client.ask("SEARCH CHARSET UTF-8 SUBJECT hello")[-1]
            self.assertTrue(found.startswith(answer), enabled)

    def test_sort_and_thread_name_utf8_after_utf8_accept_too(self):
        """RFC 5256 §3: their charset is no option.  RFC 6855 §3 is about SEARCH."""
        client = self.room.selected(messages=1)
        client.ask("ENABLE UTF8=ACCEPT")
        for command, answer in (
            ("SORT (SUBJECT) UTF-8 ALL", b"* SORT 1"),
            (
                "SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL",
                b'* ESEARCH (TAG "t6") COUNT 1',
            ),
            ("THREAD REFERENCES UTF-8 ALL", b"* THREAD (1)"),
        ):
            self.assertEqual(client.ask(command)[0], answer, command)

    def test_text_in_utf8_is_found_without_a_charset(self):
        self.client.ask("ENABLE IMAP4rev2")
        self.client.append(HELLO.replace(b"hello", b"=?utf-8?q?f=C3=BCnf?="))
        self.client.ask("SELECT INBOX")
        self.assertEqual(
            self.client.ask('SEARCH SUBJECT "FÜNF"')[0], b'* ESEARCH (TAG "t5") ALL 1'
        )

    def test_status_tells_size_and_deleted(self):
        """RFC 8438 §2, RFC 9051 §6.3.11: without ENABLE too."""
        self.client.append(flags="\\Deleted")
        self.client.append()
        self.assertEqual(
            self.client.ask("STATUS INBOX (SIZE DELETED)")[0],
            b"* STATUS INBOX (SIZE %d DELETED 1)" % (2 * len(HELLO)),
        )


class NormalizedNameTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()
        self.client.ask("ENABLE IMAP4rev2")
        self.client.ask(f'CREATE "{CAFE}"')

    def test_each_command_takes_another_form(self):
        cases = (
            f'STATUS "{APART}" (MESSAGES)',
            f'SUBSCRIBE "{APART}"',
            f'SELECT "{APART}"',
            f'COPY 1:* "{APART}"',
            "UNSELECT",
            f'UNSUBSCRIBE "{APART}"',
            f'RENAME "{APART}" "{APART}s/{APART}"',
            f'DELETE "{CAFE}s/{APART}"',
        )
        for command in cases:
            answer = self.client.ask(command)[-1]
            self.assertTrue(answer.startswith(b"OK "), f"{command}: {answer!r}")

    def test_append_takes_another_form(self):
        answer = self.client.append(path=f'"{APART}"')[-1]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)

    def test_list_finds_another_form(self):
        self.assertEqual(
            self.client.ask(f'LIST "" "{APART}%"')[0],
            f'* LIST (\\HasNoChildren) "/" "{CAFE}"'.encode(),
        )

    def test_a_folder_that_others_made_under_just_that_name_comes_first(self):
        tree = self.room.store.mailboxes(self.room.account)
        here = tree.listed

        async def listed():
            return [*await here(), MailboxInfo((APART,), "")]

        self.patch(tree, "listed", listed)
        self.assertEqual(
            self.client.ask(f'STATUS "{APART}" (MESSAGES)'),
            [b"NO [NONEXISTENT] No such mailbox"],
        )

    def test_a_name_that_grows_too_long_is_refused(self):
        grows = "\u0958" * 60  # three octets each, six when it is taken apart
        answer = self.client.ask(f'CREATE "{grows}"')[-1]
        self.assertEqual(
            answer, b"NO [CANNOT] A component of the mailbox name is too long"
        )

    def test_a_refused_command_announces_nothing(self):
        lines = self.client.ask(f'CREATE "{APART}"')
        self.assertEqual(lines, [b"NO [ALREADYEXISTS] Mailbox exists already"])

    def test_rev1_is_told_no_oldname(self):
        client = self.room.login()
        client.hear()
        self.assertEqual(client.ask("DELETE Cafe&AwE-"), [b"OK DELETE completed"])


class UnauthenticateTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()

    def test_needs_a_login(self):
        client = self.room.connect()
        client.hear()
        self.assertEqual(client.ask("UNAUTHENTICATE"), [b"BAD Log in first"])

    def test_gives_the_login_back_and_forgets_what_was_enabled(self):
        client = self.room.selected(messages=1)
        client.ask("ENABLE QRESYNC IMAP4rev2 UTF8=ACCEPT")
        client.ask("SEARCH RETURN (SAVE) ALL")
        self.assertEqual(client.ask("UNAUTHENTICATE"), [b"OK UNAUTHENTICATE completed"])
        self.assertEqual(self.room.accounts.logouts, 1)
        self.assertIn(b"AUTH=PLAIN", client.ask("CAPABILITY")[0])
        client.ask("LOGIN ann demo")
        client.ask("SELECT INBOX")
        self.assertEqual(client.ask("SEARCH $")[0], b"* SEARCH")
        self.assertEqual(client.ask("FETCH 1 FLAGS")[0], b"* 1 FETCH (FLAGS ())")
        self.room.login().ask("SELECT INBOX")
        self.assertEqual(
            client.ask("SELECT INBOX (QRESYNC (1 1))"), [b"BAD ENABLE QRESYNC first"]
        )

    def test_the_time_to_log_in_begins_anew(self):
        client = self.room.login()
        self.room.clock.advance(self.room.config.login_s + 1)
        client.ask("UNAUTHENTICATE")
        self.room.clock.advance(self.room.config.login_s - 1)
        self.assertTrue(client.ask("LOGIN ann demo")[-1].startswith(b"OK "))

    def test_a_login_that_does_not_come_is_not_waited_for(self):
        client = self.room.login()
        client.ask("UNAUTHENTICATE")
        self.room.clock.advance(self.room.config.idle_s)
        self.assertEqual(client.hear(), [b"* BYE Waited too long for you"])
