"""The base subject (RFC 5256 §2.1): a subject without "Re:", "[list]" and "(fwd)".

Works on positions, so that a subject of nothing but brackets costs one pass.
"""

from __future__ import annotations

import re

_SPACES = re.compile(r"[ \t\r\n]+")
_BLOB = re.compile(r"\[[^\[\]]*\] *")
_REPLY = re.compile(r"(?:re|fwd?) *(?:\[[^\[\]]*\] *)?:", re.I)
_FORWARD = re.compile(r"\[fwd:", re.I)
_TRAILER = "(fwd)"


def base_subject(subject: str) -> tuple[str, bool]:
    """(the base subject, True if what went says reply or forward) of a decoded subject.

    What to compare by is `mime.text.normal` of it; a blank subject has the base "".
    """
    text = _SPACES.sub(" ", subject)
    start, end, reply = 0, len(text), False
    while True:
        end, forwarded = _without_trailers(text, start, end)
        start, replied = _without_leaders(text, start, end)
        reply = reply or forwarded or replied
        found = _FORWARD.match(text, start, end)
        if not found or text[end - 1] != "]":
            return text[start:end], reply
        start, end, reply = found.end(), end - 1, True


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    forwarded = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[max(start, end - len(_TRAILER)) : end].lower() == _TRAILER:
            end -= len(_TRAILER)
            forwarded = True
        else:
            break
    return end, forwarded


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    """Past "Re:" and the like, and past blobs unless a blob is all that is there."""
    replied = False
    while start < end:
        if text[start] == " ":
            start += 1
            continue
        last, at = start, start  # the last blob, and behind it
        while found := _BLOB.match(text, at, end):
            last, at = at, found.end()
        found = _REPLY.match(text, at, end)
        if not found:
            return (at if at < end else last), replied
        start, replied = found.end(), True
    return start, replied
