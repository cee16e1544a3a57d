"""Mailboxes of others, through the rights that they gave; over every store."""

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.errors import (
    MailboxNotSelectable,
    MailboxUnreachable,
    MessageGone,
    NoSuchMailbox,
    NotPermitted,
    OverQuota,
)
from mailtwist.flags import DELETED, FLAGGED, SEEN
from mailtwist.mailbox.interfaces import (
    IIndexedMailbox,
    IIndexedMailboxes,
    IMailbox,
    ISharedMailboxes,
)
from mailtwist.mailbox.model import INBOX, Column, Range
from mailtwist.mailbox.posting import Posting
from mailtwist.mailbox.rights import Action, parsed
from tests.store.contract import MESSAGE, add, remove, replace
from tests.store.on_disk import OnDisk
from tests.store.test_agent_contract import InMemory, OverSocket

from .shared_world import ANN, BOB, EVE, OF_ANN, OTHERS, PUBLIC, SharedWords

MINE = ("Mine",)


class SharedCases:
    """What is true over any store."""

    async def test_interfaces(self):
        path = await self.shared()
        verifyObject(ISharedMailboxes, self.bob)
        for one in (path, INBOX):
            verifyObject(IMailbox, await self.opened(self.bob, one))

    # -- names ------------------------------------------------------------------

    async def test_only_what_may_be_looked_up_is_listed(self):
        await self.shared("l")
        await self.ann.create(("Secret",))
        await self.give(("Secret",), BOB, "r")
        self.assertEqual(
            await self.paths(self.bob), [INBOX, OF_ANN + ("Work",), PUBLIC]
        )
        self.assertEqual(await self.paths(self.eve), [INBOX, PUBLIC])
        above = {i.path for i in await self.bob.listed() if not i.selectable}
        self.assertEqual(above, {OTHERS, OF_ANN, ("Shared",)})
        self.assertEqual(
            await self.paths(self.ann), [INBOX, ("Secret",), ("Work",), PUBLIC]
        )

    async def test_children_are_listed_below_what_is_hidden(self):
        await self.ann.create(("a", "b"))
        await self.give(("a", "b"), BOB, "lr")
        infos = {i.path: i for i in await self.bob.listed()}
        self.assertFalse(infos[OF_ANN + ("a",)].selectable)
        self.assertTrue(infos[OF_ANN + ("a", "b")].selectable)
        near = [info.path for info in await self.bob.near(OF_ANN + ("a", "b"))]
        self.assertEqual(near, [OF_ANN + ("a", "b")])

    async def test_subscriptions_are_the_readers(self):
        path = await self.shared()
        await self.bob.subscribe(path)
        await self.bob.subscribe(OF_ANN + ("Gone",))
        infos = {i.path: i for i in await self.bob.listed()}
        self.assertTrue(infos[path].subscribed and infos[path].exists)
        gone = infos[OF_ANN + ("Gone",)]
        self.assertTrue(gone.subscribed and not gone.exists)
        await self.bob.unsubscribe(path)
        infos = {i.path: i for i in await self.bob.listed()}
        self.assertFalse(infos[path].subscribed)
        self.assertFalse({i.path for i in await self.ann.listed() if i.subscribed})

    async def test_special_uses_are_the_owners(self):
        await self.ann.create(("Out",), frozenset({"\\Sent"}))
        await self.give(("Out",), BOB, "lr")
        infos = {i.path: i for i in await self.bob.listed()}
        self.assertEqual(infos[OF_ANN + ("Out",)].special_uses, frozenset())

    async def test_who_has_nothing_finds_nothing(self):
        path = await self.shared()
        for name in (
            path,
            OF_ANN,
            OTHERS,
            (*OTHERS, "none@x.test", "a"),
            OF_ANN + INBOX,
        ):
            for work in (
                self.eve.status(name),
                self.eve.open(name),
                self.eve.my_rights(name),
                self.eve.rights(name),
                self.eve.delete(name),
                self.eve.metadata(name),
                self.append(self.eve, name),
            ):
                await self.faulty(NoSuchMailbox, work)
        self.assertEqual(await self.eve.may(path), frozenset())
        await self.faulty(MailboxNotSelectable, self.bob.status(OF_ANN))

    async def test_an_account_that_is_gone_or_lost_hides_nobody_else(self):
        path = await self.shared()
        await self.give(INBOX, BOB, "lr", by=self.eve)
        self.gone.add(ANN)
        listed = [INBOX, (*OTHERS, EVE, "INBOX"), PUBLIC]
        self.assertEqual(await self.paths(self.bob), listed)
        await self.faulty(NoSuchMailbox, self.bob.status(path))

        async def lost(name):
            if name == ANN:
                raise MailboxUnreachable()
            return self.own(name)

        self.patch(self.sharing, "_trees", lost)
        self.sharing._known.clear()
        self.assertEqual(await self.paths(self.bob), listed)
        await self.faulty(MailboxUnreachable, self.bob.status(path))

    async def test_ones_own_mailboxes_are_there_without_the_index(self):
        await self.shared()
        await self.shares.close()
        self.sharing.shares._known.clear()
        self.assertEqual(await self.paths(self.bob), [INBOX, PUBLIC])
        self.assertEqual((await self.bob.status(INBOX)).messages, 0)

    async def test_INBOX_of_others_has_its_name_in_any_case(self):
        await self.shared("lr", INBOX, messages=1)
        for name in ("INBOX", "inbox"):
            self.assertEqual((await self.bob.status((*OF_ANN, name))).messages, 1)

    # -- who is meant -------------------------------------------------------------

    async def test_groups_anyone_and_negative_rights(self):
        path = await self.shared("")
        await self.give(("Work",), "$team", "lrsw")
        await self.give(("Work",), "-$interns", "w")
        team, intern = self.view(EVE, "team"), self.view(BOB, "team", "interns")
        self.assertEqual(await team.may(path), frozenset("lrsw"))
        self.assertEqual(await intern.may(path), frozenset("lrs"))
        self.assertEqual(await self.eve.may(path), frozenset())
        await self.give(("Work",), "anyone", "l")
        self.assertEqual(await self.eve.may(path), frozenset("l"))
        await self.give(("Work",), "anonymous", "r")
        guest = self.view(EVE, anonymous=True)
        self.assertEqual(await guest.may(path), frozenset("lr"))
        self.assertEqual(await self.eve.may(path), frozenset("l"))

    async def test_accounts_are_named_however_they_are_spelled(self):
        await self.shared("")
        await self.give(("Work",), "BOB@Example.test", "lr")
        self.assertIn(BOB, await self.ann.rights(("Work",)))
        self.assertEqual(await self.bob.may(OF_ANN + ("Work",)), frozenset("lr"))
        await self.give(("Work",), "ANN@example.test", "r")
        self.assertEqual(await self.ann.may(("Work",)), frozenset("lra"))

    async def test_what_was_taken_is_gone_from_the_index(self):
        await self.shared("lr")
        await self.give(INBOX, BOB, "lr")
        await self.give(INBOX, BOB, "")
        self.assertEqual(await self.sharing.owners(self.bob.reader), [ANN])
        await self.give(("Work",), BOB, "lr", action=Action.REMOVE)
        self.assertEqual(await self.sharing.owners(self.bob.reader), [])
        await self.give(("Work",), "-" + BOB, "lr")
        self.assertEqual(await self.sharing.owners(self.bob.reader), [])

    async def test_who_may_administer_gives_rights_in_the_owners_name(self):
        path = await self.shared("lra")
        await self.give(path, EVE, "lr", by=self.bob)
        self.assertEqual(await self.eve.may(path), frozenset("lr"))
        self.assertEqual(await self.eve.my_rights(path), frozenset("lr"))
        self.assertEqual(self.bob.owner_of(path), ANN)
        self.assertEqual(await self.bob.rights(path), await self.ann.rights(("Work",)))
        await self.give(("Work",), BOB, "lr")
        await self.faulty(NotPermitted, self.give(path, EVE, "", by=self.bob))
        await self.faulty(NotPermitted, self.bob.rights(path))

    # -- reading and flags --------------------------------------------------------

    async def test_each_reader_has_its_own_seen(self):
        path = await self.shared()
        await self.give(("Work",), EVE, "lrs")
        theirs = await self.opened(self.bob, path)
        done = await theirs.store_flags([1], add(SEEN, FLAGGED))
        self.assertEqual(done.rows.flags, [{SEEN, FLAGGED}])
        self.assertEqual(
            await self.flags(self.bob, path), [{SEEN, FLAGGED}, frozenset()]
        )
        for view, name in ((self.ann, ("Work",)), (self.eve, path)):
            self.assertEqual(await self.flags(view, name), [{FLAGGED}, frozenset()])
        for view, name, unseen in (
            (self.bob, path, 1),
            (self.eve, path, 2),
            (self.ann, ("Work",), 2),
        ):
            self.assertEqual((await view.status(name)).unseen, unseen)
            mailbox = await self.opened(view, name)
            self.assertEqual((await mailbox.status()).unseen, unseen)
        mine = await self.opened(self.ann, ("Work",))
        await mine.store_flags([2], add(SEEN))
        self.assertEqual((await self.bob.status(path)).unseen, 1)

    async def test_seen_of_a_reader_is_told_to_its_other_sessions(self):
        path = await self.shared()
        one, two = [await self.opened(self.bob, path) for _ in range(2)]
        since = (await two.status()).highest_modseq
        told = []
        two.watch(told.append)
        done = await one.store_flags([2], add(SEEN))
        await self.until(lambda: told, "the change")
        changes = await two.changes(since)
        self.assertEqual((changes.rows.uids, changes.rows.flags), ([2], [{SEEN}]))
        self.assertEqual(done.highest_modseq, changes.highest_modseq)
        await one.store_flags([2], remove(SEEN))
        again = await two.changes(changes.highest_modseq)
        self.assertEqual(again.rows.flags, [frozenset()])

    async def test_who_has_it_open_reads_nothing_after_the_right_is_gone(self):
        path = await self.shared("lri")
        mailbox = await self.opened(self.bob, path)
        since = (await mailbox.status()).highest_modseq
        await self.give(("Work",), BOB, "l")
        await self.append(self.ann, ("Work",))
        changes = await mailbox.changes(since)
        self.assertEqual((changes.highest_modseq, changes.rows.uids), (since, []))
        for work in (
            lambda: mailbox.rows(),
            lambda: mailbox.rendered([1], [Column.ENVELOPE]),
            lambda: mailbox.octets([Range(1, 0, 100)]),
            lambda: mailbox.copy([1], INBOX),
            lambda: mailbox.copy([1], path),
        ):
            with self.assertRaises(NotPermitted):
                await work()
        await self.give(("Work",), BOB, "lr")
        self.assertEqual((await mailbox.changes(since)).rows.uids, [3])

    async def test_flags_in_place_of_others_leave_the_owners_seen(self):
        path = await self.shared()
        mine = await self.opened(self.ann, ("Work",))
        await mine.store_flags([1], add(SEEN, "old"))
        theirs = await self.opened(self.bob, path)
        done = await theirs.store_flags([1], replace(FLAGGED))
        self.assertEqual(done.rows.flags, [{FLAGGED}])
        self.assertEqual((await mine.rows()).flags[0], {SEEN, FLAGGED})
        done = await theirs.store_flags([1], replace(SEEN))
        self.assertEqual(done.rows.flags, [{SEEN}])
        self.assertEqual((await mine.rows()).flags[0], {SEEN})

    async def test_flags_are_changed_as_far_as_rights_go(self):
        path = await self.shared("lrs")
        theirs = await self.opened(self.bob, path)
        done = await theirs.store_flags([1], replace(SEEN, DELETED, "x"))
        self.assertEqual(done.rows.flags, [{SEEN}])
        await self.faulty(NotPermitted, theirs.expunge())
        await self.give(("Work",), BOB, "lrw")
        done = await theirs.store_flags([1], replace(DELETED, "x"))
        self.assertEqual(done.rows.flags, [{SEEN, "x"}])
        await self.give(("Work",), BOB, "lr")
        await self.faulty(NotPermitted, theirs.store_flags([1], add("y")))

    async def test_a_conditional_change_of_seen_alone_and_of_more(self):
        path = await self.shared()
        theirs = await self.opened(self.bob, path)
        since = (await theirs.status()).highest_modseq
        await theirs.store_flags([1], add("k"))
        for flags in ((SEEN,), (SEEN, "j")):
            done = await theirs.store_flags([1, 2], add(*flags), unchanged_since=since)
            self.assertEqual(done.modified, [1])
            self.assertEqual(done.rows.uids, [2])
            self.assertLess(set(flags) - {"j"}, done.rows.flags[0] | {0})
            await theirs.store_flags([2], remove(*flags))
            since = (await theirs.status()).highest_modseq
            await theirs.store_flags([1], add("k" * len(flags) + "x"))

    async def test_read_only_readers_keep_seen_too(self):
        path = await self.shared("lrs")
        theirs = await self.opened(self.bob, path, read_only=True)
        self.assertTrue(theirs.read_only)
        self.assertEqual(await theirs.octets([Range(1)]), [MESSAGE])

    async def test_a_mailbox_follows_its_rename(self):
        path = await self.shared()
        theirs = await self.opened(self.bob, path)
        self.assertEqual((theirs.path, await theirs.where()), (path, path))
        await self.ann.rename(("Work",), ("Play",))
        self.assertEqual(await theirs.where(), OF_ANN + ("Play",))
        self.assertEqual((await theirs.store_flags([1], add("x"))).rows.flags, [{"x"}])
        self.assertIn(OF_ANN + ("Play",), await self.paths(self.bob))

    async def test_the_index_of_texts_is_there_as_the_store_has_it(self):
        path = await self.shared()
        for view, tree, name in (
            (self.bob, self.own(BOB), INBOX),
            (self.bob, self.own(ANN), path),
        ):
            indexed = IIndexedMailboxes.providedBy(tree)
            self.assertEqual(IIndexedMailboxes.providedBy(view), indexed)
            mailbox = await self.opened(view, name)
            self.assertEqual(IIndexedMailbox.providedBy(mailbox), indexed)
            if indexed:
                await mailbox.text_hits("lunch", None)
                self.assertEqual(await mailbox.text_extracts([1, 2]), [None, None])
                await mailbox.keep_threads("REFS", b"these", b"(1)")
                kept = await mailbox.kept_threads("REFS", b"these")
                self.assertEqual(kept, b"(1)")

    # -- messages that come and go ------------------------------------------------

    async def test_messages_are_appended_with_the_flags_that_may_be_set(self):
        path = await self.shared("lis", messages=0)
        await self.append(self.bob, path, flags={SEEN, DELETED, "x"})
        self.assertEqual(await self.flags(self.ann, ("Work",)), [frozenset()])
        await self.give(("Work",), BOB, "lrsi")
        self.assertEqual(await self.flags(self.bob, path), [{SEEN}])
        await self.give(("Work",), BOB, "lr")
        await self.faulty(NotPermitted, self.append(self.bob, path))

    async def test_copies_go_to_others_and_come_back(self):
        path = await self.shared("lri", messages=0)
        await self.append(self.bob, INBOX, flags={SEEN, "x"})
        await self.append(
            self.bob, INBOX, octets=b"Subject: big\r\n\r\n" + b"y" * 600_000
        )
        mine = await self.opened(self.bob, INBOX)
        copied = await mine.copy([1, 2, 9], path)
        self.assertEqual((copied.source_uids, copied.target_uids), ([1, 2], [1, 2]))
        theirs = await self.opened(self.bob, path)
        self.assertEqual(copied.uid_validity, theirs.uid_validity)
        rows, own = await theirs.rows(), await mine.rows()
        self.assertEqual(rows.flags, [frozenset()] * 2, "no right to set any")
        self.assertEqual(
            (rows.octets, rows.internal_dates), (own.octets, own.internal_dates)
        )
        back = await theirs.copy([2], INBOX)
        octets = await mine.octets([Range(back.target_uids[0]), Range(2)])
        self.assertEqual(octets[0], octets[1])
        empty = await mine.copy([99], path)
        self.assertEqual(
            (empty.source_uids, empty.uid_validity), ([], theirs.uid_validity)
        )
        await self.faulty(NoSuchMailbox, mine.copy([1], OF_ANN + ("None",)))

    async def test_copies_within_what_another_shares_keep_the_readers_seen(self):
        path = await self.shared()
        await self.ann.create(("More",))
        await self.give(("More",), BOB, "lrsi")
        mine = await self.opened(self.ann, ("Work",))
        await mine.store_flags([1, 2], add(FLAGGED, SEEN))
        theirs = await self.opened(self.bob, path)
        await theirs.store_flags([1], add(SEEN))
        await theirs.copy([1, 2], OF_ANN + ("More",))
        more = await self.flags(self.bob, OF_ANN + ("More",))
        self.assertEqual(more, [{SEEN}, frozenset()])
        await self.give(("More",), BOB, "lr")
        await self.faulty(NotPermitted, theirs.copy([1], OF_ANN + ("More",)))

    async def test_messages_move_across_and_within(self):
        path = await self.shared()
        theirs = await self.opened(self.bob, path)
        moved = await theirs.move([1], INBOX)
        self.assertEqual(moved.source_uids, [1])
        self.assertEqual((await self.bob.status(INBOX)).messages, 1)
        self.assertEqual((await theirs.rows()).uids, [2])
        mine = await self.opened(self.bob, INBOX)
        await mine.move([1], path)
        self.assertEqual((await mine.rows()).uids, [])
        self.assertEqual((await theirs.changes(0)).rows.uids, [2, 3])
        await self.ann.create(("More",))
        await self.give(("More",), BOB, "lrsi")
        await theirs.move([2], OF_ANN + ("More",))
        self.assertEqual((await self.ann.status(("More",))).messages, 1)
        await self.give(("Work",), BOB, "lrste")
        await self.faulty(NotPermitted, mine.move([], path))
        await self.give(("Work",), BOB, "lrs")
        await self.faulty(NotPermitted, theirs.move([3], INBOX))
        self.assertEqual((await theirs.rows()).uids, [3])

    async def test_replacing_across_and_within(self):
        path = await self.shared()
        theirs = await self.opened(self.bob, path)
        mine = await self.opened(self.bob, INBOX)
        await self.append(self.bob, INBOX)
        for mailbox, target in ((theirs, path), (theirs, INBOX), (mine, path)):
            (uid, *_), there = (
                (await mailbox.rows()).uids,
                await self.bob.status(target),
            )
            upload = self.bob.upload(target)
            upload.write(b"new\r\n")
            done = await mailbox.replace(uid, target, (upload, frozenset(), None))
            self.assertEqual(done.uid_validity, there.uid_validity)
            self.assertNotIn(uid, (await mailbox.rows()).uids)
            upload = self.bob.upload(target)
            upload.write(b"new\r\n")
            work = mailbox.replace(uid, target, (upload, frozenset(), None))
            await self.faulty(MessageGone, work)

    async def test_what_replaces_comes_in_the_commit_that_takes_the_old(self):
        path = await self.shared(messages=1)
        limited = self.account_of(ANN, limit=len(MESSAGE) + 1)
        self.mailboxes(limited)
        self.patch(self, "own", lambda name: self.mailboxes(limited))
        await self.give(("Work",), BOB, "lrsite")
        theirs = await self.opened(self.bob, path)
        upload = self.bob.upload(path)
        upload.write(MESSAGE)
        flags = frozenset({SEEN, DELETED, FLAGGED})
        done = await theirs.replace(1, path, (upload, flags, None))
        await theirs.learn()
        rows = await theirs.rows()
        self.assertEqual((done.uids, rows.uids), ([2], [2]), "no room for both")
        self.assertEqual(rows.flags, [{SEEN, DELETED}], "and no right to set others")
        self.assertEqual(await self.flags(self.ann, ("Work",)), [{DELETED}])
        await self.give(("Work",), BOB, "lrste")
        upload = self.bob.upload(path)
        upload.write(MESSAGE)
        work = theirs.replace(2, path, (upload, flags, None))
        await self.faulty(NotPermitted, work)
        self.assertEqual((await theirs.rows()).uids, [2])

    async def test_room_is_the_owners(self):
        path = await self.shared(messages=1)
        self.own(ANN)
        limited = self.account_of(ANN, limit=len(MESSAGE) + 1)
        self.mailboxes(limited)
        self.patch(self, "own", lambda name: self.mailboxes(limited))
        await self.faulty(OverQuota, self.append(self.bob, path))
        await self.append(self.bob, INBOX)
        mine = await self.opened(self.bob, INBOX)
        await self.faulty(OverQuota, mine.move([1], path))
        self.assertEqual((await mine.rows()).uids, [1])
        (quota,) = await self.bob.quotas(path)
        self.assertEqual((quota.root, quota.messages), (OF_ANN, 1))
        self.assertEqual(await self.bob.quotas(OF_ANN), [quota])
        self.assertEqual(await self.bob.quotas(INBOX), [])
        await self.faulty(NoSuchMailbox, self.eve.quotas(path))
        await self.faulty(NotPermitted, self.bob.set_limits(path, quota.limits))

    # -- the tree -----------------------------------------------------------------

    async def test_mailboxes_are_made_renamed_and_deleted_by_right(self):
        path = await self.shared("lrkx")
        await self.bob.create((*path, "New", "Deep"))
        self.assertIn(("Work", "New", "Deep"), await self.paths(self.ann))
        self.assertEqual(await self.bob.may((*path, "New")), frozenset("lrkx"))
        await self.bob.rename((*path, "New", "Deep"), (*path, "Old"))
        await self.bob.delete((*path, "Old"))
        self.assertNotIn(("Work", "Old"), await self.paths(self.ann))
        for work in (
            self.bob.create(OF_ANN + ("Top",)),
            self.bob.rename((*path, "New"), OF_ANN + ("Top",)),
            self.bob.rename((*path, "New"), MINE),
            self.bob.rename(INBOX, (*path, "x")),
        ):
            await self.faulty(NotPermitted, work)
        await self.give(("Work",), BOB, "lr")
        for work in (self.bob.create((*path, "More")), self.bob.delete(path)):
            await self.faulty(NotPermitted, work)

    async def test_the_owners_keys_are_the_owners(self):
        path = await self.shared()
        await self.faulty(NotPermitted, self.bob.access_key(path, make=True))
        await self.faulty(NotPermitted, self.bob.reset_access_keys(path))
        self.assertIsNotNone(await self.bob.access_key(INBOX, make=True))

    # -- annotations --------------------------------------------------------------

    async def test_private_annotations_are_the_readers(self):
        path = await self.shared("lr")
        comment, common = "/private/comment", "/shared/comment"
        await self.ann.set_metadata(("Work",), [(comment, b"a"), (common, b"all")], 9)
        await self.bob.set_metadata(path, [(comment, b"b")], 9)

        def told(found):
            return [(one.path, one.name, one.value) for one in found]

        wanted = [(path, comment, b"b"), (path, common, b"all")]
        self.assertEqual(told(await self.bob.metadata(path)), wanted)
        self.assertEqual(told(await self.bob.metadata(path, [comment])), wanted[:1])
        self.assertEqual(told(await self.bob.metadata(None)), wanted)
        mine = [(("Work",), comment, b"a"), (("Work",), common, b"all")]
        self.assertEqual(told(await self.ann.metadata(("Work",))), mine)
        self.assertEqual(told(await self.ann.metadata(None)), mine)
        work = self.bob.set_metadata(path, [(common, b"x")], 9)
        await self.faulty(NotPermitted, work)
        await self.give(("Work",), BOB, "lrw")
        await self.bob.set_metadata(path, [(common, None)], 9)
        self.assertEqual(told(await self.ann.metadata(("Work",))), mine[:1])

    # -- public folders -----------------------------------------------------------

    async def test_a_public_folder_is_everybodys_by_its_list(self):
        self.sharing._public["News"].rights.update({"$staff": frozenset("lrswipkxtea")})
        staff = self.view(EVE, "staff")
        await self.append(staff, PUBLIC)
        await staff.create((*PUBLIC, "Python"))
        await self.append(staff, (*PUBLIC, "Python"))
        self.assertEqual(
            await self.paths(self.bob), [INBOX, PUBLIC, (*PUBLIC, "Python")]
        )
        await self.faulty(NotPermitted, self.append(self.bob, PUBLIC))
        theirs = await self.opened(self.bob, PUBLIC)
        self.assertEqual(await theirs.where(), PUBLIC)
        await theirs.store_flags([1], add(SEEN))
        self.assertEqual(await self.flags(self.ann, PUBLIC), [frozenset()])
        self.assertEqual(self.bob.owner_of(PUBLIC), "")
        await self.faulty(NoSuchMailbox, self.bob.status((*PUBLIC, "None")))
        await self.faulty(NoSuchMailbox, self.bob.status(("Shared", "None")))
        await self.give((*PUBLIC, "Python"), BOB, "lri", by=staff)
        await self.append(self.bob, (*PUBLIC, "Python"))
        rights = await staff.rights((*PUBLIC, "Python"))
        self.assertEqual(rights["anyone"], frozenset("lrs"))
        self.assertEqual(rights[BOB], frozenset("lri"))
        self.assertEqual((await staff.rights(PUBLIC))["anyone"], frozenset("lrs"))

    # -- posting ------------------------------------------------------------------

    async def test_a_subaddress_posts_where_anybody_may(self):
        await self.shared("lrsp", ("Lists", "Python"))
        public = {"#News": {"anyone": parsed("lrp")}}
        posting = Posting(self.store, public)
        ann, news = self.account_of(ANN), self.account_of("#News")

        async def place(account, detail):
            return await posting.place(account, detail)

        self.assertIsNone(await place(ann, "lists/python"), "bob alone may")
        for who in ("anyone", "anonymous"):
            await self.give(("Lists", "Python"), who, "p")
            self.assertEqual(await place(ann, "lists/python"), ("Lists", "Python"))
            await self.give(("Lists", "Python"), who, "l")
        await self.give(INBOX, "anyone", "p")
        for detail in ("lists/python", "Lists", "none", "inbox", "", "/"):
            self.assertIsNone(await place(ann, detail), detail)
        await self.own("#News").create(("Talk",))
        self.assertEqual(await place(news, "talk"), ("Talk",))
        self.assertIsNone(await place(news, "none"))

    async def test_a_login_posts_by_what_it_was_given(self):
        await self.shared("lrsp", ("Lists",))
        await self.ann.create(("Work",))
        await self.give(("Lists",), "$team", "p")
        posting, ann = Posting(self.store, {}), self.account_of(ANN)

        async def place(detail, name, *groups):
            poster = self.sharing.reader(name, groups).identifiers
            return await posting.place(ann, detail, poster)

        self.assertEqual(await place("lists", BOB), ("Lists",))
        self.assertEqual(await place("lists", EVE, "team"), ("Lists",))
        self.assertIsNone(await place("lists", EVE, "other"))
        self.assertIsNone(await place("work", BOB))
        self.assertEqual(await place("work", ANN), ("Work",), "the owner may all")
        await self.give(("Lists",), f"-{BOB}", "p")
        self.assertIsNone(await place("lists", BOB))
        await self.give(("Lists",), "anyone", "p")
        await self.give(("Lists",), "-anonymous", "p")
        self.assertIsNone(await posting.place(ann, "lists"))
        self.assertEqual(await place("lists", EVE), ("Lists",), "who logged in")

    # -- watching -----------------------------------------------------------------

    async def test_what_happens_in_mailboxes_of_others_is_told(self):
        path = await self.shared()
        told = []
        end = await self.bob.watch(told.append, lambda: told.append("lost"))
        await self.append(self.ann, ("Work",))
        await self.until(lambda: path in told, "the message")
        del told[:]
        await self.give(INBOX, BOB, "lr", by=self.eve)
        await self.until(lambda: None in told, "what was given")
        self.assertIn((*OTHERS, EVE, "INBOX"), await self.paths(self.bob))

        async def heard():
            await self.append(self.eve, INBOX)

        await heard()
        await self.until(lambda: (*OTHERS, EVE, "INBOX") in told, "its message")
        end()
        del told[:]
        await self.append(self.ann, ("Work",))
        self.assertEqual(told, [])


class OverMemoryTests(InMemory, SharedCases, SharedWords, TestCase):
    timeout = 20


class OverMaildirTests(OnDisk, SharedCases, SharedWords, TestCase):
    pass


class OverAgentsTests(OverSocket, OnDisk, SharedCases, SharedWords, TestCase):
    pass
