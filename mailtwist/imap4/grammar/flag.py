"""flag and flag-list (RFC 3501 §9)."""

from __future__ import annotations

from ...errors import BadParameter
from ...flags import RECENT, SYSTEM, Flags, canonical
from .scanner import CommandScanner
from .strings import atom, parenthesized, sp

MOST_KEYWORD = 128  # octets


def flag(s: CommandScanner) -> str:
    """One flag; raises BadParameter for a system flag that is unknown."""
    system = s.skip(b"\\")
    name = canonical(("\\" if system else "") + atom(s, "a flag").decode())
    if system and name not in SYSTEM and name != RECENT:
        raise BadParameter(f"Unknown system flag {name[:40]}")
    if len(name) > MOST_KEYWORD:
        raise BadParameter(f"A keyword may have {MOST_KEYWORD} octets")
    return name


def flags(s: CommandScanner) -> Flags:
    """flag-list, or flags without parentheses as STORE allows."""
    if s.text.startswith(b"(", s.at):
        return _settable(parenthesized(s, flag, empty=True))
    found = [flag(s)]
    while not s.done:
        sp(s)
        if not s.done:  # Quirk: a space at the end
            found.append(flag(s))
    return _settable(found)


def flag_list(s: CommandScanner) -> Flags:
    return _settable(parenthesized(s, flag, empty=True))


def _settable(found: list[str]) -> Flags:
    """Each flag once without regard to case (§2.3.2 of RFC 9051), the first spelling.

    Quirk: \\Recent is dropped, as clients send back the flags they were told.
    """
    once: dict[str, str] = {}
    for name in found:
        once.setdefault(name.lower(), name)
    once.pop(RECENT.lower(), None)
    return frozenset(once.values())
