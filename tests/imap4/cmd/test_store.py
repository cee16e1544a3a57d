from twisted.trial.unittest import SynchronousTestCase

from ..room import Room


class StoreTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=3)

    def test_add_remove_replace(self):
        cases = [
            ("+FLAGS (\\Seen $A)", b"\\Seen \\Recent $A"),
            ("+FLAGS \\Flagged", b"\\Flagged \\Seen \\Recent $A"),
            ("-FLAGS (\\Seen $a)", b"\\Flagged \\Recent"),
            ("FLAGS (\\Draft)", b"\\Draft \\Recent"),
            ("FLAGS ()", b"\\Recent"),
        ]
        for change, flags in cases:
            *_, line, answer = self.client.ask(f"STORE 1 {change}")
            self.assertEqual(line, b"* 1 FETCH (FLAGS (%b))" % flags, change)
            self.assertEqual(answer, b"OK STORE completed")

    def test_silent_says_nothing(self):
        self.assertEqual(
            self.client.ask("STORE 1:2 +FLAGS.SILENT (\\Seen)"),
            [b"OK STORE completed"],
        )
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_uid_store_tells_the_uid(self):
        self.room.folder().remove([1])
        self.client.ask("NOOP")
        self.assertEqual(
            self.client.ask("UID STORE 2 +FLAGS (\\Seen)")[0],
            b"* 1 FETCH (UID 2 FLAGS (\\Seen \\Recent))",
        )
        self.assertEqual(
            self.client.ask("UID STORE 77 +FLAGS (\\Seen)"), [b"OK STORE completed"]
        )

    def test_a_vanished_message_is_told_by_no(self):
        """RFC 2180 §4.2: the others are changed; EXPUNGE is not told during STORE."""
        self.room.folder().remove([2])
        self.assertEqual(
            self.client.ask("STORE 1:3 +FLAGS (\\Seen)"),
            [
                b"* 1 FETCH (FLAGS (\\Seen \\Recent))",
                b"* 3 FETCH (FLAGS (\\Seen \\Recent))",
                b"NO [EXPUNGEISSUED] Some of the messages are gone",
            ],
        )
        self.assertEqual(self.client.ask("NOOP")[0], b"* 2 EXPUNGE")

    def test_a_change_of_others_is_not_lost_behind_silent(self):
        other = self.room.login()
        other.ask("SELECT INBOX")
        other.ask("STORE 1 +FLAGS (\\Flagged)")
        self.assertEqual(
            self.client.ask("STORE 1 +FLAGS.SILENT (\\Seen)"),
            [b"* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))", b"OK STORE completed"],
        )


class ConditionalTests(SynchronousTestCase):
    """RFC 7162 §3.1.3."""

    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=2)  # MODSEQ 2 and 3

    def test_what_was_changed_meanwhile_is_left_alone(self):
        *lines, answer = self.client.ask("STORE 1:2 (UNCHANGEDSINCE 2) +FLAGS (\\Seen)")
        self.assertEqual(
            lines,
            [
                b"* OK [HIGHESTMODSEQ 3] CONDSTORE is on",
                b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (4))",
            ],
        )
        self.assertEqual(answer, b"OK [MODIFIED 2] Conditional STORE failed for some")
        self.assertEqual(self.room.folder().messages[2].flags, frozenset())

    def test_modified_holds_uids_for_uid_store(self):
        self.room.folder().remove([1])
        self.client.ask("NOOP")
        answer = self.client.ask("UID STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")[-1]
        self.assertTrue(answer.startswith(b"OK [MODIFIED 2]"))
        answer = self.client.ask("STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")[-1]
        self.assertTrue(answer.startswith(b"OK [MODIFIED 1]"))

    def test_silent_tells_the_modseq(self):
        self.client.ask("ENABLE CONDSTORE")
        self.assertEqual(
            self.client.ask("STORE 1 +FLAGS.SILENT (\\Seen)"),
            [b"* 1 FETCH (UID 1 MODSEQ (4))", b"OK STORE completed"],
        )
