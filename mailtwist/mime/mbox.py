"""Mbox files: From_ lines, quoting, and the way of a message into a file and back.

    file    = *(from-line message empty-line)
    survey(pieces) -> Form        how a message has to be written
    encoded(pieces, form)         wire octets, with CRLF, to octets of the file
    Decoder(form).take(piece)     octets of the file to those of the wire
    Starts().take(octets)         where messages of a file begin
    from_line, date_in            the line that starts a message
    mbox_marks                    Status, X-UID and their like in its header

Both directions take *pieces*: octets in order, cut anywhere.  What was encoded decodes
to the same octets, whatever they are: lines are quoted as mboxrd does (one more ">"
before each "From " that starts a line, behind any number of ">"), fields that mbox
programs would take for their own get a prefix, and what LF line ends cannot tell is
noted in a `Form`, the field X-Mbox-Form of the message.

A message without that field was written by another program and shows its ">From " as
it stands: most programs quote as mboxo does, which nobody can undo.  But if a line
begins with ">>From ", it was mboxrd.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from attrs import frozen

FROM = b"From "
MOST_FROM = 1000  # octets of a From_ line; a longer one is text
PIECE_OCTETS = 1 << 20  # that programs read at a time
MBOXRD, MBOXO = "mboxrd", "mboxo"
QUOTINGS = (MBOXRD, MBOXO)

_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
_MONTHS += ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONE = rb"(?:[ ]+(?:[A-Za-z]{1,5}|[+-]\d{4})){0,2}"
_FROM_LINE = re.compile(
    rb"From (?:[^\r\n]*[ \t])?(?:%s)[ ]+(%s)[ ]+(\d{1,2})[ ]+"
    rb"(\d{1,2}):(\d\d)(?::(\d\d))?%s[ ]+(\d{4}|\d\d)%s"
    rb"(?:[ ]+remote from [^\r\n]*)?[ \t]*\r?\n"
    % ("|".join(_DAYS).encode(), "|".join(_MONTHS).encode(), _ZONE, _ZONE),
    re.I,
)
_NOT_IN_SENDER = re.compile(rb"[\x00-\x20\x7f]+")

# Fields that mbox programs write for themselves.
_NAMES = b"Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length"
_NAMES += b"|X-Mbox-Form"
_OWN, _OWN_OR_LINES = rb"(?:%s)" % _NAMES, rb"(?:%s|Lines)" % _NAMES
_HIDDEN = re.compile(
    rb"^%s[ \t]*:[^\n]*\n(?:Lines[ \t]*:[^\n]*\n)?" % _OWN, re.I | re.M
)
_LINES = re.compile(rb"Lines[ \t]*:[^\n]*\n\Z", re.I)
_CONTENT_LENGTH = re.compile(rb"Content-Length", re.I)
_TO_ESCAPE = re.compile(rb"^(?=(?:X-Mbox-)*%s[ \t]*:)" % _OWN_OR_LINES, re.I | re.M)
_ESCAPED = re.compile(
    rb"^X-Mbox-(?=(?:X-Mbox-)*%s[ \t]*:)" % _OWN_OR_LINES, re.I | re.M
)
_HEADER_END = re.compile(rb"^\r?\n", re.M)

_TO_QUOTE = re.compile(rb"^(?=>*From )", re.M)
_TO_QUOTE_ONCE = re.compile(rb"^(?=From )", re.M)
_QUOTED = re.compile(rb"^>(?=>*From )", re.M)
_TWICE = re.compile(rb"^>>+From ", re.M)
_BARE_LF = re.compile(rb"(?<!\r)\n")


# -- the line that starts a message -----------------------------------------------


def from_line(sender: bytes, date: datetime) -> bytes:
    """`From SENDER Tue Nov 24 20:39:43 2026`; local time, by tradition.

    An empty sender is MAILER-DAEMON, white space within one an underscore."""
    name = _NOT_IN_SENDER.sub(b"_", sender) or b"MAILER-DAEMON"
    told = f"{_DAYS[date.weekday()]} {_MONTHS[date.month - 1]} {date.day:2d} "
    told += f"{date.hour:02d}:{date.minute:02d}:{date.second:02d} {date.year:04d}"
    return FROM + name + b" " + told.encode() + b"\n"


def is_from_line(line: bytes) -> bool:
    """True for a whole line, its line end included, that starts a message."""
    return len(line) <= MOST_FROM and _FROM_LINE.fullmatch(line) is not None


def date_in(line: bytes) -> datetime | None:
    """The date of a From_ line, without a zone; None if there is none."""
    found = _FROM_LINE.fullmatch(line)
    if found is None:
        return None
    month = _MONTHS.index(found[1].decode().title()) + 1
    year = int(found[6])
    if len(found[6]) == 2:
        year += 1900 if year >= 70 else 2000
    day, hour, minute, second = (int(found[n] or 0) for n in (2, 3, 4, 5))
    try:
        return datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None


class Starts:
    """Finds From_ lines in the octets of a file, taken in order in any pieces."""

    def __init__(self, at: int = 0) -> None:
        """`at`: where in the file the first piece begins, at the start of a line."""
        self._at, self._held = at, b""
        self._within = False  # what is held begins within a line

    def take(self, octets: bytes) -> list[tuple[int, int]]:
        """(where the line starts, where it ends) of each whole From_ line so far."""
        octets = self._held + octets
        found = []
        end = octets.rfind(b"\n") + 1
        at = (
            0 if octets.startswith(FROM) and not self._within else _next(octets, 0, end)
        )
        while 0 <= at < end:
            stop = octets.find(b"\n", at) + 1
            if is_from_line(octets[at:stop]):
                found.append((self._at + at, self._at + stop))
            at = _next(octets, stop - 1, end)
        self._within = self._within and not end
        if len(octets) - end > MOST_FROM:  # of no From_ line
            self._within, end = True, len(octets)
        self._held = octets[end:]
        self._at += end
        return found


def _next(octets: bytes, start: int, end: int) -> int:
    """Where a line that begins with "From " starts, behind `start`; or -1."""
    at = octets.find(b"\nFrom ", start, end)
    return at if at < 0 else at + 1


# -- how a message has to be written ----------------------------------------------


@frozen
class Form:
    """What the octets in the file do not tell by themselves.

    `quoted`: lines are quoted as mboxrd does.  `verbatim`, and `verbatim_header` with
    the empty line behind it: line ends are as they stand and not all CRLF.  `open`: the
    line end at its end is not the message's.
    """

    quoted: bool = False
    verbatim: bool = False
    open: bool = False
    verbatim_header: bool = False

    @classmethod
    def parse(cls, words: bytes) -> Form:
        """The value of X-Mbox-Form; unknown words say nothing."""
        known = words.lower().split()
        return cls(*[word in known for word in _WORDS])

    def format(self) -> bytes:
        said = self.quoted, self.verbatim, self.open, self.verbatim_header
        return b" ".join(
            [word for word, is_so in zip(_WORDS, said, strict=True) if is_so]
        )


_WORDS = (b"mboxrd", b"verbatim", b"open", b"verbatim-header")
PLAIN = Form()


def survey(pieces: Iterable[bytes], quoting: str = MBOXRD) -> Form:
    """How a message has to be written: a first look at all of it."""
    verbatim = verbatim_header = quoted = False
    in_header, last = True, b""
    for piece in whole_lines(pieces):
        last = piece[-1:]
        if quoting == MBOXRD and not quoted and FROM in piece:
            quoted = _TO_QUOTE.search(piece) is not None
        if in_header:
            head, piece, in_header = _parted(piece)
            verbatim_header = verbatim_header or _is_odd(head)
        verbatim = verbatim or _is_odd(piece)
    return Form(quoted, verbatim, last not in (b"", b"\n"), verbatim_header)


def _is_odd(piece: bytes) -> bool:
    """True if LF for each CRLF would not tell what it was."""
    return piece.count(b"\n") != piece.count(b"\r\n") or b"\r\r\n" in piece


def _parted(piece: bytes) -> tuple[bytes, bytes, bool]:
    """(header lines and the empty one, the rest, true if the header goes on)."""
    end = _HEADER_END.search(piece)
    if end is None:
        return piece, b"", True
    return piece[: end.end()], piece[end.end() :], False


def encoded(
    pieces: Iterable[bytes], form: Form, quoting: str = MBOXRD
) -> Iterator[bytes]:
    """The message as it stands in the file behind its From_ line and its marks, with
    the empty line at its end."""
    to_quote = _TO_QUOTE if quoting == MBOXRD else _TO_QUOTE_ONCE
    in_header = True
    for piece in whole_lines(pieces):
        head = b""
        if in_header:
            head, piece, in_header = _parted(piece)
            head = _TO_ESCAPE.sub(b"X-Mbox-", head)
            if FROM in head:
                head = to_quote.sub(b">", head)
            if not form.verbatim_header:
                head = head.replace(b"\r\n", b"\n")
        if FROM in piece:
            piece = to_quote.sub(b">", piece)
        if not form.verbatim:
            piece = piece.replace(b"\r\n", b"\n")
        yield head + piece
    yield b"\n\n" if form.open else b"\n"


def quoted_once(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A message as it comes back from a file where it is quoted as mboxo does."""
    for piece in whole_lines(pieces):
        yield _TO_QUOTE_ONCE.sub(b">", piece)


