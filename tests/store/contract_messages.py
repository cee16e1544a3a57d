"""Messages: append, read, copy, move, expunge, changes, hints."""

from mailtwist.errors import MailboxReadOnly, NoSuchMailbox, OverQuota
from mailtwist.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from mailtwist.mailbox.model import INBOX, Column, Range

BODY = b"Subject: x\r\n\r\nbody\r\n"


class MessageContract:
    # -- append -----------------------------------------------------------------

    async def test_an_appended_message_reads_back(self):
        uid = await self.put(INBOX, BODY, {SEEN, "$Label1"}, 1_000_000_000)
        mailbox = await self.open()
        rows = await mailbox.rows()
        self.assertEqual(rows.uids, [uid])
        self.assertEqual(rows.flags, [{SEEN, "$Label1"}])
        self.assertEqual(rows.octets, [len(BODY)])
        self.assertEqual(rows.internal_dates, [1_000_000_000])
        self.assertEqual(await mailbox.octets([Range(uid)]), [BODY])

    async def test_several_appended_at_once(self):
        first = await self.put()
        appended = await self.put_all(
            INBOX, [(BODY, {FLAGGED}, 5), (BODY * 2, (), 4), (BODY, (), 6)]
        )
        self.assertEqual(appended.uids, [first + 1, first + 2, first + 3])
        mailbox = await self.open()
        self.assertEqual(appended.uid_validity, mailbox.uid_validity)
        rows = await mailbox.rows(appended.uids)
        self.assertEqual(rows.internal_dates, [5, 4, 6])
        self.assertEqual(rows.octets[1], 2 * len(BODY))

    async def test_append_without_a_date_is_now(self):
        from time import time

        before = int(time())
        await self.put()
        date = (await (await self.open()).rows()).internal_dates[0]
        self.assertLessEqual(before - 2, date)
        self.assertLessEqual(date, int(time()) + 2)

    async def test_append_nothing(self):
        appended = await self.tree.append(INBOX, [])
        self.assertEqual(appended.uids, [])

    async def test_an_empty_message(self):
        uid = await self.put(INBOX, b"")
        mailbox = await self.open()
        self.assertEqual((await mailbox.rows()).octets, [0])
        self.assertEqual(await mailbox.octets([Range(uid)]), [b""])

    async def test_append_to_no_mailbox(self):
        upload = self.tree.upload()
        wait = upload.write(BODY)
        if wait is not None:
            await wait
        self.assertEqual(upload.octets, len(BODY))
        await self.faulty(
            NoSuchMailbox,
            self.tree.append(("no",), [(upload, frozenset(), None)]),
        )
        upload.abort()
        self.assertEqual((await self.tree.usage()).messages, 0)

    async def test_an_aborted_upload_leaves_nothing(self):
        upload = self.tree.upload()
        wait = upload.write(BODY * 1000)
        if wait is not None:
            await wait
        upload.abort()
        upload.abort()  # harmless
        self.assertEqual((await self.tree.usage()).octets, 0)

    async def test_line_ends_are_CRLF_however_the_octets_are_cut(self):
        octets = b"a: 1\r\nb: 2\n\nx\r\r\n\ny\n"
        wanted = b"a: 1\r\nb: 2\r\n\r\nx\r\r\n\r\ny\r\n"
        uploads = []
        for cut in range(len(octets) + 1):
            upload = self.tree.upload()
            for piece in (octets[:cut], b"", octets[cut:]):
                wait = upload.write(piece)
                if wait is not None:
                    await wait
            uploads.append((upload, frozenset(), None))
        uids = (await self.tree.append(INBOX, uploads)).uids
        kept = await (await self.open()).octets([Range(uid) for uid in uids])
        self.assertEqual(kept, [wanted] * len(uids))

    async def test_line_ends_are_CRLF_whatever_came(self):
        for octets, shown in (
            (b"a: b\n\nc\n", b"a: b\r\n\r\nc\r\n"),
            (b"a: b\r\n\r\nc\r\n", b"a: b\r\n\r\nc\r\n"),
            (b"a: b\r\n\nc", b"a: b\r\n\r\nc"),
        ):
            uid = await self.put(INBOX, octets)
            mailbox = await self.open()
            self.assertEqual((await mailbox.rows([uid])).octets, [len(shown)])
            self.assertEqual(await mailbox.octets([Range(uid)]), [shown])

    async def test_octets_of_any_value_are_kept(self):
        octets = (
            b"a: b\r\n\r\n"
            + bytes(b for b in range(256) if b not in (0, 10, 13))
            + b"\r\n"
        )
        uid = await self.put(INBOX, octets)
        self.assertEqual(await (await self.open()).octets([Range(uid)]), [octets])

    # -- quota ------------------------------------------------------------------

    async def test_a_full_account_takes_nothing_of_a_batch(self):
        self.limited(3 * len(BODY))
        await self.put(INBOX, BODY)
        await self.faulty(OverQuota, self.put_all(INBOX, [(BODY, (), None)] * 3))
        self.assertEqual((await self.tree.status(INBOX)).messages, 1)
        await self.put_all(INBOX, [(BODY, (), None)] * 2)
        self.assertEqual((await self.tree.status(INBOX)).messages, 3)

    async def test_a_full_account_copies_nothing_but_moves(self):
        self.limited(2 * len(BODY))
        await self.tree.create(("a",))
        uids = (await self.put_all(INBOX, [(BODY, (), None)] * 2)).uids
        mailbox = await self.open()
        await self.faulty(OverQuota, mailbox.copy(uids, ("a",)))
        self.assertEqual((await self.tree.status(("a",))).messages, 0)
        moved = await mailbox.move(uids, ("a",))
        self.assertEqual(len(moved.target_uids), 2)

    async def test_an_account_with_all_its_messages_takes_no_more(self):
        self.limited(messages=2)
        await self.tree.create(("a",))
        await self.faulty(OverQuota, self.put_all(INBOX, [(BODY, (), None)] * 3))
        uids = (await self.put_all(INBOX, [(BODY, (), None)] * 2)).uids
        mailbox = await self.open()
        await self.faulty(OverQuota, mailbox.copy(uids[:1], ("a",)))
        await mailbox.copy([], ("a",))
        await mailbox.move(uids[:1], ("a",))
        await self.faulty(OverQuota, self.put(("a",), BODY))
        await mailbox.expunge(uids[1:])
        await self.put(INBOX, BODY)
        self.assertEqual((await self.tree.usage()).messages, 2)

    async def test_usage_counts_all_mailboxes(self):
        self.limited(10_000)
        await self.tree.create(("a",))
        await self.put(INBOX, BODY)
        uid = await self.put(("a",), BODY * 2)
        usage = await self.tree.usage()
        self.assertEqual(
            (usage.octets, usage.messages, usage.limit_octets),
            (3 * len(BODY), 2, 10_000),
        )
        await (await self.open(("a",))).expunge([uid])
        self.assertEqual((await self.tree.usage()).octets, len(BODY))

    async def test_no_limit(self):
        usage = await self.tree.usage()
        self.assertEqual((usage.limit_octets, usage.limit_messages), (None, None))

    # -- reading ----------------------------------------------------------------

    async def test_rows_of_some(self):
        uids = (await self.put_all(INBOX, [(BODY, (), n) for n in range(5)])).uids
        mailbox = await self.open()
        rows = await mailbox.rows([uids[1], uids[3], uids[4] + 100])
        self.assertEqual(rows.uids, [uids[1], uids[3]])
        self.assertEqual(rows.internal_dates, [1, 3])
        self.assertEqual(len(rows.modseqs), 2)
        self.assertEqual((await mailbox.rows([])).uids, [])

    async def test_ranges_of_octets(self):
        uid = await self.put(INBOX, BODY)
        mailbox = await self.open()
        asked = [
            Range(uid, 0, 7),
            Range(uid, 9, 4),
            Range(uid, 9),
            Range(uid, len(BODY) - 2, 100),
            Range(uid, len(BODY), 10),
            Range(uid, len(BODY) + 50),
            Range(uid, 0, 0),
            Range(uid + 1),
            Range(uid),
        ]
        self.assertEqual(
            await mailbox.octets(asked),
            [
                BODY[:7],
                BODY[9:13],
                BODY[9:],
                BODY[-2:],
                b"",
                b"",
                b"",
                None,
                BODY,
            ],
        )

    async def test_ranges_count_CRLF_in_a_message_that_came_with_LF(self):
        octets = b"a: b\n\n" + b"line\n" * 20_000
        shown = octets.replace(b"\n", b"\r\n")
        uid = await self.put(INBOX, octets)
        mailbox = await self.open()
        for start, count in ((0, 5), (4, 3), (5, 1), (60_000, 70_000), (119_999, None)):
            stop = None if count is None else start + count
            self.assertEqual(
                await mailbox.octets([Range(uid, start, count)]), [shown[start:stop]]
            )

    async def test_a_large_message(self):
        octets = b"a: b\r\n\r\n" + b"0123456789abcdef" * 65_536 + b"\r\n"
        uid = await self.put(INBOX, octets)
        mailbox = await self.open()
        self.assertEqual(await mailbox.octets([Range(uid)]), [octets])
        self.assertEqual(
            await mailbox.octets([Range(uid, 500_000, 70_000)]),
            [octets[500_000:570_000]],
        )

    async def test_rendered_columns(self):
        from mailtwist.mime.index import index

        first, gone, last = (await self.put_all(INBOX, [(BODY, (), 1)] * 3)).uids
        mailbox = await self.open()
        await mailbox.expunge([gone])
        columns = (Column.BODYSTRUCTURE, Column.ENVELOPE, Column.FIELDS)
        want = tuple(index(BODY)[column] for column in columns)
        for _ in range(2):  # parsed, then from the cache
            self.assertEqual(
                await mailbox.rendered([last, gone, first], columns),
                [want, None, want],
            )
        both = await mailbox.rendered([first], [Column.PARTS, Column.BODY])
        self.assertEqual(both, [(index(BODY)[Column.PARTS], index(BODY)[Column.BODY])])

    async def test_surrogates_are_rendered_alone_and_beside_other_columns(self):
        from mailtwist.mime.index import index

        octets = "Subject: f\xfcr\r\n\r\nbody\r\n".encode()
        plain = (await self.put_all(INBOX, [(BODY, (), 1)] * 2)).uids
        uids = [*plain, await self.put(INBOX, octets)]
        wanted = [b"", b"", index(octets)[Column.SURROGATE]]
        self.assertTrue(wanted[-1])
        mailbox = await self.open()
        for _ in range(2):  # parsed, then from the cache
            for columns in (
                (Column.SURROGATE,),
                (Column.ENVELOPE, Column.SURROGATE),
                (Column.ENVELOPE, Column.PARTS, Column.SURROGATE),
                (Column.EMAIL_ID, Column.SURROGATE, Column.FIELDS),
            ):
                at = columns.index(Column.SURROGATE)
                found = await mailbox.rendered(uids, columns)
                self.assertEqual([row[at] for row in found], wanted, columns)
                self.assertEqual({len(row) for row in found}, {len(columns)})

    # -- figures ----------------------------------------------------------------

    async def test_status_of_an_empty_mailbox(self):
        status = await self.tree.status(INBOX)
        self.assertEqual(
            (status.messages, status.recent, status.unseen, status.deleted),
            (0, 0, 0, 0),
        )
        self.assertEqual((status.octets, status.uid_next), (0, 1))
        self.assertGreater(status.uid_validity, 0)
        self.assertLess(status.uid_validity, 2**32)
        self.assertGreater(status.highest_modseq, 0)

    async def test_status_counts(self):
        await self.put(INBOX, BODY, {SEEN})
        await self.put(INBOX, BODY, {DELETED})
        last = await self.put(INBOX, BODY, {SEEN, DELETED, FLAGGED, ANSWERED, DRAFT})
        mailbox = await self.open()
        status = await self.tree.status(INBOX)
        self.assertEqual(
            (status.messages, status.recent, status.unseen, status.deleted),
            (3, 3, 1, 2),
        )
        self.assertEqual((status.octets, status.uid_next), (3 * len(BODY), last + 1))
        self.assertEqual(status.uid_validity, mailbox.uid_validity)
        self.assertEqual(await mailbox.status(), status)

    async def test_status_of_no_mailbox(self):
        await self.faulty(NoSuchMailbox, self.tree.status(("no",)))
        await self.faulty(NoSuchMailbox, self.tree.open(("no",)))

    async def test_recent_belongs_to_the_first_session_that_looks(self):
        first = await self.put()
        reader = await self.open(read_only=True)
        self.assertEqual(await reader.take_recent(), first)
        one = await self.open()
        self.assertEqual(await one.take_recent(), first)
        self.assertEqual((await one.status()).recent, 0)
        two = await self.open()
        self.assertGreater(await two.take_recent(), first)
        second = await self.put()
        self.assertEqual((await two.status()).recent, 1)
        self.assertLessEqual(await one.take_recent(), second)

    async def test_UIDs_only_grow(self):
        uids = [await self.put() for _ in range(3)]
        self.assertEqual(uids, sorted(set(uids)))
        mailbox = await self.open()
        await mailbox.expunge(uids)
        self.assertGreater(await self.put(), uids[-1])
        self.assertEqual((await mailbox.status()).messages, 1)

    # -- expunge ----------------------------------------------------------------

    async def test_expunge_takes_the_deleted_ones(self):
        keep = await self.put()
        gone = await self.put(flags={DELETED})
        mailbox = await self.open()
        before = (await mailbox.status()).highest_modseq
        expunged = await mailbox.expunge()
        self.assertEqual(expunged.uids, [gone])
        self.assertGreater(expunged.highest_modseq, before)
        self.assertEqual((await mailbox.rows()).uids, [keep])
        self.assertEqual(await mailbox.octets([Range(gone)]), [None])

    async def test_expunge_of_exactly_these(self):
        uids = (await self.put_all(INBOX, [(BODY, (), 1)] * 4)).uids
        mailbox = await self.open()
        expunged = await mailbox.expunge([uids[0], uids[2], uids[3] + 9])
        self.assertEqual(expunged.uids, [uids[0], uids[2]])
        self.assertEqual((await mailbox.rows()).uids, [uids[1], uids[3]])

    async def test_expunge_of_nothing_changes_nothing(self):
        uid = await self.put()
        mailbox = await self.open()
        before = await mailbox.status()
        self.assertEqual((await mailbox.expunge()).uids, [])
        self.assertEqual((await mailbox.expunge([uid + 1])).uids, [])
        self.assertEqual((await mailbox.expunge([])).uids, [])
        self.assertEqual(await mailbox.status(), before)

    async def test_expunge_twice(self):
        uid = await self.put()
        one, two = await self.open(), await self.open()
        self.assertEqual((await one.expunge([uid])).uids, [uid])
        self.assertEqual((await two.expunge([uid])).uids, [])

    async def test_a_read_only_mailbox_keeps_its_messages(self):
        await self.tree.create(("a",))
        uid = await self.put(flags={DELETED})
        mailbox = await self.open(read_only=True)
        self.assertTrue(mailbox.read_only)
        await self.faulty(MailboxReadOnly, mailbox.expunge())
        await self.faulty(MailboxReadOnly, mailbox.expunge([uid]))
        await self.faulty(MailboxReadOnly, mailbox.move([uid], ("a",)))
        self.assertEqual((await mailbox.rows()).uids, [uid])
        self.assertEqual(len((await mailbox.copy([uid], ("a",))).target_uids), 1)

    # -- copy and move ----------------------------------------------------------

    async def test_copy_keeps_flags_and_date(self):
        await self.tree.create(("a",))
        await self.put(("a",))
        uids = (
            await self.put_all(
                INBOX, [(BODY, {SEEN, "Work"}, 77), (BODY, (), 78), (BODY, (), 79)]
            )
        ).uids
        mailbox = await self.open()
        copied = await mailbox.copy([uids[0], uids[2], uids[2] + 5], ("a",))
        target = await self.open(("a",))
        self.assertEqual(copied.source_uids, [uids[0], uids[2]])
        self.assertEqual(copied.uid_validity, target.uid_validity)
        rows = await target.rows(copied.target_uids)
        self.assertEqual(rows.uids, copied.target_uids)
        self.assertEqual(rows.flags, [{SEEN, "Work"}, frozenset()])
        self.assertEqual(rows.internal_dates, [77, 79])
        self.assertEqual(
            await target.octets([Range(uid) for uid in rows.uids]), [BODY, BODY]
        )
        self.assertEqual((await mailbox.rows()).uids, uids)

    async def test_copy_into_the_same_mailbox(self):
        uid = await self.put(INBOX, BODY)
        mailbox = await self.open()
        copied = await mailbox.copy([uid], INBOX)
        self.assertEqual((await mailbox.rows()).uids, [uid, *copied.target_uids])

    async def test_copy_of_what_is_gone(self):
        await self.tree.create(("a",))
        copied = await (await self.open()).copy([1, 2], ("a",))
        self.assertEqual((copied.source_uids, copied.target_uids), ([], []))

    async def test_copy_and_move_to_no_mailbox(self):
        uid = await self.put()
        mailbox = await self.open()
        await self.faulty(NoSuchMailbox, mailbox.copy([uid], ("no",)))
        await self.faulty(NoSuchMailbox, mailbox.move([uid], ("no",)))
        self.assertEqual((await mailbox.rows()).uids, [uid])

    async def test_a_copy_lives_without_its_source(self):
        await self.tree.create(("a",))
        uid = await self.put(INBOX, BODY)
        mailbox = await self.open()
        copied = await mailbox.copy([uid], ("a",))
        await mailbox.expunge([uid])
        target = await self.open(("a",))
        self.assertEqual(await target.octets([Range(copied.target_uids[0])]), [BODY])

    async def test_move(self):
        await self.tree.create(("a",))
        uids = (await self.put_all(INBOX, [(BODY, {FLAGGED}, 7), (BODY, (), 8)])).uids
        mailbox = await self.open()
        before = (await mailbox.status()).highest_modseq
        moved = await mailbox.move([uids[0]], ("a",))
        target = await self.open(("a",))
        rows = await target.rows()
        self.assertEqual((rows.uids, rows.flags), (moved.target_uids, [{FLAGGED}]))
        self.assertEqual(rows.internal_dates, [7])
        self.assertEqual(await target.octets([Range(rows.uids[0])]), [BODY])
        self.assertEqual((await mailbox.rows()).uids, [uids[1]])
        self.assertEqual((await mailbox.changes(before)).vanished, [uids[0]])
        self.assertEqual((await self.tree.usage()).messages, 2)

    async def test_move_within_a_mailbox_gives_new_UIDs(self):
        uid = await self.put(INBOX, BODY)
        mailbox = await self.open()
        moved = await mailbox.move([uid], INBOX)
        self.assertGreater(moved.target_uids[0], uid)
        self.assertEqual((await mailbox.rows()).uids, moved.target_uids)

    # -- changes ----------------------------------------------------------------

    async def test_changes_since_the_beginning(self):
        uid = await self.put()
        changes = await (await self.open()).changes(0)
        self.assertEqual((changes.rows.uids, changes.vanished), ([uid], []))

    async def test_changes_tell_what_came_and_what_went(self):
        keep = await self.put()
        gone = await self.put()
        mailbox, other = await self.open(), await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        self.assertEqual((await mailbox.changes(seen)).rows.uids, [])
        new = await self.put()
        await other.expunge([gone])
        changes = await mailbox.changes(seen)
        self.assertEqual(changes.rows.uids, [new])
        self.assertEqual(changes.vanished, [gone])
        self.assertGreater(changes.highest_modseq, seen)
        after = await mailbox.changes(changes.highest_modseq)
        self.assertEqual((after.rows.uids, after.vanished), ([], []))
        self.assertEqual((await mailbox.rows()).uids, [keep, new])

    async def test_what_came_and_went_between_two_looks_is_not_a_row(self):
        mailbox = await self.open()
        seen = (await mailbox.changes(0)).highest_modseq
        uid = await self.put()
        await mailbox.expunge([uid])
        self.assertEqual((await mailbox.changes(seen)).rows.uids, [])

    async def test_no_MODSEQ_is_above_the_highest(self):
        for _ in range(3):
            await self.put()
        mailbox = await self.open()
        rows, status = await mailbox.rows(), await mailbox.status()
        self.assertEqual(max(rows.modseqs), status.highest_modseq)
        self.assertGreater(min(rows.modseqs), 0)

    # -- hints ------------------------------------------------------------------

    async def test_every_change_gives_a_hint(self):
        await self.tree.create(("a",))
        mailbox, other = await self.open(), await self.open()
        hints = []
        mailbox.watch(hints.append)

        async def expect_hint(what):
            newest = (await other.status()).highest_modseq
            await self.until(lambda: hints and hints[-1] >= newest, what)
            hints.clear()

        uid = await self.put()
        await expect_hint("the hint of an append")
        from .contract import add

        await other.store_flags([uid], add(FLAGGED))
        await expect_hint("the hint of a flag")
        await other.copy([uid], INBOX)
        await expect_hint("the hint of a copy")
        await other.move([uid], ("a",))
        await expect_hint("the hint of a move")
        await self.deliver(self.account)
        await self.until(lambda: hints, "the hint of a delivery")

    async def test_a_watch_ends(self):
        mailbox = await self.open()
        ended, hints = [], []
        end = mailbox.watch(ended.append)
        mailbox.watch(hints.append)
        end()
        end()  # harmless
        await self.put()
        await self.until(lambda: hints, "the other watcher's hint")
        self.assertEqual(ended, [])

    async def test_a_closed_mailbox_gives_no_hints(self):
        closed, mailbox = await self.tree.open(INBOX), await self.open()
        ended, hints = [], []
        closed.watch(ended.append)
        mailbox.watch(hints.append)
        await closed.close()
        await self.put()
        await self.until(lambda: hints, "the other watcher's hint")
        self.assertEqual(ended, [])
