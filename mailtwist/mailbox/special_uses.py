"""The mailboxes with a special use (RFC 6154 §2) that a new account gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .model import INBOX, SPECIAL_USES, Path

# \All and \Flagged show messages of other mailboxes, which no mailbox of ours does.
KINDS = {
    use[1:].lower(): use for use in SPECIAL_USES if use not in ("\\All", "\\Flagged")
}
ALLOWED = (
    "texts of `use: name`, each use once, of " + ", ".join(KINDS) + "; `/` in a name "
    "stands between its levels"
)
STANDARD = (
    "drafts: Drafts",
    "sent: Sent",
    "junk: Junk",
    "trash: Trash",
    "archive: Archive",
)

MOST_LEVEL = 255  # octets in UTF-8
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# What programs call theirs, in lower case; a mailbox so named has the use already.
_ALSO = {
    "\\Archive": ("archive", "archives"),
    "\\Drafts": ("drafts", "draft"),
    "\\Junk": ("junk", "spam", "junk e-mail", "junk email", "bulk mail"),
    "\\Sent": ("sent", "sent items", "sent messages", "sent mail", "sent-mail"),
    "\\Trash": ("trash", "deleted items", "deleted messages", "deleted"),
}

Uses = Mapping[Path, frozenset[str]]


def wanted(texts: Iterable[str]) -> dict[Path, frozenset[str]]:
    """The uses by mailbox that texts of "use: name" ask for; ValueError for others."""
    found: dict[Path, frozenset[str]] = {}
    seen: set[str] = set()
    for text in texts:
        kind, colon, name = text.partition(":")
        use = KINDS.get(kind.strip().lower().removeprefix("\\"))
        if not colon or use is None or use in seen:
            raise ValueError(text)
        seen.add(use)
        path = _path(name.strip())
        found[path] = found.get(path, frozenset()) | {use}
    return found


def readable(texts: Iterable[str]) -> bool:
    """True if `wanted` takes them."""
    try:
        wanted(texts)
    except ValueError:
        return False
    return True


def _path(name: str) -> Path:
    path = tuple(name.split("/"))
    if path[0].upper() == "INBOX":
        path = (*INBOX, *path[1:])
    if path == INBOX or not all(path) or _CONTROL.search(name):
        raise ValueError(name)
    if any(len(level.encode()) > MOST_LEVEL for level in path):
        raise ValueError(name)
    return path


def settled(
    asked: Uses, present: Iterable[Path]
) -> tuple[dict[Path, frozenset[str]], dict[Path, frozenset[str]]]:
    """(uses of mailboxes that are there, uses of those to be made with their parents).

    A mailbox that is there is taken by its name, or by one that other programs give a
    mailbox with that use, so that an account never has two of a kind.
    """
    held = set(present)
    found: dict[Path, frozenset[str]] = {}
    made: dict[Path, frozenset[str]] = {}
    for path, uses in asked.items():
        for use in sorted(uses):
            there = path if path in held else _known(use, held)
            into = made if there is None else found
            target = there or path
            into[target] = into.get(target, frozenset()) | {use}
    whole: dict[Path, frozenset[str]] = {}
    for path, uses in made.items():
        for depth in range(1, len(path)):
            if path[:depth] not in held:
                whole.setdefault(path[:depth], frozenset())
        whole[path] = whole.get(path, frozenset()) | uses
    return found, whole


def _known(use: str, held: Iterable[Path]) -> Path | None:
    names = _ALSO[use]
    known = [
        (names.index(path[-1].lower()), path)
        for path in held
        if path[-1].lower() in names and path[:-1] in ((), INBOX)
    ]
    return min(known)[1] if known else None
