"""ANONYMOUS (RFC 4505): a trace of who is asking, and no proof of anything."""

from __future__ import annotations

import unicodedata

from ..errors import SyntaxFault

MOST_TRACE = 255  # characters; RFC 4505 §2


def trace(message: bytes) -> str:
    """What the client says of itself, for the log only.  Raises SyntaxFault."""
    try:
        said = message.decode()
    except UnicodeDecodeError as fault:
        raise SyntaxFault("a trace in UTF-8", fault.start) from fault
    if len(said) > MOST_TRACE:
        raise SyntaxFault(f"at most {MOST_TRACE} characters", MOST_TRACE)
    for at, character in enumerate(said):
        if unicodedata.category(character) in ("Cc", "Cs", "Co"):
            raise SyntaxFault("a trace without control characters", at)
    return said
