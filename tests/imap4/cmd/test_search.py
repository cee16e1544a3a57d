from twisted.trial.unittest import SynchronousTestCase

from ..room import HELLO, Room


class SearchTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        for n in range(4):
            self.client.append(HELLO.replace(b"lunch", b"dinner %d" % n))
        self.client.ask("SELECT INBOX")
        self.client.ask("STORE 2,4 +FLAGS (\\Seen)")
        self.room.folder().remove([1])
        self.client.ask("NOOP")  # UIDs 2 3 4 are messages 1 2 3

    def search(self, rest):
        *lines, answer = self.client.ask(rest)
        self.assertEqual(answer, b"OK SEARCH completed")
        return lines[-1]

    def test_numbers_and_uids(self):
        cases = [
            ("SEARCH ALL", b"* SEARCH 1 2 3"),
            ("UID SEARCH ALL", b"* SEARCH 2 3 4"),
            ("SEARCH SEEN", b"* SEARCH 1 3"),
            ("UID SEARCH SEEN", b"* SEARCH 2 4"),
            ("SEARCH 2:*", b"* SEARCH 2 3"),
            ("UID SEARCH 2:*", b"* SEARCH 3 4"),
            ("SEARCH UID 2:3", b"* SEARCH 1 2"),
            ("SEARCH RECENT UNSEEN", b"* SEARCH 2"),
            ("SEARCH BODY {8+}\r\ndinner 3", b"* SEARCH 3"),
            ("SEARCH CHARSET UTF-8 SUBJECT hello NOT 1", b"* SEARCH 2 3"),
            ("SEARCH DELETED", b"* SEARCH"),
        ]
        for command, wanted in cases:
            self.assertEqual(self.search(command), wanted, command)

    def test_esearch(self):
        tag = b'(TAG "t%d")'
        cases = [
            ("SEARCH RETURN () ALL", b"ALL 1:3"),
            ("SEARCH RETURN (MIN MAX COUNT) SEEN", b"MIN 1 MAX 3 COUNT 2"),
            ("UID SEARCH RETURN (ALL) SEEN", b"UID ALL 2,4"),
            ("SEARCH RETURN (MIN COUNT) DELETED", b"COUNT 0"),
            ("SEARCH RETURN (MIN) DELETED", b""),
        ]
        for command, wanted in cases:
            line = self.search(command)
            told = tag % self.client._tags + (b" " + wanted if wanted else b"")
            self.assertEqual(line, b"* ESEARCH " + told, command)

    def test_modseq_of_the_result(self):
        """RFC 7162 §3.1.5, RFC 4731 §3.2.  Messages 1, 2, 3 have 6, 4, 6."""
        cases = [
            ("SEARCH MODSEQ 1", b"* SEARCH 1 2 3 (MODSEQ 6)"),
            ("SEARCH MODSEQ 1 UNSEEN", b"* SEARCH 2 (MODSEQ 4)"),
            ("SEARCH MODSEQ 99", b"* SEARCH"),
        ]
        for command, wanted in cases:
            self.assertEqual(self.search(command), wanted, command)
        self.client.ask("STORE 1 +FLAGS (\\Flagged)")
        cases = [
            ("SEARCH RETURN (MIN) MODSEQ 1", b" MIN 1 MODSEQ 8"),
            ("SEARCH RETURN (MAX) MODSEQ 1", b" MAX 3 MODSEQ 6"),
            ("SEARCH RETURN (MIN MAX) MODSEQ 1", b" MIN 1 MAX 3 MODSEQ 8"),
            ("SEARCH RETURN (MAX COUNT) MODSEQ 1", b" MAX 3 COUNT 3 MODSEQ 8"),
        ]
        for command, wanted in cases:
            line = self.search(command)
            self.assertTrue(line.endswith(b")" + wanted), (command, line))

    def test_an_unknown_charset_is_told_with_those_known(self):
        (answer,) = self.client.ask("SEARCH CHARSET X-NONE ALL")
        self.assertTrue(answer.startswith(b"NO [BADCHARSET ("), answer)

    def test_expunge_waits_until_search_by_number_is_over(self):
        self.room.folder().remove([2])
        self.assertEqual(
            self.client.ask("SEARCH ALL"),
            [
                b"* SEARCH 2 3",
                b"OK [EXPUNGEISSUED] SEARCH completed, some messages are gone",
            ],
        )
        self.assertEqual(
            self.client.ask("UID SEARCH ALL"),
            [b"* SEARCH 3 4", b"* 1 EXPUNGE", b"* 2 RECENT", b"OK SEARCH completed"],
        )
