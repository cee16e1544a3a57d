"""What the writer costs: `python -m tests.bench.bench_writer [FOLDER] [--profile]`.

Prints microseconds of wall and CPU time for each 2 KB file by size of batch and way of
syncing, then the same through MaildirDelivery with many senders at once, 50 recipients
of one message, and 5 MB messages.  Every figure is taken on fresh folders.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import shutil
import tempfile
import time
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from mailtwist.address import Address
from mailtwist.config.model import Delivery
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.store.maildir import batch
from mailtwist.store.maildir.batch import Job, NewFile
from mailtwist.store.maildir.delivery import MaildirDelivery
from mailtwist.store.maildir.filesystem import FileSystems
from mailtwist.store.maildir.names import UniqueNames
from mailtwist.store.maildir.spool import Spooler
from mailtwist.store.maildir.writer import MaildirWriter

BODY = b"Subject: bench\r\n\r\n" + (b"x" * 76 + b"\r\n") * 25
TRACE = b"Received: from bench by here with ESMTP id 1; Thu, 1 Jan 1970 00:00:00\r\n"
NAMES = UniqueNames("bench")


def maildir(root: str, name: str) -> str:
    for part in ("tmp", "new", "cur"):
        os.makedirs(f"{root}/{name}/Maildir/{part}", exist_ok=True)
    return f"{root}/{name}/Maildir"


class Measure:
    """Prints a line with what the block took for each of `count` things."""

    def __init__(self, what: str, count: int, unit: str = "file") -> None:
        self.what, self.count, self.unit = what, count, unit

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall = (time.perf_counter() - self._wall) / self.count * 1e6
        cpu = (time.process_time() - self._cpu) / self.count * 1e6
        print(f"{self.what:44} {wall:9.0f} us wall {cpu:9.0f} us CPU / {self.unit}")


def batches(root: str, sync: str, size: int, files: int = 2000) -> None:
    """The bare batch, in this thread."""
    folder = maildir(root, f"{sync}{size}")
    systems = FileSystems(sync)
    with Measure(f"{sync}, batches of {size}", files):
        for _ in range(files // size):
            jobs = []
            for _ in range(size):
                file = NewFile(folder, NAMES.base(2000), "new", (TRACE, BODY))
                jobs.append(Job(file, file.draft))
            batch.commit(jobs, systems, time.perf_counter)
    systems.close()


class Store:
    """Plain folders."""

    def __init__(self, root: str) -> None:
        self.root = root

    def recipients(self, count: int, kind: str) -> tuple[LocalRecipient, ...]:
        return tuple(
            LocalRecipient(
                Address(f"{kind}{number}", "example.test"),
                Account(f"{kind}{number}", maildir(self.root, f"{kind}{number}")),
            )
            for number in range(count)
        )

    def folder(self, account: Account, path: object) -> str:
        return account.home

    def arrived(self, *_: object) -> None:
        """Nobody watches."""

    def usage_now(self, account: Account) -> None:
        return None


async def send(
    delivery: MaildirDelivery,
    recipients: tuple[LocalRecipient, ...],
    messages: int,
    octets: bytes,
) -> None:
    """A sender: one message after the other, in pieces as they come from a socket."""
    for _ in range(messages):
        sink = delivery.begin(Envelope("m", "s", None, recipients, TRACE))
        for at in range(0, len(octets), 65_536):
            waited = sink.write(octets[at : at + 65_536])
            if waited is not None:
                await waited
        verdicts = await sink.commit()
        if any(verdicts):
            raise SystemExit(f"not delivered: {verdicts}")


async def deliveries(root: str, sync: str) -> None:
    writer, spooler = MaildirWriter(reactor, sync), Spooler(reactor, 256 * 1024)
    store = Store(root)
    delivery = MaildirDelivery(store, writer, spooler, NAMES, Delivery(), reactor)
    large = BODY * (5 * 1024 * 1024 // len(BODY))
    for what, senders, each, recipients, octets in [
        ("one sender", 1, 300, 1, BODY),
        ("20 senders", 20, 200, 1, BODY),
        ("20 senders, 100 KB", 20, 20, 1, BODY * 50),
        ("one message to 50", 4, 20, 50, BODY),
        ("5 MB, 4 senders", 4, 8, 1, large),
        ("5 MB to 3, 4 senders", 4, 3, 3, large),
    ]:
        everybody = [
            store.recipients(recipients, f"{sync}-{len(octets)}-{recipients}-{number}-")
            for number in range(senders)
        ]
        with Measure(f"delivery, {sync}: {what}", senders * each, "message"):
            await gatherResults(
                Deferred.fromCoroutine(send(delivery, to, each, octets))
                for to in everybody
            )
    await writer.close()
    await spooler.close()


def run(work: Callable[[], Deferred[None]]) -> None:
    def start() -> None:
        work().addErrback(lambda failure: failure.printTraceback()).addBoth(
            lambda _: reactor.stop()
        )

    reactor.callWhenRunning(start)
    reactor.run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=None)
    parser.add_argument("--profile", action="store_true", help="of the reactor")
    options = parser.parse_args()
    root = tempfile.mkdtemp(prefix="bench-writer-", dir=options.folder)

    async def everything() -> None:
        for sync in ("fsync", "syncfs", "auto"):
            await deliveries(root, sync)

    try:
        for sync in ("fsync", "syncfs"):
            for size in (1, 2, 4, 8, 20, 50, 100):
                batches(root, sync, size)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        run(lambda: Deferred.fromCoroutine(everything()))
        profile.disable()
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
