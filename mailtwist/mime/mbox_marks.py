"""What mbox programs note of a message among its header fields.

    marks_in(header) -> Marks     flags, UID, UIDVALIDITY, form
    block(marks) -> bytes         the same as lines for the top of the header

Status has R (seen) and O (old, told to somebody before); X-Status A, F, T, D (answered,
flagged, draft, deleted); X-Keywords names between spaces; X-UID the UID; X-IMAPbase, in
the first message only, UIDVALIDITY, the last UID given and all keywords (UW IMAP and
Dovecot read and write them alike).  UW's X-IMAP is the same in a message that is none:
a pseudo message, which holds the figures of the file.

A block ends in spaces, so that most changes of flags fit into its place.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from ..flags import ANSWERED, DELETED, DRAFT, FLAGGED, NONE, SEEN, SYSTEM, Flags
from .mbox import PLAIN, Form, without_marks

MOST_UID = 0xFFFFFFFF
BLOCK_OCTETS = 64  # a block is a multiple of this
SPARE_OCTETS = 8  # of its spaces at least, when it is made

_STATUS = {"R": SEEN}
_X_STATUS = {"A": ANSWERED, "F": FLAGGED, "T": DRAFT, "D": DELETED}
_FIELD = re.compile(
    rb"^(Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|X-Mbox-Form)"
    rb"[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n",
    re.I | re.M,
)
_BASE = re.compile(rb"(\d{1,10})[ \t]+(\d{1,10})(?:[ \t]+(.*))?\Z", re.S)
_X_IMAP = re.compile(rb"^(X-IMAP[ \t]*:)[^\r\n]*", re.I | re.M)
_KEYWORD = re.compile(r"[^\x00-\x20\x7f(){%*\"\\\]]+\Z")


@frozen
class Base:
    """Figures of the whole file."""

    uid_validity: int
    last_uid: int
    keywords: tuple[str, ...] = ()


@frozen
class Marks:
    """`flags` with keywords; `old`: somebody was told of it; `base` if it is the first
    message; `form` None where none is said; `pseudo` for UW's message that is none."""

    flags: Flags = NONE
    old: bool = False
    uid: int | None = None
    base: Base | None = None
    form: Form | None = None
    pseudo: bool = field(default=False, kw_only=True)


def marks_in(header: bytes) -> Marks:
    """What header lines of the file say; what cannot be meant counts as not said."""
    flags: set[str] = set()
    old = pseudo = False
    uid, base, form = None, None, None
    for name, value in _FIELD.findall(header):
        match name.lower():
            case b"status":
                flags |= _letters(value, _STATUS)
                old = old or b"O" in value
            case b"x-status":
                flags |= _letters(value, _X_STATUS)
            case b"x-keywords":
                flags.update(_keywords(value))
            case b"x-uid":
                uid = _uid(value) or uid
            case b"x-mbox-form":
                form = Form.parse(value)
            case _:
                base = _base(value) or base
                pseudo = pseudo or (name.lower() == b"x-imap" and base is not None)
    return Marks(frozenset(flags), old, uid, base, form, pseudo=pseudo)


def _letters(value: bytes, known: dict[str, str]) -> set[str]:
    return {flag for letter, flag in known.items() if letter.encode() in value}


def _keywords(value: bytes) -> list[str]:
    words = value.decode("utf-8", "replace").split()
    return [word for word in words if _KEYWORD.match(word) and "\ufffd" not in word]


def _uid(value: bytes) -> int | None:
    uid = int(value) if value.isdigit() and len(value) <= 10 else 0
    return uid if 0 < uid <= MOST_UID else None


def _base(value: bytes) -> Base | None:
    found = _BASE.match(value)
    if found is None:
        return None
    validity, last = int(found[1]), int(found[2])
    if not 0 < validity <= MOST_UID or last > MOST_UID:
        return None
    return Base(validity, last, tuple(_keywords(found[3] or b"")))


def block(marks: Marks, octets: int = 0) -> bytes:
    """Lines for the top of a header, `octets` long if they fit, with LF line ends."""
    words = sorted(flag for flag in marks.flags if flag not in SYSTEM)
    lines = []
    if marks.base is not None:
        lines.append(f"X-IMAPbase: {_figures(marks.base)}")
    if marks.uid is not None:
        lines.append(f"X-UID: {marks.uid:010d}")
    status = "R" * (SEEN in marks.flags) + "O" * marks.old
    lines.append(f"Status: {status}")
    letters = [letter for letter, flag in _X_STATUS.items() if flag in marks.flags]
    lines.append(f"X-Status: {''.join(letters)}")
    if marks.form is not None and marks.form != PLAIN:
        lines.append(f"X-Mbox-Form: {marks.form.format().decode()}")
    lines.append(f"X-Keywords: {' '.join(words)}")
    text = "\n".join(lines).encode()
    whole = len(text) + 1
    if whole > octets:
        octets = -(-(whole + SPARE_OCTETS) // BLOCK_OCTETS) * BLOCK_OCTETS
    return text + b" " * (octets - whole) + b"\n"


def with_base(header: bytes, base: Base) -> bytes:
    """The header of UW's pseudo message with these figures."""
    return _X_IMAP.sub(lambda found: found[1] + b" " + _figures(base).encode(), header)


def _figures(base: Base) -> str:
    keywords = "".join(f" {word}" for word in base.keywords)
    return f"{base.uid_validity:010d} {base.last_uid:010d}{keywords}"


def remarked(header: bytes, marks: Marks) -> bytes:
    """A header with these marks instead of those it has, as long as it was if they fit
    where a block of ours stands."""
    rest = without_marks(header)
    place = len(header) - len(rest)
    if header[place:] != rest:  # another program's marks stand elsewhere
        place = 0
    return block(marks, place) + rest
