"""Normalized texts of messages, many in a block: a needle is looked for in these
without opening a message.

A block has texts of one mailbox and one kind (`FIELDS`), each behind an octet that
UTF-8 has not, so no needle is found over the end of one.  What is forgotten is written
over with that octet.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence

from ..mailbox.search_text import MessageText

MOST_OCTETS = 1 << 16  # at which a block takes no more
APART = b"\xff"
FIELDS = ("header", "body", "shown")  # of MessageText

MAKE = (
    # The text is last, so that what is before it is read without it.
    "CREATE TABLE blocks (number INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL,"
    " field INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, octets INTEGER NOT NULL, uids BLOB NOT NULL,"
    " starts BLOB NOT NULL, text BLOB NOT NULL)",
    "CREATE INDEX blocks_of ON blocks (mailbox, field, low, high)",
    "CREATE INDEX blocks_by_generation ON blocks (generation)",
)


def put(
    db: sqlite3.Connection, mailbox: int, generation: int, texts: Sequence[MessageText]
) -> None:
    """Add messages of which nothing is here; in a transaction of the caller's."""
    for number, field in enumerate(FIELDS):
        pairs = [(one.uid, getattr(one, field)) for one in texts]
        encoded = [(uid, _encoded(text)) for uid, text in pairs if text]
        if encoded:
            _append(db, mailbox, number, generation, encoded)


def having(
    db: sqlite3.Connection,
    mailbox: int,
    fields: Iterable[str],
    needle: str,
    among: Collection[int] | None = None,
) -> set[int]:
    """UIDs of the messages with the needle in one of the fields; `among`: no others
    can have it, so only blocks that hold some of these are read."""
    octets, found = _encoded(needle), set[int]()
    for field in fields:
        for uids, starts, text in _blocks(db, mailbox, FIELDS.index(field), among):
            at = text.find(octets)
            if at < 0:
                continue
            numbers, places = _numbers(uids), _numbers(starts)
            while at >= 0:
                place = bisect_right(places, at)
                found.add(numbers[place - 1])
                if place == len(places):
                    break
                at = text.find(octets, places[place])
    return found


def holds(db: sqlite3.Connection, mailbox: int, one: MessageText) -> bool:
    """True if all texts of this message are here as they are told."""
    for number, field in enumerate(FIELDS):
        wanted = _encoded(getattr(one, field))
        found = db.execute(
            "SELECT uids, starts, text FROM blocks"
            " WHERE mailbox = ? AND field = ? AND low <= ? AND high >= ?",
            (mailbox, number, one.uid, one.uid),
        )
        if wanted and not any(_has(block, one.uid, wanted) for block in found):
            return False
    return True


def _has(block: tuple[bytes, bytes, bytes], uid: int, wanted: bytes) -> bool:
    uids, starts, text = block
    ends = [*_numbers(starts), len(text)]
    return any(
        text[ends[at] + 1 : ends[at + 1]] == wanted
        for at, other in enumerate(_numbers(uids))
        if other == uid
    )


def forget(db: sqlite3.Connection, mailbox: int, gone: Collection[int]) -> None:
    """Write over the texts of these."""
    if not gone:
        return
    within = db.execute(
        "SELECT number, uids, starts, octets FROM blocks"
        " WHERE mailbox = ? AND low <= ? AND high >= ?",
        (mailbox, max(gone), min(gone)),
    ).fetchall()
    for number, uids, starts, octets in within:
        ends = [*_numbers(starts), octets]
        places = [at for at, uid in enumerate(_numbers(uids)) if uid in gone]
        if not places:
            continue
        with db.blobopen("blocks", "text", number) as text:
            for at in places:
                start, end = ends[at], ends[at + 1]
                text[start:end] = APART * (end - start)


def forget_mailbox(db: sqlite3.Connection, mailbox: int) -> None:
    db.execute("DELETE FROM blocks WHERE mailbox = ?", (mailbox,))


def forget_generation(db: sqlite3.Connection, generation: int) -> None:
    db.execute("DELETE FROM blocks WHERE generation = ?", (generation,))


def _append(
    db: sqlite3.Connection,
    mailbox: int,
    field: int,
    generation: int,
    encoded: Sequence[tuple[int, bytes]],
) -> None:
    """To the last block as long as it has room, then to new ones."""
    last = db.execute(
        "SELECT number, generation, uids, starts, text FROM blocks"
        " WHERE mailbox = ? AND field = ? AND octets < ? ORDER BY number DESC LIMIT 1",
        (mailbox, field, MOST_OCTETS),
    ).fetchone()
    number: int | None = None
    uids, starts, text = array("I"), array("I"), bytearray()
    if last is not None and last[1] == generation:
        number = last[0]
        uids, starts, text = _numbers(last[2]), _numbers(last[3]), bytearray(last[4])
    for uid, octets in encoded:
        if len(text) >= MOST_OCTETS:
            _write(db, number, mailbox, field, generation, uids, starts, text)
            number = None
            uids, starts, text = array("I"), array("I"), bytearray()
        uids.append(uid)
        starts.append(len(text))
        text += APART
        text += octets
    _write(db, number, mailbox, field, generation, uids, starts, text)


def _write(
    db: sqlite3.Connection,
    number: int | None,
    mailbox: int,
    field: int,
    generation: int,
    uids: array[int],
    starts: array[int],
    text: bytearray,
) -> None:
    db.execute(
        "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, mailbox, field, min(uids), max(uids), generation, len(text))
        + (_octets(uids), _octets(starts), text),
    )


def _blocks(
    db: sqlite3.Connection, mailbox: int, field: int, among: Collection[int] | None
) -> Iterable[tuple[bytes, bytes, bytes]]:
    """(UIDs, starts, text) of each."""
    if among is None:
        yield from db.execute(
            "SELECT uids, starts, text FROM blocks WHERE mailbox = ? AND field = ?",
            (mailbox, field),
        )
        return
    ordered = sorted(among)
    ranges = db.execute(
        "SELECT number, low, high FROM blocks WHERE mailbox = ? AND field = ?",
        (mailbox, field),
    ).fetchall()
    for number, low, high in ranges:
        at = bisect_right(ordered, high)
        if at and ordered[at - 1] >= low:
            yield from db.execute(
                "SELECT uids, starts, text FROM blocks WHERE number = ?", (number,)
            )


def _encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate, which some codecs give, is in no needle."""
    return text.encode("utf-8", "surrogatepass")


def _numbers(octets: bytes) -> array[int]:
    numbers = array("I")
    numbers.frombytes(octets)
    if sys.byteorder != "little":
        numbers.byteswap()
    return numbers


def _octets(numbers: array[int]) -> bytes:
    if sys.byteorder != "little":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
