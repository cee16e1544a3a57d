"""What every store keeps for THREAD (RFC 5256 §3)."""

from mailtwist.mailbox.model import Column
from mailtwist.mailbox.threaded import threaded
from mailtwist.mailbox.turns import Turns


async def no_pause():
    return None


class ThreadingContract:
    async def told(self):
        mailbox = await self.open()
        uids = (await mailbox.rows()).uids
        found = await threaded(mailbox, uids, turns=Turns(no_pause))
        return [(one.uid, one.message_id, one.references, one.subject) for one in found]

    async def test_what_threading_looks_at_is_told_again_and_of_what_is_new(self):
        one = b"Message-ID: <1@x>\r\nSubject: Ho\r\n\r\n"
        two = b"Message-ID: <2@x>\r\nReferences: <1@x>\r\nSubject: Re: ho\r\n\r\n"
        await self.put(octets=one)
        want = [(1, b"1@x", (), "ho"), (2, b"2@x", (b"1@x",), "ho")]
        self.assertEqual(await self.told(), want[:1])
        await self.put(octets=two)
        self.assertEqual(await self.told(), want)
        self.assertEqual(await self.told(), want)

    async def test_it_comes_beside_other_columns_and_none_of_those_gone(self):
        await self.put(octets=b"Subject: Ho\r\n\r\n")
        columns = (Column.THREADING, Column.EMAIL_ID)
        row, none = await (await self.open()).rendered([1, 9], columns)
        self.assertEqual(row[0], b"\0\0ho\0")
        self.assertIsNone(none)
