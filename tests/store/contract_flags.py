"""Flags and keywords: store_flags, UNCHANGEDSINCE, spelling, MODSEQ."""

from mailtwist.errors import MailboxReadOnly
from mailtwist.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    FORWARDED,
    RECENT,
    SEEN,
    SYSTEM,
)
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange


def change(action, *flags):
    return FlagChange(action, frozenset(flags))


class FlagContract:
    async def test_flags_are_added_removed_and_replaced(self):
        uid = await self.put(flags={SEEN})
        mailbox = await self.open()
        for action, given, want in (
            (FlagAction.ADD, {FLAGGED}, {SEEN, FLAGGED}),
            (FlagAction.ADD, {DRAFT, "$Work"}, {SEEN, FLAGGED, DRAFT, "$Work"}),
            (FlagAction.REMOVE, {SEEN, ANSWERED}, {FLAGGED, DRAFT, "$Work"}),
            (FlagAction.REMOVE, {"$Work"}, {FLAGGED, DRAFT}),
            (FlagAction.REPLACE, {ANSWERED, "x"}, {ANSWERED, "x"}),
            (FlagAction.REPLACE, set(), set()),
            (FlagAction.ADD, set(SYSTEM), set(SYSTEM)),
            (FlagAction.ADD, {FORWARDED}, {*SYSTEM, FORWARDED}),
        ):
            stored = await mailbox.store_flags([uid], change(action, *given))
            self.assertEqual(stored.rows.flags, [want])
            self.assertEqual(stored.modified, [])
            self.assertEqual((await mailbox.rows()).flags, [want])

    async def test_other_sessions_see_it(self):
        uid = await self.put()
        one, two = await self.open(), await self.open()
        seen = (await two.changes(0)).highest_modseq
        await one.store_flags([uid], change(FlagAction.ADD, FLAGGED))
        changes = await two.changes(seen)
        self.assertEqual(changes.rows.uids, [uid])
        self.assertEqual(changes.rows.flags, [{FLAGGED}])

    async def test_MODSEQ_grows_for_what_changed_and_for_nothing_else(self):
        uids = (await self.put_all(INBOX, [(b"\r\n", (), 1)] * 3)).uids
        mailbox = await self.open()
        before = await mailbox.rows()
        stored = await mailbox.store_flags(uids[:2], change(FlagAction.ADD, FLAGGED))
        rows = await mailbox.rows()
        self.assertEqual(stored.rows.uids, uids[:2])
        self.assertEqual(stored.rows.modseqs, rows.modseqs[:2])
        self.assertGreater(min(rows.modseqs[:2]), max(before.modseqs))
        self.assertEqual(rows.modseqs[2], before.modseqs[2])
        self.assertEqual(stored.highest_modseq, max(rows.modseqs))
        self.assertEqual((await mailbox.status()).highest_modseq, max(rows.modseqs))

    async def test_a_flag_that_is_there_already_changes_nothing(self):
        uid = await self.put(flags={FLAGGED})
        mailbox = await self.open()
        before = await mailbox.rows()
        stored = await mailbox.store_flags([uid], change(FlagAction.ADD, FLAGGED))
        self.assertEqual(stored.rows, before)
        self.assertEqual(stored.highest_modseq, max(before.modseqs))

    async def test_UIDs_that_are_gone_are_left_out(self):
        uid = await self.put()
        mailbox = await self.open()
        stored = await mailbox.store_flags([uid, uid + 7], change(FlagAction.ADD, SEEN))
        self.assertEqual(stored.rows.uids, [uid])
        empty = await mailbox.store_flags([], change(FlagAction.ADD, SEEN))
        self.assertEqual((empty.rows.uids, empty.modified), ([], []))

    async def test_UNCHANGEDSINCE_leaves_newer_messages_alone(self):
        one, two = (await self.put_all(INBOX, [(b"\r\n", (), 1)] * 2)).uids
        mailbox = await self.open()
        known = (await mailbox.status()).highest_modseq
        await mailbox.store_flags([two], change(FlagAction.ADD, FLAGGED))
        stored = await mailbox.store_flags(
            [one, two], change(FlagAction.ADD, SEEN), unchanged_since=known
        )
        self.assertEqual(stored.rows.uids, [one])
        self.assertEqual(stored.modified, [two])
        self.assertEqual((await mailbox.rows()).flags, [{SEEN}, {FLAGGED}])

    async def test_UNCHANGEDSINCE_0_changes_nothing(self):
        uid = await self.put()
        mailbox = await self.open()
        stored = await mailbox.store_flags(
            [uid], change(FlagAction.ADD, SEEN), unchanged_since=0
        )
        self.assertEqual((stored.rows.uids, stored.modified), ([], [uid]))
        self.assertEqual((await mailbox.rows()).flags, [frozenset()])

    async def test_system_flags_have_one_spelling(self):
        uid = await self.put(flags={"\\seen"})
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).flags, [{SEEN}])
        await mailbox.store_flags([uid], change(FlagAction.REMOVE, "\\SEEN"))
        self.assertEqual((await mailbox.rows()).flags, [frozenset()])

    async def test_keywords_compare_without_case_and_keep_their_spelling(self):
        first = await self.put(flags={"NotJunk"})
        second = await self.put(flags={"notjunk"})
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).flags, [{"NotJunk"}, {"NotJunk"}])
        stored = await mailbox.store_flags([first], change(FlagAction.ADD, "NOTJUNK"))
        self.assertEqual(stored.rows.flags, [{"NotJunk"}])
        await mailbox.store_flags([second], change(FlagAction.REMOVE, "NOTJunk"))
        self.assertEqual((await mailbox.rows()).flags, [{"NotJunk"}, frozenset()])

    async def test_Recent_is_never_stored(self):
        uid = await self.put(flags={RECENT, SEEN})
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).flags, [{SEEN}])
        await mailbox.store_flags([uid], change(FlagAction.ADD, RECENT))
        self.assertEqual((await mailbox.rows()).flags, [{SEEN}])

    async def test_many_keywords(self):
        words = {f"word{n}" for n in range(20)}
        uid = await self.put(flags=words)
        self.assertEqual((await (await self.open()).rows([uid])).flags, [words])

    async def test_a_read_only_mailbox_keeps_its_flags(self):
        uid = await self.put()
        mailbox = await self.open(read_only=True)
        await self.faulty(
            MailboxReadOnly,
            mailbox.store_flags([uid], change(FlagAction.ADD, DELETED)),
        )
        self.assertEqual((await mailbox.rows()).flags, [frozenset()])
