"""FUZZY (RFC 6203): the words of a string in any order, with slips in longer ones.

A word of n letters with k slips, cut into k+1 pieces, has one piece without a slip: the
index is asked for the pieces, and where one is found the neighbourhood is compared.

Only these searches look into what commands made of attachments: it is in the index
alone, and exact ones find the same in messages that are not indexed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..mime.text import normal
from ..search_key import And, Body, Header, Or, SearchKey, Text
from .interfaces import IMailbox
from .model import TextPlace
from .search_index import APART, LEAST, Narrowing
from .search_text import message_texts
from .turns import Turns

MOST_WORDS = 16
MOST_WINDOWS = 64  # places of a piece that are compared in one message
FEW = 2000  # messages in which short words may have a slip: no index helps there
CHUNK = 64
MOST_OCTETS = 1 << 18  # of the text of one message

_OTHER_WORDS = 0.9  # of the score if the words do not stand as they were asked for

Exact = Callable[[SearchKey, set[int]], Awaitable[set[int]]]
Scores = dict[int, float]


async def fuzzy(
    mailbox: IMailbox,
    key: SearchKey,
    among: set[int],
    *,
    narrowing: Narrowing,
    turns: Turns,
    exact: Exact,
) -> Scores:
    """UIDs that match, each with how well: above 0, up to 1.

    `exact` answers the keys that have no string."""

    async def of(key: SearchKey, among: set[int]) -> Scores:
        match key:
            case And(keys):
                found: Scores = dict.fromkeys(among, 0.0)
                for one in keys:
                    scores = await of(one, set(found))
                    found = {uid: found[uid] + scores[uid] for uid in scores}
                return {uid: total / max(1, len(keys)) for uid, total in found.items()}
            case Or(left, right):
                first, second = await of(left, among), await of(right, among)
                return first | {
                    uid: max(score, first.get(uid, 0.0))
                    for uid, score in second.items()
                }
            case Header(name, needle) if needle.strip():
                look = Look(needle, TextPlace.HEADER, name.lower())
            case Body(needle) if needle.strip():
                look = Look(needle, TextPlace.BODY)
            case Text(needle) if needle.strip():
                look = Look(needle, TextPlace.TEXT)
            case _:
                return dict.fromkeys(await exact(key, among), 1.0)
        return await _by_text(mailbox, look, among, narrowing, turns)

    return await of(key, among)


class Look:
    """What is looked for, and where; of a header in the field `name` if given."""

    def __init__(self, needle: str, place: TextPlace, name: str = "") -> None:
        self.whole, self.place, self.name = normal(needle), place, name
        self.words = list(dict.fromkeys(self.whole.split()))[:MOST_WORDS]

    @property
    def inside(self) -> bool:
        """True if attachments are looked into."""
        return self.place is not TextPlace.HEADER

    def score(self, header: str, body: str, *, few: bool, extract: str = "") -> float:
        """0 if it is not there."""
        if extract and self.inside:
            body += APART + extract
        if self.name:
            own = header.partition(APART)[0]
            start = f"{self.name}:"
            text = "\n".join(ln for ln in own.split("\n") if ln.startswith(start))
            text = text.replace(start, " ")
        elif self.place is TextPlace.TEXT:
            text = header + APART + body
        else:
            text = body
        if self.whole in text:
            return 1.0
        total = 0.0
        for word in self.words:
            slips = slips_in(text, word, allowed(word, few=few))
            if slips is None:
                return 0.0
            total += 1 - slips / len(word)
        return _OTHER_WORDS * total / len(self.words)


async def _by_text(
    mailbox: IMailbox, look: Look, among: set[int], narrowing: Narrowing, turns: Turns
) -> Scores:
    few = len(among) <= FEW
    for word in look.words:
        among = await _narrowed(word, look.place, among, narrowing, few=few)
    scores: Scores = {}
    ordered = sorted(among)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        extracts: dict[int, str] = {}
        if look.inside:
            told = await narrowing.extracts(chunk)
            extracts = dict(zip(chunk, told, strict=True))
        async for one in message_texts(mailbox, chunk, most=MOST_OCTETS, turns=turns):
            extract = extracts.get(one.uid, "")
            score = look.score(one.header, one.texts, few=few, extract=extract)
            await turns.spent(50 + (len(one.texts) + len(extract)) / 100)
            if score:
                scores[one.uid] = score
    return scores


async def _narrowed(
    word: str, place: TextPlace, among: set[int], narrowing: Narrowing, *, few: bool
) -> set[int]:
    """Those that may have the word, with as many slips as it may have."""
    found: set[int] = set()
    for _, piece in pieces(word, allowed(word, few=few)):
        if len(piece) < LEAST:
            return among
        found |= await narrowing.candidates(piece, place, among)
        if place is not TextPlace.HEADER and len(found) < len(among):
            found |= await narrowing.extracted(piece, among)
    return found


def allowed(word: str, *, few: bool) -> int:
    """Slips that a word may have; `few`: every message is looked at."""
    length = len(word)
    if length < 6:
        return int(few and length >= 4)
    return 1 if length < 9 else 2


def pieces(word: str, slips: int) -> list[tuple[int, str]]:
    """(place, text) of pieces, one more than slips."""
    count = slips + 1
    cuts = [len(word) * at // count for at in range(count + 1)]
    pairs = zip(cuts, cuts[1:], strict=False)
    return [(start, word[start:end]) for start, end in pairs]


def slips_in(text: str, word: str, most: int) -> int | None:
    """The fewest insertions, deletions, replacements and swaps of neighbours that make
    a part of `text` of `word`; None if these are more than `most`."""
    if word in text:
        return 0
    best: int | None = None
    for at, piece in pieces(word, most) if most else ():
        seen: set[str] = set()
        place = text.find(piece)
        while place >= 0 and len(seen) < MOST_WINDOWS:
            start = max(0, place - at - most)
            window = text[start : place - at + len(word) + most]
            if window not in seen:
                seen.add(window)
                slips = _fewest(window, word)
                if slips <= most and (best is None or slips < best):
                    best = slips
                    if best == 1:
                        return 1
            place = text.find(piece, place + 1)
    return best


def _fewest(window: str, word: str) -> int:
    """Slips between `word` and the nearest part of `window` (Sellers' algorithm)."""
    before: list[int] = []
    row = [0] * (len(window) + 1)
    for at, letter in enumerate(word, 1):
        last, before, row = before, row, [at]
        for place, other in enumerate(window, 1):
            cost = min(
                before[place] + 1,
                row[place - 1] + 1,
                before[place - 1] + (letter != other),
            )
            swapped = (
                at > 1
                and place > 1
                and letter == window[place - 2]
                and word[at - 2] == other
            )
            row.append(min(cost, last[place - 2] + 1) if swapped else cost)
    return min(row)
