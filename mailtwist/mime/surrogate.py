"""What clients without UTF-8 get of a message with UTF-8 in headers (RFC 6855 §7).

A surrogate is the message with those fields exchanged (`ascii_header`), in its own
header, in those of its parts and of messages within it.  It is never made as a whole:
kept are the fields and where they go, so that any range of its octets can be read from
the message, and the columns that FETCH answers from.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from attrs import evolve, frozen

from ..errors import BadMessage
from ..mailbox.model import Column
from .ascii_header import ascii_fields
from .header import fields, joined, table
from .parse import MOST_HEADER, with_header
from .part import Part
from .slices import Buffer, Sliced
from .structure import Writer, envelope_of

COLUMNS = (
    Column.ENVELOPE,
    Column.BODY,
    Column.BODYSTRUCTURE,
    Column.FIELDS,
    Column.PARTS,
)


@frozen
class Edit:
    """Octets `start` to `stop` of the message are `text` in the surrogate."""

    start: int
    stop: int
    text: bytes


class Edits:
    """Edits in order; what is where in the message and in the surrogate."""

    def __init__(self, edits: tuple[Edit, ...] = ()) -> None:
        self.edits = edits
        self._starts = [edit.start for edit in edits]
        self._grown = [0]  # octets, by the edits before the n-th
        for edit in edits:
            growth = len(edit.text) - (edit.stop - edit.start)
            self._grown.append(self._grown[-1] + growth)
        # where the text of each edit begins in the surrogate
        self._opens = [
            start + grown
            for start, grown in zip(self._starts, self._grown, strict=False)
        ]

    @property
    def growth(self) -> int:
        """Octets that the surrogate has more than the message."""
        return self._grown[-1]

    def range(self, place: tuple[int, int]) -> tuple[int, int]:
        """Where a range (start, count) of the message is; it cuts no edit."""
        start, count = place
        first = start + self._grown[bisect_left(self._starts, start)]
        last = start + count + self._grown[bisect_left(self._starts, start + count)]
        return first, last - first

    def among(self, start: int, stop: int) -> tuple[Edit, ...]:
        """The edits from `start` to `stop` in the message."""
        first = bisect_left(self._starts, start)
        return self.edits[first : bisect_left(self._starts, stop, first)]

    def pieces(self, start: int, count: int) -> Iterator[bytes | tuple[int, int]]:
        """`count` octets of the surrogate from `start`: as they are, or as a range
        (start, count) of the message."""
        stop = start + count
        n = max(bisect_right(self._opens, start) - 1, 0)
        while start < stop:
            opens = self._opens[n] if n < len(self.edits) else stop
            if start < opens:  # in front of the n-th edit
                end = min(opens, stop)
                yield start - self._grown[n], end - start
                start = end
            if start < stop and n < len(self.edits):
                text = self.edits[n].text
                part = text[start - opens : stop - opens]
                if part:
                    yield part
                    start += len(part)
            n += 1


@frozen
class Surrogate:
    """What is kept: the edits and the columns in place of the message's own."""

    edits: Edits
    columns: dict[Column, bytes]

    def encode(self) -> bytes:
        """As octets for the cache."""
        numbers: list[int] = [len(self.edits.edits)]
        texts: list[bytes] = []
        for edit in self.edits.edits:
            numbers += [edit.start, edit.stop, len(edit.text)]
            texts.append(edit.text)
        for column in COLUMNS:
            numbers.append(len(self.columns[column]))
            texts.append(self.columns[column])
        head = " ".join(map(str, numbers)).encode()
        return b"".join([head, b"\n", *texts])

    @staticmethod
    def decode(octets: bytes) -> Surrogate:
        """What `encode` gave; raises BadMessage for anything else."""
        try:
            head, _, rest = octets.partition(b"\n")
            count, *numbers = map(int, head.split())
            edits = []
            for start, stop, length in zip(
                *[iter(numbers[: 3 * count])] * 3, strict=True
            ):
                edits.append(Edit(start, stop, rest[:length]))
                rest = rest[length:]
            columns = {}
            for column, length in zip(COLUMNS, numbers[3 * count :], strict=True):
                columns[column] = rest[:length]
                rest = rest[length:]
        except ValueError as bad:
            raise BadMessage("The cached surrogate is damaged") from bad
        return Surrogate(Edits(tuple(edits)), columns)


def surrogate(
    root: Part, buffer: Buffer, kept: frozenset[bytes]
) -> Sliced[Surrogate | None]:
    """The surrogate of a message; None if all its headers are ASCII.

    `kept` are the names of the fields in Column.FIELDS.
    """
    headers = {
        place: octets
        for place in _headers(root)
        if not (octets := _header(buffer, place)).isascii()
    }
    if not headers:
        return None
    yield
    edits = Edits(
        tuple(
            Edit(place[0] + start, place[0] + stop, text)
            for place, octets in headers.items()
            for start, stop, text in ascii_fields(octets)
        )
    )
    writer = _Writer(buffer, edits)
    yield from writer.count(root)
    shown = writer.recast(root)
    found = fields(writer.header(shown))
    body, bodystructure = writer.lists_of(shown)
    return Surrogate(
        edits,
        {
            Column.ENVELOPE: envelope_of(table(found)),
            Column.BODY: body,
            Column.BODYSTRUCTURE: bodystructure,
            Column.FIELDS: joined([raw for name, raw in found if name.lower() in kept]),
            Column.PARTS: shown.encode(),
        },
    )


def _headers(part: Part) -> Iterator[tuple[int, int]]:
    """The places of all headers, ascending."""
    if part.header[1]:
        yield part.header
    for child in part.children:
        yield from _headers(child)


def _header(buffer: Buffer, place: tuple[int, int]) -> bytes:
    start, count = place
    return buffer[start : start + min(count, MOST_HEADER)]


class _Writer(Writer):
    """Renders the parts of the surrogate."""

    def __init__(self, buffer: Buffer, edits: Edits) -> None:
        super().__init__(buffer)
        self._edits = edits
        self._real: dict[int, Part] = {}  # by id() of the part in the surrogate

    def recast(self, part: Part) -> Part:
        """The tree of the surrogate."""
        places = self._edits.range(part.header), self._edits.range(part.body)
        children = tuple(map(self.recast, part.children))
        start, count = part.header
        if self._edits.among(start, start + count):
            made = with_header(part, self._edited(part), places, children)
        else:
            made = evolve(part, header=places[0], body=places[1], children=children)
        self._real[id(made)] = part
        return made

    def _edited(self, part: Part) -> bytes:
        start, count = self._edits.range(part.header)
        return b"".join(
            piece if isinstance(piece, bytes) else _header(self._buffer, piece)
            for piece in self._edits.pieces(start, min(count, MOST_HEADER))
        )

    def header(self, part: Part) -> bytes:
        return self._edited(self._real[id(part)])

    def lines(self, part: Part) -> int:
        real = self._real[id(part)]
        start, count = real.body
        more = sum(
            edit.text.count(b"\n") - self._buffer[edit.start : edit.stop].count(b"\n")
            for edit in self._edits.among(start, start + count)
        )
        return super().lines(real) + more
