"""What an mbox of many messages costs: `python -m tests.bench.bench_mbox 50000`.

One process, no threads: the time of each is that of a thread of the store.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from tests.store.inline import InlineLocalStore

BODY = b"The quick brown fox jumps over the lazy dog, again and again.\n" * 40
HEAD = (
    b"From a@x.test Wed Nov  4 20:39:03 2026\n"
    b"From: <a@x.test>\nSubject: m%d\nMessage-ID: <%d@x.test>\n\n"
)
TIMES = 20


class Bench:
    def __init__(self, home: str, messages: int) -> None:
        self.account = Account("ann@x.test", home, mailbox="mbox:mail:INBOX=box")
        with open(f"{home}/box", "wb") as file:
            for number in range(messages):
                file.write(HEAD % (number, number) + BODY + b"\n")
        size = os.path.getsize(f"{home}/box") >> 20
        print(f"{messages} messages, {size} MiB")

    def opened(self):
        self.store = InlineLocalStore()
        self.tree = self.store.mailboxes(self.account)
        self.box = self.timed("open", lambda: self.tree.open(INBOX))

    def timed(self, what, work, times=1):
        start = time.perf_counter()
        for _ in range(times):
            result = self.store.now(work())
        print(f"{what}: {(time.perf_counter() - start) / times * 1000:.1f} ms")
        return result

    async def append(self):
        upload = self.tree.upload()
        upload.write(b"Subject: x\r\n\r\n" + BODY.replace(b"\n", b"\r\n"))
        await self.tree.append(INBOX, [(upload, frozenset(), None)])

    async def deliver(self):
        to = LocalRecipient(Address.parse(self.account.name), self.account)
        sink = self.store.delivery().begin(Envelope("m", "s", None, (to,)))
        sink.write(BODY.replace(b"\n", b"\r\n"))
        if await sink.commit() != [None]:
            raise AssertionError("not delivered")

    async def look_after_delivery(self):
        await self.deliver()
        await self.box.status()

    async def flag(self):
        uid = 7 + self.flagged
        self.flagged += 1
        change = FlagChange(FlagAction.ADD, frozenset({"\\Seen"}))
        await self.box.store_flags([uid], change)

    def run(self):
        self.opened()
        self.flagged = 0
        self.timed("first flag, which puts UIDs into the file", self.flag)
        self.timed("flag of one", self.flag, TIMES)
        self.timed("append", self.append, TIMES)
        self.timed("delivery", self.deliver, TIMES)
        self.timed("delivery and a look", self.look_after_delivery, TIMES)
        hundred = [Range(uid) for uid in range(1, 101)]
        self.timed("reading 100", lambda: self.box.octets(hundred))
        self.timed("expunge of the first", lambda: self.box.expunge([1]))
        self.store.now(self.store.close())
        self.opened()
        self.store.now(self.store.close())


def main(messages: int) -> None:
    home = tempfile.mkdtemp()
    try:
        Bench(home, messages).run()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main(int(sys.argv[1]))
