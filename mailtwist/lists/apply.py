"""Plans made true, in the transaction of a connection."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

from ..address import Address
from ..config.option import DAY_S
from ..queue.spool.rows import wishes_text
from .model import MailingList, key_of
from .plan import (
    Accepted,
    Alter,
    Archived,
    Bounced,
    Digested,
    DigestSent,
    Join,
    Leave,
    Mail,
    Pend,
    Plan,
    Seen,
    Unpend,
)

WORK_S = 40 * DAY_S  # longer than anything waits in the queue


class CameBefore(Exception):
    """An answer or a post of the plan was there already."""


def apply(
    connection: sqlite3.Connection,
    mailing_list: MailingList,
    plan: Plan,
    work: str,
    now_s: float,
) -> bool:
    """See IListBook."""
    if work:
        found = connection.execute(
            "INSERT OR IGNORE INTO work VALUES (?, ?)", (work, now_s + WORK_S)
        )
        if not found.rowcount:
            return False
    connection.execute("SAVEPOINT plan")
    try:
        for each in plan.changes:
            change(each, connection, mailing_list.number)
        for mail in plan.mails:
            post(connection, mailing_list.number, mail, now_s)
    except CameBefore:
        connection.execute("ROLLBACK TO plan")
        connection.execute("RELEASE plan")
        return False
    connection.execute("RELEASE plan")
    return True


def post(connection: sqlite3.Connection, number: int, mail: Mail, now_s: float) -> None:
    """Into the outbox."""
    connection.execute(
        "INSERT INTO outbox"
        " (queue_id, list, sender, recipients, wishes, signing, octets, at_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            mail.number,
            number,
            mail.sender,
            json.dumps([[to.address, to.sender, to.fields] for to in mail.to]),
            wishes_text(mail.wishes),
            mail.signing,
            mail.octets,
            now_s,
        ),
    )


@singledispatch
def change(each: Any, connection: sqlite3.Connection, number: int) -> None:
    """Make one change of the list of this number."""
    raise TypeError(each)


@change.register
def _(each: Join, connection: sqlite3.Connection, number: int) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO member (list, key, address, name, mode, joined_s)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (number, _key(each.address), each.address, each.name, each.mode, each.at_s),
    )


@change.register
def _(each: Leave, connection: sqlite3.Connection, number: int) -> None:
    key = _key(each.address)
    connection.execute("DELETE FROM member WHERE list = ? AND key = ?", (number, key))
    connection.execute(
        "DELETE FROM pending WHERE list = ? AND key = ?"
        " AND kind IN ('unsubscribe', 'probe')",
        (number, key),
    )


@change.register
def _(each: Alter, connection: sqlite3.Connection, number: int) -> None:
    one = each.member
    connection.execute(
        "UPDATE member SET name = ?, mode = ?, vacation = ?, copies = ?,"
        " moderated = ?, score = ?, scored_s = ?, scored_kind = ?, stopped = ?"
        " WHERE list = ? AND number = ?",
        (
            one.name,
            one.mode,
            int(one.vacation),
            int(one.copies),
            int(one.moderated),
            one.score,
            one.scored_s,
            one.scored_kind,
            int(one.stopped),
            number,
            one.number,
        ),
    )


@change.register
def _(each: Pend, connection: sqlite3.Connection, number: int) -> None:
    one, key = each.pending, key_of(each.pending.address)
    if one.kind != "post":
        connection.execute(
            "DELETE FROM pending WHERE list = ? AND key = ? AND kind = ?",
            (number, key, one.kind),
        )
    connection.execute(
        "INSERT INTO pending (token, list, kind, key, address, mode, name, subject,"
        " reason, made_s, expires_s, octets)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.token,
            number,
            one.kind,
            key,
            str(one.address),
            one.mode,
            one.name,
            one.subject,
            one.reason,
            one.made_s,
            one.expires_s,
            one.octets,
        ),
    )


@change.register
def _(each: Unpend, connection: sqlite3.Connection, number: int) -> None:
    gone = connection.execute(
        "DELETE FROM pending WHERE token = ? AND list = ?", (each.token, number)
    )
    if not gone.rowcount:
        raise CameBefore()


@change.register
def _(each: Seen, connection: sqlite3.Connection, number: int) -> None:
    made = connection.execute(
        "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)",
        (number, each.message_id, each.until_s),
    )
    if not made.rowcount:
        raise CameBefore()


@change.register
def _(each: Accepted, connection: sqlite3.Connection, number: int) -> None:
    connection.execute(
        "UPDATE member SET accepted = accepted + 1 WHERE list = ? AND key = ?",
        (number, _key(each.address)),
    )


@change.register
def _(each: Archived, connection: sqlite3.Connection, number: int) -> None:
    one = each.entry
    connection.execute(
        "UPDATE list SET entries = entries + 1 WHERE number = ?", (number,)
    )
    made = connection.execute(
        "INSERT INTO entry (list, number, at_s, month, message_id, subject, author,"
        " refers) SELECT ?1, entries, ?2, ?3, ?4, ?5, ?6, ?7 FROM list"
        " WHERE number = ?1",
        (
            number,
            one.at_s,
            month_of(one.at_s),
            one.message_id,
            one.subject,
            one.author,
            " ".join(one.references),
        ),
    )
    connection.execute(
        "INSERT INTO entry_text (rowid, subject, author, text) VALUES (?, ?, ?, ?)",
        (made.lastrowid, one.subject, one.author, one.text),
    )


@change.register
def _(each: Digested, connection: sqlite3.Connection, number: int) -> None:
    connection.execute(
        "INSERT INTO digest (list, octets, at_s) VALUES (?, ?, ?)",
        (number, each.octets, each.at_s),
    )


@change.register
def _(each: DigestSent, connection: sqlite3.Connection, number: int) -> None:
    gone = connection.execute(
        "DELETE FROM digest WHERE list = ? AND number <= ?", (number, each.number)
    )
    if not gone.rowcount:
        raise CameBefore()
    connection.execute(
        "UPDATE list SET issues = issues + 1 WHERE number = ?", (number,)
    )


@change.register
def _(each: Bounced, connection: sqlite3.Connection, number: int) -> None:
    connection.execute(
        "INSERT INTO bounce (list, key, kind, status, diagnostic, at_s)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            number,
            _key(each.address),
            each.kind,
            each.status,
            each.diagnostic,
            each.at_s,
        ),
    )


def month_of(at_s: float) -> str:
    """ "2026-11" (UTC)."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m")


def _key(address: str) -> str:
    return key_of(Address.parse(address))
