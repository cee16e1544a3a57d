"""What is asked of the database, as functions of a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence

from ..jobs import place_of_all, place_of_way, source_of
from ..model import Crowded, QueuedMessage, QueuedRecipient
from .rows import (
    MESSAGE,
    RECIPIENT,
    message_of,
    message_row,
    recipient_of,
    recipient_row,
)

Connection = sqlite3.Connection


def _insert(table: str, columns: str) -> str:
    """A statement with a mark for each column; both names are ours."""
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608


_INSERT_MESSAGE = _insert("message", f"{MESSAGE}, file, head, source, place, due_s")
_INSERT_RECIPIENT = _insert("recipient", f"message, {RECIPIENT}")
_REPLACE_RECIPIENT = _INSERT_RECIPIENT.replace("INSERT", "REPLACE", 1)
_DUE = """
    WITH
        loaded AS (SELECT value FROM json_each(?2)),
        sources AS (SELECT value FROM json_each(?3)),
        crowded AS (SELECT value FROM json_each(?4))
    SELECT number FROM message INDEXED BY message_due
    WHERE held = 0 AND due_s BETWEEN ?6 AND ?1
        AND queue_id NOT IN loaded AND source NOT IN sources
        AND CASE WHEN ?4 = '[]' THEN 1
        WHEN place != '' THEN
            place NOT IN crowded AND source || char(10) || place NOT IN crowded
        ELSE EXISTS (
            SELECT 1 FROM (
                SELECT transport || ':' || iif(next_hop = '', domain, next_hop) AS one
                FROM recipient WHERE message = message.number AND due_s <= ?1
            )
            WHERE one NOT IN crowded AND source || char(10) || one NOT IN crowded
        ) END
    ORDER BY due_s LIMIT ?5
"""
_SET_DUE = """
    UPDATE message SET due_s = (SELECT min(due_s) FROM recipient WHERE message = ?1)
    WHERE number = ?1
