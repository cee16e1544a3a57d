"""Octets in the database or in files: `python -m tests.bench.bench_spool`.

Messages a second into the spool by size, with many senders at once, and out of it again
(settled), each message durable before it is answered.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import Envelope, RemoteRecipient
from mailtwist.queue.spool.disk import DiskSpool
from mailtwist.store.maildir.spool import Spooler

SENDERS = 20
SIZES = {2_000: 2000, 16_000: 1500, 32_000: 1200, 64_000: 800, 256_000: 300}
TO = (RemoteRecipient(Address("bob", "else.test")),)


async def send(spool: DiskSpool, names: list[str], octets: bytes) -> None:
    while names:
        sink = spool.begin(Envelope(names.pop(), "s", None, TO))
        for at in range(0, len(octets), 65_536):
            waiting = sink.write(octets[at : at + 65_536])
            if waiting is not None:
                await waiting
        if await sink.commit() != [None]:
            raise AssertionError("not taken")


async def settle(spool: DiskSpool, names: list[str]) -> None:
    while names:
        await spool.settle(names.pop(), [1], [])


async def measure(inline_octets: int, size: int, count: int) -> tuple[float, float]:
    """Messages a second (in, out)."""
    folder = Path(tempfile.mkdtemp(prefix="mailtwist-bench-"))
    spool = DiskSpool(reactor, str(folder), Queue())
    spool.spooler = Spooler(reactor, inline_octets, max(1, inline_octets))
    await spool.start()
    octets, rates = b"x" * size, []
    for work in (lambda names: send(spool, names, octets), lambda n: settle(spool, n)):
        names = [f"m{number}" for number in range(count)]
        began = time.perf_counter()
        running = [Deferred.fromCoroutine(work(names)) for _ in range(SENDERS)]
        for one in running:
            await one
        rates.append(count / (time.perf_counter() - began))
    await spool.close()
    shutil.rmtree(folder)
    return rates[0], rates[1]


async def main() -> None:
    for size, count in SIZES.items():
        for name, inline_octets in (("database", 10**9), ("file", 0)):
            put, out = await measure(inline_octets, size, count)
            print(f"{size:7} octets, {name:8}: {put:6.0f} in, {out:6.0f} out a second")


if __name__ == "__main__":
    running = Deferred.fromCoroutine(main())
    running.addErrback(lambda failure: failure.printTraceback())
    running.addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
