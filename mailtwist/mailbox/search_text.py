"""The texts of messages for an index: exactly those that a search looks into.

A needle that `search` finds in a message is in one of these texts, unless the message
is told not to be whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from attrs import frozen

from ..errors import BadMessage
from ..mime.part import Part
from ..mime.text import normal
from .interfaces import IMailbox
from .model import Column, Range
from .search_body import PIECE, Stretch, name_texts, spans, stretch_text, stretches
from .search_index import APART
from .turns import Turns

_SPAN = 1 << 18  # octets read at once of one message
_BATCH = 1 << 20  # of several
MOST_HEADER = 1 << 20  # octets of one header that are searched


@frozen
class MessageText:
    """`header`: of the message and its parts; `body`: what BODY looks into; `shown`:
    what BODY looks into for more than one word, the text that HTML shows; `extract`:
    what commands made of attachments.

    Not `whole`: there is more text than was taken."""

    uid: int
    header: str
    body: str
    whole: bool = True
    extract: str = ""
    shown: str = ""

    @property
    def texts(self) -> str:
        """All that BODY looks into."""
        return APART.join(filter(None, (self.body, self.shown)))


async def message_texts(
    mailbox: IMailbox, uids: Sequence[int], *, most: int, turns: Turns
) -> AsyncIterator[MessageText]:
    """The texts of those messages that are there, `most` octets of each."""
    found = await mailbox.rendered(uids, (Column.PARTS,))
    waiting: list[tuple[int, Part, list[Stretch]]] = []
    octets = 0
    for uid, row in zip(uids, found, strict=True):
        if row is None:
            continue
        try:
            part = Part.decode(row[0])
        except BadMessage:
            continue
        await turns.spent(20)
        one = uid, part, list(stretches(part, header=True))
        octets += sum(stretch.count for stretch in one[2])
        waiting.append(one)
        if octets >= _BATCH:
            async for text in _texts(mailbox, waiting, most, turns):
                yield text
            waiting, octets = [], 0
    async for text in _texts(mailbox, waiting, most, turns):
        yield text


async def _texts(
    mailbox: IMailbox,
    messages: Sequence[tuple[int, Part, list[Stretch]]],
    most: int,
    turns: Turns,
) -> AsyncIterator[MessageText]:
    ranges: list[Range] = []
    places: list[tuple[int, list[Stretch]]] = []  # by range: message, stretches
    cut: set[int] = set()
    for at, (uid, _, where) in enumerate(messages):
        left = most
        for span in spans(where, _SPAN):
            if span.count > left:
                cut.add(uid)
                continue
            left -= span.count
            ranges.append(Range(uid, span.start, span.count))
            places.append((at, span.stretches))
    read = await mailbox.octets(ranges) if ranges else []
    headers: list[list[str]] = [[] for _ in messages]
    bodies: list[list[str]] = [[] for _ in messages]
    shown: list[list[str]] = [[] for _ in messages]
    gone: set[int] = set()
    for one, (at, where), octets in zip(ranges, places, read, strict=True):
        if octets is None:
            gone.add(one.uid)
            continue
        inside = {s.start for s in stretches(messages[at][1], header=False) if s.header}
        for stretch in where:
            start = stretch.start - one.start
            raw = octets[start : start + stretch.count]
            texts = stretch_text(stretch, raw)
            await turns.spent(40 + len(raw) / 300)
            texts = [await normalized(text, turns) for text in texts]
            if stretch.header:
                headers[at] += texts
            if not stretch.header or stretch.start in inside:
                bodies[at].append(texts[0])
                shown[at] += texts[1:]
    for at, (uid, part, _) in enumerate(messages):
        if uid not in gone:
            bodies[at] += map(normal, name_texts(part))
            yield MessageText(
                uid,
                joined(headers[at]),
                joined(bodies[at]),
                uid not in cut,
                shown=joined(shown[at]),
            )


async def normalized(text: str, turns: Turns) -> str:
    """`normal` in slices; they begin at lines, where no mark belongs to what was."""
    if text.isascii() or len(text) <= PIECE:
        await turns.spent(len(text) / (500 if text.isascii() else 12))
        return normal(text)
    pieces, at = [], 0
    while at < len(text):
        end = at + PIECE
        if end < len(text):
            line = text.rfind("\n", at, end)
            end = line if line > at else end
        pieces.append(normal(text[at:end]))
        at = end
        await turns.spent(PIECE / 12)
    return "".join(pieces)


def joined(texts: list[str]) -> str:
    """Texts of one message as the index has them."""
    return APART.join(filter(None, texts)).replace("\0", APART)
