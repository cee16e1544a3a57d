"""An account's state database: what the Maildir cannot tell (architecture D5).

Every method runs in a thread, one at a time for an account.  Methods that write are
called inside `transaction()`.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import frozen

from ..mailbox.model import Path
from . import sqlite


@frozen
class MailboxRow:
    id: int
    path: Path
    object_id: str
    uid_validity: int
    uid_next: int
    highest_modseq: int
    recent_from: int
    special_uses: frozenset[str]


# (uid, base, letters, keywords, modseq, octets, file_octets, internal_date)
MessageRow = tuple[int, str, str, str, int, int, int, int]

_MAILBOX = (
    "SELECT id, path, object_id, uid_validity, uid_next, highest_modseq, recent_from,"
    " special_uses FROM mailboxes"
)


class State:
    """`state.sqlite` of one account; synchronous=FULL."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def db(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = sqlite.opened(
                self.path, "mailtwist.store", "schema", check_same_thread=False
            )
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE; committed, and durable, when the block ends well."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    # -- mailboxes ------------------------------------------------------------

    def mailboxes(self) -> dict[Path, MailboxRow]:
        rows = map(_mailbox, self.db.execute(_MAILBOX))
        return {row.path: row for row in rows}

    def mailbox(self, path: Path) -> MailboxRow | None:
        found = self.db.execute(f"{_MAILBOX} WHERE path = ?", (_text(path),)).fetchone()
        return None if found is None else _mailbox(found)

    def add_mailbox(
        self,
        path: Path,
        special_uses: frozenset[str] = frozenset(),
        *,
        uid_validity: int | None = None,
        uid_next: int = 1,
    ) -> MailboxRow:
        """A row for a mailbox; UIDVALIDITY is never one that was given before."""
        last = self.db.execute("SELECT last FROM validity").fetchone()[0]
        validity = uid_validity or max(last + 1, int(time.time()))
        self.db.execute("UPDATE validity SET last = ?", (max(last, validity),))
        values = (
            _text(path),
            secrets.token_hex(8),
            validity,
            uid_next,
            " ".join(sorted(special_uses)),
        )
        cursor = self.db.execute(
            "INSERT INTO mailboxes (path, object_id, uid_validity, uid_next,"
            " special_uses) VALUES (?, ?, ?, ?, ?)",
            values,
        )
        found = self.db.execute(f"{_MAILBOX} WHERE id = ?", (cursor.lastrowid,))
        return _mailbox(found.fetchone())

    def remove_mailbox(self, row_id: int) -> None:
        self.db.execute("DELETE FROM mailboxes WHERE id = ?", (row_id,))

    def move_mailbox(self, row_id: int, path: Path) -> None:
        self.db.execute(
            "UPDATE mailboxes SET path = ? WHERE id = ?", (_text(path), row_id)
        )

    def set_counters(self, row_id: int, uid_next: int, highest_modseq: int) -> None:
        self.db.execute(
            "UPDATE mailboxes SET uid_next = ?, highest_modseq = ? WHERE id = ?",
            (uid_next, highest_modseq, row_id),
        )

    def set_recent_from(self, row_id: int, uid: int) -> None:
        self.db.execute(
            "UPDATE mailboxes SET recent_from = ? WHERE id = ?", (uid, row_id)
        )

    # -- messages -------------------------------------------------------------

    def messages(self, row_id: int) -> list[MessageRow]:
        """Every message of the mailbox, by UID."""
        return self.db.execute(
            "SELECT uid, base, letters, keywords, modseq, octets, file_octets,"
            " internal_date FROM messages WHERE mailbox = ? ORDER BY uid",
            (row_id,),
        ).fetchall()

    def add_messages(self, row_id: int, rows: Iterable[MessageRow]) -> None:
        self.db.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(row_id, *row) for row in rows],
        )

    def set_flags(self, row_id: int, rows: Iterable[tuple[str, str, int, int]]) -> None:
        """(letters, keywords, modseq, uid) of messages whose flags changed."""
        self.db.executemany(
            "UPDATE messages SET letters = ?, keywords = ?, modseq = ?"
            " WHERE uid = ? AND mailbox = ?",
            [(*row, row_id) for row in rows],
        )

    def vanish(self, row_id: int, modseq: int, uids: Iterable[int]) -> None:
        """The messages are gone; remembered for those who ask what vanished."""
        uids = list(uids)
        self.db.executemany(
            "DELETE FROM messages WHERE mailbox = ? AND uid = ?",
            [(row_id, uid) for uid in uids],
        )
        self.db.executemany(
            "INSERT OR IGNORE INTO vanished VALUES (?, ?, ?)",
            [(row_id, modseq, uid) for uid in uids],
        )

    def vanished(self, row_id: int, modseq: int) -> list[int]:
        rows = self.db.execute(
            "SELECT uid FROM vanished WHERE mailbox = ? AND modseq > ? ORDER BY uid",
            (row_id, modseq),
        )
        return [row[0] for row in rows]

    # -- keywords and subscriptions -------------------------------------------

    def keywords(self, row_id: int) -> dict[str, str]:
        """Keywords of this mailbox by letter."""
        return dict(
            self.db.execute(
                "SELECT letter, keyword FROM keywords WHERE mailbox = ?", (row_id,)
            ).fetchall()
        )

    def add_keyword(self, row_id: int, letter: str, keyword: str) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO keywords VALUES (?, ?, ?)",
            (row_id, letter, keyword),
        )

    def subscriptions(self) -> set[Path]:
        rows = self.db.execute("SELECT path FROM subscriptions")
        return {tuple(json.loads(row[0])) for row in rows}

    def subscribe(self, path: Path) -> None:
        self.db.execute(
            "INSERT OR IGNORE INTO subscriptions VALUES (?)", (_text(path),)
        )

    def unsubscribe(self, path: Path) -> None:
        self.db.execute("DELETE FROM subscriptions WHERE path = ?", (_text(path),))


def _text(path: Path) -> str:
    return json.dumps(path, ensure_ascii=False)


def _mailbox(row: tuple[int, str, str, int, int, int, int, str]) -> MailboxRow:
    row_id, path, object_id, validity, uid_next, modseq, recent_from, uses = row
    return MailboxRow(
        row_id,
        tuple(json.loads(path)),
        object_id,
        validity,
        uid_next,
        modseq,
        recent_from,
        frozenset(uses.split()),
    )
