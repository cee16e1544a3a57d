"""The index of the archives: by month, by thread, by words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from .model import Entry

MOST_FOUND = 1000

_ENTRY = "number, at_s, message_id, subject, author, refers"
_WORD = re.compile(r"\w+")


def _entry(row: Sequence[object]) -> Entry:
    number, at_s, message_id, subject, author, refers = row
    return Entry(
        int(str(number)),
        float(str(at_s)),
        str(message_id),
        str(subject),
        str(author),
        tuple(str(refers).split()),
    )


def months(connection: sqlite3.Connection, number: int) -> list[tuple[str, int]]:
    """("2026-11", how many posts) of each month of a list, the newest first."""
    rows = connection.execute(
        "SELECT month, count(*) FROM entry WHERE list = ?"
        " GROUP BY month ORDER BY month DESC",
        (number,),
    )
    return [(str(month), int(count)) for month, count in rows]


def of_month(connection: sqlite3.Connection, number: int, month: str) -> list[Entry]:
    """The posts of a month, in the order they came."""
    rows = connection.execute(
        f"SELECT {_ENTRY} FROM entry WHERE list = ? AND month = ?"  # noqa: S608
        " ORDER BY number",
        (number, month),
    )
    return list(map(_entry, rows))


def entry(connection: sqlite3.Connection, number: int, which: int) -> Entry | None:
    """One post of a list by its number."""
    row = connection.execute(
        f"SELECT {_ENTRY} FROM entry WHERE list = ? AND number = ?",  # noqa: S608
        (number, which),
    ).fetchone()
    return None if row is None else _entry(row)


def search(
    connection: sqlite3.Connection, number: int, text: str, most: int = MOST_FOUND
) -> list[Entry]:
    """Posts with all words of `text`, the last one maybe only begun; the newest first.

    Everything that is no word is left out: no text can be a query of another kind."""
    words = _WORD.findall(text)[:50]
    if not words:
        return []
    query = " ".join(f'"{word}"' for word in words) + "*"
    named = ", ".join(f"entry.{name}" for name in _ENTRY.split(", "))
    rows = connection.execute(
        f"SELECT {named} FROM entry_text JOIN entry ON entry.id = entry_text.rowid"  # noqa: S608
        " WHERE entry_text MATCH ? AND entry.list = ?"
        " ORDER BY entry.number DESC LIMIT ?",
        (query, number, most),
    )
    return list(map(_entry, rows))
