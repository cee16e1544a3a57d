"""Message flags (RFC 3501 §2.3.2) and their letters in a Maildir file name.

A flag is str: a system flag with its backslash in the RFC's spelling, or a keyword as
first written.  Flags compare without case; `canonical` gives the one spelling of system
flags.  A message's flags are a frozenset, shared between equal sets.
"""

from __future__ import annotations

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = (
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Draft",
)
RECENT = "\\Recent"  # belongs to a session, never stored (RFC 3501 §2.3.2)
FORWARDED = "$Forwarded"  # RFC 5788; Maildir's P ("passed")

SYSTEM = (ANSWERED, FLAGGED, DELETED, SEEN, DRAFT)

# Maildir info letters, in the ASCII order the file name wants.
LETTERS = {
    "D": DRAFT,
    "F": FLAGGED,
    "P": FORWARDED,
    "R": ANSWERED,
    "S": SEEN,
    "T": DELETED,
}

_CANONICAL = {f.lower(): f for f in (*SYSTEM, RECENT, FORWARDED)}

Flags = frozenset[str]
NONE: Flags = frozenset()


def canonical(flag: str) -> str:
    """The one spelling of a system flag; a keyword as given."""
    return _CANONICAL.get(flag.lower(), flag)
