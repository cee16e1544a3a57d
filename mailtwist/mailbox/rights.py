"""Who may do what with a mailbox: rights, identifiers, what they add up to (RFC 4314).

An identifier is the name of an account, `anyone`, or "$" and a group; with "-" before
it, its rights are taken away (RFC 4314 §2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

from attrs import frozen

from ..errors import BadParameter, NotPermitted
from ..flags import DELETED, SEEN, Flags

Rights = frozenset[str]
Entries = Mapping[str, Rights]  # the list of a mailbox: rights by identifier

ORDER = "lrswipkxtea"
ALL: Rights = frozenset(ORDER)
NO_RIGHTS: Rights = frozenset()
OWNERS: Rights = frozenset("la")  # nobody locks himself out of what is his own
ANYONE = "anyone"
NEGATIVE = "-"
GROUP = "$"  # before the name of one
MOST_IDENTIFIERS = 1000  # of one mailbox

_FLAGS = {DELETED: "t", SEEN: "s"}
_OTHER_FLAGS = "w"
_OBSOLETE = {"c": frozenset("kx"), "d": frozenset("te")}  # §2.1.1


class Action(Enum):
    """What SETACL does to the rights that an identifier has (§3.1)."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@frozen
class RightsChange:
    action: Action
    rights: Rights

    def applied(self, held: Rights) -> Rights:
        if self.action is Action.ADD:
            return held | self.rights
        if self.action is Action.REMOVE:
            return held - self.rights
        return self.rights


def parsed(text: str) -> Rights:
    """The rights of letters, "c" and "d" being what they stand for.

    Raises BadParameter for a letter that is no right here."""
    found: Rights = NO_RIGHTS
    for letter in text:
        if letter not in ALL and letter not in _OBSOLETE:
            raise BadParameter(f"There is no right {letter!a}")
        found |= _OBSOLETE.get(letter, frozenset(letter))
    return found


def encoded(rights: Rights) -> str:
    """As letters, with the obsolete ones of which a member is there (§2.1.1)."""
    letters = [letter for letter in ORDER if letter in rights]
    return "".join(letters) + "".join(
        letter for letter, members in _OBSOLETE.items() if members & rights
    )


def changeable(flags: Flags, held: Rights) -> Flags:
    """Those of `flags` that may be set or removed (§4)."""
    return frozenset(flag for flag in flags if _FLAGS.get(flag, _OTHER_FLAGS) in held)


def default_list(owner: str) -> dict[str, Rights]:
    """Of a mailbox that was given none."""
    return {owner: ALL}


def granted(entries: Entries, names: Collection[str], *, owner: bool = False) -> Rights:
    """What somebody may who is meant by `names` (account and groups) and by `anyone`:
    negative rights win, but not over an owner's last ones."""
    meant = {*names, ANYONE}
    given, taken = NO_RIGHTS, NO_RIGHTS
    for identifier, rights in entries.items():
        if identifier in meant:
            given |= rights
        elif identifier.removeprefix(NEGATIVE) in meant:
            taken |= rights
    return given - taken | (OWNERS if owner else NO_RIGHTS)


def change(
    entries: dict[str, Rights], identifier: str, wanted: RightsChange, owner: str
) -> None:
    """Change what `identifier` has in a list; one without rights leaves it.

    Raises NotPermitted if the list would be too long."""
    rights = wanted.applied(entries.get(identifier, NO_RIGHTS))
    if identifier == owner:
        rights |= OWNERS
    if not rights:
        entries.pop(identifier, None)
        return
    if identifier not in entries and len(entries) >= MOST_IDENTIFIERS:
        raise NotPermitted("The list of this mailbox is full")
    entries[identifier] = rights
