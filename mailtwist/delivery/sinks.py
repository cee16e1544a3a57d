"""Several sinks that take the octets of one message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import MailError
from ..interfaces import IMessageSink
from .model import Verdict

log = Logger("mailtwist")


def write_to_all(
    writes: Iterable[Callable[[bytes], Awaitable[None] | None]], octets: bytes
) -> Awaitable[None] | None:
    """As IMessageSink.write, by the `write` of each; the slowest sets the pace."""
    waits = [write(octets) for write in writes]
    slow = [wait for wait in waits if wait is not None]
    if len(slow) < 2:
        return slow[0] if slow else None
    return Deferred.fromCoroutine(_all(slow))


async def _all(waits: Sequence[Awaitable[None]]) -> None:
    for wait in waits:
        await wait


async def verdicts_of(sink: IMessageSink, recipients: int) -> list[Verdict]:
    """What its commit gives; one that breaks takes only its own recipients along."""
    try:
        return list(await sink.commit())
    except MailError as fault:
        return [fault] * recipients
    except Exception:
        log.failure("delivering to {sink}", sink=type(sink).__name__)
        return [MailError()] * recipients


def put(
    verdicts: list[Verdict], places: Sequence[int], found: Sequence[Verdict]
) -> None:
    """Write what was found into the envelope's order."""
    for at, verdict in zip(places, found, strict=True):
        verdicts[at] = verdict
