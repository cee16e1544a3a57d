"""New messages and what scripts remember, as functions of a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from attrs import frozen

from ...errors import RememberedMeanwhile
from ..model import Memory, QueuedMessage, QueuedRecipient
from . import statements

MOST_FORGOTTEN = 50  # rows that are cleared away at a time
MOST_REMEMBERED = 10_000  # of one account; the oldest make room


@frozen
class New:
    """A message that is to be queued: its octets, or the name of the file with them and
    the `head` that stands above those."""

    message: QueuedMessage
    recipients: Sequence[QueuedRecipient]
    octets: bytes | None
    file: str = ""
    head: bytes = b""


def insert_all(
    connection: sqlite3.Connection,
    new: Sequence[New],
    memories: Sequence[Memory] = (),
    now_s: float = 0.0,
) -> None:
    """The messages, and what is to be remembered.  Raises RememberedMeanwhile."""
    for memory in memories:
        if memory.first and remembered(connection, memory.account, [memory.key], now_s):
            raise RememberedMeanwhile()
    for each in new:
        statements.insert(
            connection,
            each.message,
            each.recipients,
            each.octets,
            each.file,
            each.head,
        )
    connection.executemany(
        "INSERT INTO remembered VALUES (?, ?, ?) ON CONFLICT (account, key)"
        " DO UPDATE SET until_s = max(until_s, excluded.until_s)",
        [(memory.account, memory.key, memory.until_s) for memory in memories],
    )
    for account in {memory.account for memory in memories}:
        _bound(connection, account)


def _bound(connection: sqlite3.Connection, account: str) -> None:
    (count,) = connection.execute(
        "SELECT count(*) FROM remembered WHERE account = ?", (account,)
    ).fetchone()
    if count > MOST_REMEMBERED:
        connection.execute(
            "DELETE FROM remembered WHERE account = ?1 AND key IN (SELECT key"
            " FROM remembered WHERE account = ?1 ORDER BY until_s LIMIT ?2)",
            (account, count - MOST_REMEMBERED),
        )


def forget(connection: sqlite3.Connection, now_s: float) -> None:
    """Clear away some of what is over."""
    connection.execute(
        "DELETE FROM remembered WHERE (account, key) IN"
        " (SELECT account, key FROM remembered WHERE until_s <= ? LIMIT ?)",
        (now_s, MOST_FORGOTTEN),
    )


def remembered(
    connection: sqlite3.Connection, account: str, keys: Sequence[bytes], now_s: float
) -> list[bytes]:
    """Those of `keys` that are there and not over."""
    wanted = json.dumps([key.hex() for key in keys])
    rows = connection.execute(
        "SELECT key FROM remembered WHERE account = ? AND until_s > ?"
        " AND lower(hex(key)) IN (SELECT value FROM json_each(?))",
        (account, now_s, wanted),
    )
    return [bytes(row[0]) for row in rows]
