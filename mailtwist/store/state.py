"""An account's state database: what the Maildir cannot tell (architecture D5).

Every method runs in a thread, one at a time for an account.  Methods that write are
called inside `transaction()`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from attrs import frozen
from twisted.logger import Logger

from ..errors import ConfigError, MailError
from ..mailbox.model import Path
from . import sqlite, state_text
from .state_paths import path_text, paths_of

log = Logger()

MOST_VANISHED = 50_000  # UIDs that went, remembered for each mailbox
COUNT_EVERY = 5_000  # of them more may be there before they are counted


@frozen
class MailboxRow:
    """A mailbox; `recent_from` is the lowest UID no session was told as \\Recent, and
    `vanished_from` the MODSEQ after which every UID that went is remembered."""

    id: int
    path: Path
    object_id: str
    uid_validity: int
    uid_next: int
    highest_modseq: int
    recent_from: int
    special_uses: frozenset[str]
    vanished_from: int = 0


class Message(NamedTuple):
    """A message; the name of its file is `base` and then `info`."""

    uid: int
    base: str
    info: str  # ":2,FS", or whatever stands there
    keywords: str  # those that have no letter, sorted, between spaces
    modseq: int
    octets: int  # with CRLF line ends
    file_octets: int
    internal_date: int
    saved_at: int  # 0 if it is not known
    email_id: str = ""  # see store.identifiers
    thread_id: int = 0


_LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MAILBOX = (
    "SELECT id, path, object_id, uid_validity, uid_next, highest_modseq, recent_from,"
    " special_uses, vanished_from FROM mailboxes"
)
_MESSAGE = (
    "SELECT uid, base, info, keywords, modseq, octets, file_octets, internal_date,"
    " saved_at FROM messages WHERE mailbox = ?"
)


class State:
    """`state.sqlite` of one account; synchronous=FULL."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: sqlite3.Connection | None = None
        self._inode = 0
        self._uncounted: dict[int, int] = {}  # rows of `vanished` added since a count
        self.opens = self.renamed = 0  # how often
        self._retell = self._later = False  # `state_text` is not what it was

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    @property
    def db(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self._opened = self._open()
            except sqlite3.DatabaseError as fault:
                if not sqlite.damaged(fault):
                    raise
                self.discard()
                self._opened = self._open()
        return self._opened

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing if there is none."""
        if not os.path.exists(self.path):
            return []
        try:
            self._opened = self._opened or self._open()
        except sqlite3.DatabaseError as fault:
            if not sqlite.damaged(fault):
                raise
            return [str(fault)]
        return sqlite.faults(self._opened)

    def discard(self) -> None:
        """Set the file aside, unless another process has done so."""
        self.close()
        lock = os.open(
            f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_current():
                log.critical(
                    "{path} is damaged; it is kept as {path}.damaged, and UIDs are"
                    " taken from the uidlist of each folder",
                    path=self.path,
                )
                sqlite.set_aside(self.path)
        finally:
            os.close(lock)

    def _is_current(self) -> bool:
        """True if the file is the one that was opened."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _open(self) -> sqlite3.Connection:
        with suppress(FileNotFoundError):
            self._inode = os.stat(self.path).st_ino  # if it cannot be opened
        self.opens += 1
        try:
            db = sqlite.opened(
                self.path, "mailtwist.store", "schema", check_same_thread=False
            )
        except ConfigError as fault:  # of a newer version: left as it is
            log.critical("{why}", why=str(fault))
            raise MailError() from fault
        self._inode = os.stat(self.path).st_ino
        if not os.path.exists(state_text.path_of(self.path)):
            self._retell = True
        try:
            db.execute("SELECT count(*) FROM mailboxes").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE; committed, and durable, when the block ends well."""
        db = self.db
        if not self._is_current():  # another process has set it aside
            self.close()
            db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            later, self._later = self._later, False
            if self._retell and not later:
                state_text.write(self.path, db)
            db.execute("COMMIT")
            self._retell = later
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def retell(self, *, later: bool = False) -> None:
        """Something was changed that stands in the text beside the state, too.

        `later`: it is written in the next transaction, as without this one there is no
        state whose text it could be."""
        self._retell, self._later = True, later or self._later

    # -- mailboxes ------------------------------------------------------------

    def mailboxes(self) -> dict[Path, MailboxRow]:
        rows = map(_mailbox, self.db.execute(_MAILBOX))
        return {row.path: row for row in rows}

    @property
    def is_new(self) -> bool:
        """True until a mailbox is put down."""
        return self.db.execute("SELECT 1 FROM mailboxes LIMIT 1").fetchone() is None

    def modseqs(self) -> dict[Path, int]:
        """The highest MODSEQ of every mailbox."""
        rows = self.db.execute("SELECT path, highest_modseq FROM mailboxes")
        return {tuple(json.loads(path)): modseq for path, modseq in rows}

    def data_version(self) -> int:
        """Another number after another connection changed something; -1 if this one
        was opened only now."""
        opened = self._opened is not None
        version = int(self.db.execute("PRAGMA data_version").fetchone()[0])
        return version if opened else -1

    def mailbox(self, path: Path) -> MailboxRow | None:
        found = self.db.execute(
            f"{_MAILBOX} WHERE path = ?", (path_text(path),)
        ).fetchone()
        return None if found is None else _mailbox(found)

    def mailbox_by_id(self, row_id: int) -> MailboxRow | None:
        found = self.db.execute(f"{_MAILBOX} WHERE id = ?", (row_id,)).fetchone()
        return None if found is None else _mailbox(found)

    def has_object(self, object_id: str) -> bool:
        """True if a mailbox has that id."""
        return (
            self.db.execute(
                "SELECT 1 FROM mailboxes WHERE object_id = ?", (object_id,)
            ).fetchone()
            is not None
        )

    def add_mailbox(
        self,
        path: Path,
        special_uses: frozenset[str] = frozenset(),
        *,
        object_id: str = "",
        uid_validity: int | None = None,
        uid_next: int = 1,
        highest_modseq: int = 1,
        vanished_from: int = 0,
    ) -> MailboxRow:
        """A row for a mailbox; UIDVALIDITY is never one that was given before."""
        self.renamed += 1
        if special_uses:
            self.retell()
        last = self.db.execute("SELECT last FROM validity").fetchone()[0]
        validity = uid_validity or max(last + 1, int(time.time()))
        self.db.execute("UPDATE validity SET last = ?", (max(last, validity),))
        values = (
            path_text(path),
            object_id or secrets.token_hex(8),
            validity,
            uid_next,
            highest_modseq,
            " ".join(sorted(special_uses)),
            vanished_from,
        )
        cursor = self.db.execute(
            "INSERT INTO mailboxes (path, object_id, uid_validity, uid_next,"
            " highest_modseq, special_uses, vanished_from)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        found = self.db.execute(f"{_MAILBOX} WHERE id = ?", (cursor.lastrowid,))
        return _mailbox(found.fetchone())

    def remove_mailbox(self, row_id: int) -> None:
        self.renamed += 1
        self.db.execute("DELETE FROM mailboxes WHERE id = ?", (row_id,))

    def move_mailbox(self, row_id: int, path: Path) -> None:
        self.renamed += 1
        self.db.execute(
            "UPDATE mailboxes SET path = ? WHERE id = ?", (path_text(path), row_id)
        )

    def set_counters(self, row_id: int, uid_next: int, highest_modseq: int) -> None:
        self.db.execute(
            "UPDATE mailboxes SET uid_next = ?, highest_modseq = ? WHERE id = ?",
            (uid_next, highest_modseq, row_id),
        )

    def set_special_uses(self, row_id: int, uses: frozenset[str]) -> None:
        self.renamed += 1
        self.retell()
        self.db.execute(
            "UPDATE mailboxes SET special_uses = ? WHERE id = ?",
            (" ".join(sorted(uses)), row_id),
        )

    def set_recent_from(self, row_id: int, uid: int) -> None:
        self.db.execute(
            "UPDATE mailboxes SET recent_from = ? WHERE id = ?", (uid, row_id)
        )

    # -- folders that are being renamed ---------------------------------------

    def add_renames(self, renames: Iterable[tuple[str, Path]]) -> None:
        """Folders within the Maildir and the paths they get, in order."""
        self.db.executemany(
            "INSERT INTO renames (old, new) VALUES (?, ?)",
            # As octets: another program's name need not be text.
            [(os.fsencode(old), path_text(new)) for old, new in renames],
        )

    def renames(self) -> list[tuple[str, Path]]:
        rows = self.db.execute("SELECT old, new FROM renames ORDER BY id")
        return [(os.fsdecode(old), tuple(json.loads(new))) for old, new in rows]

    def forget_renames(self) -> None:
        self.db.execute("DELETE FROM renames")

    # -- messages -------------------------------------------------------------

    def messages(self, row_id: int) -> list[tuple[int | str, ...]]:
        """The values of every Message of the mailbox, by UID."""
        return self.db.execute(f"{_MESSAGE} ORDER BY uid", (row_id,)).fetchall()

    def messages_after(self, row_id: int, modseq: int) -> list[Message]:
        """Messages that are new or changed after `modseq`, by UID."""
        rows = self.db.execute(
            f"{_MESSAGE} AND modseq > ? ORDER BY uid", (row_id, modseq)
        )
        return [Message(*row) for row in rows]

    def add_messages(self, row_id: int, messages: Iterable[Message]) -> None:
        self.db.executemany(
            "INSERT INTO messages (mailbox, uid, base, info, keywords, modseq, octets,"
            " file_octets, internal_date, saved_at, email_id, thread_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(row_id, *message) for message in messages],
        )

    def set_flags(self, row_id: int, messages: Iterable[Message]) -> None:
        """Put down the flags and MODSEQ of messages."""
        self.db.executemany(
            "UPDATE messages SET info = ?, keywords = ?, modseq = ?"
            " WHERE mailbox = ? AND uid = ?",
            [(m.info, m.keywords, m.modseq, row_id, m.uid) for m in messages],
        )

    def vanish(self, row_id: int, modseq: int, uids: Sequence[int]) -> None:
        """The messages are gone; remembered for those who ask what vanished."""
        self.db.executemany(
            "DELETE FROM messages WHERE mailbox = ? AND uid = ?",
            [(row_id, uid) for uid in uids],
        )
        self.db.executemany(
            "INSERT OR IGNORE INTO vanished VALUES (?, ?, ?)",
            [(row_id, modseq, uid) for uid in uids],
        )
        if uids:
            more = self._uncounted.get(row_id, COUNT_EVERY) + len(uids)
            if more >= COUNT_EVERY:
                self._forget_vanished(row_id)
                more = 0
            self._uncounted[row_id] = more

    def _forget_vanished(self, row_id: int) -> None:
        """Keep the last MOST_VANISHED, and the MODSEQ up to which others went."""
        first = self.db.execute(
            "SELECT modseq FROM vanished WHERE mailbox = ?"
            " ORDER BY modseq DESC, uid DESC LIMIT 1 OFFSET ?",
            (row_id, MOST_VANISHED),
        ).fetchone()
        if first is not None:
            self.db.execute(
                "DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?",
                (row_id, first[0]),
            )
            self.db.execute(
                "UPDATE mailboxes SET vanished_from = max(vanished_from, ?)"
                " WHERE id = ?",
                (first[0], row_id),
            )

    def gone_since(self, row_id: int, modseq: int) -> tuple[list[int], bool]:
        """UIDs that went after `modseq`; False if some may not be remembered."""
        row = self.mailbox_by_id(row_id)
        complete = row is not None and modseq >= row.vanished_from
        return self.vanished(row_id, modseq), complete

    def vanished(self, row_id: int, modseq: int) -> list[int]:
        rows = self.db.execute(
            "SELECT uid FROM vanished WHERE mailbox = ? AND modseq > ? ORDER BY uid",
            (row_id, modseq),
        )
        return [row[0] for row in rows]

    def missing(self, row_id: int, uids: Iterable[int]) -> list[int]:
        """Those of `uids` that the mailbox does not hold, ascending."""
        rows = self.db.execute("SELECT uid FROM messages WHERE mailbox = ?", (row_id,))
        return sorted(set(uids).difference(row[0] for row in rows))

    def columns_tokens(self, row_id: int | None = None) -> dict[int, str]:
        """Tokens of files of columns, by mailbox; of one if it is given."""
        rows = self.db.execute(
            "SELECT mailbox, token FROM columns_tokens"
            " WHERE mailbox = ifnull(?, mailbox)",
            (row_id,),
        )
        return dict(rows.fetchall())

    def set_columns_token(self, row_id: int, token: str) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO columns_tokens VALUES (?, ?)", (row_id, token)
        )

    # -- files that have no row any more --------------------------------------

    def add_removed(self, row_id: int, bases: Iterable[str]) -> None:
        """Files that moved elsewhere: whoever meets them here unlinks them."""
        self.db.executemany(
            "INSERT OR IGNORE INTO removed VALUES (?, ?)",
            [(row_id, base) for base in bases],
        )

    def removed(self, row_id: int) -> set[str]:
        rows = self.db.execute("SELECT base FROM removed WHERE mailbox = ?", (row_id,))
        return {row[0] for row in rows}

    def forget_removed(self, row_id: int) -> None:
        """They are unlinked, durably.  Nothing is lost if this is: so no sync."""
        self.db.execute("PRAGMA synchronous=NORMAL")
        try:
            with self.transaction():
                self.db.execute("DELETE FROM removed WHERE mailbox = ?", (row_id,))
        finally:
            self.db.execute("PRAGMA synchronous=FULL")

    # -- keywords and subscriptions -------------------------------------------

    def keywords(self, row_id: int) -> dict[str, str]:
        """Keywords of this mailbox by letter."""
        return dict(
            self.db.execute(
                "SELECT letter, keyword FROM keywords WHERE mailbox = ?", (row_id,)
            ).fetchall()
        )

    def add_keywords(self, row_id: int, letters: Iterable[tuple[str, str]]) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO keywords VALUES (?, ?, ?)",
            [(row_id, letter, keyword) for letter, keyword in letters],
        )

    def subscriptions(self) -> set[Path]:
        rows = self.db.execute("SELECT path FROM subscriptions")
        return set(paths_of(row[0] for row in rows))

    def subscribe(self, path: Path) -> None:
        self.renamed += 1
        self.retell()
        self.db.execute(
            "INSERT OR IGNORE INTO subscriptions VALUES (?)", (path_text(path),)
        )

    def unsubscribe(self, path: Path) -> None:
        self.renamed += 1
        self.retell()
        self.db.execute("DELETE FROM subscriptions WHERE path = ?", (path_text(path),))


def _mailbox(row: tuple[int, str, str, int, int, int, int, str, int]) -> MailboxRow:
    row_id, path, object_id, validity, uid_next, modseq, recent_from, uses, since = row
    return MailboxRow(
        row_id,
        tuple(json.loads(path)),
        object_id,
        validity,
        uid_next,
        modseq,
        recent_from,
        frozenset(uses.split()),
        since,
    )