"""


def insert(
    connection: Connection,
    message: QueuedMessage,
    recipients: Sequence[QueuedRecipient],
    octets: bytes | None,
    file: str = "",
    head: bytes = b"",
) -> None:
    """A new message with its octets, or with the name of the file that has them and the
    `head` above those."""
    row = (
        *message_row(message),
        file,
        head,
        source_of(message),
        place_of_all(recipients),
        min(recipient.due_s for recipient in recipients),
    )
    number = connection.execute(_INSERT_MESSAGE, row).lastrowid
    if octets is not None:
        connection.execute("INSERT INTO content VALUES (?, ?)", (number, octets))
    connection.executemany(
        _INSERT_RECIPIENT, [(number, *recipient_row(each)) for each in recipients]
    )


def settle(
    connection: Connection,
    queue_id: str,
    done: Sequence[int],
    later: Sequence[QueuedRecipient],
) -> str:
    """Take recipients off and replace others; the file of a message that ended, "" if
    there is none.  What is not there any more is left alone."""
    number = number_of(connection, queue_id)
    if number is None:
        return ""
    connection.executemany(
        "DELETE FROM recipient WHERE message = ? AND number = ?",
        [(number, each) for each in done],
    )
    there = "SELECT 1 FROM recipient WHERE message = ? AND number = ?"
    connection.executemany(
        _REPLACE_RECIPIENT,
        [
            (number, *recipient_row(each))
            for each in later
            if connection.execute(there, (number, each.number)).fetchone()
        ],
    )
    return end_or_due(connection, number)


def put_recipients(
    connection: Connection, number: int, recipients: Sequence[QueuedRecipient]
) -> None:
    """Replace recipients of a message by number, or add them."""
    connection.executemany(
        _REPLACE_RECIPIENT, [(number, *recipient_row(each)) for each in recipients]
    )
    query = "SELECT DISTINCT transport, next_hop, domain FROM recipient"
    ways = connection.execute(f"{query} WHERE message = ?", (number,)).fetchall()
    place = place_of_way(*ways[0]) if len(ways) == 1 else ""
    connection.execute("UPDATE message SET place = ? WHERE number = ?", (place, number))


def end_or_due(connection: Connection, number: int) -> str:
    """After a change of recipients: remove a message without any, or set when it is
    due; the file to remove, "" if there is none."""
    some = "SELECT 1 FROM recipient WHERE message = ? LIMIT 1"
    if connection.execute(some, (number,)).fetchone():
        connection.execute(_SET_DUE, (number,))
        return ""
    return remove(connection, number)


def remove(connection: Connection, number: int) -> str:
    """Remove a message; the file to remove, "" if there is none."""
    query = "DELETE FROM message WHERE number = ? RETURNING file"
    rows = connection.execute(query, (number,)).fetchall()
    return str(rows[0][0]) if rows else ""


def number_of(connection: Connection, queue_id: str) -> int | None:
    query = "SELECT number FROM message WHERE queue_id = ?"
    row = connection.execute(query, (queue_id,)).fetchone()
    return None if row is None else int(row[0])


def due(
    connection: Connection,
    now_s: float,
    count: int,
    loaded: Collection[str],
    crowded: Crowded,
    since_s: float = 0.0,
) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
    """See ISpool.due."""
    pairs = [f"{source}\n{place}" for source, place in crowded.pairs]
    places = [*crowded.places, *pairs]
    leave = [json.dumps(list(each)) for each in (loaded, crowded.sources, places)]
    numbers = connection.execute(_DUE, (now_s, *leave, count, since_s)).fetchall()
    found = []
    for (number,) in numbers:
        message = _message(connection, "number", number)
        if message is not None:
            query = "message = ? AND due_s <= ?"
            found.append((message, _recipients(connection, query, number, now_s)))
    return found


def next_due(connection: Connection, now_s: float) -> float | None:
    query = "SELECT min(due_s) FROM message WHERE held = 0 AND due_s > ?"
    found = connection.execute(query, (now_s,)).fetchone()[0]
    return None if found is None else float(found)


def due_of(connection: Connection, queue_id: str) -> float | None:
    """When a message is due; None if it is held or gone."""
    query = "SELECT due_s FROM message WHERE queue_id = ? AND held = 0"
    found = connection.execute(query, (queue_id,)).fetchone()
    return None if found is None else float(found[0])


def message(connection: Connection, queue_id: str) -> QueuedMessage | None:
    return _message(connection, "queue_id", queue_id)


def numbered(
    connection: Connection, number: int
) -> tuple[QueuedMessage, list[QueuedRecipient]] | None:
    """A message by its number in the database, with its recipients."""
    found = _message(connection, "number", number)
    if found is None:
        return None
    return found, _recipients(connection, "message = ?", number)


def recipients(connection: Connection, queue_id: str) -> list[QueuedRecipient]:
    number = number_of(connection, queue_id)
    if number is None:
        return []
    return _recipients(connection, "message = ?", number)


def content(
    connection: Connection, queue_id: str
) -> tuple[str, bytes | None, bytes] | None:
    """(file, octets, head) of a message: the octets, or a file with all behind the
    head; None if it is gone."""
    query = """
        SELECT file, content.octets, head FROM message
        LEFT JOIN content ON content.message = message.number WHERE queue_id = ?
    """
    row = connection.execute(query, (queue_id,)).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def files(connection: Connection) -> set[str]:
    """The files that belong to a message."""
    query = "SELECT file FROM message WHERE file != ''"
    return {name for (name,) in connection.execute(query)}


def those(
    connection: Connection, queue_ids: Sequence[str]
) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
    """The messages of these ids that are there, with their recipients."""
    found = []
    for queue_id in queue_ids:
        message = _message(connection, "queue_id", queue_id)
        if message is not None:
            found.append((message, recipients(connection, queue_id)))
    return found


def orders(connection: Connection) -> int:
    """How many orders were given."""
    return int(connection.execute("SELECT given FROM orders").fetchone()[0])


def give_order(connection: Connection) -> None:
    """Let whoever runs the queue look at all that waits anew."""
    connection.execute("UPDATE orders SET given = given + 1")


def data_version(connection: Connection) -> int:
    """Another number after each change by another connection."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _message(connection: Connection, key: str, value: object) -> QueuedMessage | None:
    query = f"SELECT {MESSAGE} FROM message WHERE {key} = ?"  # noqa: S608
    row = connection.execute(query, (value,)).fetchone()
    return None if row is None else message_of(row)


def _recipients(
    connection: Connection, where: str, *values: object
) -> list[QueuedRecipient]:
    query = f"SELECT {RECIPIENT} FROM recipient WHERE {where} ORDER BY number"  # noqa: S608
    return [recipient_of(row) for row in connection.execute(query, values)]


def hurry(connection: Connection, now_s: float, domain: str) -> None:
    """Make what waits for `domain` due at `now_s`; everything if it is empty."""
    update = """
        UPDATE recipient SET due_s = ?1
        WHERE due_s > ?1 AND (?2 = '' OR domain = ?2) RETURNING message
    """
    numbers = set(connection.execute(update, (now_s, domain)).fetchall())
    connection.executemany(_SET_DUE, numbers)
