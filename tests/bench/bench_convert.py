"""What a conversion costs others: `python -m tests.bench.bench_convert [MB, 50]`.

An 8-bit message is made fit for a host without 8BITMIME: as one text that becomes
quoted-printable, as a text beside a large attachment, and as text that becomes base64.
Prints the time it takes and the longest time in which nobody else had a turn.
"""

from __future__ import annotations

import sys
import time

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from zope.interface import implementer

from mailtwist.interfaces import IContent
from mailtwist.smtp.convert import converted
from mailtwist.smtp.convert_plan import Needs
from mailtwist.smtp.transport_look import look

LINE = "Gr\u00fc\u00dfe an alle, die das hier lesen k\u00f6nnen\r\n".encode()
DENSE = ("\u00fc" * 35).encode() + b"\r\n"
PLAIN = b"x" * 76 + b"\r\n"
TEXT = (
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
)


@implementer(IContent)
@frozen
class Octets:
    """A content in memory."""

    whole: bytes

    @property
    def octets(self) -> int:
        return len(self.whole)

    async def read(self, start: int, count: int) -> bytes:
        return self.whole[start : start + count]


class Lag:
    """The longest time between two turns of the reactor."""

    def __init__(self) -> None:
        self.most_s, self._last_s = 0.0, time.perf_counter()
        self._going = True
        self._turn()

    def _turn(self) -> None:
        now_s = time.perf_counter()
        self.most_s = max(self.most_s, now_s - self._last_s)
        self._last_s = now_s
        if self._going:
            reactor.callLater(0, self._turn)  # type: ignore[attr-defined]

    def end(self) -> float:
        self._going = False
        return self.most_s


def mixed(*parts: bytes) -> bytes:
    head = (
        b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    )
    return head + b"".join(b"--b\r\n%s\r\n" % part for part in parts) + b"--b--\r\n"


async def measure(name: str, octets: bytes) -> None:
    looked = await look(Octets(octets))
    began, lag = time.perf_counter(), Lag()
    made = await converted(reactor, looked, Needs.SEVEN_BIT)
    took_s, most_s = time.perf_counter() - began, lag.end()
    print(
        f"{name}: {len(octets) / 1e6:.0f} MB to {made.octets / 1e6:.0f} MB in "
        f"{took_s:.2f} s, others waited {most_s * 1000:.1f} ms at most"
    )


async def main(size: int) -> None:
    await measure("quoted-printable", mixed(TEXT + LINE * (size // len(LINE))))
    large = b"\r\n" + PLAIN * (size // len(PLAIN))
    await measure("an attachment beside it", mixed(large, TEXT + LINE))
    await measure("base64", mixed(TEXT + DENSE * (size // len(DENSE))))


if __name__ == "__main__":
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    react(lambda _: Deferred.fromCoroutine(main(megabytes * 1_000_000)))
