"""Bringing things back: an account's files beside the server's, or all of it.

What comes back of a single account is put into a folder of its own first, where the
store reads it like any account's; then it is carried into the account as it is now
(`carry`).  So nothing that is there is touched, and what is there does not come twice.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress

from ..errors import MailError
from . import snapshot, tree
from .objects import Objects
from .snapshot import Home, Snapshot

# After a restore of all, UIDs go on so far above the last that is known: those between
# may have been told to clients after the backup.
UID_LEAP = 1 << 20
_MOST_UID = 0xFFFF_0000
QUEUE = "queue"


def home_of(held: Snapshot, account: str) -> Home:
    home = held.accounts.get(account)
    if home is None:
        raise MailError(f"The snapshot has no account {account!a}")
    return home


def beside(objects: Objects, held: Snapshot, home: Home, folder: str) -> str:
    """Write an account's home into `folder`, a new one; the `mailbox` of the account
    there (see Account).  Owners are the caller's affair."""
    mail = os.path.join(home.home, home.mailbox or "Maildir/").rstrip("/")
    count = 0
    for path, entry in snapshot.entries(objects, held, home.home):
        _written(objects, entry, _moved(path, home.home, folder))
        count += 1
    if _within(mail, home.home):
        if not count:
            raise MailError("The snapshot has nothing of this account")
        return (
            home.mailbox
            if not os.path.isabs(home.mailbox)
            else _moved(mail, home.home, folder)
            + ("/" if home.mailbox.endswith("/") else "")
        )
    target = os.path.join(folder, "elsewhere")
    for path, entry in snapshot.entries(objects, held, mail):
        _written(objects, entry, _moved(path, mail, target))
    return target + ("/" if home.mailbox.endswith("/") else "")


def _written(objects: Objects, entry: tree.Entry, path: str) -> None:
    with suppress(FileExistsError):
        tree.written(objects, entry, path)


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _moved(path: str, root: str, target: str) -> str:
    return os.path.join(target, os.path.relpath(path, root)).removesuffix("/.")


def everything(
    objects: Objects, held: Snapshot, data: str, *, queue: bool = False
) -> list[str]:
    """Write all parts where they were, the data folder to `data`; what was left as it
    is, because it was there.  The server must not run.

    `queue`: mail that waited then comes too, and may be sent a second time.  Raises
    MailError if the data folder has accounts or mail."""
    for name in ("userdb.sqlite", "mail"):
        if os.path.lexists(os.path.join(data, name)):
            raise MailError(f"{data!a} is not empty: it has {name}")
    kept: list[str] = []
    for part in held.parts:
        root = data if part.root == held.data else part.root
        for entry in tree.read(objects, part.digest):
            if (
                part.root == held.data
                and not queue
                and entry.path.split("/")[0] == QUEUE
            ):
                continue
            path = os.path.normpath(os.path.join(root, entry.path))
            try:
                tree.written(objects, entry, path)
            except FileExistsError:
                if not entry.is_folder:
                    kept.append(path)
                continue
            if os.geteuid() == 0:
                os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
            if os.path.basename(path) == "state.sqlite":
                leap(path)
    os.sync()
    return kept


def leap(path: str) -> None:
    """In a restored state: no UID and MODSEQ comes again that clients were told of
    after the backup."""
    modseq = time.time_ns() // 1000
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(
            "UPDATE mailboxes SET uid_next = min(uid_next + ?, ?),"
            " highest_modseq = ?, vanished_from = ?",
            (UID_LEAP, _MOST_UID, modseq, modseq),
        )
