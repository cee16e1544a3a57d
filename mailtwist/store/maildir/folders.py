"""Mailbox paths and the folders they lie in: Maildir++, one encoding, reversible.

The folder of ("Lists", "py") is `.Lists.py`; INBOX is the Maildir itself.  Components
are in modified UTF-7 as Dovecot and Courier write them, so their folders are ours
unchanged.  A dot or slash within a component becomes `&AC4-` or `&AC8-`, which the
RFC's own encoding never writes.  A name too long for the file system is kept in a file
inside a folder named by its hash.  Nothing that comes from a path can leave the
Maildir.
"""

from __future__ import annotations

import hashlib
import json
import os

from ...errors import BadMailboxName
from ...imap4 import utf7
from ...mailbox.model import INBOX, Path
from . import durable

MOST_FOLDER = 200  # octets of a folder name; file systems take 255
MOST_PATH = 4096  # octets of a whole path, in UTF-8
HASHED = ".&&"  # begins the folder of an over-long name
NAME_FILE = "mailtwist-name"
PARTS = ("cur", "new", "tmp")


def check_path(path: Path) -> None:
    """Raises BadMailboxName for a path that cannot be kept."""
    if not path or not all(path):
        raise BadMailboxName("A part of the mailbox name is empty")
    if path[0] != "INBOX" and path[0].upper() == "INBOX":
        raise BadMailboxName("INBOX is written in upper case")
    if any("\0" in part for part in path):
        raise BadMailboxName("NUL in the mailbox name")
    try:
        octets = len("/".join(path).encode())
    except UnicodeEncodeError as bad:
        raise BadMailboxName("Mailbox name is not valid Unicode") from bad
    if octets > MOST_PATH:
        raise BadMailboxName("Mailbox name is too long")


def folder_name(path: Path) -> str:
    """The folder inside the Maildir; "" for INBOX.  Raises BadMailboxName."""
    check_path(path)
    if path == INBOX:
        return ""
    name = "." + ".".join(_escaped(part) for part in path)
    if len(name) > MOST_FOLDER:
        digest = hashlib.sha256("\0".join(path).encode()).hexdigest()
        return HASHED + digest[:48]
    return name


def _escaped(component: str) -> str:
    encoded = utf7.encode(component).decode()
    return encoded.replace(".", "&AC4-").replace("/", "&AC8-")


def path_of(name: str, maildir: str) -> Path | None:
    """The path of a folder in `maildir`; None if no path is written like that."""
    if name.startswith(HASHED):
        return _long_path(os.path.join(maildir, name, NAME_FILE))
    if not name.startswith("."):
        return None
    try:
        path = tuple(_unescaped(part) for part in name[1:].split("."))
        return path if folder_name(path) == name else None
    except (BadMailboxName, UnicodeEncodeError):
        return None


def _unescaped(text: str) -> str:
    plain = text.replace("&AC4-", ".").replace("&AC8-", "/")
    return utf7.decode(plain.encode("ascii"))


def _long_path(name_file: str) -> Path | None:
    try:
        with open(name_file, encoding="utf-8") as file:
            path = tuple(json.load(file))
        return path if folder_name(path) in name_file.split("/") else None
    except (OSError, ValueError, TypeError, BadMailboxName):
        return None


def make(maildir: str, path: Path) -> str:
    """The folder of `path`, made durably if it is missing; blocks, so in a thread."""
    name = folder_name(path)
    folder = os.path.join(maildir, name) if name else maildir
    durable.make_directories([os.path.join(folder, part) for part in PARTS])
    if name and not os.path.exists(marker := os.path.join(folder, "maildirfolder")):
        open(marker, "wb").close()
    if name.startswith(HASHED):
        with open(os.path.join(folder, NAME_FILE), "w", encoding="utf-8") as file:
            json.dump(path, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
    return folder


def listed(maildir: str) -> dict[Path, str]:
    """Every mailbox in `maildir` with its folder; blocks, so in a thread."""
    found = {INBOX: maildir}
    try:
        names = os.listdir(maildir)
    except FileNotFoundError:
        return found
    for name in names:
        if name[:1] != "." or name in (".", ".."):
            continue
        folder = os.path.join(maildir, name)
        if not os.path.isdir(os.path.join(folder, "cur")):
            continue
        path = path_of(name, maildir)
        # What nobody wrote by the rules still shows, by its name as it is.
        found[path or (name[1:],)] = folder
    return found
