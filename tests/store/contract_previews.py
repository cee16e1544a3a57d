"""Previews (RFC 8970): made once, told at once if they are there."""

from mailtwist.mailbox.model import INBOX, NO_PREVIEW, Column

HELLO = b"Subject: a\r\n\r\nHello  there\r\n"
IMAGE = b"Content-Type: image/png\r\n\r\nx\r\n"


class PreviewContract:
    async def previews(self, *columns, uids=(1, 2)):
        mailbox = await self.open()
        return await mailbox.rendered(list(uids), columns)

    async def test_previews_are_the_first_words(self):
        for octets in (HELLO, IMAGE):
            await self.put(INBOX, octets)
        found = await self.previews(Column.PREVIEW)
        self.assertEqual(found, [(b"Hello there",), (b"",)])

    async def test_a_lazy_preview_is_there_once_it_was_made(self):
        for octets in (HELLO, IMAGE):
            await self.put(INBOX, octets)
        (before,) = await self.previews(Column.LAZY_PREVIEW, uids=[1])
        self.assertIn(before[0], (NO_PREVIEW, b"Hello there"))
        await self.previews(Column.PREVIEW)
        found = await self.previews(Column.LAZY_PREVIEW)
        self.assertEqual(found, [(b"Hello there",), (b"",)])

    async def test_previews_come_beside_other_columns_and_none_of_those_gone(self):
        await self.put(INBOX, HELLO)
        columns = (Column.PREVIEW, Column.FIELDS, Column.EMAIL_ID)
        row, none = await self.previews(*columns, uids=(1, 2))
        self.assertIsNone(none)
        self.assertEqual(row[0], b"Hello there")
        self.assertIn(b"Subject", row[1])
        self.assertTrue(row[2])
