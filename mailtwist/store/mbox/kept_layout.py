"""The layout of a large mbox in a file beside the state, so that it need not be read to
be opened again.

It may be deleted at any time.  It counts if the state has not changed since; if the
file has, `scan.looked` compares headers and reads only what is not as it was.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.logger import Logger

from ...mime.mbox import Form
from ...mime.mbox_marks import Base, Marks
from .intake import MboxLive
from .scan import Entry, Layout

log = Logger()

FOLDER = "layouts"  # in the account's home
VERSION = 1
LEAST = 200  # messages; fewer are read as fast


def save(home: str, live: MboxLive) -> None:
    """In a thread: keep the layout of a mailbox, if that is worth it."""
    if live.gone or len(live) < LEAST or live.stamp is None:
        return
    kept = {
        "version": VERSION,
        "path": live.folder,
        "figures": _figures(live),
        "stamp": live.stamp if live.doubted_at is None else None,
        "size": live.layout.size,
        "entries": list(map(_row, live.layout.entries)),
    }
    path = _path(home, live)
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(f"{path}.new", "w") as file:
            json.dump(kept, file)
        os.replace(f"{path}.new", path)
    except OSError as fault:
        log.error("the layout of {path} was not kept: {why}", path=path, why=fault)


def fill(home: str, live: MboxLive) -> None:
    """In a thread: give `live` the layout that was kept, if it is of this state."""
    try:
        with open(_path(home, live)) as file:
            kept = json.load(file)
        if (
            kept["version"] != VERSION
            or kept["path"] != live.folder
            or kept["figures"] != _figures(live)
        ):
            return
        layout = Layout.of(list(map(_entry, kept["entries"])), kept["size"])
        if layout.places.keys() != set(live.uids):
            return
        stamp = None if kept["stamp"] is None else (kept["stamp"][0], kept["stamp"][1])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return  # it was deleted, or is damaged: the mbox is read
    live.layout, live.stamp = layout, stamp


def _path(home: str, live: MboxLive) -> str:
    return os.path.join(home, FOLDER, f"{live.row.id}.json")


def _figures(live: MboxLive) -> list[int]:
    row = live.row
    return [row.uid_validity, row.uid_next, row.highest_modseq]


def _row(entry: Entry) -> list[Any]:
    marks, base, form = entry.marks, entry.marks.base, entry.marks.form
    return [
        [entry.start, entry.text, entry.body, entry.stop],
        [sorted(marks.flags), marks.old, marks.uid],
        None if base is None else [base.uid_validity, base.last_uid, base.keywords],
        None if form is None else form.format().decode(),
        marks.pseudo,
        entry.form.format().decode(),
        entry.key,
        entry.octets,
        entry.head.hex(),
        entry.uid,
    ]


def _entry(row: list[Any]) -> Entry:
    (start, text, body, stop), (flags, old, marked), base, said, pseudo, *more = row
    form, key, octets, head, uid = more
    marks = Marks(
        frozenset(flags),
        old,
        marked,
        None if base is None else Base(base[0], base[1], tuple(base[2])),
        None if said is None else Form.parse(said.encode()),
        pseudo=pseudo,
    )
    return Entry(
        start,
        text,
        body,
        stop,
        marks,
        Form.parse(form.encode()),
        key,
        octets,
        bytes.fromhex(head),
        uid,
    )
