"""What is due by the clock, as functions of a connection: digests, ends, old rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from attrs import frozen

from ..config.option import DAY_S
from ..delivery.model import Wishes
from ..queue.spool.rows import wishes_of
from .digest import MOST_POSTS
from .model import MailingList, Pending
from .plan import To
from .statements import PENDING, lists, numbered, pending_of

BOUNCES_S = 90 * DAY_S  # how long the journal of bounces goes back
MOST_ENDED = 100


@frozen
class Waiting:
    """A mail in the outbox."""

    number: int
    queue_id: str
    list: int
    sender: str
    recipients: Sequence[To]
    wishes: Wishes
    signing: str
    octets: bytes


def after(connection: sqlite3.Connection, number: int) -> Waiting | None:
    """The next mail behind that one, 0 for the first."""
    row = connection.execute(
        "SELECT number, queue_id, list, sender, recipients, wishes, signing, octets"
        " FROM outbox WHERE number > ? ORDER BY number LIMIT 1",
        (number,),
    ).fetchone()
    return None if row is None else _waiting(row)


def _waiting(row: Sequence[object]) -> Waiting:
    number, queue_id, of_list, sender, recipients, wishes, signing, octets = row
    people = [To(*each) for each in json.loads(str(recipients))]
    return Waiting(
        int(str(number)),
        str(queue_id),
        int(str(of_list)),
        str(sender),
        people,
        wishes_of(str(wishes)),
        str(signing),
        bytes(octets) if isinstance(octets, bytes) else b"",
    )


def sent(connection: sqlite3.Connection, number: int) -> None:
    """That mail is in the queue."""
    connection.execute("DELETE FROM outbox WHERE number = ?", (number,))


@frozen
class DueDigest:
    """Posts for a digest of a list: their octets, the number of the last, and of the
    issue."""

    mailing_list: MailingList
    posts: Sequence[bytes]
    last: int
    issue: int


def due_digests(
    connection: sqlite3.Connection, now_s: float, only: int = 0
) -> list[DueDigest]:
    """Those that are large or old enough; any that has a post of the list `only`."""
    found = []
    for mailing_list in lists(connection):
        options, number = mailing_list.options, mailing_list.number
        if only and number != only:
            continue
        count, octets, oldest_s = connection.execute(
            "SELECT count(*), total(length(octets)), min(at_s) FROM digest"
            " WHERE list = ?",
            (number,),
        ).fetchone()
        due = count and (
            octets >= options.digest_octets
            or oldest_s + options.digest_s <= now_s
            or count >= MOST_POSTS
        )
        if due or (count and only):
            found.append(_digest(connection, mailing_list))
    return found


def _digest(connection: sqlite3.Connection, mailing_list: MailingList) -> DueDigest:
    rows = connection.execute(
        "SELECT number, octets FROM digest WHERE list = ? ORDER BY number LIMIT ?",
        (mailing_list.number, MOST_POSTS),
    ).fetchall()
    (issues,) = connection.execute(
        "SELECT issues FROM list WHERE number = ?", (mailing_list.number,)
    ).fetchone()
    return DueDigest(
        mailing_list, [bytes(row[1]) for row in rows], rows[-1][0], issues + 1
    )


def ended(
    connection: sqlite3.Connection, now_s: float
) -> list[tuple[MailingList, Pending]]:
    """What nobody answered in time."""
    rows = connection.execute(
        f"SELECT {PENDING}, list FROM pending WHERE expires_s <= ?"  # noqa: S608
        " ORDER BY expires_s LIMIT ?",
        (now_s, MOST_ENDED),
    ).fetchall()
    found = []
    for row in rows:
        mailing_list = numbered(connection, row[-1])
        if mailing_list is not None:
            found.append((mailing_list, pending_of(row)))
    return found


def forget(connection: sqlite3.Connection, now_s: float) -> None:
    """Clear away what is over."""
    connection.execute("DELETE FROM seen WHERE until_s <= ?", (now_s,))
    connection.execute("DELETE FROM work WHERE until_s <= ?", (now_s,))
    connection.execute("DELETE FROM bounce WHERE at_s <= ?", (now_s - BOUNCES_S,))


def bounces(
    connection: sqlite3.Connection, number: int, most: int = 1000
) -> list[tuple[float, str, str, str, str]]:
    """(second, whose, kind, status, diagnostic) of each on a list, the latest first."""
    rows = connection.execute(
        "SELECT at_s, key, kind, status, diagnostic FROM bounce WHERE list = ?"
        " ORDER BY number DESC LIMIT ?",
        (number, most),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def rights_due(connection: sqlite3.Connection) -> list[MailingList]:
    """Lists whose readers changed."""
    rows = connection.execute("SELECT number FROM list WHERE rights_due").fetchall()
    found = [numbered(connection, number) for (number,) in rows]
    return [one for one in found if one is not None]


def rights_given(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("UPDATE list SET rights_due = 0 WHERE number = ?", (number,))
