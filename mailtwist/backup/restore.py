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

from ..directory.model import INBOX_IS, MAILDIR, MBOX, Account
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
    account = Account("", home.home, mailbox=home.mailbox)
    count = 0
    for path, entry in snapshot.entries(objects, held, home.home):
        _written(objects, entry, _moved(path, home.home, folder))
        count += 1

    def placed(path: str, name: str) -> str:
        """Where it is there; what lies outside of the home comes under that name."""
        nonlocal count
        if _within(path, home.home):
            return _moved(path, home.home, folder)
        target = os.path.join(folder, name)
        for each, entry in snapshot.entries(objects, held, path):
            _written(objects, entry, _moved(each, path, target))
            count += 1
        return target

    mail = placed(account.mailbox_path.rstrip("/"), "elsewhere")
    if account.is_mbox:
        kind = MAILDIR if account.has_maildir_folders else MBOX
        mail = f"{kind}{placed(account.folders_path, 'others')}{INBOX_IS}{mail}"
    else:
        mail += "/"
    if not count:
        raise MailError("The snapshot has nothing of this account")
    return mail


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
