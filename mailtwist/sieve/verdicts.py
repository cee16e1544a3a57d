"""What others found out about spam and viruses, read from the header (RFC 5235).

SpamAssassin, rspamd, amavis and the ways of mail to say it that others copied.  Nothing
here raises.
"""

from __future__ import annotations

import re

from .message import Header

_SCORE = re.compile(r"(?:^|[\s,(])(?:score|hits)=(-?\d{1,6}(?:\.\d{1,6})?)")
_REQUIRED = re.compile(r"(?:^|[\s,])required=(\d{1,6}(?:\.\d{1,6})?)")
_RSPAMD = re.compile(r"\[(-?\d{1,6}(?:\.\d{1,6})?)\s*/\s*(\d{1,6}(?:\.\d{1,6})?)\]")
_NUMBER = re.compile(r"\s*(-?\d{1,6}(?:\.\d{1,6})?)")
REQUIRED = 5.0  # SpamAssassin's, where nothing is said


def spam_percent(header: Header) -> int | None:
    """How sure it is that this is spam; None if nobody looked."""
    for value in header.texts(b"x-spamd-result"):
        found = _RSPAMD.search(value)
        if found:
            return _percent(float(found[1]), float(found[2]))
    for value in header.texts(b"x-spam-status"):
        score, required = _SCORE.search(value), _REQUIRED.search(value)
        if score:
            most = float(required[1]) if required else REQUIRED
            return _percent(float(score[1]), most)
    flags = [value.strip().lower() for value in header.texts(b"x-spam-flag")]
    if any(flag.startswith("yes") for flag in flags):
        return 100
    for value in header.texts(b"x-spam-score"):
        found = _NUMBER.match(value)
        if found:
            return _percent(float(found[1]), REQUIRED)
    return 0 if flags else None


def _percent(score: float, required: float) -> int:
    if required <= 0:
        return 100 if score > 0 else 0
    return max(0, min(100, round(100 * score / required)))


def virus_level(header: Header) -> int | None:
    """1 for clean, 5 for a virus (RFC 5235 §3.2); None if nobody looked."""
    told = None
    for name in (b"x-virus-status", b"x-virus-flag", b"x-virus"):
        for value in header.texts(name):
            word = value.strip().lower()
            if word.startswith(("infected", "yes", "virus")):
                return 5
            if word.startswith(("clean", "no")):
                told = 1
    return told
