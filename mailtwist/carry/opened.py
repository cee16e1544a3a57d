"""Which kind of files lies in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import MailError
from .eml import SUFFIX, EmlEnd
from .files import FileEnd
from .maildir import MaildirEnd
from .mbox import MboxEnd, is_mbox

KINDS: dict[str, Callable[[str], FileEnd]] = {
    "maildir": MaildirEnd,
    "mbox": MboxEnd,
    "eml": EmlEnd,
}
AUTO = "auto"
# What Dovecot keeps in forms that only it reads.
_DBOX = ("mdbox", "sdbox", "dbox", "storage")


def source(kind: str) -> Callable[[str], FileEnd]:
    """What opens a path that mail is taken from; `kind` is AUTO or one of KINDS."""

    def opened(path: str) -> FileEnd:
        if not os.path.lexists(path):
            raise MailError(f"{path!a} is not there")
        if kind != AUTO:
            return KINDS[kind](_within(path) if kind == "maildir" else path)
        return _found(path)

    return opened


def target(kind: str) -> Callable[[str], FileEnd]:
    """What opens a path that mail is brought to; a new one is a Maildir with AUTO."""

    def opened(path: str) -> FileEnd:
        if kind != AUTO:
            return KINDS[kind](path)
        if not os.path.isdir(path) or not os.listdir(path):
            return MaildirEnd(path)
        return _found(path)

    return opened


def _within(path: str) -> str:
    """The Maildir itself where a home is named, of Dovecot or Courier."""
    for place in (path, os.path.join(path, "Maildir"), os.path.join(path, "mail")):
        if os.path.isdir(os.path.join(place, "cur")):
            return place
    raise MailError(f"There is no Maildir in {path!a}")


def _found(path: str) -> FileEnd:
    for place in (path, os.path.join(path, "Maildir"), os.path.join(path, "mail")):
        if os.path.isdir(os.path.join(place, "cur")):
            return MaildirEnd(place)
    for name in _DBOX:
        if os.path.isdir(os.path.join(path, name)):
            raise MailError(
                f"{os.path.join(path, name)!a} has a form that Dovecot alone reads: "
                "import from Dovecot over IMAP"
            )
    if os.path.isfile(path):
        if is_mbox(path):
            return MboxEnd(path)
    elif _has(path, lambda name: name.lower().endswith(SUFFIX)):
        return EmlEnd(path)
    elif _has(path, lambda name: os.path.getsize(name) > 0 and is_mbox(name)):
        return MboxEnd(path)
    raise MailError(f"Nobody knows what mail is in {path!a}: say --format")


def _has(path: str, wanted: Callable[[str], bool]) -> bool:
    """True if a file of that kind is somewhere in the tree."""
    return any(
        wanted(os.path.join(folder, name))
        for folder, _, names in os.walk(path)
        for name in names
        if os.path.isfile(os.path.join(folder, name))
    )
