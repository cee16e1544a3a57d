"""What users set up, as text beside the state, from which it comes back.

Messages and UIDs have the uidlists; this file has what they cannot say.  One JSON
object a line, so that a line that is damaged takes no other with it:

    {"mailtwist": 1}
    {"subscribed": ["Lists", "py"]}
    {"annotation": "/private/comment", "value": "..."}
    {"limits": ["Lists"], "octets": 1000, "messages": null, "mailboxes": null}
    {"script": "holidays", "active": true, "text": "..."}
    {"mailbox": OBJECT ID, "path": ["Lists"], "uses": ["\\\\Archive"],
     "rights": {"": "lrswi", "bob@x": "lr"}, "annotations": {"/shared/comment": "..."}}

In `rights` the account itself is "".  Octets that are no UTF-8 are lone surrogates.
The file is written within the transaction that changes the state, before it is
committed: so it may know of a change that a crash took back, and lacks none that was
answered.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from attrs import define, field

FILE = "mailtwist-account"  # beside the state
VERSION = 1
MOST_OCTETS = 64 << 20  # that are read

Line = dict[str, Any]


@define
class Told:
    """What the file says."""

    account: list[Line] = field(factory=list)
    mailboxes: list[Line] = field(factory=list)

    def of_mailbox(self, object_id: str, path: tuple[str, ...]) -> Line | None:
        """Found by its id, else by its name, if no other has that id."""
        by_id = {line["mailbox"]: line for line in self.mailboxes}
        by_path = {tuple(line["path"]): line for line in self.mailboxes}
        return by_id.get(object_id) or by_path.get(path)


def path_of(state_path: str) -> str:
    return os.path.join(os.path.dirname(state_path), FILE)


# -- writing ----------------------------------------------------------------------


def write(state_path: str, db: sqlite3.Connection) -> None:
    """Within a transaction; raises OSError."""
    path = path_of(state_path)
    octets = text(db)
    if octets is None and not os.path.exists(path):
        return
    draft = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(draft, flags, 0o600), "wb") as file:
        file.write(_line({"mailtwist": VERSION}) + (octets or b""))
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)


def agrees(state_path: str, db: sqlite3.Connection) -> bool:
    """True if the file says what the database does."""
    try:
        with open(path_of(state_path), "rb") as file:
            found = file.read(MOST_OCTETS)
    except FileNotFoundError:
        return text(db) is None
    except OSError:
        return False
    return found == _line({"mailtwist": VERSION}) + (text(db) or b"")


def text(db: sqlite3.Connection) -> bytes | None:
    """Without the first line; None if there is nothing to say."""
    return b"".join(map(_line, _lines(db))) or None


def _line(values: Line) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"


def _lines(db: sqlite3.Connection) -> Iterator[Line]:
    for (path,) in db.execute("SELECT path FROM subscriptions ORDER BY path"):
        yield {"subscribed": json.loads(path)}
    for name, value in db.execute("SELECT * FROM account_metadata ORDER BY name"):
        yield {"annotation": name, "value": _told(value)}
    for path, octets, messages, mailboxes in db.execute(
        "SELECT path, octets, messages, mailboxes FROM mailbox_limits ORDER BY path"
    ):
        yield {
            "limits": json.loads(path),
            "octets": octets,
            "messages": messages,
            "mailboxes": mailboxes,
        }
    for name, octets, active in db.execute("SELECT * FROM scripts ORDER BY name"):
        yield {"script": name, "active": bool(active), "text": _told(octets)}
    for row_id, object_id, path, uses in db.execute(
        "SELECT id, object_id, path, special_uses FROM mailboxes ORDER BY object_id"
    ).fetchall():
        rights = db.execute(
            "SELECT identifier, rights FROM rights WHERE mailbox = ?", (row_id,)
        ).fetchall()
        annotations = db.execute(
            "SELECT name, value FROM metadata WHERE mailbox = ?", (row_id,)
        ).fetchall()
        if uses or rights or annotations:
            yield {
                "mailbox": object_id,
                "path": json.loads(path),
                "uses": uses.split(),
                "rights": dict(rights),
                "annotations": {name: _told(value) for name, value in annotations},
            }


def _told(octets: bytes) -> str:
    return bytes(octets).decode("utf-8", "surrogateescape")


def _octets(told: str) -> bytes:
    return told.encode("utf-8", "surrogateescape")


# -- reading ----------------------------------------------------------------------


def read(state_path: str) -> Told | None:
    """What the file says, without lines that are damaged; None if there is none, or if
    a newer version wrote it."""
    try:
        with open(path_of(state_path), "rb") as file:
            first, *lines = file.read(MOST_OCTETS).split(b"\n")
    except OSError:
        return None
    if _parsed(first).get("mailtwist") != VERSION:
        return None
    told = Told()
    for values in map(_parsed, lines):
        if _is_mailbox(values):
            told.mailboxes.append(values)
        elif _is_account(values):
            told.account.append(values)
    return told


def _parsed(line: bytes) -> Line:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(one, str) for one in values)


def _is_mailbox(values: Line) -> bool:
    maps = values.get("rights"), values.get("annotations")
    return (
        isinstance(values.get("mailbox"), str)
        and _texts(values.get("path"))
        and _texts(values.get("uses"))
        and all(isinstance(one, dict) and _texts([*one.values()]) for one in maps)
    )


def _is_account(values: Line) -> bool:
    if "subscribed" in values:
        return _texts(values["subscribed"]) and bool(values["subscribed"])
    if "annotation" in values:
        return _texts([values["annotation"], values.get("value")])
    if "limits" in values:
        figures = [values.get(one, "") for one in ("octets", "messages", "mailboxes")]
        return _texts(values["limits"]) and all(
            one is None or isinstance(one, int) for one in figures
        )
    return _texts([values.get("script"), values.get("text")])


# -- bringing back ----------------------------------------------------------------


def restore_account(told: Told, db: sqlite3.Connection) -> None:
    """What belongs to no single mailbox; in a transaction, into a new database."""
    for line in told.account:
        if "subscribed" in line:
            path = json.dumps(line["subscribed"], ensure_ascii=False)
            db.execute("INSERT OR IGNORE INTO subscriptions VALUES (?)", (path,))
        elif "annotation" in line:
            values = line["annotation"], _octets(line["value"])
            db.execute("INSERT OR REPLACE INTO account_metadata VALUES (?, ?)", values)
        elif "limits" in line:
            path = json.dumps(line["limits"], ensure_ascii=False)
            db.execute(
                "INSERT OR REPLACE INTO mailbox_limits VALUES (?, ?, ?, ?)",
                (path, line["octets"], line["messages"], line["mailboxes"]),
            )
        else:
            db.execute(
                "INSERT OR IGNORE INTO scripts VALUES (?, ?, ?)",
                (line["script"], _octets(line["text"]), line.get("active") is True),
            )


def restore_mailbox(line: Line, row_id: int, db: sqlite3.Connection) -> None:
    """All of it but the special uses."""
    db.executemany(
        "INSERT OR REPLACE INTO rights VALUES (?, ?, ?)",
        [(row_id, *pair) for pair in line["rights"].items()],
    )
    db.executemany(
        "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)",
        [(row_id, name, _octets(value)) for name, value in line["annotations"].items()],
    )
