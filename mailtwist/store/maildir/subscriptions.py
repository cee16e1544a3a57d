"""Subscriptions that other servers kept in the Maildir; read when its state is new.

Dovecot writes `subscriptions`, one name a line as its folder is written, in version 2
with tabs between the parts.  Courier writes `courierimapsubscribed`, with INBOX before
every name.
"""

from __future__ import annotations

import os

from ...mailbox.model import INBOX, Path
from . import folders

DOVECOT = "subscriptions"
DOVECOT_2 = "V\t2"
COURIER = "courierimapsubscribed"
MOST_OCTETS = 1 << 20


def found(maildir: str) -> set[Path]:
    """The paths that another server's file lists; blocks, so in a thread."""
    names = [line.replace("\t", ".") for line in _lines(maildir, DOVECOT)]
    names += [_without_prefix(line) for line in _lines(maildir, COURIER)]
    paths = [_path(name, maildir) for name in names if name]
    return {path for path in paths if path is not None}


def add(maildir: str, name: str) -> None:
    """Put a name, as a folder is written without its dot, on the list that Dovecot
    reads; raises OSError."""
    path = os.path.join(maildir, DOVECOT)
    try:
        with open(path, "rb") as file:
            lines = file.read(MOST_OCTETS)
    except FileNotFoundError:
        lines = b""
    if lines.startswith(f"{DOVECOT_2}\n".encode()):
        name = name.replace(".", "\t")
    with open(f"{path}.new", "wb") as file:
        file.write(lines + os.fsencode(name) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)


def _lines(maildir: str, name: str) -> list[str]:
    try:
        with open(os.path.join(maildir, name), "rb") as file:
            lines = os.fsdecode(file.read(MOST_OCTETS)).split("\n")[:-1]
    except OSError:
        return []
    return [line for line in lines if line != DOVECOT_2]


def _without_prefix(name: str) -> str:
    prefix, dot, rest = name.partition(".")
    return rest if dot and prefix == "INBOX" else name


def _path(name: str, maildir: str) -> Path | None:
    if name == "INBOX":
        return INBOX
    path = folders.path_of(f".{name}", maildir)
    return None if path is None or path[0].startswith(folders.ODD) else path
