"""A message as scripts see it: fields, addresses, parts, and what edits make of it."""

from __future__ import annotations

from ..mime.address_list import addresses
from ..mime.header import fields, unfold
from ..mime.parse import MOST_HEADER, parse
from ..mime.part import Part
from ..mime.slices import Buffer
from ..mime.text import decoded_words
from .actions import Draft, Piece

# The name in lower case, and the raw field; a line that is no field has the name b"".
Field = tuple[bytes, bytes]


def parsed(header: bytes) -> list[Field]:
    return [(name.lower(), raw) for name, raw in fields(header)]


class Header:
    """Fields in order, decoded once."""

    def __init__(self, found: list[Field]) -> None:
        self.fields = found
        self._texts: dict[bytes, list[str]] = {}

    def raw(self, name: bytes) -> list[bytes]:
        """The raw values of a field by its name in lower case."""
        if not name:
            return []
        return [
            raw[raw.find(b":") + 1 :] for other, raw in self.fields if other == name
        ]

    def texts(self, name: bytes) -> list[str]:
        """The same for people: unfolded, encoded words decoded."""
        found = self._texts.get(name)
        if found is None:
            found = [decoded_words(unfold(value)) for value in self.raw(name)]
            self._texts[name] = found
        return found

    def changed(self, found: list[Field]) -> None:
        self.fields = found
        self._texts.clear()


Saved = tuple[
    Buffer, list[Field], dict[int, tuple[int, bytes]], bytes | None, bool, bool
]


class Message:
    """The message that came, and how it would go on now.

    `size` is that of the one that came, whatever was done to it: that of `octets` if
    nothing else is said.
    """

    def __init__(self, octets: Buffer, size: int | None = None) -> None:
        self.octets = octets
        self.size = len(octets) if size is None else size
        self.header = Header(parsed(bytes(octets[:MOST_HEADER])))
        # False for a header that was not seen to its end, and so cannot be edited.
        self.whole_header = len(octets) <= MOST_HEADER or (
            octets.find(b"\r\n\r\n", 0, MOST_HEADER) >= 0
        )
        # Other octets for parts (RFC 5703 §5): their end by where they began, and for
        # the body of the whole.
        self._replaced: dict[int, tuple[int, bytes]] = {}
        self._body: bytes | None = None
        self._edited = self._made = False
        self._root: Part | None = None

    @property
    def root(self) -> Part:
        """The tree of the message, without what was replaced."""
        if self._root is None:
            self._root = parse(self.octets)
        return self._root

    # -- changes --------------------------------------------------------------------

    def saved(self) -> Saved:
        """What `restore` goes back to."""
        return (
            self.octets,
            self.header.fields,
            dict(self._replaced),
            self._body,
            self._edited,
            self._made,
        )

    def restore(self, saved: Saved) -> None:
        if saved[0] is not self.octets:
            self._root = None
        self.octets, found, self._replaced, self._body, self._edited, self._made = saved
        self.header.changed(found)

    def edit(self, found: list[Field]) -> None:
        """These are its fields now; the header must be whole."""
        self.header.changed(found)
        self._edited = True

    def replace(self, part: Part, octets: bytes) -> None:
        """`octets`, header and body, for a part; the whole message keeps its other
        fields."""
        if part is not self.root:
            self._replaced[part.header[0]] = (sum(part.body), octets)
            return
        kept = [
            field
            for field in self.header.fields
            if not field[0].startswith(b"content-") and field[0] != b"mime-version"
        ]
        version = (b"mime-version", b"MIME-Version: 1.0\r\n")
        self.edit([*kept, version, *parsed(octets)])
        self._body = _body(octets)

    def replaced(self, part: Part) -> bool:
        if part is self.root:
            return self._body is not None
        return part.header[0] in self._replaced

    def become(self, octets: bytes) -> None:
        """From here on it is another message."""
        self.octets = octets
        self.header = Header(parsed(octets[:MOST_HEADER]))
        self._replaced, self._body, self._root = {}, None, None
        self._edited, self._made = False, True

    # -- what it is now -------------------------------------------------------------

    def header_of(self, part: Part) -> Header:
        """The header of a part."""
        if part is self.root:
            return self.header
        replaced = self._replaced.get(part.header[0])
        if replaced is not None:
            return Header(parsed(replaced[1]))
        start, count = part.header
        return Header(parsed(self.octets[start : start + min(count, MOST_HEADER)]))

    def body_of(self, part: Part) -> bytes:
        """The body of a part as it stands."""
        if part is self.root and self._body is not None:
            return self._body
        replaced = self._replaced.get(part.header[0])
        if replaced is not None and part is not self.root:
            return _body(replaced[1])
        start, count = part.body
        return bytes(self.octets[start : start + count])

    @property
    def draft(self) -> Draft | None:
        """The message as it is now; None if it is the one that came."""
        if self._made:
            return Draft(tuple(self._bytes(each) for each in self._pieces()))
        if self._edited or self._replaced:
            return Draft(tuple(self._pieces()))
        return None

    def octets_now(self) -> bytes:
        """All of it in one piece."""
        return b"".join(self._bytes(each) for each in self._pieces())

    def _bytes(self, piece: Piece) -> bytes:
        if isinstance(piece, bytes):
            return piece
        return bytes(self.octets[piece[0] : piece[1]])

    def _pieces(self) -> list[Piece]:
        if not (self._edited or self._replaced):
            return [(0, len(self.octets))]
        at = sum(self.root.header)
        pieces: list[Piece] = [(0, at)]
        if self._edited:
            header = b"".join(raw for _, raw in self.header.fields)
            if header and not header.endswith(b"\n"):
                header += b"\r\n"
            pieces = [header + b"\r\n"]
        if self._body is not None:
            return [*pieces, self._body]
        for start, (stop, octets) in sorted(self._replaced.items()):
            if start < at:  # in a part that was replaced as a whole
                continue
            pieces += [(at, start), octets]
            at = stop
        return [*pieces, (at, len(self.octets))]


def _body(entity: bytes) -> bytes:
    if entity.startswith(b"\r\n"):
        return entity[2:]
    return entity.partition(b"\r\n\r\n")[2]


def joined(draft: Draft, octets: Buffer) -> bytes:
    """The octets of a draft."""
    return b"".join(
        each if isinstance(each, bytes) else octets[each[0] : each[1]]
        for each in draft.pieces
    )


def address_parts(values: list[bytes]) -> list[tuple[str, str | None]]:
    """(local part, domain or None) of each address in raw field values."""
    return [
        (
            listed.mailbox.decode("utf-8", "replace"),
            None
            if listed.host == b"MISSING_DOMAIN"
            else listed.host.decode("utf-8", "replace"),
        )
        for listed in addresses(values)
        if listed.mailbox is not None and listed.host is not None
    ]
