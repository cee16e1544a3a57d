"""What was found out about spam and viruses, read from the header (RFC 5235).

Our own results of DMARC; SpamAssassin, rspamd, amavis and the ways of mail to say it
that others copied.  Nothing here raises.
"""

from __future__ import annotations

import re

from ..trust.results import parsed
from .message import Header

_SCORE = re.compile(r"(?:^|[\s,(])(?:score|hits)=(-?\d{1,6}(?:\.\d{1,6})?)")
_REQUIRED = re.compile(r"(?:^|[\s,])required=(\d{1,6}(?:\.\d{1,6})?)")
_RSPAMD = re.compile(r"\[(-?\d{1,6}(?:\.\d{1,6})?)\s*/\s*(\d{1,6}(?:\.\d{1,6})?)\]")
_NUMBER = re.compile(r"\s*(-?\d{1,6}(?:\.\d{1,6})?)")
REQUIRED = 5.0  # SpamAssassin's, where nothing is said


UNWANTED = ("quarantine", "reject")  # of a domain, for mail that is not its own


def spam_percent(header: Header, authserv_id: str = "") -> int | None:
    """How sure it is that this is spam; None if nobody looked.

    Results of `authserv_id` are our own."""
    for raw in header.raw(b"authentication-results"):
        read = parsed(raw.decode("utf-8", "replace"))
        if read is not None and read[0] == authserv_id and authserv_id:
            if any(
                one.method == "dmarc"
                and one.result == "fail"
                and one.properties.get("policy.dmarc") in UNWANTED
                for one in read[1]
            ):
                return 100
            break
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
