"""Messages with UTF-8 in headers: as they are for those who asked, else surrogates."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.ascii_header import ascii_header
from tests.mime.test_surrogate import NESTED, made, read

from ..room import HELLO, Room

SHOWN = read(NESTED, made(NESTED).edits)  # what clients without UTF-8 get
LARGE = NESTED + b"0123456789 and so on\r\n" * 20_000


def item(lines, number=0):
    """What stands in the parentheses of a FETCH response."""
    line = lines[number]
    return line[line.index(b"(") + 1 : -1]


class SurrogateTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()
        self.client.ask("ENABLE UTF8=ACCEPT")
        for message in (NESTED, HELLO, LARGE):
            self.client.append(message)
        self.client.ask("SELECT INBOX")
        self.old = self.room.login()  # knows nothing of UTF-8
        self.old.hear()
        self.old.ask("EXAMINE INBOX")

    def fetch(self, client, items, number=1):
        return item(client.ask(f"FETCH {number} ({items})"))

    def test_the_message_and_its_size(self):
        literal = b"BODY[] {%d}\r\n%b"
        for client, message in ((self.client, NESTED), (self.old, SHOWN)):
            wanted = literal % (len(message), message)
            self.assertEqual(self.fetch(client, "BODY.PEEK[]"), wanted)
            size = b"RFC822.SIZE %d" % len(message)
            self.assertEqual(self.fetch(client, "RFC822.SIZE"), size)
            found = self.fetch(client, "RFC822.SIZE BODY.PEEK[]")
            self.assertEqual(found, size + b" " + wanted)

    def test_messages_that_were_exchanged_are_named(self):
        """RFC 6858 §3: by their UIDs, with each answer that had something of them."""
        told = b"* OK [DOWNGRADED 1,3] Shown with headers in ASCII"
        for items in ("ENVELOPE", "RFC822.SIZE", "BODY.PEEK[HEADER]", "BODY.PEEK[]"):
            self.assertIn(told, self.old.ask(f"FETCH 1:* ({items})"), items)
            self.assertNotIn(told, self.client.ask(f"FETCH 1:* ({items})"), items)
        for command in ("FETCH 1:* (FLAGS UID)", "FETCH 2 (ENVELOPE BODY.PEEK[])"):
            answer = b"".join(self.old.ask(command))
            self.assertNotIn(b"DOWNGRADED", answer, command)

    def test_other_messages_are_the_same_for_all(self):
        for items in ("BODY.PEEK[]", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE"):
            self.assertEqual(
                self.fetch(self.client, items, 2), self.fetch(self.old, items, 2), items
            )

    def test_all_items_are_those_of_the_surrogate(self):
        """The surrogate as a message of its own answers the same."""
        self.client.append(SHOWN)
        self.old.ask("NOOP")
        for items in (
            "ENVELOPE",
            "BODY",
            "BODYSTRUCTURE",
            "BODY.PEEK[HEADER]",
            "BODY.PEEK[TEXT]",
            "BODY.PEEK[HEADER.FIELDS (From Subject)]",
            "BODY.PEEK[HEADER.FIELDS.NOT (From)]",
            "BODY.PEEK[1]",
            "BODY.PEEK[1.MIME]",
            "BODY.PEEK[2.HEADER]",
            "BODY.PEEK[2.2.MIME]",
            "BODY.PEEK[2.TEXT]",
            "BODY.PEEK[]<10.100>",
            "BODY.PEEK[2]<30.600>",
            "BODY.PEEK[9]",
            "RFC822.HEADER RFC822.SIZE",
        ):
            found = self.fetch(self.old, items)
            self.assertEqual(found, self.fetch(self.old, items, 4), items)
            if items not in ("BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[9]"):
                self.assertNotEqual(found, self.fetch(self.client, items), items)

    def test_a_large_one_in_pieces(self):
        shown = ascii_header(LARGE)
        shown = read(LARGE, made(LARGE).edits)
        for client, message in ((self.client, LARGE), (self.old, shown)):
            wanted = b"BODY[] {%d}\r\n%b" % (len(message), message)
            self.assertEqual(self.fetch(client, "BODY.PEEK[]", 3), wanted)
            part = b"BODY[]<300> {200000}\r\n%b" % message[300:200_300]
            self.assertEqual(self.fetch(client, "BODY.PEEK[]<300.200000>", 3), part)

    def test_strings_in_utf8_are_quoted_for_who_reads_that(self):
        self.assertIn(
            '"für alle" (("Jörg" '.encode(), self.fetch(self.client, "ENVELOPE")
        )
        found = self.fetch(self.old, "ENVELOPE BODYSTRUCTURE")
        self.assertTrue(found.isascii())

    def test_rev2_reads_utf8_too(self):
        """RFC 9051 §4.3."""
        client = self.room.login()
        client.ask("ENABLE IMAP4rev2")
        client.ask("EXAMINE INBOX")
        self.assertEqual(
            self.fetch(client, "ENVELOPE"), self.fetch(self.client, "ENVELOPE")
        )

    def test_many_at_a_time(self):
        lines = self.old.ask(
            "FETCH 1:3 (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])"
        )
        sizes = [len(SHOWN), len(HELLO), len(read(LARGE, made(LARGE).edits))]
        for number, size in enumerate(sizes):
            self.assertTrue(
                item(lines, number).startswith(b"RFC822.SIZE %d BODY[" % size)
            )

    def test_search_finds_text_as_it_is_meant(self):
        for client in (self.client, self.old):
            charset = "CHARSET UTF-8 " if client is self.old else ""
            for text in ("FÜR ALLE", "boxkämpfer"):
                self.assertEqual(
                    client.ask(f'SEARCH {charset}TEXT "{text}"')[0], b"* SEARCH 1 3"
                )
