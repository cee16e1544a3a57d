"""Mailbox paths and the folders they lie in: Maildir++, one encoding, reversible.

The folder of ("Lists", "py") is `.Lists.py`; INBOX is the Maildir itself.  Components
are in modified UTF-7 as Dovecot and Courier write them, so their folders are ours
unchanged.  A dot or slash within a component becomes `&AC4-` or `&AC8-`, which the
RFC's own encoding never writes.  A name too long for the file system is kept in a file
inside a folder named by its hash.  Nothing that comes from a path can leave the
Maildir.

Courier 5, and Dovecot with its UTF-8 option, write names in UTF-8.  Such folders are
read as they are, and a Maildir that has one gets more of them; where both forms of a
name are there, modified UTF-7 comes first.

A folder that no path is written like (made by a program with other rules) has a path of
one component that begins with U+FFFD, and so can be read, renamed and deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable

from ...errors import BadMailboxName
from ...imap4 import utf7
from ...mailbox.model import INBOX, Path
from . import durable

MOST_FOLDER = 200  # octets of a folder name; file systems take 255
MOST_NAME = 255  # octets of a name that another program chose
MOST_PATH = 4096  # octets of a whole path, in UTF-8
HASHED = ".&&"  # begins the folder of an over-long name
NAME_FILE = "mailtwist-name"
PARTS = ("cur", "new", "tmp")
MAKING = "tmp-making-"  # a folder that is not ready yet; nobody takes it for a mailbox
GONE = "tmp-deleted-"  # a deleted one, until its files are removed

ODD = "\ufffd"
_ESCAPED = re.compile("[\ufffd\udc80-\udcff/]")
_ESCAPE = re.compile("\ufffd([0-9a-f]{2})")


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
    if len(path) == 1 and path[0][0] == ODD:
        odd = _odd_folder(path[0])
        if odd is not None:
            return odd
    name = "." + ".".join(map(_escaped, path))
    if len(name) > MOST_FOLDER:
        digest = hashlib.sha256("\0".join(path).encode()).hexdigest()
        return HASHED + digest[:48]
    return name


def path_of(name: str, maildir: str) -> Path | None:
    """The path of a folder in `maildir`; None if no mailbox has such a folder."""
    if name.startswith(HASHED):
        return _long_path(os.path.join(maildir, name, NAME_FILE)) or _odd_path(name)
    if len(name) < 2 or name[0] != "." or name == "..":
        return None
    return _plain_path(name) or _utf8_path_in(name, maildir) or _odd_path(name)


# -- by the rules -----------------------------------------------------------------


def _escaped(component: str) -> str:
    encoded = utf7.encode(component).decode()
    return encoded.replace(".", "&AC4-").replace("/", "&AC8-")


def _unescaped(text: str) -> str:
    plain = text.replace("&AC4-", ".").replace("&AC8-", "/")
    return utf7.decode(plain.encode("ascii"))


def _plain_path(name: str) -> Path | None:
    try:
        path = tuple(map(_unescaped, name[1:].split(".")))
        return path if folder_name(path) == name else None
    except (BadMailboxName, UnicodeEncodeError):
        return None


def _long_path(name_file: str) -> Path | None:
    try:
        with open(name_file, encoding="utf-8") as file:
            path = tuple(json.load(file))
        return path if folder_name(path) in name_file.split("/") else None
    except (OSError, ValueError, TypeError, BadMailboxName):
        return None


# -- in UTF-8 ---------------------------------------------------------------------


def _utf8_name(path: Path) -> str | None:
    """The folder of `path` with its name in UTF-8; None if that cannot be."""
    name = "." + ".".join(path)
    return name if _utf8_path(name) == path else None


def _utf8_path(name: str) -> Path | None:
    """The path of a folder whose name needs UTF-8; None if it is no such name."""
    path = tuple(name[1:].split("."))
    if name.isascii() or not name.isprintable() or "/" in name:
        return None
    if unicodedata.normalize("NFC", name) != name or len(name.encode()) > MOST_FOLDER:
        return None
    try:
        check_path(path)
    except BadMailboxName:
        return None
    return None if path[0][0] == ODD else path


def _utf8_path_in(name: str, maildir: str) -> Path | None:
    """As _utf8_path, unless modified UTF-7 came first."""
    path = _utf8_path(name)
    if path is None or os.path.isdir(os.path.join(maildir, folder_name(path), "cur")):
        return None
    return path


def _writes_utf8(maildir: str) -> bool:
    try:
        names = os.listdir(maildir)
    except FileNotFoundError:
        return False
    return any(name[0] == "." and _utf8_path(name) is not None for name in names)


# -- by nobody's rules ------------------------------------------------------------


def _odd_path(name: str) -> Path:
    def escape(found: re.Match[str]) -> str:
        return "".join(f"{ODD}{octet:02x}" for octet in os.fsencode(found[0]))

    return (ODD + _ESCAPED.sub(escape, name[1:]),)


def _odd_folder(component: str) -> str | None:
    """The folder whose `_odd_path` this is, if there can be one."""
    octets = b""
    at = 1
    while found := _ESCAPE.search(component, at):
        octets += component[at : found.start()].encode() + bytes([int(found[1], 16)])
        at = found.end()
    octets += component[at:].encode()
    name = "." + os.fsdecode(octets)
    if len(octets) >= MOST_NAME or "/" in name or name in (".", ".."):
        return None
    if name.startswith(HASHED) or _odd_path(name) != (component,):
        return None
    return name if _plain_path(name) is None else None


# -- on disk ----------------------------------------------------------------------


def folder_in(maildir: str, path: Path) -> str:
    """The folder that `path` has in this Maildir, or would get; "" for INBOX; blocks.

    Raises BadMailboxName."""
    name = folder_name(path)
    other = _utf8_name(path)
    if other is None or os.path.isdir(os.path.join(maildir, name, "cur")):
        return name
    if os.path.isdir(os.path.join(maildir, other)) or _writes_utf8(maildir):
        return other
    return name


def make(maildir: str, path: Path) -> str:
    """The folder of `path`, made durably if it is missing; blocks, so in a thread.

    A new one appears with all that belongs to it, or not at all.
    """
    name = folder_in(maildir, path)
    if not name:
        durable.make_directories([os.path.join(maildir, part) for part in PARTS])
        return maildir
    folder = os.path.join(maildir, name)
    if os.path.isdir(folder):
        durable.make_directories([os.path.join(folder, part) for part in PARTS])
        return folder
    durable.make_directories([maildir])
    os.rename(os.path.join(maildir, staged(maildir, path)), folder)
    durable.sync_directory(maildir)
    return folder


def staged(maildir: str, path: Path) -> str:
    """A folder in `maildir` that only has to be renamed to be that of `path`; the name
    that it has until then."""
    staging = f"{MAKING}{os.urandom(8).hex()}"
    making = os.path.join(maildir, staging)
    os.mkdir(making, 0o700)
    for part in PARTS:
        os.mkdir(os.path.join(making, part), 0o700)
    open(os.path.join(making, "maildirfolder"), "wb").close()
    _write_name(making, folder_in(maildir, path), path)
    durable.sync_directory(making)
    return staging


def rename(maildir: str, old: str, path: Path) -> None:
    """Make the folder `old` that of `path`, if it is not so already.

    May be done again after a crash; durable when the Maildir is synced.
    """
    name = folder_in(maildir, path)
    source, target = os.path.join(maildir, old), os.path.join(maildir, name)
    if os.path.isdir(source) and not os.path.lexists(target):
        _write_name(source, name, path)
        os.rename(source, target)


def _write_name(folder: str, name: str, path: Path) -> None:
    """The path as text in the folder, if its name does not tell it."""
    if name.startswith(HASHED):
        with open(os.path.join(folder, NAME_FILE), "w", encoding="utf-8") as file:
            json.dump(path, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())


def present(maildir: str, path: Path) -> bool:
    """True if `listed` would have `path`: each has one folder only; blocks."""
    name = folder_in(maildir, path)
    if not name:
        return True
    there = os.path.isdir(os.path.join(maildir, name, "cur"))
    return there and (not name.startswith(HASHED) or path_of(name, maildir) == path)


def listed(maildir: str, names: Iterable[str] | None = None) -> dict[Path, str]:
    """Every mailbox in `maildir` with its folder, or INBOX and those of `names`;
    blocks, so in a thread."""
    found = {INBOX: maildir}
    for name in names_in(maildir) if names is None else sorted(names):
        folder = f"{maildir}/{name}"
        if os.path.isdir(f"{folder}/cur"):
            path = path_of(name, maildir)
            if path is not None:
                found.setdefault(path, folder)
    return found


def names_in(maildir: str) -> list[str]:
    """The names that may be folders, in no order."""
    try:
        return [name for name in os.listdir(maildir) if name[0] == "."]
    except FileNotFoundError:
        return []


def are_apart(names: Iterable[str]) -> bool:
    """True if no folder's path depends on what else is there, or on a file in it."""
    whole = "/".join(names)
    return whole.isascii() and HASHED not in whole