def looks_quoted(pieces: Iterable[bytes]) -> bool:
    """True if a message that says nothing of it would be taken for mboxrd."""
    return any(form_in(piece, None).quoted for piece in whole_lines(pieces))


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets, cut only behind line ends."""
    held: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            held.append(piece[:cut])
            yield b"".join(held)
            held = []
        if cut < len(piece):
            held.append(piece[cut:])
    if held:
        yield b"".join(held)


# -- back -------------------------------------------------------------------------


def form_in(stored: bytes, form: Form | None) -> Form:
    """How to read octets of a message, or pieces of it with whole lines.

    `form` is what its marks say; None for a message of another program."""
    if form is not None:
        return form
    return Form(quoted=b">>" in stored and _TWICE.search(stored) is not None)


class Decoder:
    """Octets of the file, behind the From_ line and without the empty line at the end
    (see `without_end`), to those of the wire.

    Pieces must be cut behind line ends.  `in_header` is false for one that starts
    where another had `in_header` false."""

    def __init__(self, form: Form, *, in_header: bool = True) -> None:
        self._form, self.in_header = form, in_header

    def take(self, piece: bytes) -> bytes:
        form, head = self._form, b""
        if self.in_header:
            head, piece, self.in_header = _parted(piece)
            head = visible(head)
            if form.quoted and b">" in head:
                head = _QUOTED.sub(b"", head)
            if not form.verbatim_header:
                head = _with_crlf(head)
        if form.quoted and b">" in piece:
            piece = _QUOTED.sub(b"", piece)
        if not form.verbatim:
            piece = _with_crlf(piece)
        return head + piece


def _with_crlf(piece: bytes) -> bytes:
    if b"\r\n" in piece:
        return _BARE_LF.sub(b"\r\n", piece)
    return piece.replace(b"\n", b"\r\n")


def without_end(stored: bytes, form: Form) -> bytes:
    """The octets from one From_ line to the next without the empty line between, and
    without a line end that is not the message's."""
    for end in (b"\n\n", b"\n\r\n"):
        if stored.endswith(end):
            stored = stored[: 1 - len(end)]
            break
    else:
        if stored in (b"\n", b"\r\n"):
            stored = b""
    return stored[:-1] if form.open and stored.endswith(b"\n") else stored


def header_of(stored: bytes) -> bytes:
    """The lines before the first empty one."""
    end = _HEADER_END.search(stored)
    return stored if end is None else stored[: end.start()]


def visible(header: bytes) -> bytes:
    """Header lines without those of mbox programs, others with their own names.

    `Lines` is hidden behind Content-Length, where mutt writes it."""
    return _ESCAPED.sub(b"", without_marks(header))


def without_marks(header: bytes) -> bytes:
    """Header lines of the file without those that mbox programs wrote."""
    return _HIDDEN.sub(_kept, header)


def _kept(found: re.Match[bytes]) -> bytes:
    if _CONTENT_LENGTH.match(found[0]):
        return b""
    lines = _LINES.search(found[0], found[0].find(b"\n") + 1)
    return b"" if lines is None else lines[0]
