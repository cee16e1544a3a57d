"""Maildirs, folders and links to shared ones, as Courier's maildirmake makes them.

Nothing of ours is put there, so that /etc/skel may have one.  A *sharable* Maildir may
be entered by others; its folders are read, or written too, by all or by its group.
"""

from __future__ import annotations

import os

from attrs import frozen

from ...errors import MailError
from ...imap4 import utf7
from . import durable
from .folders import MOST_FOLDER, PARTS

SHARED = "shared-maildirs"  # lines of name, tab, path: what the owner may see
MODES = frozenset({"read", "write", "group"})

_ENTERED = 0o755  # a sharable Maildir itself
_STICKY = 0o1000  # only who wrote a message removes it


@frozen
class Shares:
    """Who may use a folder: read it alone or write too, all or the group alone."""

    writes: bool = False
    group: bool = False

    @classmethod
    def parse(cls, words: str) -> Shares:
        """Words between commas; raises MailError."""
        known = set(words.split(","))
        if not known <= MODES or {"read", "write"} <= known:
            raise MailError(f"{words!r} is no mode; expected read or write, and group")
        return cls("write" in known, "group" in known)

    @property
    def folder_mode(self) -> int:
        return (0o750 if self.group else 0o755) | (_STICKY if self.writes else 0)

    @property
    def part_mode(self) -> int:
        if not self.writes:
            return self.folder_mode
        return (0o770 if self.group else 0o777) | _STICKY


def make(path: str, *, sharable: bool = False) -> None:
    """A Maildir, for its owner only unless `sharable`.  Raises MailError, OSError."""
    if os.path.lexists(path):
        raise MailError(f"{path} is there already")
    _make(path, _ENTERED if sharable else 0o700, 0o700)


def make_folder(maildir: str, name: str, shares: Shares | None = None) -> None:
    """A folder of a Maildir, "Sent.2026" for one in another; for its owner only if
    `shares` is None.  Raises MailError, OSError."""
    if not _is_maildir(maildir):
        raise MailError(f"{maildir} is no Maildir")
    folder = os.path.join(maildir, "." + folder_name(name))
    if os.path.lexists(folder):
        raise MailError(f"{folder} is there already")
    if shares is None:
        _make(folder, 0o700, 0o700, is_folder=True)
    else:
        _make(folder, shares.folder_mode, shares.part_mode, is_folder=True)


def folder_name(name: str) -> str:
    """As it stands in a Maildir: letters that are not ASCII in modified UTF-7.

    Raises MailError."""
    written = name if name.isascii() else utf7.encode(name).decode()
    parts = written.split(".")
    if "/" in name or not name.isprintable() or not all(parts):
        raise MailError(f"{name!r} is no name of a folder")
    if len(written) > MOST_FOLDER:
        raise MailError(f"{name!r} is too long")
    return written


def _make(path: str, mode: int, part_mode: int, *, is_folder: bool = False) -> None:
    """It appears with all that belongs to it, or not at all."""
    parent = os.path.dirname(os.path.abspath(path))
    making = os.path.join(parent, f".mailtwist-making-{os.urandom(8).hex()}")
    os.mkdir(making, 0o700)
    try:
        for part in PARTS:
            _folder(os.path.join(making, part), part_mode)
        if is_folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(os.path.join(making, "maildirfolder"), flags, 0o600))
        os.chmod(making, mode)
        durable.sync_directory(making)
        os.rename(making, path)
    except BaseException:
        for part in (*PARTS, "maildirfolder"):
            _remove(os.path.join(making, part))
        _remove(making)
        raise
    durable.sync_directory(parent)


def _folder(path: str, mode: int) -> None:
    os.mkdir(path, 0o700)
    os.chmod(path, mode)  # whatever the umask is


def _remove(path: str) -> None:
    if os.path.isdir(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _is_maildir(path: str) -> bool:
    return all(os.path.isdir(os.path.join(path, part)) for part in PARTS)


# -- links to shared ones ---------------------------------------------------------


def link(maildir: str, name: str, path: str) -> None:
    """Have the owner see the sharable Maildir `path` as `name`.

    Raises MailError, OSError."""
    if not name.isprintable() or not name or set(name) & set("/."):
        raise MailError(f"{name!r} is no name of a shared Maildir")
    if not path.startswith("/") or not path.isprintable() or not _is_maildir(path):
        raise MailError(f"{path} is no absolute path of a Maildir")
    links = _links(maildir)
    if name in links:
        raise MailError(f"{name} is linked already, to {links[name]}")
    _write(maildir, links | {name: path})


def unlink(maildir: str, name: str) -> None:
    """Have the owner see it no more.  Raises MailError, OSError."""
    links = _links(maildir)
    if name not in links:
        raise MailError(f"{name} is not linked")
    del links[name]
    _write(maildir, links)


def _links(maildir: str) -> dict[str, str]:
    """Paths by name."""
    if not _is_maildir(maildir):
        raise MailError(f"{maildir} is no Maildir")
    try:
        with open(os.path.join(maildir, SHARED), encoding="utf-8") as file:
            lines = [line.rstrip("\n").partition("\t") for line in file]
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as fault:
        raise MailError(f"{SHARED} of {maildir} is no UTF-8") from fault
    return {name: path for name, tab, path in lines if tab}


def _write(maildir: str, links: dict[str, str]) -> None:
    path = os.path.join(maildir, SHARED)
    draft = f"{path}.{os.urandom(8).hex()}"
    text = "".join(f"{name}\t{target}\n" for name, target in links.items())
    with open(draft, "x", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, path)
    durable.sync_directory(maildir)
