"""BODY[section]<partial> and RFC822*: which octets of a message they are (§6.4.5)."""

from __future__ import annotations

from attrs import frozen

from ...mime.header import select
from ...mime.index import KEPT_FIELDS
from ...mime.part import Part
from ..response import body_label
from ..types import (
    FetchBody,
    FetchRfc822,
    FetchRfc822Header,
    FetchRfc822Text,
    Partial,
    Section,
    SectionText,
)

BodyAttribute = FetchBody | FetchRfc822 | FetchRfc822Header | FetchRfc822Text
_FIELDS = (SectionText.FIELDS, SectionText.FIELDS_NOT)


@frozen
class Wanted:
    """A body attribute made ready for many messages.

    `kept`: the header fields asked for are all in Column.FIELDS.  `whole`: the message
    itself, so that its parts are not needed.
    """

    label: bytes
    section: Section
    partial: Partial | None
    sets_seen: bool
    names: frozenset[bytes]

    @property
    def kept(self) -> bool:
        return (
            self.section.text is SectionText.FIELDS
            and not self.section.part
            and self.names <= KEPT_FIELDS
        )

    @property
    def whole(self) -> bool:
        return not self.section.part and self.section.text is SectionText.ALL

    @property
    def chooses_fields(self) -> bool:
        return self.section.text in _FIELDS

    def chosen(self, header: bytes) -> bytes:
        """HEADER.FIELDS or HEADER.FIELDS.NOT of a header, with partial."""
        inverted = self.section.text is SectionText.FIELDS_NOT
        octets = select(header, self.names, inverted=inverted)
        if self.partial is not None:
            start = self.partial.start
            octets = octets[start : start + self.partial.count]
        return octets

    def range_in(self, root: Part | None, size: int) -> tuple[int, int] | None:
        """(start, count) of the octets to read; None if there is no such part."""
        found = (0, size) if self.whole else self._place(root)
        if found is None or self.partial is None or self.chooses_fields:
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
        case FetchBody():
            section = attribute.section
            return Wanted(
                body_label(attribute),
                section,
                attribute.partial,
                not attribute.peek,
                frozenset(name.lower() for name in section.fields),
            )
        case FetchRfc822():
            return Wanted(b"RFC822", Section(), None, True, frozenset())
        case FetchRfc822Header():
            section = Section(text=SectionText.HEADER)
            return Wanted(b"RFC822.HEADER", section, None, False, frozenset())
        case FetchRfc822Text():
            section = Section(text=SectionText.TEXT)
            return Wanted(b"RFC822.TEXT", section, None, True, frozenset())
