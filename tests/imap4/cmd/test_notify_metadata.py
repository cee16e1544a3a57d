"""NOTIFY of annotations (RFC 5465 §5.6, §5.7) with two sessions."""

from mailtwist.errors import StorageFull
from mailtwist.store.memory import MemoryMailboxes

from .test_notify import Case


class AnnotationTests(Case):
    BOTH = "(personal (MailboxMetadataChange ServerMetadataChange))"

    def test_those_of_any_mailbox_and_of_the_account_are_told(self):
        self.assertEqual(self.notify(self.BOTH), [])
        self.first.ask('SETMETADATA INBOX (/shared/comment "a" /private/comment "b")')
        self.assertEqual(
            self.second.hear(),
            [b"* METADATA INBOX /private/comment /shared/comment"],
            "the selected mailbox is one of them (§6.1)",
        )
        self.first.ask('SETMETADATA "" (/private/comment "a")')
        self.assertEqual(self.second.hear(), [b'* METADATA "" /private/comment'])
        self.first.ask('SETMETADATA "" (/private/comment NIL)')
        self.assertEqual(self.second.hear(), [b'* METADATA "" /private/comment'])

    def test_the_same_value_again_is_no_news(self):
        self.first.ask('SETMETADATA INBOX (/shared/comment "a")')
        self.notify(self.BOTH)
        self.first.ask('SETMETADATA INBOX (/shared/comment "a")')
        self.assertEqual(self.second.hear(), [])

    def test_ones_own_are_not_told(self):
        self.notify(self.BOTH)
        self.second.ask('SETMETADATA INBOX (/shared/comment "a")')
        self.second.ask("CREATE Gone (USE (\\Trash))")
        self.first.ask('SETMETADATA "" (/private/comment "a")')
        self.assertEqual(self.second.hear(), [b'* METADATA "" /private/comment'])

    def test_what_is_not_wanted_is_not_told(self):
        self.notify("(personal (ServerMetadataChange MailboxName))")
        self.first.ask('SETMETADATA INBOX (/shared/comment "a")')
        self.assertEqual(self.second.hear(), [])
        self.second.ask("NOTIFY NONE")
        self.first.ask('SETMETADATA "" (/private/comment "a")')
        self.assertEqual(self.second.hear(), [])

    def test_annotations_that_cannot_be_read_are_an_overflow(self):
        self.notify(self.BOTH)

        async def broken(self, path, names=()):
            raise StorageFull()

        self.patch(MemoryMailboxes, "metadata", broken)
        self.first.ask('SETMETADATA INBOX (/shared/comment "a")')
        self.assertTrue(self.second.hear()[-1].startswith(b"* OK [NOTIFICATIONOVERF"))
