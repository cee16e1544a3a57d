"""Where in a message a search found what it looked for (RFC 8621 §5).

A snippet is made of the message itself, as the index has its text without case and
accents.  Only what is shown is read: ask for the few messages on the screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import accumulate

from attrs import field, frozen

from ..errors import BadMessage
from ..mime.html_text import visible
from ..mime.named_fields import named_fields
from ..mime.part import Part
from ..mime.text import BodyDecoder, normal
from ..search_key import And, Body, Fuzzy, Header, Or, SearchKey, Text
from .interfaces import IIndexedMailbox, IMailbox
from .model import Column, Range
from .search_body import MOST_HTML, Stretch, stretches
from .turns import Turns

MOST_TEXT = 1 << 18  # octets of a message that are looked into
MOST_CHARACTERS = 200  # of the text of a snippet
MOST_NEEDLES = 32
_BEFORE = 60  # characters before the first hit, about
_PIECE = 4096  # characters that are compared at once
_SPACE = re.compile(r"\s+")


@frozen
class Marked:
    """A text on one line; `marks` are (start, end) of what was found, in order."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()

    def told(self, start: str, end: str, shown: Callable[[str], str] = str) -> str:
        """With these strings around what was found; `shown` of all else."""
        return "".join(_pieces(self, start, end, shown))

    def html(self) -> str:
        """As RFC 8621 §5 wants it: escaped, `<mark>` around what was found."""
        return self.told("<mark>", "</mark>", escape)


@frozen
class Snippet:
    """None where nothing of the search was found."""

    subject: Marked | None = None
    preview: Marked | None = None


@frozen
class Sought:
    """The normalized strings that a search looks for."""

    subject: tuple[str, ...] = field(default=())
    body: tuple[str, ...] = field(default=())


def sought(key: SearchKey) -> Sought:
    """What of it can be marked; nothing of what is under NOT."""
    subject: dict[str, None] = {}
    body: dict[str, None] = {}

    def look(key: SearchKey, fuzzy: bool) -> None:
        match key:
            case And(keys):
                for one in keys:
                    look(one, fuzzy)
            case Or(left, right):
                look(left, fuzzy)
                look(right, fuzzy)
            case Fuzzy(inner):
                look(inner, True)
            case Header(name, needle) if name.lower() == "subject":
                subject.update(dict.fromkeys(_needles(needle, fuzzy)))
            case Body(needle):
                body.update(dict.fromkeys(_needles(needle, fuzzy)))
            case Text(needle):
                subject.update(dict.fromkeys(_needles(needle, fuzzy)))
                body.update(dict.fromkeys(_needles(needle, fuzzy)))

    look(key, False)
    return Sought(tuple(subject)[:MOST_NEEDLES], tuple(body)[:MOST_NEEDLES])


async def snippets(
    mailbox: IMailbox, uids: Sequence[int], wanted: Sought, turns: Turns
) -> dict[int, Snippet]:
    """By UID; those that are gone are left out.

    What commands made of attachments is shown where the message itself has nothing.
    """
    made: dict[int, Snippet] = {}
    rows = await mailbox.rendered(uids, (Column.FIELDS, Column.PARTS))
    for uid, row in zip(uids, rows, strict=True):
        if row is None:
            continue
        header, parts = row
        subject = named_fields(header).get("subject", "")
        found = hits(_on_one_line(subject), wanted.subject)
        preview = None
        if wanted.body:
            preview = await _of_body(mailbox, uid, parts, wanted.body, turns)
        made[uid] = Snippet(found if found.marks else None, preview)
    return made


async def _of_body(
    mailbox: IMailbox, uid: int, parts: bytes, needles: Sequence[str], turns: Turns
) -> Marked | None:
    left = MOST_TEXT
    for stretch in _texts(parts):
        count = min(stretch.count, left)
        left -= count
        if not count:
            break
        (octets,) = await mailbox.octets([Range(uid, stretch.start, count)])
        if octets is None:
            return None
        text = _shown(stretch, octets)
        await turns.spent(50 + len(text) / (100 if text.isascii() else 4))
        around = _around(text, needles)
        if around is not None:
            return around
    if IIndexedMailbox.providedBy(mailbox):
        (extract,) = await mailbox.text_extracts([uid])
        return _around(_on_one_line(extract), needles) if extract else None
    return None


def _texts(parts: bytes) -> list[Stretch]:
    try:
        where = stretches(Part.decode(parts), header=False)
        return [stretch for stretch in where if not stretch.header]
    except BadMessage:
        return []


def _shown(stretch: Stretch, octets: bytes) -> str:
    final = len(octets) == stretch.count
    decoder = BodyDecoder(stretch.encoding, stretch.charset)
    text = decoder.feed(octets, final=final)
    if stretch.html:
        text = visible(text[:MOST_HTML])
    return _on_one_line(text)


def _on_one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _needles(text: str, fuzzy: bool) -> list[str]:
    whole = normal(_on_one_line(text))
    return [one for one in ([whole, *whole.split()] if fuzzy else [whole]) if one]


# -- marking ----------------------------------------------------------------------


def hits(text: str, needles: Sequence[str]) -> Marked:
    """All of `text`, with every place that has one of the normalized needles."""
    folded, places = _folded(text)
    found: list[tuple[int, int]] = []
    for needle in filter(None, needles):
        at = folded.find(needle)
        while at >= 0:
            found.append((places[at], places[at + len(needle) - 1] + 1))
            at = folded.find(needle, at + len(needle))
    return Marked(text, tuple(_merged(found)))


def _around(text: str, needles: Sequence[str]) -> Marked | None:
    """The words around the first place with a needle."""
    overlap = max(map(len, needles), default=0)
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE + overlap]
        folded = normal(piece)
        if not any(needle in folded for needle in needles):
            continue
        marked = hits(piece, needles)
        if marked.marks:
            return _cut(text, start + marked.marks[0][0], needles)
    return None


def _cut(text: str, first: int, needles: Sequence[str]) -> Marked:
    """A window of whole words; "..." where there is more."""
    start = max(0, first - _BEFORE)
    if start:
        space = text.find(" ", start, first)
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + MOST_CHARACTERS)
    if end < len(text):
        space = text.rfind(" ", first, end)
        longest = first + max(map(len, needles))
        end = space if space >= longest else end
    before, after = "... " if start else "", " ..." if end < len(text) else ""
    inside = hits(text[start:end], needles)
    marks = tuple((s + len(before), e + len(before)) for s, e in inside.marks)
    return Marked(before + inside.text + after, marks)


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """`text` normalized, and for each of its characters the place it comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    pieces = list(map(normal, text))
    ends = list(accumulate(map(len, pieces)))
    places = [0] * (ends[-1] if ends else 0)
    for at, (end, piece) in enumerate(zip(ends, pieces, strict=True)):
        places[end - len(piece) : end] = [at] * len(piece)
    return "".join(pieces), places


def _merged(found: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Ascending, none over another."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _pieces(
    marked: Marked, start: str, end: str, shown: Callable[[str], str]
) -> Iterable[str]:
    at = 0
    for first, last in marked.marks:
        yield shown(marked.text[at:first])
        yield start + shown(marked.text[first:last]) + end
        at = last
    yield shown(marked.text[at:])
