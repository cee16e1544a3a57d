from twisted.trial.unittest import SynchronousTestCase

from ..room import Room


class SelectTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def test_everything_is_told(self):
        self.client.append(flags="\\Seen $Work")
        self.client.append()
        validity = self.room.folder().uid_validity
        self.assertEqual(
            self.client.ask("SELECT INBOX"),
            [
                b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)",
                b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft"
                b" $Work \\*)] Flags that are kept",
                b"* 2 EXISTS",
                b"* 2 RECENT",
                b"* OK [UNSEEN 2] First unseen",
                b"* OK [UIDVALIDITY %d] UIDs are valid" % validity,
                b"* OK [UIDNEXT 3] Predicted next UID",
                b"* OK [MAILBOXID (Fm1)] Its object id",
                b"* OK [HIGHESTMODSEQ 3] Highest",
                b"OK [READ-WRITE] SELECT completed",
            ],
        )

    def test_an_empty_mailbox_has_no_unseen(self):
        lines = self.client.ask("SELECT INBOX")
        self.assertIn(b"* 0 EXISTS", lines)
        self.assertFalse([line for line in lines if b"UNSEEN" in line])

    def test_examine_is_read_only_and_leaves_recent(self):
        self.client.append()
        lines = self.client.ask("EXAMINE INBOX")
        self.assertEqual(lines[-1], b"OK [READ-ONLY] EXAMINE completed")
        self.assertIn(b"* OK [PERMANENTFLAGS ()] Flags that are kept", lines)
        self.assertIn(b"* 1 RECENT", lines)
        for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 INBOX"):
            self.assertEqual(
                self.client.ask(command), [b"NO Mailbox is read-only here"], command
            )
        self.client.ask("FETCH 1 BODY[]")
        self.client.ask("CLOSE")
        lines = self.client.ask("SELECT INBOX")
        self.assertIn(b"* 1 RECENT", lines)
        self.assertIn(b"* OK [UNSEEN 1] First unseen", lines)

    def test_recent_is_told_to_one_session_only(self):
        self.client.append()
        self.assertIn(b"* 1 RECENT", self.client.ask("SELECT INBOX"))
        self.assertIn(b"* 0 RECENT", self.room.login().ask("SELECT INBOX"))

    def test_another_mailbox_closes_the_first(self):
        self.client.ask("CREATE Work")
        self.client.ask("SELECT INBOX")
        lines = self.client.ask("SELECT Work")
        self.assertEqual(lines[0], b"* OK [CLOSED] Previous mailbox is closed")

    def test_a_failed_select_leaves_none_selected(self):
        self.client.ask("SELECT INBOX")
        self.assertEqual(
            self.client.ask("SELECT none")[-1], b"NO [NONEXISTENT] No such mailbox"
        )
        self.assertEqual(
            self.client.ask("FETCH 1 FLAGS"), [b"BAD Select a mailbox first"]
        )

    def test_a_name_that_cannot_be_leaves_none_selected(self):
        self.client.ask("SELECT INBOX")
        self.assertTrue(self.client.ask("SELECT &AGE-")[-1].startswith(b"NO [CANNOT]"))
        self.assertEqual(
            self.client.ask("FETCH 1 FLAGS"), [b"BAD Select a mailbox first"]
        )

    def test_close_expunges_and_says_nothing_of_it(self):
        self.client.append(flags="\\Deleted")
        self.client.append()
        self.client.ask("SELECT INBOX")
        self.assertEqual(self.client.ask("CLOSE"), [b"OK CLOSE completed"])
        self.assertEqual(list(self.room.folder().messages), [2])

    def test_unselect_and_logout_do_not_expunge(self):
        self.client.append(flags="\\Deleted")
        self.client.ask("SELECT INBOX")
        self.assertEqual(self.client.ask("UNSELECT"), [b"OK UNSELECT completed"])
        self.client.ask("SELECT INBOX")
        self.client.ask("LOGOUT")
        self.assertEqual(list(self.room.folder().messages), [1])

    def test_a_left_mailbox_is_not_watched(self):
        self.client.ask("SELECT INBOX")
        self.client.ask("UNSELECT")
        self.assertFalse(self.room.folder()._watchers)
