"""Lists of rights that Courier keeps in its folders, as lists of ours.

    courierimapacl               owner aceilrstwx
                                 administrators aceilrstwx
                                 user=bob@example.org lrs
                                 -user=eve lrs
                                 group=team lr
                                 anyone lr

Every folder has a file of its own.  Those in the group of administrators may do all
there, and nothing here: who may look after mail of others says the configuration.
"""

from __future__ import annotations

import contextlib
import os

from ...auth.names import login_key
from ...mailbox.rights import (
    ALL,
    ANYONE,
    GROUP,
    MOST_IDENTIFIERS,
    NEGATIVE,
    OWNERS,
    Rights,
    default_list,
    parsed,
)
from .uidlist import text

FILE = "courierimapacl"
_LETTERS = frozenset("aceilrstwx")  # all that Courier knows


def is_here(folder: str) -> bool:
    return os.path.exists(f"{folder}/{FILE}")


def rights_in(folder: str, owner: str) -> dict[str, Rights]:
    """Rights by identifier; empty where there is no list, or none that says more than
    that all is the owner's.

    A login without domain is of the owner's.  What cannot be read gives nothing."""
    found: dict[str, Rights] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in text(f"{folder}/{FILE}"):
            said, _, letters = line.rpartition(" ")
            identifier = _identifier(said, owner)
            if identifier is not None and len(found) < MOST_IDENTIFIERS:
                held = found.get(identifier, frozenset())
                found[identifier] = held | _rights(letters)
    if not found:
        return {}
    if {*"c", *found.get(owner, "")} >= _LETTERS:
        found[owner] = ALL
    found[owner] = found.get(owner, OWNERS) | OWNERS
    entries = {one: held for one, held in found.items() if held}
    return {} if entries == default_list(owner) else entries


def _rights(letters: str) -> Rights:
    known = "".join(letter for letter in letters if letter in _LETTERS)
    return parsed(known)


def _identifier(said: str, owner: str) -> str | None:
    """None for one that has no meaning here."""
    taken = NEGATIVE if said.startswith(NEGATIVE) else ""
    kind, mark, name = said.removeprefix(NEGATIVE).partition("=")
    if not mark:
        known = {"owner": owner, "anyone": ANYONE, "anonymous": ANYONE}.get(kind)
        return None if known is None else taken + known
    if not name.isprintable() or name[:1] in ("", GROUP, NEGATIVE):
        return None
    if kind == "group":
        return f"{taken}{GROUP}{name}"
    if kind != "user":
        return None
    found = login_key(name, owner.partition("@")[2])
    return taken + (owner if found == login_key(owner) else found)
