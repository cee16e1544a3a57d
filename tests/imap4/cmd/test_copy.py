from twisted.trial.unittest import SynchronousTestCase

from ..room import Room


class CopyTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=3)
        self.client.ask("CREATE Work")
        self.validity = self.room.folder(("Work",)).uid_validity

    def test_copy_tells_copyuid(self):
        self.assertEqual(
            self.client.ask("COPY 1,3 Work"),
            [b"OK [COPYUID %d 1,3 1:2] COPY completed" % self.validity],
        )
        self.assertEqual(
            self.client.ask("UID COPY 2:77 Work"),
            [b"OK [COPYUID %d 2:3 3:4] COPY completed" % self.validity],
        )

    def test_a_missing_target_asks_for_create(self):
        for command in ("COPY 1 None", "UID COPY 1 None", "MOVE 1 None"):
            self.assertEqual(
                self.client.ask(command), [b"NO [TRYCREATE] No such mailbox"]
            )
        self.assertEqual(len(self.room.folder().messages), 3)

    def test_move_tells_copyuid_before_expunge(self):
        self.assertEqual(
            self.client.ask("MOVE 1:2 Work"),
            [
                b"* OK [COPYUID %d 1:2 1:2] Moved" % self.validity,
                b"* 2 EXPUNGE",
                b"* 1 EXPUNGE",
                b"* 1 RECENT",
                b"OK MOVE completed",
            ],
        )

    def test_move_tells_the_modseq_of_what_it_took_away(self):
        for enabled in ("CONDSTORE", "QRESYNC"):  # RFC 6851 §4.4
            self.client.ask(f"ENABLE {enabled}")
            answer = self.client.ask("MOVE 1 Work")[-1]
            modseq = self.room.folder().highest_modseq
            self.assertEqual(answer, b"OK [HIGHESTMODSEQ %d] MOVE completed" % modseq)
        self.assertEqual(self.client.ask("UID MOVE 77 Work"), [b"OK MOVE completed"])

    def test_uids_that_are_not_there_are_no_fault(self):
        self.assertEqual(self.client.ask("UID COPY 77 Work"), [b"OK COPY completed"])
        self.assertEqual(self.client.ask("UID MOVE 77 Work"), [b"OK MOVE completed"])

    def test_numbers_of_vanished_messages_only_are_no(self):
        self.room.folder().remove([2])
        answer = b"NO [EXPUNGEISSUED] All of these messages are gone"
        self.assertEqual(self.client.ask("COPY 2 Work")[-1], answer)

    def test_a_copy_into_the_same_mailbox_is_seen_at_once(self):
        lines = self.client.ask("COPY 1 INBOX")
        self.assertEqual(lines[:2], [b"* 4 EXISTS", b"* 4 RECENT"])


class ExpungeTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=4)
        self.client.ask("STORE 1:2,4 +FLAGS.SILENT (\\Deleted)")

    def test_expunge_removes_what_is_deleted(self):
        self.assertEqual(
            self.client.ask("EXPUNGE"),
            [
                b"* 4 EXPUNGE",
                b"* 2 EXPUNGE",
                b"* 1 EXPUNGE",
                b"* 1 RECENT",
                b"OK EXPUNGE completed",
            ],
        )
        self.assertEqual(self.client.ask("EXPUNGE"), [b"OK EXPUNGE completed"])

    def test_uid_expunge_removes_only_those_named_and_deleted(self):
        lines = self.client.ask("UID EXPUNGE 2:3")
        self.assertEqual(lines[0], b"* 2 EXPUNGE")
        self.assertEqual(list(self.room.folder().messages), [1, 3, 4])
