"""The columns of a FETCH: what rows and index answer, without a message file.

An answer of 100,000 lines is made of columns: one list of values per attribute, one
format for all lines, joined once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from attrs import field, frozen

from ...errors import MailError
from ...flags import Flags
from ...mailbox.identifiers import object_id
from ...mailbox.interfaces import IMailbox
from ...mailbox.model import NO_PREVIEW, Column, MessageRows
from ...mailbox.shown import Shown
from ..grammar.date import encode_date_time
from ..response import flag_list, literal, string
from ..selected import Selected
from ..session import Session
from ..types import (
    FetchAttribute,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchEnvelope,
    FetchFlags,
    FetchInternalDate,
    FetchModSeq,
    FetchRfc822,
    FetchRfc822Header,
    FetchRfc822Text,
    FetchSize,
    FetchStructure,
    FetchUid,
)
from ..types_kept import FetchEmailId, FetchPreview, FetchSaveDate, FetchThreadId
from .fetch_section import Wanted, wanted, without_nul

# Items that are a column of the index or of the state by themselves.
_COLUMNS: dict[type[FetchAttribute], Column] = {
    FetchEnvelope: Column.ENVELOPE,
    FetchEmailId: Column.EMAIL_ID,
    FetchThreadId: Column.THREAD_ID,
    FetchSaveDate: Column.SAVED_AT,
}


PLANS = 32  # kept, as clients ask for the same attributes again and again


@frozen
class Plan:
    """What one FETCH needs: columns of rows and index, and octets of messages.

    `sets_seen`: the messages are read, in the sense of \\Seen.  `reads`: rows and index
    do not suffice.  `messages`: the octets that are read are whole messages.  `sizes`:
    the size that the client is shown must be known beforehand.
    """

    attributes: tuple[FetchAttribute, ...]
    columns: tuple[Column, ...]
    bodies: dict[FetchAttribute, Wanted]
    sets_seen: bool = field(init=False)
    reads: bool = field(init=False)
    messages: bool = field(init=False)
    sizes: bool = field(init=False)

    @classmethod
    @lru_cache(maxsize=PLANS)
    def of(cls, attributes: tuple[FetchAttribute, ...]) -> Plan:
        columns: dict[Column, None] = {}
        bodies: dict[FetchAttribute, Wanted] = {}
        for attribute in attributes:
            match attribute:
                case FetchStructure():
                    columns[_structure(attribute)] = None
                case (
                    FetchBody()
                    | FetchBinary()
                    | FetchBinarySize()
                    | FetchRfc822()
                    | FetchRfc822Header()
                    | FetchRfc822Text()
                ):
                    body = bodies[attribute] = wanted(attribute)
                    if body.kept:
                        columns[Column.FIELDS] = None
                    elif not body.whole:
                        columns[Column.PARTS] = None
                case FetchPreview():
                    columns[_preview(attribute)] = None
                case _ if type(attribute) in _COLUMNS:
                    columns[_COLUMNS[type(attribute)]] = None
        return cls(attributes, tuple(columns), bodies)

    @sets_seen.default
    def _sets_seen(self) -> bool:
        return any(body.sets_seen for body in self.bodies.values())

    @reads.default
    def _reads(self) -> bool:
        return any(not body.kept for body in self.bodies.values()) or self.sets_seen

    @messages.default
    def _messages(self) -> bool:
        return all(
            body.whole and not body.partial and not body.size
            for body in self.bodies.values()
        )

    @sizes.default
    def _sizes(self) -> bool:
        return self.has(FetchSize) or (self.reads and not self.messages)

    def has(self, kind: type[FetchAttribute]) -> bool:
        return any(isinstance(attribute, kind) for attribute in self.attributes)


def _structure(attribute: FetchStructure) -> Column:
    return Column.BODYSTRUCTURE if attribute.extensible else Column.BODY


def _preview(attribute: FetchPreview) -> Column:
    return Column.LAZY_PREVIEW if attribute.lazy else Column.PREVIEW


def cut(rows: MessageRows, start: int, stop: int) -> MessageRows:
    return MessageRows(
        rows.uids[start:stop],
        rows.modseqs[start:stop],
        rows.flags[start:stop],
        rows.octets[start:stop],
        rows.internal_dates[start:stop],
    )


def picked(rows: MessageRows, places: Sequence[int]) -> MessageRows:
    return MessageRows(
        [rows.uids[at] for at in places],
        [rows.modseqs[at] for at in places],
        [rows.flags[at] for at in places],
        [rows.octets[at] for at in places],
        [rows.internal_dates[at] for at in places],
    )


def backwards(rows: MessageRows) -> MessageRows:
    """To be told from the highest UID down."""
    return picked(rows, range(len(rows) - 1, -1, -1))


@frozen
class Chunk:
    """Rows with their message numbers (UIDs where no numbers are used) and their tuples
    of rendered columns."""

    numbers: Sequence[int]
    rows: MessageRows
    rendered: Sequence[tuple[bytes, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def picked(self, places: Sequence[int]) -> Chunk:
        """The messages at these places of the chunk."""
        return Chunk(
            [self.numbers[at] for at in places],
            picked(self.rows, places),
            [self.rendered[at] for at in places],
        )


# -- a column for each attribute --------------------------------------------------


class View:
    """One FETCH under way: rows in, columns and lines out.

    `downwards`: messages are told from the highest UID down.
    """

    downwards = False

    def __init__(
        self, session: Session, mailbox: IMailbox, selected: Selected, plan: Plan
    ) -> None:
        self.session, self.mailbox, self.selected = session, mailbox, selected
        self.plan = plan
        self.fault: MailError | None = None  # of a message that was left out
        self.shown = Shown(mailbox, utf8=session.engine.utf8)
        self._flags = _Cache(lambda flags: flag_list(flags))
        self._recent = _Cache(lambda flags: flag_list(flags, recent=True))
        self._dates = _Dates()

    @property
    def word(self) -> bytes:
        """What stands behind the number of a message, or its UID (RFC 9586)."""
        return b"UIDFETCH" if self.selected.uid_only else b"FETCH"

    async def chunk(self, rows: MessageRows) -> Chunk:
        """The rows with numbers and rendered columns; those gone are left out."""
        numbers = self._numbers(rows.uids)
        found = await self.shown.rendered(
            rows.uids, self.plan.columns, sizes=self.plan.sizes
        )
        rows = self.shown.sized(rows)
        if None in numbers or None in found:
            places = [
                at
                for at, number in enumerate(numbers)
                if number is not None and found[at] is not None
            ]
            rows = picked(rows, places)
            numbers = [numbers[at] for at in places]
            found = [found[at] for at in places]
        return Chunk(
            [number for number in numbers if number is not None],
            rows,
            [one for one in found if one is not None],
        )

    def _numbers(self, uids: list[int]) -> Sequence[int | None]:
        if not uids:
            return ()
        if self.selected.uid_only:
            return uids
        view = self.selected.uids
        first = bisect_left(view, uids[0])
        if view[first : first + len(uids)] == uids:
            return range(first + 1, first + 1 + len(uids))
        return [self.selected.number_of(uid) for uid in uids]

    def flags_told(self, rows: MessageRows, *, asked: bool) -> None:
        """The client gets the flags of these rows, if it asked for them."""
        if not asked or not len(rows):
            return
        self.session.tell_keywords(rows.flags)
        newest = max(rows.modseqs)
        if self.selected.waits() or newest > self.selected.highest_modseq:
            self.selected.told(rows)

    def lines(self, chunk: Chunk) -> Iterable[bytes]:
        """A FETCH response for each row, if no octets of messages are needed."""
        columns = [self.column(one, chunk) for one in self.plan.attributes]
        formats = [column[0] for column in columns]
        values = [column[1] for column in columns]
        template = b"* %%d %b (%b)\r\n" % (self.word, b" ".join(formats))
        lines = map(template.__mod__, zip(chunk.numbers, *values, strict=True))
        return reversed(list(lines)) if self.downwards else lines

    def column(
        self, attribute: FetchAttribute, chunk: Chunk
    ) -> tuple[bytes, Sequence[object]]:
        """A format for one data item, and its values."""
        rows = chunk.rows
        match attribute:
            case FetchUid():
                return b"UID %d", rows.uids
            case FetchFlags():
                return b"FLAGS %b", self._flag_lists(rows)
            case FetchInternalDate():
                return b'INTERNALDATE "%b"', self._dates.of(rows.internal_dates)
            case FetchSize():
                return b"RFC822.SIZE %d", rows.octets
            case FetchModSeq():
                return b"MODSEQ (%d)", rows.modseqs
            case FetchEnvelope():
                return b"ENVELOPE %b", self._rendered(chunk, Column.ENVELOPE)
            case FetchStructure(extensible):
                name = b"BODYSTRUCTURE %b" if extensible else b"BODY %b"
                return name, self._rendered(chunk, _structure(attribute))
            case FetchEmailId():
                return b"EMAILID %b", self._object_ids(chunk, Column.EMAIL_ID)
            case FetchThreadId():
                return b"THREADID %b", self._object_ids(chunk, Column.THREAD_ID)
            case FetchPreview():
                texts = self._rendered(chunk, _preview(attribute))
                utf8 = self.session.engine.utf8
                return b"PREVIEW %b", [
                    b"NIL" if text == NO_PREVIEW else string(text, utf8=utf8)
                    for text in texts
                ]
            case FetchSaveDate():
                return b"SAVEDATE %b", self._save_dates(chunk)
            case _:
                body = self.plan.bodies[attribute]
                fields = self._rendered(chunk, Column.FIELDS)
                kept = list(map(body.of_kept, fields))
                if any(b"\0" in one for one in kept):
                    kept = list(map(without_nul, kept))
                # No kept name has a "%".
                return body.label + b" %b", list(map(literal, kept))

    def _rendered(self, chunk: Chunk, column: Column) -> list[bytes]:
        at = self.plan.columns.index(column)
        return [one[at] for one in chunk.rendered]

    def _object_ids(self, chunk: Chunk, column: Column) -> list[bytes]:
        """NIL where the store knows none (RFC 8474 §5.3)."""
        told = [object_id(column, value) for value in self._rendered(chunk, column)]
        return [b"(%b)" % one if one else b"NIL" for one in told]

    def _save_dates(self, chunk: Chunk) -> list[bytes]:
        """NIL where the store knows none (RFC 8514 §4.2)."""
        saved = self._rendered(chunk, Column.SAVED_AT)
        dates = self._dates.of([int(at or 0) for at in saved])
        pairs = zip(saved, dates, strict=True)
        return [b'"%b"' % date if at else b"NIL" for at, date in pairs]

    def _flag_lists(self, rows: MessageRows) -> list[bytes]:
        told = list(map(self._flags.__getitem__, rows.flags))
        for low, high in self.selected.recent_ranges:
            start, stop = bisect_left(rows.uids, low), bisect_right(rows.uids, high)
            told[start:stop] = map(self._recent.__getitem__, rows.flags[start:stop])
        return told


class _Cache(dict[Flags, bytes]):
    """Flags to their list: messages share few sets of flags."""

    def __init__(self, make: Callable[[Flags], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, flags: Flags) -> bytes:
        made = self[flags] = self._make(flags)
        return made


class _Dates:
    """date-time without quotes, in UTC; a day is rendered once."""

    def __init__(self) -> None:
        self._days: dict[int, bytes] = {}

    def of(self, seconds: Sequence[int]) -> list[bytes]:
        return [self._one(one) for one in seconds]

    def _one(self, seconds: int) -> bytes:
        days, rest = divmod(seconds, 86400)
        day = self._days.get(days)
        if day is None:
            day = self._days[days] = encode_date_time(days * 86400)[1:13]
        minutes, second = divmod(rest, 60)
        return b"%b%02d:%02d:%02d +0000" % (day, minutes // 60, minutes % 60, second)
