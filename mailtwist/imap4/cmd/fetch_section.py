"""BODY[section]<partial> and RFC822*: which octets of a message they are (§6.4.5)."""

from __future__ import annotations

import re

from attrs import field, frozen

from ...mime.header import select
from ...mime.index import KEPT_FIELDS
from ...mime.parse import MOST_HEADER
from ...mime.part import Part
from ..response import binary_label, body_label
from ..types import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchRfc822,
    FetchRfc822Header,
    FetchRfc822Text,
    Partial,
    Section,
    SectionText,
)

BodyAttribute = (
    FetchBody
    | FetchBinary
    | FetchBinarySize
    | FetchRfc822
    | FetchRfc822Header
    | FetchRfc822Text
)
_FIELDS = (SectionText.FIELDS, SectionText.FIELDS_NOT)


@frozen
class Wanted:
    """A body attribute made ready for many messages.

    `whole`: the message itself, so that its parts are not needed.  `chooses_fields`:
    HEADER.FIELDS or HEADER.FIELDS.NOT.  `kept`: the fields asked for are all in
    Column.FIELDS.  `binary`: without transfer encoding; `size`: only how many octets.
    """

    label: bytes
    section: Section
    partial: Partial | None
    sets_seen: bool
    binary: bool = False
    size: bool = False
    names: frozenset[bytes] = field(init=False)  # of fields, in lower case
    whole: bool = field(init=False)
    chooses_fields: bool = field(init=False)
    kept: bool = field(init=False)
    _pattern: re.Pattern[bytes] = field(init=False)

    @names.default
    def _names(self) -> frozenset[bytes]:
        return frozenset(name.lower() for name in self.section.fields)

    @whole.default
    def _whole(self) -> bool:
        return not self.section.part and self.section.text is SectionText.ALL

    @chooses_fields.default
    def _chooses_fields(self) -> bool:
        return self.section.text in _FIELDS

    @kept.default
    def _kept(self) -> bool:
        fields = self.section.text is SectionText.FIELDS and not self.section.part
        return fields and self.names <= KEPT_FIELDS

    @_pattern.default
    def _make_pattern(self) -> re.Pattern[bytes]:
        names = b"|".join(map(re.escape, sorted(self.names))) or b"(?!)"
        # A line end in front is found much faster than the beginning of any line.
        return re.compile(
            rb"\n((?:%b)[ \t]*:[^\n]*+(?:\n[ \t][^\n]*+)*+)" % names, re.I
        )

    def of_kept(self, fields: bytes) -> bytes:
        """As `of_header`, of Column.FIELDS, in which each field ends its line."""
        found = self._pattern.findall(b"\n" + fields)
        return self.cut(b"\n".join(found) + b"\n\r\n" if found else b"\r\n")

    def of_header(self, header: bytes) -> bytes:
        """HEADER.FIELDS or HEADER.FIELDS.NOT of a header, cut as asked."""
        inverted = self.section.text is SectionText.FIELDS_NOT
        return self.cut(select(header, self.names, inverted=inverted))

    def cut(self, octets: bytes) -> bytes:
        """As many octets as were asked for."""
        if self.partial is None:
            return octets
        start = self.partial.start
        return octets[start : start + self.partial.count]

    def range_in(
        self, root: Part | None, size: int, *, whole: bool = False
    ) -> tuple[int, int] | None:
        """(start, count) of the octets to read, with `whole` of all of the part; None
        if there is no such part.

        `size` counts the octets of the message; `root` is needed unless `whole`.
        Fields are chosen from the first MOST_HEADER octets of a header.
        """
        found = (0, size) if self.whole else self._place(root)
        if found is not None and self.chooses_fields:
            return found[0], min(found[1], MOST_HEADER)
        if found is None or self.partial is None or whole:
            return found
        start, count = found
        skipped = min(self.partial.start, count)
        return start + skipped, min(self.partial.count, count - skipped)

    def _place(self, root: Part | None) -> tuple[int, int] | None:
        if root is None:
            return None
        text, part = self.section.text, root
        if self.section.part:
            found = root.section(self.section.part)
            if found is None:
                return None
            if text is SectionText.ALL:
                return found.body
            if text is SectionText.MIME:
                return found.header
            if not found.encapsulates:
                return None
            part = found.children[0]
        return part.body if text is SectionText.TEXT else part.header


def without_nul(octets: bytes) -> bytes:
    """NUL cannot be in a literal (§4.3.1, CHAR8); as many octets are."""
    return octets.replace(b"\0", b"\x80") if b"\0" in octets else octets


def wanted(attribute: BodyAttribute) -> Wanted:
    match attribute:
        case FetchBinary(part, peek, partial):
            label = binary_label(attribute)
            return Wanted(label, Section(part), partial, not peek, binary=True)
        case FetchBinarySize(part):
            label = binary_label(attribute)
            return Wanted(label, Section(part), None, False, binary=True, size=True)
        case FetchBody(section, peek, partial):
            return Wanted(body_label(attribute), section, partial, not peek)
        case FetchRfc822():
            return Wanted(b"RFC822", Section(), None, True)
        case FetchRfc822Header():
            header = Section(text=SectionText.HEADER)
            return Wanted(b"RFC822.HEADER", header, None, False)
        case FetchRfc822Text():
            return Wanted(b"RFC822.TEXT", Section(text=SectionText.TEXT), None, True)
