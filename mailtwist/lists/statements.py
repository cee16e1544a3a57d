"""Lists, members and what waits, as functions of a connection."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import asdict, evolve, fields

from ..address import Address
from ..config.listing import ListOptions
from ..errors import MailError
from ..store.sqlite import opened
from .addressing import POST, Meant
from .interfaces import Standing
from .model import MailingList, Member, Pending, key_of

FILE = "lists.sqlite"
PACKAGE, SCHEMA = "mailtwist.lists", "lists_schema"
SECRET_OCTETS = 32

_LIST = "number, name, domain, options, secret, configured"
_MEMBER = (
    "number, address, name, mode, vacation, copies, moderated, accepted, score,"
    " scored_s, scored_kind, stopped, joined_s"
)
PENDING = "token, kind, address, made_s, expires_s, mode, name, subject, reason, octets"
_DEFAULTS = asdict(ListOptions())


def connect(path: str) -> sqlite3.Connection:
    """For use in any one thread; raises sqlite3.Error, OSError or ConfigError."""
    return opened(path, PACKAGE, SCHEMA, check_same_thread=False)


# -- lists --------------------------------------------------------------------------


def options_text(options: ListOptions) -> str:
    """JSON of what differs from the defaults."""
    said = {
        name: getattr(options, name)
        for name, default in _DEFAULTS.items()
        if getattr(options, name) != default
    }
    return json.dumps(said, ensure_ascii=False)


def options_of(text: str) -> ListOptions:
    """From `options_text`; what a newer program has, or does not take any more, is left
    out."""
    known = {field.name for field in fields(ListOptions)}
    options = ListOptions()
    for name, value in json.loads(text).items():
        if name in known:
            try:
                options = evolve(options, **{name: value})
            except ValueError:
                continue
    return options


def _list(row: Sequence[Any]) -> MailingList:
    return MailingList(
        row[0], Address(row[1], row[2]), options_of(row[3]), row[4], bool(row[5])
    )


def find(
    connection: sqlite3.Connection, meanings: Sequence[Meant], domain: str
) -> tuple[MailingList, Meant] | None:
    """See IListBook."""
    for meant in meanings:
        row = connection.execute(
            f"SELECT {_LIST} FROM list WHERE domain = ? AND name = ?",  # noqa: S608
            (domain, meant.name),
        ).fetchone()
        if row is not None:
            return _list(row), meant
    return None


def named(connection: sqlite3.Connection, address: Address) -> MailingList:
    """The list of exactly this address; raises MailError."""
    meant = Meant(address.local_part.lower(), POST)
    found = find(connection, [meant], address.domain)
    if found is None:
        raise MailError(f"There is no mailing list {address}")
    return found[0]


def numbered(connection: sqlite3.Connection, number: int) -> MailingList | None:
    """See IListBook."""
    row = connection.execute(
        f"SELECT {_LIST} FROM list WHERE number = ?",  # noqa: S608
        (number,),
    ).fetchone()
    return None if row is None else _list(row)


def lists(connection: sqlite3.Connection, domain: str = "") -> list[MailingList]:
    """See IListBook."""
    rows = connection.execute(
        f"SELECT {_LIST} FROM list WHERE ?1 IN ('', domain)"  # noqa: S608
        " ORDER BY domain, name",
        (domain,),
    )
    return [_list(row) for row in rows]


def add(
    connection: sqlite3.Connection,
    address: Address,
    options: ListOptions,
    now_s: float,
    *,
    configured: bool = False,
) -> MailingList:
    """A new list; raises MailError if it is there."""
    try:
        connection.execute(
            "INSERT INTO list (name, domain, options, secret, configured, made_s)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                address.local_part,
                address.domain,
                options_text(options),
                os.urandom(SECRET_OCTETS),
                int(configured),
                now_s,
            ),
        )
    except sqlite3.IntegrityError as fault:
        raise MailError(f"There is a mailing list {address} already") from fault
    return named(connection, address)


def set_options(
    connection: sqlite3.Connection,
    mailing_list: MailingList,
    options: ListOptions,
    *,
    configured: bool = False,
) -> None:
    connection.execute(
        "UPDATE list SET options = ?, configured = ?, rights_due = 1 WHERE number = ?",
        (options_text(options), int(configured), mailing_list.number),
    )


def remove(connection: sqlite3.Connection, mailing_list: MailingList) -> None:
    """The list and all of it but the messages of its archive."""
    connection.execute(
        "DELETE FROM entry_text WHERE rowid IN (SELECT id FROM entry WHERE list = ?)",
        (mailing_list.number,),
    )
    connection.execute("DELETE FROM list WHERE number = ?", (mailing_list.number,))


def figures(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    """How many there are of what on a list."""
    (members,) = connection.execute(
        "SELECT count(*) FROM member WHERE list = ?", (number,)
    ).fetchone()
    (waits,) = connection.execute(
        "SELECT count(*) FROM pending WHERE list = ? AND kind IN ('post', 'admit')",
        (number,),
    ).fetchone()
    (posts,) = connection.execute(
        "SELECT entries FROM list WHERE number = ?", (number,)
    ).fetchone()
    return {"members": members, "waiting": waits, "archived": posts}


# -- people -------------------------------------------------------------------------


def member_of(row: Sequence[Any]) -> Member:
    return Member(
        row[0],
        Address.parse(row[1]),
        row[2],
        row[3],
        bool(row[4]),
        bool(row[5]),
        bool(row[6]),
        row[7],
        row[8],
        row[9],
        row[10],
        bool(row[11]),
        row[12],
    )


def standing(connection: sqlite3.Connection, number: int, address: Address) -> Standing:
    """See IListBook."""
    key = key_of(address)
    row = connection.execute(
        f"SELECT {_MEMBER} FROM member WHERE list = ? AND key = ?",  # noqa: S608
        (number, key),
    ).fetchone()
    roles = connection.execute(
        "SELECT role FROM role WHERE list = ? AND key = ?", (number, key)
    )
    waiting = connection.execute(
        f"SELECT {PENDING} FROM pending"  # noqa: S608
        " WHERE list = ? AND key = ? AND kind != 'post'",
        (number, key),
    )
    return Standing(
        None if row is None else member_of(row),
        frozenset(role for (role,) in roles),
        tuple(map(pending_of, waiting)),
    )


def member(connection: sqlite3.Connection, number: int, which: int) -> Member | None:
    """See IListBook."""
    row = connection.execute(
        f"SELECT {_MEMBER} FROM member WHERE list = ? AND number = ?",  # noqa: S608
        (number, which),
    ).fetchone()
    return None if row is None else member_of(row)


def members(connection: sqlite3.Connection, number: int) -> list[Member]:
    """See IListBook."""
    rows = connection.execute(
        f"SELECT {_MEMBER} FROM member WHERE list = ? ORDER BY key",  # noqa: S608
        (number,),
    )
    return list(map(member_of, rows))


def memberships(
    connection: sqlite3.Connection, address: Address
) -> list[tuple[MailingList, Member]]:
    """See IListBook."""
    rows = connection.execute(
        f"SELECT {_MEMBER}, list FROM member WHERE key = ?",  # noqa: S608
        (key_of(address),),
    ).fetchall()
    found = [(numbered(connection, row[-1]), member_of(row)) for row in rows]
    return [(one, member) for one, member in found if one is not None]


def roles_of(
    connection: sqlite3.Connection, address: Address
) -> list[tuple[MailingList, str]]:
    """(list, role) of each role of an address."""
    rows = connection.execute(
        "SELECT list, role FROM role WHERE key = ?", (key_of(address),)
    ).fetchall()
    found = [(numbered(connection, number), role) for number, role in rows]
    return [(one, str(role)) for one, role in found if one is not None]


def people(connection: sqlite3.Connection, number: int, role: str) -> list[Address]:
    """See IListBook."""
    rows = connection.execute(
        "SELECT address FROM role WHERE list = ? AND role = ? ORDER BY key",
        (number, role),
    )
    return [Address.parse(address) for (address,) in rows]


def give_role(
    connection: sqlite3.Connection, number: int, role: str, address: Address
) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO role VALUES (?, ?, ?, ?)",
        (number, role, key_of(address), str(address)),
    )


def take_role(
    connection: sqlite3.Connection, number: int, role: str, address: Address
) -> bool:
    """True if somebody had it."""
    done = connection.execute(
        "DELETE FROM role WHERE list = ? AND role = ? AND key = ?",
        (number, role, key_of(address)),
    )
    return done.rowcount > 0


# -- what waits -----------------------------------------------------------------------


def pending_of(row: Sequence[Any]) -> Pending:
    return Pending(
        row[0],
        row[1],
        Address.parse(row[2]),
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        bytes(row[9]),
    )


def pending(
    connection: sqlite3.Connection, token: str, now_s: float
) -> tuple[MailingList, Pending] | None:
    """See IListBook."""
    row = connection.execute(
        f"SELECT {PENDING}, list FROM pending"  # noqa: S608
        " WHERE token = ? AND expires_s > ?",
        (token, now_s),
    ).fetchone()
    mailing_list = None if row is None else numbered(connection, row[-1])
    return None if mailing_list is None else (mailing_list, pending_of(row))


def waiting(
    connection: sqlite3.Connection, number: int, kinds: Sequence[str]
) -> list[Pending]:
    """What waits on a list, the oldest first."""
    marks = ", ".join("?" * len(kinds))
    rows = connection.execute(
        f"SELECT {PENDING} FROM pending"  # noqa: S608
        f" WHERE list = ? AND kind IN ({marks}) ORDER BY made_s",
        (number, *kinds),
    )
    return list(map(pending_of, rows))


def held(connection: sqlite3.Connection, number: int) -> int:
    """See IListBook."""
    row = connection.execute(
        "SELECT count(*) FROM pending WHERE list = ? AND kind = 'post'", (number,)
    ).fetchone()
    return int(row[0])


def seen(connection: sqlite3.Connection, number: int, message_id: str) -> bool:
    """See IListBook."""
    return (
        connection.execute(
            "SELECT 1 FROM seen WHERE list = ? AND message_id = ?",
            (number, message_id),
        ).fetchone()
        is not None
    )


def done(connection: sqlite3.Connection, work: str) -> bool:
    """See IListBook."""
    found = connection.execute("SELECT 1 FROM work WHERE work = ?", (work,))
    return found.fetchone() is not None
