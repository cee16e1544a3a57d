from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.cmd import fetch
from mailtwist.mailbox.model import FlagAction, FlagChange
from mailtwist.store.memory_mailbox import MemoryMailbox

from ..room import HELLO, NOON, Room

ENVELOPE = (
    b'("Thu, 1 Jan 2026 12:00:00 +0000" "hello" (("Bob" NIL "bob" "example.test"))'
    b' (("Bob" NIL "bob" "example.test")) (("Bob" NIL "bob" "example.test"))'
    b' ((NIL NIL "ann" "example.test")) NIL NIL NIL "<1@example.test>")'
)
SEEN = FlagChange(FlagAction.ADD, frozenset({"\\Seen"}))


class FetchTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=2)

    def fetch(self, rest, word="FETCH"):
        lines = self.client.ask(f"{word} {rest}")
        self.assertEqual(lines[-1], b"OK FETCH completed")
        return lines[:-1]

    def test_attributes_in_the_order_asked(self):
        cases = [
            ("1 UID", b"UID 1"),
            ("1 (FLAGS UID)", b"FLAGS (\\Recent) UID 1"),
            ("1 RFC822.SIZE", b"RFC822.SIZE %d" % len(HELLO)),
            ("1 INTERNALDATE", b'INTERNALDATE " 1-Jan-2026 12:00:00 +0000"'),
            ("1 ENVELOPE", b"ENVELOPE " + ENVELOPE),
            (
                "1 BODY",
                b'BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 17 2)',
            ),
            (
                "1 BODYSTRUCTURE",
                b'BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
                b" 17 2 NIL NIL NIL NIL)",
            ),
            (
                "1 FAST",
                b'FLAGS (\\Recent) INTERNALDATE " 1-Jan-2026 12:00:00 +0000"'
                b" RFC822.SIZE %d" % len(HELLO),
            ),
        ]
        for asked, wanted in cases:
            self.assertEqual(self.fetch(asked), [b"* 1 FETCH (%b)" % wanted], asked)

    def test_dates_before_1970_and_at_the_ends_of_days(self):
        for seconds, told in (
            (-1, b"31-Dec-1969 23:59:59"),
            (0, b" 1-Jan-1970 00:00:00"),
            (NOON + 43_199, b" 1-Jan-2026 23:59:59"),
            (NOON + 43_200, b" 2-Jan-2026 00:00:00"),
        ):
            self.room.folder().messages[1].internal_date = seconds
            (line,) = self.fetch("1 INTERNALDATE")
            self.assertEqual(line, b'* 1 FETCH (INTERNALDATE "%b +0000")' % told)

    def test_uid_fetch_carries_the_uid_and_skips_what_is_not_there(self):
        self.assertEqual(
            self.fetch("2:99 FLAGS", "UID FETCH"),
            [b"* 2 FETCH (UID 2 FLAGS (\\Recent))"],
        )
        self.assertEqual(self.fetch("77 FLAGS", "UID FETCH"), [])

    def test_a_number_that_is_not_there_is_bad(self):
        self.assertEqual(
            self.client.ask("FETCH 3 FLAGS"), [b"BAD There are 2 messages only"]
        )

    def test_metadata_opens_no_message(self):
        async def octets(self, ranges):
            raise AssertionError("a message was read")

        self.patch(MemoryMailbox, "octets", octets)
        (line,) = self.fetch(
            "2 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE UID"
            " BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])"
        )
        self.assertTrue(
            line.endswith(
                b"UID 2 BODY[HEADER.FIELDS (SUBJECT FROM)] {48}\r\n"
                b"From: Bob <bob@example.test>\r\nSubject: hello\r\n\r\n)"
            ),
            line,
        )

    def test_long_answers_are_the_same_in_any_chunk(self):
        for _ in range(5):
            self.client.append()
        self.client.ask("NOOP")
        whole = self.fetch("1:* (UID FLAGS ENVELOPE)")
        self.patch(fetch, "INDEX_CHUNK", 2)
        self.assertEqual(self.fetch("1:* (UID FLAGS ENVELOPE)"), whole)
        self.assertEqual(self.fetch("1,3:4,6:7 (UID)"), [
            b"* %d FETCH (UID %d)" % (n, n) for n in (1, 3, 4, 6, 7)
        ])  # fmt: skip

    def test_recent_is_told_where_it_is(self):
        other = self.room.login()
        other.hear()
        other.append(flags="\\Seen")
        self.room.login().ask("SELECT INBOX")  # takes the \Recent of the third
        self.client.ask("NOOP")
        self.assertEqual(
            self.fetch("1:* FLAGS"),
            [
                b"* 1 FETCH (FLAGS (\\Recent))",
                b"* 2 FETCH (FLAGS (\\Recent))",
                b"* 3 FETCH (FLAGS (\\Seen))",
            ],
        )

    def test_a_message_not_yet_told_is_not_fetched(self):
        self.room.folder().add([self.room.folder().messages[1]])
        self.assertEqual(
            self.fetch("1:* UID"),
            [b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 2)", b"* 3 EXISTS", b"* 3 RECENT"],
        )

    def test_a_vanished_message_is_left_out_and_said_to_be(self):
        """RFC 2180 §4.1; EXPUNGE waits for a command that allows it."""
        self.room.folder().remove([1])
        done = b"OK [EXPUNGEISSUED] FETCH completed, some messages are gone"
        for items in ("UID", "ENVELOPE", "BODY.PEEK[]", "(UID BODY.PEEK[HEADER])"):
            *lines, answer = self.client.ask(f"FETCH 1:2 {items}")
            self.assertEqual(answer, done)
            self.assertEqual(len(lines), 1)
            self.assertTrue(lines[0].startswith(b"* 2 FETCH "))
        self.assertEqual(self.client.ask("NOOP")[0], b"* 1 EXPUNGE")

    def test_one_that_vanishes_between_two_questions_is_left_out(self):
        rendered = MemoryMailbox.rendered

        async def late(mailbox, uids, columns):
            self.room.folder().remove([1])
            return await rendered(mailbox, uids, columns)

        self.patch(MemoryMailbox, "rendered", late)
        *lines, answer = self.client.ask("FETCH 1:2 ENVELOPE")
        self.assertEqual(lines, [b"* 2 FETCH (ENVELOPE %b)" % ENVELOPE])
        self.assertTrue(answer.startswith(b"OK [EXPUNGEISSUED]"))


class CondstoreTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=2)

    def test_modseq_is_an_enabling_command_that_tells_the_highest(self):
        self.assertEqual(
            self.client.ask("FETCH 1 MODSEQ"),
            [
                b"* OK [HIGHESTMODSEQ 3] CONDSTORE is on",
                b"* 1 FETCH (MODSEQ (2))",
                b"OK FETCH completed",
            ],
        )

    def test_changed_since_tells_what_is_newer(self):
        self.client.ask("STORE 2 +FLAGS (\\Flagged)")
        self.assertEqual(
            self.client.ask("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)")[-2:],
            [
                b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ (4))",
                b"OK FETCH completed",
            ],
        )
        self.assertEqual(
            self.client.ask("FETCH 1:* (FLAGS) (CHANGEDSINCE 4)"),
            [b"OK FETCH completed"],
        )

    def test_flags_told_by_fetch_are_not_told_again(self):
        other = self.room.login()
        other.ask("SELECT INBOX")
        other.ask("STORE 1 +FLAGS (\\Answered)")
        self.assertEqual(
            self.client.ask("FETCH 1 FLAGS"),
            [b"* 1 FETCH (FLAGS (\\Answered \\Recent))", b"OK FETCH completed"],
        )
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_a_new_keyword_is_told_before_it_is_used(self):
        other = self.room.login()
        other.ask("SELECT INBOX")
        other.ask("STORE 1 +FLAGS ($Odd)")
        first, second, third, _ = self.client.ask("FETCH 1 FLAGS")
        self.assertTrue(first.startswith(b"* FLAGS (") and b"$Odd" in first)
        self.assertTrue(second.startswith(b"* OK [PERMANENTFLAGS ("))
        self.assertEqual(third, b"* 1 FETCH (FLAGS (\\Recent $Odd))")
