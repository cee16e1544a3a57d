"""MESSAGELIMIT (RFC 9738): how many messages one command may touch.

What is more is left for the client to ask for: the newest messages are taken, from the
highest UID down, and the answer names the lowest UID of them.  What makes sense as a
whole alone (COPY, APPEND, SORT, THREAD, FETCH with PARTIAL) is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from ...errors import BatchTooBig, BatchTooSmall, TooManyMessages
from ...search_key import And, InSequence, InUid, Saved, SearchKey
from ...seqset import STAR, SequenceSet
from ..response import Answer, no, ok, string, untagged
from ..selected import Selected
from ..session import Session
from ..types_events import UidBatches

LEAST_BATCH = 500  # messages; what every server takes (RFC 10022)


@frozen
class Touched:
    """The messages that a command may touch, and the response code that says so; b""
    if that is all of them.  `scores`: how well they match FUZZY keys, up to 1."""

    uids: list[int]
    code: bytes = b""
    scores: dict[int, float] = field(factory=dict)


def touched(session: Session, uids: list[int]) -> Touched:
    """The newest of `uids`, ascending, as many as one command may touch."""
    most = session.config.messages_per_command
    if not most or len(uids) <= most:
        return Touched(uids)
    uids = uids[-most:]
    return Touched(uids, _code(most, uids[0]))


def tell_apart(session: Session, code: bytes) -> None:
    """The limit was met by a command whose own answer has another code (§3.1)."""
    if code:
        session.put(no("Done for the newest messages alone", code).encode())


def _code(most: int, lowest: int) -> bytes:
    return b"MESSAGELIMIT %d %d" % (most, lowest)


def check_count(session: Session, count: int, uids: Sequence[int] = ()) -> None:
    """Raises TooManyMessages for a command that is done as a whole or not at all.

    `uids` are those of its messages, ascending."""
    most = session.config.messages_per_command
    if most and count > most:
        raise TooManyMessages(most, uids[-most] if uids else None)


def narrowed(
    session: Session, selected: Selected, key: SearchKey, *, whole: bool
) -> tuple[SearchKey, bytes]:
    """A search over no more than the newest of its messages, and the code for that.

    `whole`: raises TooManyMessages instead."""
    most = session.config.messages_per_command
    if not most or len(selected.uids) <= most:
        return key, b""
    among = _named(selected, key)
    if len(among) <= most:
        return key, b""
    if whole:
        raise TooManyMessages(most)
    lowest = among[-most]
    newest = InUid(SequenceSet(((lowest, STAR - 1),)))
    return And((newest, key)), _code(most, lowest)


def _named(selected: Selected, key: SearchKey) -> Sequence[int]:
    """The messages that the sets in a search leave to look at."""
    among: Sequence[int] = selected.uids
    for one in key.keys if isinstance(key, And) else (key,):
        match one:
            case InUid(uids):
                among = uids.pick(among)
            case InSequence(numbers):
                named = set(selected.uids_of(numbers))
                among = [uid for uid in among if uid in named]
            case Saved():
                saved = set(selected.saved)
                among = [uid for uid in among if uid in saved]
    return among


async def uidbatches(session: Session, command: UidBatches) -> Answer:
    """UIDBATCHES (RFC 10022): ranges of UIDs with so many messages in each, from the
    newest on.  The last one ends with 1, whatever is there."""
    _, selected = session.open
    size, most = command.size, session.config.messages_per_command
    if size < LEAST_BATCH:
        raise BatchTooSmall()
    if most and size > most:
        raise BatchTooBig()
    await session.look_if_due()
    uids, told = selected.uids, []
    count = -(-len(uids) // size)
    first, last = command.batches or (1, count)
    for batch in range(first, min(last, count) + 1):
        end = len(uids) - (batch - 1) * size
        low = uids[end - size] if end > size else 1
        told.append(b"%d:%d" % (uids[end - 1], low))
    words = [b"(TAG %b)" % string(session.tag)]
    if told:
        words.append(b",".join(told))
    session.put(untagged(b"UIDBATCHES", *words))
    return ok("UIDBATCHES completed")
