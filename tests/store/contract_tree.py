"""The tree of mailboxes: create, delete, rename, subscribe, list."""

from mailtwist.errors import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    MailboxNotSelectable,
    NoSuchMailbox,
    NotPermitted,
)
from mailtwist.flags import FLAGGED
from mailtwist.mailbox.model import INBOX


class TreeContract:
    async def test_INBOX_is_always_there(self):
        listed = await self.tree.listed()
        self.assertEqual([info.path for info in listed], [INBOX])
        self.assertTrue(listed[0].selectable)
        self.assertTrue(listed[0].exists)
        self.assertTrue(listed[0].object_id)

    async def test_the_same_object_while_in_use(self):
        self.assertIs(
            self.store.mailboxes(self.account), self.store.mailboxes(self.account)
        )

    async def test_accounts_do_not_see_each_other(self):
        other = self.mailboxes(self.account_of("bob@example.test"))
        await self.tree.create(("Mine",))
        await self.put()
        self.assertEqual([info.path for info in await other.listed()], [INBOX])
        self.assertEqual((await other.status(INBOX)).messages, 0)

    async def test_create_makes_missing_parents(self):
        await self.tree.create(("a", "b", "c"))
        self.assertEqual(
            await self.names(), [INBOX, ("a",), ("a", "b"), ("a", "b", "c")]
        )
        self.assertEqual((await self.tree.status(("a", "b"))).messages, 0)

    async def test_create_gives_the_object_id(self):
        object_id = await self.tree.create(("a",))
        self.assertEqual((await self.info(("a",))).object_id, object_id)
        self.assertEqual((await self.open(("a",))).object_id, object_id)

    async def test_object_ids_differ(self):
        ids = {await self.tree.create((name,)) for name in "abc"}
        self.assertEqual(len(ids | {(await self.info(INBOX)).object_id}), 4)

    async def test_create_what_exists(self):
        await self.tree.create(("a",))
        await self.faulty(MailboxExists, self.tree.create(("a",)))
        await self.faulty(MailboxExists, self.tree.create(INBOX))

    async def test_names_that_cannot_be(self):
        for path, why in (
            ((), "no component"),
            (("",), "an empty component"),
            (("a", "", "b"), "an empty component in the middle"),
            (("Inbox",), "INBOX in another case would be a second one"),
            (("a" * 100_000,), "longer than any file system takes"),
            (("\ud800",), "a lone surrogate is no UTF-8"),
        ):
            fault = await self.faulty(BadMailboxName, self.tree.create(path))
            self.assertTrue(fault.public, why)
        self.assertEqual(await self.names(), [INBOX])

    async def test_names_that_look_like_file_names(self):
        paths = [
            ("..",),
            (".",),
            ("a/b",),
            ("a.b",),
            ("a", "b"),
            ("../../etc",),
            ("~",),
            ("new",),
            ("cur",),
            ("dovecot.index",),
            ("x" * 200,),
            ("a", "INBOX"),
            ("B&AOk-",),
            ("Entwürfe 日本語",),
            ("e\u0301",),
            ("\u00e9",),
            (" blank ",),
            ("*%",),
        ]
        ids = {}
        for path in paths:
            if path not in ids:
                ids[path] = await self.tree.create(path)
        self.assertEqual(len(set(ids.values())), len(paths))
        for path, object_id in ids.items():
            self.assertEqual((await self.info(path)).object_id, object_id, path)

    async def test_siblings_sorted_and_parents_first(self):
        for path in (("b",), ("a", "z"), ("a", "b"), ("INBOX", "x"), ("A",)):
            await self.tree.create(path)
        self.assertEqual(
            await self.names(),
            [
                INBOX,
                ("INBOX", "x"),
                ("A",),
                ("a",),
                ("a", "b"),
                ("a", "z"),
                ("b",),
            ],
        )

    async def test_special_uses_are_kept(self):
        await self.tree.create(("Gone",), frozenset({"\\Trash"}))
        await self.tree.rename(("Gone",), ("Away",))
        self.assertEqual((await self.info(("Away",))).special_uses, {"\\Trash"})
        self.assertEqual((await self.info(INBOX)).special_uses, frozenset())

    # -- delete -----------------------------------------------------------------

    async def test_delete_takes_the_messages(self):
        await self.tree.create(("a",))
        await self.put(("a",))
        await self.tree.delete(("a",))
        self.assertEqual(await self.names(), [INBOX])
        self.assertEqual((await self.tree.usage()).messages, 0)
        await self.faulty(NoSuchMailbox, self.tree.open(("a",)))
        await self.faulty(NoSuchMailbox, self.tree.status(("a",)))

    async def test_delete_what_is_not_there(self):
        await self.faulty(NoSuchMailbox, self.tree.delete(("a",)))

    async def test_INBOX_is_not_deleted(self):
        await self.put()
        await self.faulty(NotPermitted, self.tree.delete(INBOX))
        self.assertEqual((await self.tree.status(INBOX)).messages, 1)

    async def test_delete_with_children_leaves_a_name(self):
        await self.tree.create(("a", "b"))
        await self.put(("a",))
        await self.tree.delete(("a",))
        info = await self.info(("a",))
        self.assertEqual((info.selectable, info.exists), (False, True))
        self.assertEqual((await self.tree.usage()).messages, 0)
        await self.faulty(MailboxNotSelectable, self.tree.open(("a",)))
        await self.faulty(MailboxNotSelectable, self.tree.status(("a",)))
        await self.faulty(MailboxNotSelectable, self.put(("a",)))

    async def test_a_bare_name_with_children_cannot_be_deleted(self):
        await self.tree.create(("a", "b"))
        await self.tree.delete(("a",))
        await self.faulty(MailboxHasChildren, self.tree.delete(("a",)))
        self.assertIn(("a", "b"), await self.names())

    async def test_a_bare_name_goes_with_its_last_child(self):
        await self.tree.create(("a", "b"))
        await self.tree.delete(("a",))
        await self.tree.delete(("a", "b"))
        self.assertEqual(await self.names(), [INBOX])

    async def test_a_bare_name_can_be_made_again(self):
        await self.tree.create(("a", "b"))
        await self.tree.delete(("a",))
        await self.tree.create(("a",))
        self.assertTrue((await self.info(("a",))).selectable)

    async def test_a_new_mailbox_of_an_old_name_has_another_UIDVALIDITY(self):
        await self.tree.create(("a",))
        first = await self.open(("a",))
        await self.tree.delete(("a",))
        await self.tree.create(("a",))
        second = await self.open(("a",))
        self.assertGreater(second.uid_validity, first.uid_validity)
        self.assertNotEqual(second.object_id, first.object_id)

    async def test_an_open_mailbox_that_is_deleted(self):
        await self.tree.create(("a",))
        await self.put(("a",))
        mailbox = await self.open(("a",))
        hints = []
        mailbox.watch(hints.append)
        await self.tree.delete(("a",))
        await self.until(lambda: hints, "the hint of a deletion")
        await self.faulty(NoSuchMailbox, mailbox.changes(0))
        await self.faulty(NoSuchMailbox, mailbox.status())

    # -- rename -----------------------------------------------------------------

    async def test_rename_keeps_everything_but_the_name(self):
        await self.tree.create(("a",))
        uid = await self.put(("a",), flags={FLAGGED})
        before = await self.open(("a",))
        rows = await before.rows()
        await self.tree.rename(("a",), ("x", "y"))
        after = await self.open(("x", "y"))
        self.assertEqual(after.object_id, before.object_id)
        self.assertEqual(after.uid_validity, before.uid_validity)
        self.assertEqual(await after.rows(), rows)
        self.assertEqual(rows.uids, [uid])
        self.assertEqual(await self.names(), [INBOX, ("x",), ("x", "y")])

    async def test_rename_takes_the_children_along(self):
        await self.tree.create(("a", "b", "c"))
        await self.tree.create(("ab",))
        await self.put(("a", "b", "c"))
        await self.tree.rename(("a",), ("z",))
        self.assertEqual(
            await self.names(),
            [INBOX, ("ab",), ("z",), ("z", "b"), ("z", "b", "c")],
        )
        self.assertEqual((await self.tree.status(("z", "b", "c"))).messages, 1)

    async def test_an_open_mailbox_lives_through_its_rename(self):
        await self.tree.create(("a",))
        uid = await self.put(("a",))
        mailbox = await self.open(("a",))
        self.assertEqual(await mailbox.where(), ("a",))
        await self.tree.rename(("a",), ("b",))
        self.assertEqual(await mailbox.where(), ("b",))
        self.assertEqual((await mailbox.rows()).uids, [uid])
        more = await self.put(("b",))
        self.assertEqual((await mailbox.rows()).uids, [uid, more])
        self.assertEqual((await mailbox.expunge([uid])).uids, [uid])

    async def test_rename_of_INBOX_moves_its_messages(self):
        await self.put(flags={FLAGGED})
        await self.put()
        await self.tree.create(("INBOX", "child"))
        inbox = await self.open()
        await self.tree.rename(INBOX, ("old",))
        self.assertEqual((await self.tree.status(INBOX)).messages, 0)
        moved = await self.open(("old",))
        self.assertEqual((await moved.rows()).flags, [{FLAGGED}, frozenset()])
        self.assertNotEqual(moved.object_id, inbox.object_id)
        self.assertIn(("INBOX", "child"), await self.names())
        self.assertEqual((await inbox.changes(0)).rows.uids, [])

    async def test_rename_faults(self):
        await self.tree.create(("a",))
        await self.tree.create(("b",))
        for old, new, fault, why in (
            (("no",), ("x",), NoSuchMailbox, "nothing to rename"),
            (("a",), ("b",), MailboxExists, "the new name is taken"),
            (("a",), ("a",), MailboxExists, "by itself, too"),
            (("a",), INBOX, MailboxExists, "INBOX always exists"),
            (INBOX, ("b",), MailboxExists, "also for INBOX"),
            (("a",), ("",), BadMailboxName, "no name"),
            (("a",), ("a", "b"), BadMailboxName, "into itself"),
        ):
            raised = await self.faulty(fault, self.tree.rename(old, new))
            self.assertTrue(raised.public, why)
        self.assertEqual(await self.names(), [INBOX, ("a",), ("b",)])

    # -- subscriptions ----------------------------------------------------------

    async def test_subscriptions_are_listed(self):
        await self.tree.create(("a",))
        await self.tree.subscribe(("a",))
        await self.tree.subscribe(INBOX)
        self.assertTrue((await self.info(("a",))).subscribed)
        self.assertTrue((await self.info(INBOX)).subscribed)
        await self.tree.unsubscribe(("a",))
        self.assertFalse((await self.info(("a",))).subscribed)

    async def test_a_name_that_does_not_exist_may_be_subscribed(self):
        await self.tree.subscribe(("x", "y"))
        info = await self.info(("x", "y"))
        self.assertEqual(
            (info.exists, info.selectable, info.subscribed), (False, False, True)
        )
        self.assertEqual(await self.names(), [INBOX])
        await self.faulty(NoSuchMailbox, self.tree.open(("x", "y")))

    async def test_a_subscription_outlives_its_mailbox(self):
        await self.tree.create(("a",))
        await self.tree.subscribe(("a",))
        await self.tree.delete(("a",))
        info = await self.info(("a",))
        self.assertEqual((info.exists, info.subscribed), (False, True))

    async def test_unsubscribe_what_was_not_subscribed(self):
        await self.tree.unsubscribe(("a",))
        await self.tree.unsubscribe(INBOX)
        self.assertEqual(
            [info.path for info in await self.tree.listed() if info.subscribed], []
        )

    async def test_subscribe_twice(self):
        await self.tree.subscribe(INBOX)
        await self.tree.subscribe(INBOX)
        await self.tree.unsubscribe(INBOX)
        self.assertFalse((await self.info(INBOX)).subscribed)

    # -- marks ------------------------------------------------------------------

    async def test_marked_until_somebody_looked(self):
        await self.deliver(self.account)
        self.assertTrue((await self.info(INBOX)).marked)
        mailbox = await self.open()
        await mailbox.take_recent()
        self.assertFalse((await self.info(INBOX)).marked)
