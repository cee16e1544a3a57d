"""Search keys that the flags of a message answer."""

from __future__ import annotations

from ..flags import RECENT, Flags
from ..search_key import All, And, HasFlag, Not, Or, SearchKey

_RECENT = RECENT.lower()


def by_flags(key: SearchKey) -> bool:
    """True if flags are enough to answer `key`; \\Recent belongs to a session."""
    match key:
        case All():
            return True
        case HasFlag(flag):
            return flag.lower() != _RECENT
        case Not(inner):
            return by_flags(inner)
        case Or(left, right):
            return by_flags(left) and by_flags(right)
        case And(keys):
            return all(map(by_flags, keys))
    return False


def flags_match(key: SearchKey, flags: Flags) -> bool:
    """Whether a message with these flags matches a key of which `by_flags` is true."""
    match key:
        case All():
            return True
        case HasFlag(flag):
            flag = flag.lower()
            return any(flag == one.lower() for one in flags)
        case Not(inner):
            return not flags_match(inner, flags)
        case Or(left, right):
            return flags_match(left, flags) or flags_match(right, flags)
        case And(keys):
            return all(flags_match(inner, flags) for inner in keys)
    raise TypeError(f"{key!r} asks for more than flags")
