"""CATENATE (RFC 4469): messages out of texts and parts of other messages."""

from twisted.trial.unittest import SynchronousTestCase

from ..room import HELLO, Room, small

PARTS = (
    b"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: text/x-other\r\n\r\nsecond\r\n--b--\r\n"
)


class CatenateTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.append(HELLO)
        self.client.append(PARTS)
        self.client.ask("CREATE Sent")

    def kept(self, uid=1, path=("Sent",)):
        return self.room.folder(path).messages[uid].octets

    def test_texts_and_parts_make_a_message(self):
        self.client.send(b"a APPEND Sent (\\Seen) CATENATE (TEXT {12}\r\n")
        self.assertTrue(self.client.hear()[0].startswith(b"+ "))
        self.client.send(b"Subject: x\r\n URL {29}\r\n")
        self.assertTrue(self.client.hear()[0].startswith(b"+ "))
        self.client.send(b"/INBOX/;UID=1/;SECTION=HEADER TEXT {6+}\r\nabcde\n")
        self.client.send(b' URL "/INBOX/;UID=2/;SECTION=2")\r\n')
        (told,) = self.client.hear()
        self.assertIn(b"a OK [APPENDUID ", told)
        header = HELLO[: HELLO.index(b"\r\n\r\n") + 4]
        wanted = b"Subject: x\r\n" + header + b"abcde\r\nsecond"
        self.assertEqual(self.kept(), wanted)

    def test_what_a_url_names(self):
        self.client.ask("SELECT INBOX")
        validity = self.room.folder().uid_validity
        for url, wanted in [
            ("/INBOX/;UID=1", HELLO),
            (";UID=1", HELLO),
            ("INBOX/;UID=1", HELLO),
            ("inbox/;UID=1", HELLO),
            (f"/INBOX;UIDVALIDITY={validity}/;UID=1", HELLO),
            ("/INBOX/;UID=2/;SECTION=1", b"first"),
            (
                "/INBOX/;UID=2/;SECTION=2.MIME",
                b"Content-Type: text/x-other\r\n\r\n",
            ),
            ("/INBOX/;UID=1/;PARTIAL=6.4", HELLO[6:10]),
            ("/INBOX/;UID=1/;PARTIAL=200", HELLO[200:]),
            ("/INBOX/;UID=1/;PARTIAL=9999.5", b""),
            ("/INBOX/;UID=2/;SECTION=2/;PARTIAL=1.3", b"eco"),
            (
                "/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)",
                b"Subject: hello\r\n\r\n",
            ),
        ]:
            told = self.client.ask(
                f'APPEND Sent CATENATE (TEXT {{1+}}\r\n> URL "{url}")'
            )
            self.assertIn(b"OK [APPENDUID ", told[-1], url)
            (uid,) = self.room.folder(("Sent",)).messages
            self.assertEqual(self.kept(uid), b">" + wanted, url)
            self.room.folder(("Sent",)).remove([uid])
        flags = self.room.folder().messages[1].flags
        self.assertNotIn("\\Seen", flags)

    def test_a_part_in_utf8_stands_in_parentheses(self):
        """RFC 6855 §4, after ENABLE alone."""
        line = (
            "APPEND Sent CATENATE "
            "(UTF8 (~{4+}\r\na:b ) TEXT {1+}\r\nc UTF8 (~{1+}\r\nd))"
        )
        self.assertTrue(self.client.ask(line)[-1].startswith(b"BAD "))
        self.client.ask("ENABLE UTF8=ACCEPT")
        told = self.client.ask(line)
        self.assertIn(b"OK [APPENDUID ", told[-1])
        (uid,) = self.room.folder(("Sent",)).messages
        self.assertEqual(self.kept(uid), b"a:b cd")

    def test_what_cannot_be_fetched_is_told_with_its_url(self):
        validity = self.room.folder().uid_validity + 1
        for url in [
            "/INBOX/;UID=9",
            "/None/;UID=1",
            "//x/;UID=1",
            ";UID=1",
            "/INBOX",
            f"/INBOX;UIDVALIDITY={validity}/;UID=1",
            "/INBOX/;UID=2/;SECTION=3",
            "imap://ann@mail.example.test/INBOX/;UID=1",
            "/INBOX/;UID=1;URLAUTH=anonymous",
            "no url]",
        ]:
            (told,) = self.client.ask(f'APPEND Sent CATENATE (URL "{url}")')
            code = b"[BADURL " + url.replace("]", "?").encode() + b"] "
            self.assertTrue(told.startswith(b"NO " + code), told)
            (told,) = self.client.ask(
                f'APPEND Sent CATENATE (URL "{url}" TEXT {{2+}}\r\nhi URL /y)'
            )
            self.assertTrue(told.startswith(b"NO " + code), told)
        self.assertEqual(len(self.room.folder(("Sent",)).messages), 0)
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_a_message_that_grows_too_big_is_refused(self):
        room = Room(config=small(message_octets=100_000))
        client = room.login()
        client.append(b"x" * 60_000)
        for command in (
            "CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)",
            "CATENATE (URL /INBOX/;UID=1 TEXT {60000}",
            "CATENATE (TEXT {60000+}\r\n" + "x" * 60_000 + " URL /INBOX/;UID=1)",
        ):
            (told,) = client.ask(f"APPEND INBOX {command}")
            self.assertTrue(told.startswith(b"NO [TOOBIG]"), told)
        self.assertEqual(len(room.folder().messages), 1)

    def test_a_large_part_is_copied_in_pieces(self):
        large = b"Subject: large\r\n\r\n" + b"0123456789" * 60_000
        self.client.append(large)
        self.client.ask("APPEND Sent CATENATE (URL /INBOX/;UID=3/;SECTION=TEXT)")
        self.assertEqual(self.kept(), b"0123456789" * 60_000)

    def test_a_draft_is_replaced_by_what_stands_in_it(self):
        """RFC 8508 §4.2."""
        self.client.ask("SELECT INBOX")
        told = self.client.ask(
            "UID REPLACE 2 INBOX CATENATE (TEXT {7+}\r\nTo: x\r\n URL /INBOX/;UID=2)"
        )
        self.assertEqual(told[-1], b"OK REPLACE completed")
        self.assertEqual(list(self.room.folder().messages), [1, 3])
        self.assertEqual(self.kept(3, ("INBOX",)), b"To: x\r\n" + PARTS)

    def test_the_mailbox_is_left_open_by_nobody(self):
        self.client.ask('APPEND Sent CATENATE (URL "/INBOX/;UID=1")')
        self.client.ask('APPEND Sent CATENATE (URL "/INBOX/;UID=1/;SECTION=7")')
        self.assertEqual(self.client.ask("DELETE Sent"), [b"OK DELETE completed"])
