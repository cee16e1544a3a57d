"""Rendered octets of messages: deletable at any time with no visible change.

While there is no usable file (`derived`) everything is a miss.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence

from ..mailbox.model import Column
from . import sqlite
from .derived import DerivedFile

VERSION = 4  # of the rendering and the tables; what another version wrote is dropped
PAGE_OCTETS = 8192

# Columns that are asked for together lie together.
TABLES: dict[str, tuple[Column, ...]] = {
    "structure": (Column.ENVELOPE, Column.BODYSTRUCTURE, Column.BODY),
    "fields": (Column.FIELDS, Column.PARTS),
    "previews": (Column.PREVIEW,),
    "surrogates": (Column.SURROGATE,),
}

RARE = "surrogates"  # empty octets for nearly all messages
_EMPTY = (b"",)


class Cache(DerivedFile):
    """`cache.sqlite` of one account."""

    version = VERSION
    layout = (f"page_size={PAGE_OCTETS}",)
    synchronous = "OFF"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._numbers: dict[str, int] = {}  # of mailboxes, by object id

    def forget_read(self) -> None:
        self._numbers.clear()

    # -- what is asked --------------------------------------------------------

    def get(
        self, mailbox: str, uids: Sequence[int], columns: Sequence[Column]
    ) -> dict[int, tuple[bytes, ...]]:
        """What is there, by UID; perhaps of others between them too."""
        if not uids:
            return {}
        return self.guarded(lambda db: self._get(db, mailbox, uids, columns), {})

    def put(
        self, mailbox: str, rendered: Sequence[tuple[int, dict[Column, bytes]]]
    ) -> None:
        """Keep columns of messages, all of a table or none, in one transaction."""

        def put(db: sqlite3.Connection) -> None:
            first = self._number(db, mailbox) << 32
            for table, columns in TABLES.items():
                rows = [
                    (first + uid, *(made[column] for column in columns))
                    for uid, made in rendered
                    if columns[0] in made
                ]
                marks = ", ".join("?" * (len(columns) + 1))
                db.executemany(
                    f"INSERT OR REPLACE INTO {table} VALUES ({marks})",  # noqa: S608
                    rows,
                )

        self.guarded(lambda db: sqlite.whole(db, put), None)

    def forget(self, mailbox: str, uids: Iterable[int] | None = None) -> None:
        """Messages, or the whole mailbox, are gone."""

        def forget(db: sqlite3.Connection) -> None:
            first = self._number(db, mailbox) << 32
            for table in TABLES:
                if uids is None:
                    db.execute(
                        f"DELETE FROM {table} WHERE key BETWEEN ? AND ?",  # noqa: S608
                        (first, first + 0xFFFF_FFFF),
                    )
                else:
                    db.executemany(
                        f"DELETE FROM {table} WHERE key = ?",  # noqa: S608
                        [(first + uid,) for uid in uids],
                    )

        if not os.path.exists(self.path):
            return
        self.guarded(lambda db: sqlite.whole(db, forget), None)

    # -- how ------------------------------------------------------------------

    def _get(
        self,
        db: sqlite3.Connection,
        mailbox: str,
        uids: Sequence[int],
        columns: Sequence[Column],
    ) -> dict[int, tuple[bytes, ...]]:
        first = self._number(db, mailbox) << 32
        if len(columns) > 1 and columns[-1] is Column.SURROGATE:
            rare = _read(db, RARE, columns[-1:], first, uids, few=True)
            others = self._get(db, mailbox, uids, columns[:-1])
            return {u: row + rare.get(u, _EMPTY) for u, row in others.items()}
        tables = [
            (table, [column for column in columns if column in held])
            for table, held in TABLES.items()
        ]
        asked = [(table, some) for table, some in tables if some]
        parts = [_read(db, table, some, first, uids) for table, some in asked]
        order = [column for _, some in asked for column in some]
        if len(parts) == 1 and order == list(columns):
            return parts[0]
        places = [order.index(column) for column in columns]
        found = {}
        for uid, values in parts[0].items():
            try:
                for more in parts[1:]:
                    values += more[uid]
            except KeyError:
                continue
            found[uid] = tuple([values[at] for at in places])
        return found

    def _number(self, db: sqlite3.Connection, mailbox: str) -> int:
        number = self._numbers.get(mailbox)
        if number is None:
            db.execute("INSERT OR IGNORE INTO mailboxes (name) VALUES (?)", (mailbox,))
            number = int(
                db.execute(
                    "SELECT number FROM mailboxes WHERE name = ?", (mailbox,)
                ).fetchone()[0]
            )
            self._numbers[mailbox] = number
        return number

    def make(self, db: sqlite3.Connection) -> None:
        db.execute(
            "CREATE TABLE mailboxes (number INTEGER PRIMARY KEY, name TEXT UNIQUE)"
        )
        for table, columns in TABLES.items():
            blobs = ", ".join(f"{column.value} BLOB NOT NULL" for column in columns)
            db.execute(f"CREATE TABLE {table} (key INTEGER PRIMARY KEY, {blobs})")


def _read(
    db: sqlite3.Connection,
    table: str,
    columns: Sequence[Column],
    first: int,
    uids: Sequence[int],
    *,
    few: bool = False,
) -> dict[int, tuple[bytes, ...]]:
    """`few`: only what is not empty, as another table says which messages are there."""
    names = ", ".join(column.value for column in columns)
    low, high = first + min(uids), first + max(uids)
    where = "BETWEEN ? AND ?"
    given: list[int | str] = [low, high]
    if high - low >= 4 * len(uids):  # else it is dense: also read what is between
        where = "IN (SELECT value FROM json_each(?))"
        given = [json.dumps([first + uid for uid in uids])]
    if few:
        where += f" AND {names} != x''"
    rows = db.execute(
        f"SELECT key - ?, {names} FROM {table} WHERE key {where}",  # noqa: S608
        (first, *given),
    ).fetchall()
    return {row[0]: row[1:] for row in rows}
