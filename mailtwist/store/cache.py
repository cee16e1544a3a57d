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

VERSION = 6  # of the rendering and the tables; what another version wrote is dropped
PAGE_OCTETS = 8192

# Columns that are asked for together lie together.
TABLES: dict[str, tuple[Column, ...]] = {
    "structure": (Column.ENVELOPE, Column.BODYSTRUCTURE, Column.BODY),
    "fields": (Column.FIELDS, Column.PARTS),
    "previews": (Column.PREVIEW,),
    "threading": (Column.THREADING,),
    "surrogates": (Column.SURROGATE,),
}

RARE = "surrogates"  # empty octets for nearly all messages
EMPTY = ", x''"
NOT_EMPTY = "!= x''"


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
            if uids is None:
                number = self._number(db, mailbox)
                db.execute("DELETE FROM trees WHERE mailbox = ?", (number,))
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

    def threads(self, mailbox: str, algorithm: str, of: bytes) -> bytes | None:
        """See IIndexedMailbox.kept_threads."""

        def threads(db: sqlite3.Connection) -> bytes | None:
            row = db.execute(
                "SELECT threads FROM trees"
                " WHERE mailbox = ? AND algorithm = ? AND of = ?",
                (self._number(db, mailbox), algorithm, of),
            ).fetchone()
            return row and bytes(row[0])

        return self.guarded(threads, None)

    def put_threads(
        self, mailbox: str, algorithm: str, of: bytes, threads: bytes
    ) -> None:
        def put(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO trees VALUES (?, ?, ?, ?)",
                (self._number(db, mailbox), algorithm, of, threads),
            )

        self.guarded(put, None)

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
            rare = _read(db, RARE, columns[-1:], first, uids, where=NOT_EMPTY)
            others = self._columns(db, first, uids, columns[:-1], EMPTY)
            for uid in rare.keys() & others.keys():
                others[uid] = others[uid][:-1] + rare[uid]
            return others
        return self._columns(db, first, uids, columns)

    @staticmethod
    def _columns(
        db: sqlite3.Connection,
        first: int,
        uids: Sequence[int],
        columns: Sequence[Column],
        more: str = "",
    ) -> dict[int, tuple[bytes, ...]]:
        """`more`: a last column of each row, as SQL."""
        tables = [
            (table, [column for column in columns if column in held])
            for table, held in TABLES.items()
        ]
        asked = [(table, some) for table, some in tables if some]
        last = len(asked) - 1
        parts = [
            _read(db, table, some, first, uids, more=more if at == last else "")
            for at, (table, some) in enumerate(asked)
        ]
        order = [column for _, some in asked for column in some]
        if len(parts) == 1 and order == list(columns):
            return parts[0]
        places = [order.index(column) for column in columns]
        if more:
            places.append(len(order))
        found = {}
        for uid, values in parts[0].items():
            try:
                for part in parts[1:]:
                    values += part[uid]
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
        db.execute(
            "CREATE TABLE trees (mailbox INTEGER NOT NULL, algorithm TEXT NOT NULL,"
            " of BLOB NOT NULL, threads BLOB NOT NULL,"
            " PRIMARY KEY (mailbox, algorithm))"
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
    where: str = "",
    more: str = "",
) -> dict[int, tuple[bytes, ...]]:
    """`more`: a last column, `where`: a condition on the one asked for; both SQL."""
    names = ", ".join(column.value for column in columns)
    low, high = first + min(uids), first + max(uids)
    keys = "BETWEEN ? AND ?"
    given: list[int | str] = [low, high]
    if high - low >= 4 * len(uids):  # else it is dense: also read what is between
        keys = "IN (SELECT value FROM json_each(?))"
        given = [json.dumps([first + uid for uid in uids])]
    if where:
        where = f" AND {names} {where}"
    rows = db.execute(
        f"SELECT key - ?, {names}{more} FROM {table} WHERE key {keys}{where}",  # noqa: S608
        (first, *given),
    ).fetchall()
    return {row[0]: row[1:] for row in rows}
