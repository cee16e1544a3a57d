"""Application passwords: generated here, one for each program or device of a person.

What is kept of one is HMAC-SHA-256 over account and password with a key of the key
file.  A slow hash would be of no use and cost some 20 ms for *each* of them at every
login: argon2id makes guessing dear where people choose words, but these are 120 random
bits, which nobody guesses at any price.  The key, outside of the database, makes a
stolen copy of the database worthless even for checking a guess; the account's name
within keeps a row from being moved to another account.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sqlite3
import time
from collections.abc import Iterable

from attrs import frozen

from ..errors import BadParameter, MailError
from .model import USES, uses_allow

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # 32: five bits each, none alike
LENGTH = 24
GROUP = 4  # shown as aaaa-bbbb-...
MOST_NAME = 64  # characters
MOST_OF_ONE = 100  # passwords of one account
SEEN_NS = 3_600_000_000_000  # how exactly `used_at_ns` is kept

_LETTERS = frozenset(LETTERS.encode())


class NoSuchAppPassword(MailError):
    status, public = "5.3.0", "There is no application password of that name"


class AppPasswordExists(MailError):
    status, public = "5.3.0", "There is an application password of that name already"


@frozen
class AppPassword:
    """What is told of one; times in ns since the epoch."""

    id: int
    name: str
    uses: frozenset[str] | None
    made_at_ns: int
    used_at_ns: int | None

    def may(self, protocol: str) -> bool:
        return uses_allow(self.uses, protocol)

    def unseen(self, now_ns: int) -> bool:
        """True if its use should be written down now."""
        return self.used_at_ns is None or now_ns - self.used_at_ns >= SEEN_NS


def generated() -> str:
    """A new one, as it is shown once."""
    text = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(text[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def normal(password: bytes) -> bytes | None:
    """What somebody typed, without hyphens, spaces and capitals; None if it can be no
    application password."""
    if len(password) > 2 * LENGTH:
        return None
    text = password.replace(b"-", b"").replace(b" ", b"").lower()
    return text if len(text) == LENGTH and _LETTERS.issuperset(text) else None


def mark_of(secret: bytes, key: str, password: bytes) -> bytes:
    """What is kept of a `normal` password of the account `key`."""
    return hmac.digest(secret, key.encode() + b"\0" + password, "sha256")


_ROW = "SELECT id, name, uses, made_at_ns, used_at_ns FROM app_passwords"


def _app_password(row: tuple[int, str, str | None, int, int | None]) -> AppPassword:
    number, name, uses, made, used = row
    return AppPassword(number, name, uses_of(uses), made, used)


def uses_of(text: str | None) -> frozenset[str] | None:
    """From the database."""
    return None if text is None else frozenset(json.loads(text)) & set(USES)


def text_of(uses: Iterable[str] | None) -> str | None:
    """For the database."""
    return None if uses is None else json.dumps(sorted(uses))


def listed(db: sqlite3.Connection, key: str) -> list[AppPassword]:
    """All of an account, by name."""
    rows = db.execute(f"{_ROW} WHERE key = ? ORDER BY name", (key,))
    return [_app_password(row) for row in rows]


def found(db: sqlite3.Connection, key: str, mark: bytes) -> AppPassword | None:
    """The one with this mark; what the time of the search tells is of the keyed hash
    alone."""
    rows = db.execute(f"{_ROW} WHERE key = ? AND mark = ?", (key, mark))
    row = rows.fetchone()
    return None if row is None else _app_password(row)


def insert(
    db: sqlite3.Connection,
    key: str,
    name: str,
    mark: bytes,
    uses: Iterable[str] | None,
) -> None:
    """Raises AppPasswordExists, BadParameter for a name or a number over the limit."""
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise BadParameter(f"A name has 1 to {MOST_NAME} printable characters")
    known = {one.name for one in listed(db, key)}
    if name in known:
        raise AppPasswordExists()
    if len(known) >= MOST_OF_ONE:
        raise BadParameter(f"An account has at most {MOST_OF_ONE} of them")
    db.execute(
        "INSERT INTO app_passwords (key, name, mark, uses, made_at_ns)"
        " VALUES (?, ?, ?, ?, ?)",
        (key, name, mark, text_of(uses), time.time_ns()),
    )


def delete(db: sqlite3.Connection, key: str, name: str) -> None:
    """Raises NoSuchAppPassword."""
    done = db.execute(
        "DELETE FROM app_passwords WHERE key = ? AND name = ?", (key, name)
    )
    if not done.rowcount:
        raise NoSuchAppPassword()


def delete_all(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM app_passwords WHERE key = ?", (key,))


def note_use(db: sqlite3.Connection, number: int) -> None:
    db.execute(
        "UPDATE app_passwords SET used_at_ns = ? WHERE id = ?",
        (time.time_ns(), number),
    )
