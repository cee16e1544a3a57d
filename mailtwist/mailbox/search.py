"""SEARCH (RFC 3501 §6.4.4) over any mailbox: the cheapest keys first.

Keys that columns answer (flags, sizes, dates, MODSEQ) are set operations over the whole
mailbox; keys that the kept header fields answer read these from the cache in chunks;
the rest opens message files, for the messages that are left, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import compress

from ..flags import RECENT
from ..mime.part import Part
from ..search_key import (
    All,
    And,
    Body,
    EmailId,
    Fuzzy,
    HasFlag,
    Header,
    InSequence,
    InternalDate,
    InUid,
    Larger,
    ModSeq,
    Not,
    Older,
    Or,
    Saved,
    SaveDateSupported,
    SavedDate,
    SearchKey,
    SentDate,
    Smaller,
    Text,
    ThreadId,
    When,
    Younger,
)
from .identifiers import object_id
from .interfaces import IMailbox
from .model import Column, MessageRows, Range, TextPlace
from .search_body import (
    PIECE,
    Span,
    Stretch,
    StretchSearch,
    in_shown,
    in_stretch,
    named,
    spans,
    stretches,
)
from .search_fields import by_fields, by_kept_fields, candidates, field_test
from .search_flags import by_flags, flags_match
from .search_fuzzy import fuzzy
from .search_index import Narrowing
from .search_needle import Needle
from .search_text import MOST_HEADER
from .turns import Pause, Turns, chunks

_BATCH = 1 << 20  # octets of small messages held at once
_SMALL = 1 << 18  # octets of text under which a message is read in one piece
_NEVER = 1 << 62  # seconds; after every internal date


async def search(
    mailbox: IMailbox,
    key: SearchKey,
    uids: Sequence[int],
    *,
    recent: Container[int],
    pause: Pause,
    now: float = 0.0,
    saved: Sequence[int] = (),
    scores: dict[int, float] | None = None,
) -> list[int]:
    """The UIDs among `uids` that match, ascending.

    `uids` is the session's view, ascending: sequence numbers are positions in it.
    `recent` holds the UIDs that are \\\\Recent in this session.  `pause` is awaited
    about every 5 ms of work.  Messages that are gone match nothing.  Days of internal
    dates are those of UTC, as INTERNALDATE is told in UTC.  `now` is what OLDER and
    YOUNGER count from, in seconds since 1970; `saved` is what "$" stands for.  `scores`
    gets how well each matches FUZZY keys, above 0 and up to 1.
    """
    if by_flags(key) and not isinstance(key, All):
        return await _by_flags(mailbox, key, uids)
    run = _Run(mailbox, uids, recent, pause, now, saved)
    found = await run.matching(key, set(uids))
    if scores is not None:
        scores.update(run.scores)
    return sorted(found - run.gone)


async def _by_flags(
    mailbox: IMailbox, key: SearchKey, uids: Sequence[int]
) -> list[int]:
    """What clients ask most: messages share few sets of flags."""
    rows = await mailbox.rows()
    verdicts = {flags: flags_match(key, flags) for flags in set(rows.flags)}
    if not any(verdicts.values()):
        return []
    found = list(compress(rows.uids, map(verdicts.__getitem__, rows.flags)))
    return found if rows.uids == uids else sorted(set(found).intersection(uids))


class _Run:
    """One search over one view."""

    def __init__(
        self,
        mailbox: IMailbox,
        uids: Sequence[int],
        recent: Container[int],
        pause: Pause,
        now: float,
        saved: Sequence[int],
    ) -> None:
        self._mailbox, self._view, self._recent = mailbox, uids, recent
        self._now, self._saved = now, saved
        self._turns = Turns(pause)
        self._spent = self._turns.spent
        self._index = Narrowing(mailbox)
        self._rows: MessageRows | None = None
        self._covered: set[int] | None = None  # what _rows was asked for; None is all
        self._of_state: dict[Column, dict[int, bytes]] = {}
        self.gone: set[int] = set()
        self.scores: dict[int, float] = {}  # by FUZZY keys

    async def matching(self, key: SearchKey, among: set[int]) -> set[int]:
        """Those of `among` that match `key`."""
        if not among:
            return among
        if by_fields(key):
            among = await self._index.fields(key, among)
            if by_kept_fields(key):
                return await self._by_kept_fields(key, among)
            return await self._by_header(key, among)
        match key:
            case All():
                return among
            case Not(inner):
                matching = await self.matching(inner, among)
                if self._index.used:  # what is gone was perhaps not looked at
                    await self._columns(among)
                return among - matching
            case Or(left, right):
                first = await self.matching(left, among)
                return first | await self.matching(right, among - first)
            case And(keys):
                for one in _grouped(keys):
                    among = await self.matching(one, among)
                return among
            case Fuzzy(inner):
                return await self._fuzzy(inner, among)
            case InSequence(numbers):
                await self._spent(len(among) / 50)
                view = self._view
                picked: set[int] = set()
                for low, high in numbers.resolved(len(view)).ranges:
                    picked.update(view[low - 1 : high])
                return among & picked
            case Saved():
                return among.intersection(self._saved)
            case InUid(numbers):
                await self._spent(len(among) / 50)
                return among & set(numbers.pick(self._view))
            case HasFlag(flag) if flag.lower() == RECENT.lower():
                return {uid for uid in among if uid in self._recent}
            case Older(age):
                return await self._arrived(among, 0, int(self._now) - age)
            case Younger(age):
                return await self._arrived(among, int(self._now) - age, _NEVER)
            case Body(needle):
                return await self._by_text(needle, among, header=False)
            case Text(needle):
                return await self._by_text(needle, among, header=True)
            case EmailId(value):
                return await self._by_id(Column.EMAIL_ID, value, among)
            case ThreadId(value):
                return await self._by_id(Column.THREAD_ID, value, among)
            case SavedDate() | SaveDateSupported():
                return await self._by_save_date(key, among)
        rows = await self._columns(among)
        await self._spent(len(rows) / 10)
        return among & set(_by_column(key, rows))

    async def _by_id(self, column: Column, value: str, among: set[int]) -> set[int]:
        wanted = value.encode()
        values = await self._kept(column, among)
        return {u for u in among if object_id(column, values.get(u, b"")) == wanted}

    async def _by_save_date(
        self, key: SavedDate | SaveDateSupported, among: set[int]
    ) -> set[int]:
        values = await self._kept(Column.SAVED_AT, among)
        if isinstance(key, SaveDateSupported):
            return {uid for uid in among if values.get(uid)}
        rows = await self._columns(among)
        arrived = dict(zip(rows.uids, rows.internal_dates, strict=True))
        dates = {
            uid: int(value) if value else arrived.get(uid, 0)
            for uid, value in values.items()
        }
        return among.intersection(_by_date(key.when, key.day, dates.items()))

    async def _kept(self, column: Column, among: set[int]) -> dict[int, bytes]:
        """A column of the state, which is asked for once."""
        known = self._of_state.setdefault(column, {})
        for chunk in chunks(sorted(among - known.keys())):
            for uid, value in await self._cached(chunk, column):
                known[uid] = value
            await self._spent(len(chunk))
        return known

    async def _fuzzy(self, key: SearchKey, among: set[int]) -> set[int]:
        found = await fuzzy(
            self._mailbox,
            key,
            among,
            narrowing=self._index,
            turns=self._turns,
            exact=self.matching,
        )
        for uid, score in found.items():
            self.scores[uid] = min(score, self.scores.get(uid, 1.0))
        return set(found)

    async def _arrived(self, among: set[int], low: int, high: int) -> set[int]:
        """Those with an internal date from `low` to `high`, seconds since 1970."""
        rows = await self._columns(among)
        await self._spent(len(rows) / 10)
        pairs = zip(rows.uids, rows.internal_dates, strict=True)
        return among & {uid for uid, at in pairs if low <= at <= high}

    async def _columns(self, among: set[int]) -> MessageRows:
        """The columns of at least `among`; what is missing in them is gone."""
        if self._rows is None or (
            self._covered is not None and not among <= self._covered
        ):
            whole = len(among) * 2 > len(self._view)
            self._rows = await self._mailbox.rows(None if whole else sorted(among))
            self._covered = None if whole else set(among)
            self.gone |= among - set(self._rows.uids)
        return self._rows

    async def _cached(
        self, wanted: list[int], column: Column
    ) -> list[tuple[int, bytes]]:
        """(UID, octets of `column`) of those that are there."""
        found = await self._mailbox.rendered(wanted, (column,))
        pairs = zip(wanted, found, strict=True)
        if None in found:
            self.gone.update([uid for uid, row in pairs if row is None])
            pairs = zip(wanted, found, strict=True)
        return [(uid, row[0]) for uid, row in pairs if row is not None]

    async def _by_kept_fields(self, key: SearchKey, among: set[int]) -> set[int]:
        test = field_test(key)
        matching: set[int] = set()
        for chunk in chunks(sorted(among)):
            there = await self._cached(chunk, Column.FIELDS)
            headers = [raw for _, raw in there]
            places = candidates(key, headers)
            for at in places:
                if test(headers[at], headers[at].lower()):
                    matching.add(there[at][0])
            await self._spent(len(chunk) + len(places) * 4)
        return matching

    async def _by_header(self, key: SearchKey, among: set[int]) -> set[int]:
        """As _by_kept_fields, from the message files."""
        test = field_test(key)
        matching: set[int] = set()
        for chunk in chunks(sorted(among)):
            ranges = [
                Range(uid, *_header(Part.decode(octets)))
                for uid, octets in await self._cached(chunk, Column.PARTS)
            ]
            for batch in _batches(ranges):
                read = await self._mailbox.octets(batch)
                for wanted, raw in zip(batch, read, strict=True):
                    if raw is None:
                        self.gone.add(wanted.uid)
                        continue
                    if test(raw, raw.lower()):
                        matching.add(wanted.uid)
                await self._spent(len(batch) * 40)
        return matching

    async def _by_text(self, text: str, among: set[int], *, header: bool) -> set[int]:
        """BODY, or with `header` TEXT."""
        if not text:
            return among
        needle = Needle(text)
        place = TextPlace.TEXT if header else TextPlace.BODY
        matching, among = await self._index.text(needle.text, place, among)
        if matching:  # without a look at them
            await self._columns(matching)
        for chunk in chunks(sorted(among)):
            small: dict[int, Span] = {}
            large: list[tuple[int, list[Span]]] = []
            for uid, octets in await self._cached(chunk, Column.PARTS):
                part = Part.decode(octets)
                if named(part, needle):
                    matching.add(uid)
                    continue
                where = spans(stretches(part, header=header), _SMALL)
                if len(where) == 1 and where[0].count <= _SMALL:
                    small[uid] = where[0]
                elif where:
                    large.append((uid, where))
            await self._spent(len(chunk) * 10)
            ranges = [Range(uid, span.start, span.count) for uid, span in small.items()]
            for batch in _batches(ranges):
                read = await self._mailbox.octets(batch)
                for wanted, raw in zip(batch, read, strict=True):
                    if raw is None:
                        self.gone.add(wanted.uid)
                    elif await self._in_read(needle, small[wanted.uid], raw):
                        matching.add(wanted.uid)
            for uid, where in large:
                if await self._in_file(needle, uid, where):
                    matching.add(uid)
        return matching

    async def _in_read(self, needle: Needle, span: Span, octets: bytes) -> bool:
        """A span whose octets are all here."""
        for stretch in span.stretches:
            at = stretch.start - span.start
            text = octets[at : at + stretch.count]
            found = in_stretch(needle, stretch, text)
            await self._spent(10 + len(text) / 300)
            if found is None:
                found = await self._in_pieces(needle, stretch, _cut(text))
            if found or in_shown(needle, stretch, text):
                return True
            if stretch.html and not needle.plain:
                await self._spent(len(text) / 30)
        return False

    async def _in_file(self, needle: Needle, uid: int, where: list[Span]) -> bool:
        """A large message: one span after the other, a long text in pieces."""
        for span in where:
            (stretch, *more) = span.stretches
            looking = StretchSearch(needle, stretch)
            end = span.start + span.count
            if stretch.header and not more:
                end = min(end, span.start + MOST_HEADER)
            whole = bool(more) or stretch.header or stretch.count <= _SMALL
            step = max(1, end - span.start) if whole else _SMALL
            for at in range(span.start, end, step):
                (raw,) = await self._mailbox.octets(
                    [Range(uid, at, min(step, end - at))]
                )
                if raw is None:
                    self.gone.add(uid)
                    return False
                if whole:
                    found = await self._in_read(needle, span, raw)
                else:
                    final = at + step >= end
                    found = await self._feed(looking, _cut(raw), final=final)
                if found:
                    return True
        return False

    async def _in_pieces(
        self, needle: Needle, stretch: Stretch, pieces: list[bytes]
    ) -> bool:
        return await self._feed(StretchSearch(needle, stretch), pieces, final=True)

    async def _feed(
        self, looking: StretchSearch, pieces: list[bytes], *, final: bool
    ) -> bool:
        for at, piece in enumerate(pieces, 1):
            found = looking.feed(piece, final=final and at == len(pieces))
            await self._spent(len(piece) / (100 if piece.isascii() else 12))
            if found:
                return True
        return False


def _grouped(keys: Sequence[SearchKey]) -> list[SearchKey]:
    """The keys of an And, cheapest first; those on kept fields become one key."""
    fields: list[SearchKey] = []
    others: list[tuple[int, SearchKey]] = []
    for key in keys:
        if by_fields(key) and by_kept_fields(key):
            fields.append(key)
        else:
            others.append((_cost(key), key))
    if fields:
        others.append((2, fields[0] if len(fields) == 1 else And(tuple(fields))))
    return [key for _, key in sorted(others, key=lambda other: other[0])]


def _cost(key: SearchKey) -> int:
    """0 nothing is read, 1 columns, 2 kept fields, 3 headers, 4 bodies,
    5 bodies as text."""
    match key:
        case All() | InSequence() | InUid() | Saved():
            return 0
        case EmailId() | SavedDate() | SaveDateSupported():
            return 2
        case ThreadId():  # may have to be found out
            return 3
        case Header() | SentDate():
            return 2 if by_kept_fields(key) else 3
        case Body() | Text():
            return 4
        case Fuzzy():
            return 5
        case Not(inner):
            return _cost(inner)
        case Or(left, right):
            return max(_cost(left), _cost(right))
        case And(keys):
            return max(map(_cost, keys), default=0)
    return 1


def _by_column(key: SearchKey, rows: MessageRows) -> Iterable[int]:
    """The UIDs of the rows that match a key on a column."""
    uids = rows.uids
    match key:
        case HasFlag():
            having = {flags for flags in set(rows.flags) if flags_match(key, flags)}
            return [
                uid
                for uid, flags in zip(uids, rows.flags, strict=True)
                if flags in having
            ]
        case Larger(limit):
            return [u for u, n in zip(uids, rows.octets, strict=True) if n > limit]
        case Smaller(limit):
            return [u for u, n in zip(uids, rows.octets, strict=True) if n < limit]
        case ModSeq(least):
            return [u for u, m in zip(uids, rows.modseqs, strict=True) if m >= least]
        case InternalDate(when, day):
            return _by_date(when, day, zip(uids, rows.internal_dates, strict=True))
    raise TypeError(f"{key!r} asks for more than a column")


def _by_date(when: When, day: date, dates: Iterable[tuple[int, int]]) -> list[int]:
    """The UIDs of (UID, seconds since 1970) pairs within a day of UTC, or beside it."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    end = start + int(timedelta(days=1).total_seconds())
    if when is When.BEFORE:
        return [uid for uid, at in dates if at < start]
    if when is When.SINCE:
        return [uid for uid, at in dates if at >= start]
    return [uid for uid, at in dates if start <= at < end]


def _header(part: Part) -> tuple[int, int]:
    start, count = part.header
    return start, min(count, MOST_HEADER)


def _batches(ranges: Sequence[Range]) -> Iterator[list[Range]]:
    """Ranges in lists whose octets are at most about _BATCH."""
    batch: list[Range] = []
    octets = 0
    for one in ranges:
        batch.append(one)
        octets += one.count or 0
        if octets >= _BATCH:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def _cut(octets: bytes) -> list[bytes]:
    return [octets[at : at + PIECE] for at in range(0, len(octets), PIECE)] or [b""]
