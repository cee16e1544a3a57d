"""What an mbox file is to become: flags, removals and additions as parts of a rewrite.

Every rewrite leaves each message with its UID, and the first (or UW's pseudo message)
with UIDVALIDITY and the last UID given.  Where the marks of a message are a block of
ours and the new ones fit into it, nothing behind them moves.  Runs in a thread, under
an exclusive lock, on a layout that was just looked at.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping

from attrs import define, evolve, field, frozen

from ...flags import Flags
from ...mime.mbox import Form
from ...mime.mbox_marks import Base, Marks, block, remarked, with_base
from .journal import Part
from .scan import Entry, Layout, head_digest


@frozen
class Addition:
    """A message to append: its From_ line, its header if that is to get marks, and the
    rest as it stands in the file.

    `marks` with the UID."""

    line: bytes
    marks: Marks
    form: Form
    key: str
    octets: int
    rest: Iterable[bytes] = field(repr=False)
    header: bytes = field(default=b"", repr=False)


@define
class Plan:
    """`flags` by UID, of messages that get others; `recent_from` as in the state."""

    descriptor: int
    layout: Layout
    base: Base
    recent_from: int
    flags: Mapping[int, Flags] = field(factory=dict)
    gone: Collection[int] = ()
    added: list[Addition] = field(factory=list)
    in_place: bool = False
    _at: int = 0
    _made: list[Entry] = field(factory=list)
    _run: int | None = None  # where a run of octets that stay together starts

    def parts(self) -> Iterator[Part]:
        """For journal.rewrite; `made` is right once it has taken all of them."""
        in_place = self._in_place()
        if in_place is not None:
            yield from in_place
            return
        entries = [
            e for e in self.layout.entries if e.uid not in self.gone or not e.uid
        ]
        first = _first(entries)
        stop = 0
        for at, entry in enumerate(entries):
            header = self._header(
                entry, at == first, ends=at == len(entries) - 1 and bool(self.added)
            )
            if header is None:
                if self._run is None:
                    self._run = entry.start
                elif stop != entry.start:
                    yield self._run, stop
                    self._run = entry.start
                self._keep(entry)
            else:
                if self._run is not None:
                    yield self._run, stop
                    self._run = None
                yield from self._mark(entry, *header)
            stop = entry.stop
        if self._run is not None:
            yield self._run, stop
        if self.added and entries:
            yield from self._separated(entries[-1])
        for at, addition in enumerate(self.added):
            yield from self._add(addition, not at and first is None)

    @property
    def made(self) -> Layout:
        """The file as it is after the rewrite."""
        if self.in_place:
            return evolve(self.layout, entries=self._made)
        return Layout.of(self._made, self._at)

    # -- marks --------------------------------------------------------------------

    def _header(
        self, entry: Entry, first: bool, *, ends: bool = False
    ) -> tuple[bytes, bytes, Marks] | None:
        """(From_ line, header, marks) if they are to be others."""
        marks = entry.marks
        if marks.pseudo:
            if marks.base == self.base:
                return None
            line, header = self._head(entry)
            return line, with_base(header, self.base), evolve(marks, base=self.base)
        flags = self.flags.get(entry.uid, marks.flags)
        form = marks.form
        if ends and _last(self.descriptor, entry) != b"\n":
            form = evolve(entry.form, open=True)  # the line end to come is ours
        wanted = Marks(flags, marks.old, entry.uid, self.base if first else None, form)
        if wanted == marks:
            return None
        wanted = evolve(wanted, old=marks.old or entry.uid < self.recent_from)
        line, header = self._head(entry)
        return line, remarked(header, wanted), wanted

    def _head(self, entry: Entry) -> tuple[bytes, bytes]:
        count = entry.body - entry.start
        octets = os.pread(self.descriptor, count, entry.start)
        return octets[: entry.text - entry.start], octets[entry.text - entry.start :]

    # -- in place -----------------------------------------------------------------

    def _in_place(self) -> list[Part] | None:
        """Few parts, if nothing moves; None if it does, or may."""
        layout = self.layout
        if self.gone or self.added or not layout.stamped:
            return None
        touched = {layout.places[uid] for uid in self.flags if uid in layout.places}
        first = _first(layout.entries)
        figures = 0 if layout.entries and layout.entries[0].marks.pseudo else first
        if figures is not None:
            touched.add(figures)
        parts: list[Part] = []
        made = layout.entries[:]
        at = 0
        for place in sorted(touched):
            entry = layout.entries[place]
            found = self._header(entry, place == first)
            if found is None:
                continue
            line, header, marks = found
            if len(header) != entry.body - entry.text:
                return None
            parts += [(at, entry.text), header]
            at = entry.body
            made[place] = evolve(entry, marks=marks, head=head_digest(line + header))
        parts.append((at, layout.size))
        self._made, self.in_place = made, True
        return parts

    # -- parts --------------------------------------------------------------------

    def _keep(self, entry: Entry) -> None:
        by = self._at - entry.start
        self._made.append(entry.moved(by) if by else entry)
        self._at += entry.stop - entry.start

    def _mark(
        self, entry: Entry, line: bytes, header: bytes, marks: Marks
    ) -> Iterator[Part]:
        yield line + header
        yield entry.body, entry.stop
        start, text = self._at, self._at + len(line)
        body = text + len(header)
        self._at = body + entry.stop - entry.body
        self._made.append(
            Entry(
                start,
                text,
                body,
                self._at,
                marks,
                marks.form or entry.form,
                entry.key,
                entry.octets,
                head_digest(line + header),
                entry.uid,
            )
        )

    def _separated(self, last: Entry) -> Iterator[Part]:
        """An empty line behind a message of a program that wrote none."""
        end = os.pread(self.descriptor, 3, max(last.text, last.stop - 3))
        more = b""
        if not end.endswith((b"\n\n", b"\n\r\n")):
            more = b"\n" if end.endswith(b"\n") else b"\n\n"
        if more:
            yield more
            self._at += len(more)
            self._made[-1] = evolve(self._made[-1], stop=self._at)

    def _add(self, addition: Addition, first: bool) -> Iterator[Part]:
        marks = evolve(addition.marks, base=self.base if first else None)
        header = block(marks)
        if addition.header:
            header = remarked(addition.header, marks)
        start, text = self._at, self._at + len(addition.line)
        body = stop = text + len(header)
        yield addition.line + header
        for octets in addition.rest:
            yield octets
            stop += len(octets)
        self._at = stop
        self._made.append(
            Entry(
                start,
                text,
                body,
                stop,
                marks,
                marks.form or addition.form,
                addition.key,
                addition.octets,
                head_digest(addition.line + header),
                marks.uid or 0,
            )
        )


def _first(entries: list[Entry]) -> int | None:
    """Which message has the figures of the file; None if that is UW's, or none."""
    if not entries or entries[0].marks.pseudo:
        return None
    return 0


def _last(descriptor: int, entry: Entry) -> bytes:
    return os.pread(descriptor, 1, entry.stop - 1) if entry.stop > entry.text else b"\n"
