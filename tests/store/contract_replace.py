"""Replacing: a new message for an old one, in one change."""

from mailtwist.errors import MailboxReadOnly, MessageGone, NoSuchMailbox, OverQuota
from mailtwist.flags import DRAFT, SEEN
from mailtwist.mailbox.model import INBOX, Range

OLD = b"Subject: old\r\n\r\nbody\r\n"
NEW = b"Subject: new\r\n\r\nbody\r\n"
THERE = ("There",)


class ReplaceContract:
    async def uploaded(self, octets=NEW, flags=(DRAFT,), date=7):
        upload = self.tree.upload()
        for at in range(0, len(octets), 50_000):
            wait = upload.write(octets[at : at + 50_000])
            if wait is not None:
                await wait
        return upload, frozenset(flags), date

    async def test_replace_within_a_mailbox(self):
        first, second = await self.put(INBOX, OLD, {SEEN}), await self.put(INBOX, OLD)
        mailbox = await self.open()
        before = (await mailbox.status()).highest_modseq
        done = await mailbox.replace(first, INBOX, await self.uploaded())
        self.assertEqual(done.uid_validity, mailbox.uid_validity)
        rows = await mailbox.rows()
        self.assertEqual(rows.uids, [second, *done.uids])
        self.assertEqual(rows.flags[-1], {DRAFT})
        self.assertEqual(rows.internal_dates[-1], 7)
        self.assertEqual(await mailbox.octets([Range(rows.uids[-1])]), [NEW])
        changes = await mailbox.changes(before)
        self.assertEqual(changes.rows.uids, done.uids)
        self.assertEqual(changes.vanished, [first])

    async def test_replace_into_another_mailbox(self):
        await self.tree.create(THERE)
        uid = await self.put(INBOX, OLD)
        mailbox, there = await self.open(), await self.open(THERE)
        done = await mailbox.replace(uid, THERE, await self.uploaded())
        self.assertEqual(done.uid_validity, there.uid_validity)
        self.assertEqual((await mailbox.rows()).uids, [])
        await there.changes(0)
        self.assertEqual((await there.rows()).uids, done.uids)
        self.assertEqual(await there.octets([Range(done.uids[0])]), [NEW])

    async def test_replace_by_a_large_message(self):
        large = b"Subject: large\r\n\r\n" + b"0123456789" * 60_000
        uid = await self.put(INBOX, OLD)
        mailbox = await self.open()
        done = await mailbox.replace(uid, INBOX, await self.uploaded(large))
        self.assertEqual(await mailbox.octets([Range(done.uids[0])]), [large])
        self.assertEqual((await mailbox.rows()).uids, done.uids)

    async def test_what_is_gone_is_not_replaced(self):
        uid = await self.put(INBOX, OLD)
        mailbox = await self.open()
        await mailbox.expunge([uid])
        await self.faulty(
            MessageGone, mailbox.replace(uid, INBOX, await self.uploaded())
        )
        self.assertEqual((await mailbox.rows()).uids, [])

    async def test_replace_into_no_mailbox_changes_nothing(self):
        uid = await self.put(INBOX, OLD)
        mailbox = await self.open()
        await self.faulty(
            NoSuchMailbox, mailbox.replace(uid, THERE, await self.uploaded())
        )
        self.assertEqual((await mailbox.rows()).uids, [uid])

    async def test_a_read_only_mailbox_replaces_nothing(self):
        uid = await self.put(INBOX, OLD)
        mailbox = await self.open(read_only=True)
        await self.faulty(
            MailboxReadOnly, mailbox.replace(uid, INBOX, await self.uploaded())
        )
        self.assertEqual((await mailbox.rows()).uids, [uid])

    async def test_only_what_a_replacement_has_more_needs_room(self):
        self.limited(len(OLD) + 10, 1)
        uid = await self.put(INBOX, OLD)
        mailbox = await self.open()
        large = await self.uploaded(NEW + b"x" * 11)
        await self.faulty(OverQuota, mailbox.replace(uid, INBOX, large))
        fits = await self.uploaded(NEW + b"x" * 10)
        done = await mailbox.replace(uid, INBOX, fits)
        self.assertEqual((await mailbox.rows()).uids, done.uids)
        usage = await self.tree.usage()
        self.assertEqual((usage.octets, usage.messages), (len(NEW) + 10, 1))

    async def test_a_replacement_gives_a_hint_to_both_mailboxes(self):
        await self.tree.create(THERE)
        uid = await self.put(INBOX, OLD)
        mailbox, there = await self.open(), await self.open(THERE)
        hints = []
        mailbox.watch(lambda modseq: hints.append("here"))
        there.watch(lambda modseq: hints.append("there"))
        await mailbox.replace(uid, THERE, await self.uploaded())
        await self.until(lambda: {"here", "there"} <= set(hints), "hints")

    async def test_uploads_that_were_shelved_are_appended(self):
        large = b"Subject: large\r\n\r\n" + b"0123456789" * 60_000
        contents = [NEW, b"", large, OLD]
        uploads = [await self.uploaded(octets, (), 7) for octets in contents]
        for upload, _, _ in uploads[:3]:
            await upload.shelve()
        done = await self.tree.append(INBOX, uploads)
        mailbox = await self.open()
        ranges = [Range(uid) for uid in done.uids]
        self.assertEqual(await mailbox.octets(ranges), contents)

    async def test_an_upload_that_was_shelved_and_given_up_leaves_nothing(self):
        upload, _, _ = await self.uploaded()
        await upload.shelve()
        upload.abort()
        self.assertEqual((await self.tree.status(INBOX)).messages, 0)
