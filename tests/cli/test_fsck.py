"""`mailtwist fsck` as a person reads it."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.fsck import status_of, told
from mailtwist.mailbox.model import Checked, Finding


class ToldTests(SynchronousTestCase):
    def test_what_agrees_and_what_does_not(self):
        self.assertEqual(told(Checked(2, 3)), "3 messages in 2 mailboxes agree")
        found = [
            Finding((), "state.sqlite is damaged", repaired=True),
            Finding(("Lists", "é"), "files have no UID", 4),
        ]
        self.assertEqual(
            told(Checked(2, 3, found)),
            "3 messages in 2 mailboxes:\n"
            "  state.sqlite is damaged: repaired\n"
            "  'Lists/\\xe9': files have no UID (4): left as it is",
        )

    def test_the_status_is_that_of_fsck(self):
        mended, left = Finding((), "a", repaired=True), Finding((), "b")
        for findings, wanted in [([], 0), ([mended], 1), ([left], 4), ([mended, left],
                                                                       5)]:  # fmt: skip
            self.assertEqual(status_of(Checked(1, 1, findings)), wanted)
