"""Identifiers and dates that the store keeps (RFC 8474, RFC 8514)."""

from time import time

from mailtwist.flags import DELETED
from mailtwist.mailbox.model import INBOX, Column, FlagAction, FlagChange

FIRST = b"Message-ID: <1@x>\r\nSubject: a\r\n\r\nbody\r\n"
ANSWER = b"Message-ID: <2@x>\r\nReferences: <0@x> <1@x>\r\n\r\nbody\r\n"
OTHER = b"Message-ID: <3@x>\r\nSubject: a\r\n\r\nbody\r\n"
NAMELESS = b"Subject: no name\r\n\r\nbody\r\n"


class IdentifierContract:
    async def kept(self, column, path=INBOX):
        """A column of all messages of a mailbox."""
        mailbox = await self.open(path)
        uids = (await mailbox.rows()).uids
        rows = await mailbox.rendered(uids, (column,))
        return [row[0] for row in rows]

    async def test_an_email_id_is_one_message_s_own_and_goes_with_its_copies(self):
        for octets in (FIRST, FIRST, ANSWER):
            await self.put(octets=octets)
        before = await self.kept(Column.EMAIL_ID)
        self.assertEqual(len(set(before)), 3)
        await self.tree.create(("There",))
        await self.tree.create(("Elsewhere",))
        mailbox = await self.open()
        await mailbox.copy([1, 3], ("There",))
        there = await self.open(("There",))
        await there.move([1, 2], ("Elsewhere",))
        self.assertEqual(await self.kept(Column.EMAIL_ID), before)
        gone = [before[0], before[2]]
        self.assertEqual(await self.kept(Column.EMAIL_ID, ("Elsewhere",)), gone)

    async def test_no_email_id_comes_again(self):
        first = await self.put()
        (before,) = await self.kept(Column.EMAIL_ID)
        mailbox = await self.open()
        await mailbox.expunge([first])
        await self.put()
        self.assertNotEqual(await self.kept(Column.EMAIL_ID), [before])

    async def test_identifiers_stay_over_a_rename(self):
        await self.tree.create(("Old",))
        await self.put(("Old",), ANSWER)
        before = [
            await self.kept(column, ("Old",))
            for column in (Column.EMAIL_ID, Column.THREAD_ID)
        ]
        object_id = (await self.tree.status(("Old",))).object_id
        self.assertEqual((await self.open(("Old",))).object_id, object_id)
        await self.tree.rename(("Old",), ("New",))
        self.assertEqual((await self.tree.status(("New",))).object_id, object_id)
        after = [
            await self.kept(column, ("New",))
            for column in (Column.EMAIL_ID, Column.THREAD_ID)
        ]
        self.assertEqual(after, before)

    async def test_a_thread_is_who_answers_whom_in_any_mailbox(self):
        await self.tree.create(("There",))
        await self.put(("There",), ANSWER)
        (thread,) = await self.kept(Column.THREAD_ID, ("There",))
        for octets in (FIRST, OTHER, NAMELESS, NAMELESS):
            await self.put(octets=octets)
        found = await self.kept(Column.THREAD_ID)
        self.assertEqual(found[0], thread)
        self.assertEqual(len(set(found)), 4)
        self.assertTrue(all(found))

    async def test_a_thread_never_changes_once_it_was_told(self):
        await self.put(octets=FIRST)
        await self.put(octets=OTHER)
        before = await self.kept(Column.THREAD_ID)
        both = b"Message-ID: <4@x>\r\nReferences: <1@x> <3@x>\r\n\r\n"
        await self.put(octets=both)
        found = await self.kept(Column.THREAD_ID)
        self.assertEqual(found, [*before, before[1]], "that of the parent")

    async def test_copies_have_the_thread_of_their_original(self):
        for octets in (FIRST, NAMELESS):
            await self.put(octets=octets)
        await self.tree.create(("There",))
        mailbox = await self.open()
        await mailbox.copy([1, 2], ("There",))
        threads = await self.kept(Column.THREAD_ID, ("There",))
        self.assertEqual(await self.kept(Column.THREAD_ID), threads)
        self.assertNotEqual(*threads)

    async def test_the_save_date_is_when_it_came_here(self):
        await self.tree.create(("There",))
        began = int(time()) if self.now is None else self.now
        await self.put(date=1_000_000_000)
        await self.deliver(self.account)
        mailbox = await self.open()
        await mailbox.copy([1, 2], ("There",))
        for path in (INBOX, ("There",)):
            dates = [int(at) for at in await self.kept(Column.SAVED_AT, path)]
            self.assertEqual(len(dates), 2)
            for at in dates:
                self.assertTrue(began - 2 <= at <= began + 20, (at, began))

    async def test_kept_and_rendered_columns_at_once_and_nothing_of_those_gone(self):
        for octets in (FIRST, ANSWER):
            await self.put(octets=octets)
        mailbox = await self.open()
        columns = (Column.SAVED_AT, Column.FIELDS, Column.EMAIL_ID)
        one, none, two = await mailbox.rendered([1, 77, 2], columns)
        self.assertIsNone(none)
        self.assertIn(b"<1@x>", one[1])
        self.assertIn(b"<2@x>", two[1])
        self.assertEqual([one[2], two[2]], await self.kept(Column.EMAIL_ID))
        await mailbox.expunge([1])
        found = await mailbox.rendered([1, 2], (Column.EMAIL_ID,))
        self.assertEqual(found, [None, (two[2],)])

    async def test_what_an_expunge_would_free_is_counted(self):
        for octets in (FIRST, ANSWER, OTHER):
            await self.put(octets=octets)
        mailbox = await self.open()
        deleted = frozenset({DELETED})
        mark = FlagChange(FlagAction.ADD, deleted)
        await mailbox.store_flags([1, 2], mark)
        status = await self.tree.status(INBOX)
        self.assertEqual(status.deleted_octets, len(FIRST) + len(ANSWER))
        await mailbox.store_flags([1], FlagChange(FlagAction.REMOVE, deleted))
        self.assertEqual((await mailbox.status()).deleted_octets, len(ANSWER))
        await mailbox.expunge()
        self.assertEqual((await mailbox.status()).deleted_octets, 0)
