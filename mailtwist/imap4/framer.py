"""Whole commands out of octets: lines joined with their literals (RFC 3501 §4.3, §7.5).

A command is found first and parsed later, so the octets of a literal are never read as
a command, whatever is wrong with the command around them.  What is refused unread is
skipped without being kept: a line over its limit to its end, a non-synchronizing
literal (RFC 7888) by its count, then the rest of that command.  Any split of the input
gives the same pieces, but for the borders between the octets of one message.

A lone LF ends a line as CRLF does, for people who type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto

from attrs import field, frozen

from ..config.reading import Imap4
from ..errors import (
    AnnotationTooBig,
    LineTooLong,
    LiteralTooBig,
    MailError,
    MessageTooBig,
)

TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]{1,100}')

_MARKER = re.compile(rb"\{([0-9]+)(\+?)\}\Z")
_APPEND = re.compile(rb"[^ ]+ (?:APPEND|(?:UID )?REPLACE [^ ]+) ", re.I)
_SETMETADATA = re.compile(rb"[^ ]+ SETMETADATA ", re.I)
_ARGUMENT = re.compile(rb"~?\{[0-9]+\+?\}\r\n\Z")
_URL = re.compile(rb"[ (]URL \{[0-9]+\+?\}\r\n\Z", re.I)
_CUT_MARKER = re.compile(rb"\A[0-9]+\+\}\Z")  # of more digits than are kept
_KEPT = 32  # octets of a skipped line that may hold its marker
MOST_UNASKED = 4096  # octets of a literal nobody waits with (LITERAL-, RFC 7888 §5)
_SWALLOW_FACTOR = 4  # times the largest message: what is skipped before BYE


@frozen
class Frame:
    """A command without its last line end.

    `literals` holds the octets of each literal by the offset in `text` behind its
    "{n}" CRLF, where parsing goes on.
    """

    text: bytes
    literals: dict[int, bytes] = field(factory=dict)


@frozen
class Wanted:
    """The client waits for "+" before it sends a literal."""


@frozen
class MessageHead:
    """APPEND or REPLACE up to the "{n}" CRLF of a message, or of a part of one;
    accept() or refuse() is next.

    The first begins at the tag, each other behind the octets that were announced
    before.
    """

    frame: Frame


@frozen
class MessageOctets:
    octets: bytes


@frozen
class MessageTail:
    """What followed the last octets that were announced, up to the line end."""

    frame: Frame


@frozen
class Broken:
    """A command that was skipped; `fatal`: nothing can be read any more."""

    tag: bytes | None
    fault: MailError
    fatal: bool = False


Piece = Frame | Wanted | MessageHead | MessageOctets | MessageTail | Broken


class _Mode(Enum):
    LINE = auto()  # reading a line of a command
    LITERAL = auto()  # `_left` octets of a literal that is kept
    HEAD = auto()  # a message was announced, accept() or refuse() must come
    MESSAGE = auto()  # `_left` octets of a message
    SWALLOW = auto()  # `_left` octets of a literal nobody wants
    SKIP = auto()  # the rest of a line nobody wants
    DYING = auto()  # more was sent unasked than is skipped
    DEAD = auto()


class CommandFramer:
    """feed() octets, next_piece() until None; next_line() for SASL and IDLE."""

    def __init__(self, config: Imap4) -> None:
        self._config = config
        self._most_swallowed = _SWALLOW_FACTOR * config.message_octets
        self._buffer = bytearray()
        self._steps: dict[_Mode, Callable[[], Piece | bool]] = {
            _Mode.LINE: self._line,
            _Mode.LITERAL: self._literal,
            _Mode.HEAD: lambda: False,
            _Mode.MESSAGE: self._message,
            _Mode.SWALLOW: self._swallow,
            _Mode.SKIP: self._skip,
            _Mode.DYING: self._die,
            _Mode.DEAD: lambda: False,
        }
        self._reset()

    def _reset(self) -> None:
        """Ready for the first line of a command."""
        self._mode = _Mode.LINE
        self._text = bytearray()
        self._literals: dict[int, bytes] = {}
        self._literal_octets = self._left = self._swallowed = 0
        self._synchronizing = False
        self._appending = False  # octets of a message were behind this command's start
        self._searched = 0  # octets of _buffer known to hold no LF
        self._last = b""  # end of a line that is skipped

    @property
    def pending(self) -> int:
        """Octets received and not yet handed out or skipped."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        if self._mode is not _Mode.DEAD:
            self._buffer += data

    def take(self) -> bytes:
        """What was received and not yet looked at; asked between commands only."""
        octets, self._searched = bytes(self._buffer), 0
        self._buffer.clear()
        return octets

    def drop(self) -> None:
        """Forget what was received, the command it may be within too."""
        self._buffer.clear()
        self._reset()

    # -- for the engine ---------------------------------------------------------------

    def next_piece(self) -> Piece | None:
        """The next piece; None until more octets come."""
        while True:
            step = self._steps[self._mode]()
            if step is False:
                return None
            if step is not True:
                return step

    def next_line(self) -> bytes | None:
        """The next line as it is, no literal looked for; raises LineTooLong."""
        return self._take_line(self._config.line_octets)

    def accept(self) -> bool:
        """The announced message is wanted; True if the client waits for "+"."""
        self._mode = _Mode.MESSAGE if self._left else _Mode.LINE
        self._appending = True
        self._text.clear()
        self._literals, self._literal_octets = {}, 0
        return self._synchronizing

    def refuse(self) -> None:
        """The announced message, or what is left of the command, is not wanted."""
        if self._mode is _Mode.HEAD and self._synchronizing:
            self._reset()  # the client sees NO and does not send it
        elif self._mode is _Mode.HEAD or (
            self._appending and self._mode in (_Mode.MESSAGE, _Mode.LITERAL)
        ):
            self._start_swallow(self._left)
        elif self._appending and self._mode is _Mode.LINE:
            self._mode, self._last = _Mode.SKIP, b""

    # -- lines: each step gives a piece, True to go on, False to wait -----------------

    def _take_line(self, most: int) -> bytes | None:
        """The next line without its end; raises LineTooLong if it is over `most`."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            if len(self._buffer) <= most + 1:  # a last CR may belong to the line end
                self._searched = len(self._buffer)
                return None
            self._mode, self._last = _Mode.SKIP, b""
            raise LineTooLong()
        stop = end - 1 if end and self._buffer[end - 1] == 13 else end
        if stop > most:
            self._mode, self._last = _Mode.SKIP, b""
            raise LineTooLong()
        line = bytes(self._buffer[:stop])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _line(self) -> Piece | bool:
        try:
            line = self._take_line(max(0, self._config.line_octets - len(self._text)))
        except LineTooLong as fault:
            start = bytes(self._text[:200]) or bytes(self._buffer[:200])
            self._text.clear()
            self._literals = {}
            return Broken(None if self._appending else tag_of(start), fault)
        if line is None:
            return False
        self._text += line
        marker = _MARKER.search(line)
        if marker is not None:
            return self._announced(_number(marker[1]), bool(marker[2]))
        frame, appending = Frame(bytes(self._text), self._literals), self._appending
        self._reset()
        if appending:
            return MessageTail(frame)
        # Quirk: some clients send a line end too many behind a literal.
        return frame if frame.text else True

    def _announced(self, octets: int, plus: bool) -> Piece | bool:
        """A literal comes: where do its octets go?"""
        self._text += b"\r\n"
        self._left, self._synchronizing = octets, not plus
        if plus and octets > MOST_UNASKED and self._config.literal_minus:
            tag = None if self._appending else tag_of(bytes(self._text[:200]))
            self._reset()
            self._start_swallow(octets)
            return Broken(tag, LiteralTooBig())
        if self._announces_message():
            self._mode = _Mode.HEAD
            return MessageHead(Frame(bytes(self._text), self._literals))
        self._literal_octets += octets
        if self._literal_octets > self._config.literal_octets:
            tag = None if self._appending else tag_of(bytes(self._text[:200]))
            fault = self._too_big(octets)
            self._reset()
            if plus:
                self._start_swallow(octets)
            return Broken(tag, fault)
        self._mode = _Mode.LITERAL
        return True if plus else Wanted()

    def _too_big(self, octets: int) -> MailError:
        """What to say of a literal that is not kept."""
        most = min(self._config.annotation_octets, self._config.literal_octets)
        start = _SETMETADATA.match(self._text)
        if start is None or octets <= most or _ARGUMENT.match(self._text, start.end()):
            return MessageTooBig("Literal is larger than this server takes")
        return AnnotationTooBig(most)

    def _announces_message(self) -> bool:
        """True if the literal is no argument of a command, which is kept, but octets of
        a message (or may be: the grammar will say)."""
        start = _APPEND.match(self._text)
        if start is None and not self._appending:
            return False
        if start is not None and _ARGUMENT.match(self._text, start.end()):
            return False  # the mailbox
        found = _URL.search(self._text)
        within = self._appending or b"CATENATE" in self._text.upper()
        return found is None or not within

    def _literal(self) -> bool:
        if len(self._buffer) < self._left:
            return False
        self._literals[len(self._text)] = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._mode, self._left = _Mode.LINE, 0
        return True

    def _message(self) -> Piece | bool:
        if not self._buffer:
            return False
        octets = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(octets)
        if not self._left:
            self._mode = _Mode.LINE
        return MessageOctets(octets)

    # -- skipping ---------------------------------------------------------------------

    def _start_swallow(self, octets: int) -> None:
        """Skip a literal, or give up if it is more than anyone sends by mistake."""
        self._swallowed += octets
        over = self._swallowed > self._most_swallowed
        self._mode, self._left = (_Mode.DYING, 0) if over else (_Mode.SWALLOW, octets)

    def _swallow(self) -> bool:
        gone = min(self._left, len(self._buffer))
        del self._buffer[:gone]
        self._left -= gone
        if self._left:
            return False
        self._mode, self._last = _Mode.SKIP, b""
        return True

    def _skip(self) -> bool:
        """To the end of the line, and past the literal that may stand there."""
        end = self._buffer.find(b"\n")
        stop = end if end >= 0 else len(self._buffer)
        self._last = (self._last + self._buffer[max(0, stop - _KEPT) : stop])[-_KEPT:]
        del self._buffer[: stop + 1]
        self._swallowed += stop
        if self._swallowed > self._most_swallowed:
            self._mode = _Mode.DYING
            return True
        if end < 0:
            return False
        last, swallowed = self._last.removesuffix(b"\r"), self._swallowed
        marker = _MARKER.search(last)
        self._reset()
        if marker is not None and marker[2]:
            self._swallowed = swallowed
            self._start_swallow(_number(marker[1]))
        elif _CUT_MARKER.match(last):
            self._start_swallow(_number(last[:-2]))
        return True

    def _die(self) -> Piece:
        self.drop()
        self._mode = _Mode.DEAD
        return Broken(None, LineTooLong("Too much was sent unasked"), fatal=True)


def tag_of(text: bytes) -> bytes | None:
    """The tag at the start of a command, if there is one and a space behind it."""
    found = TAG.match(text)
    return found[0] if found and text[found.end() : found.end() + 1] == b" " else None


def _number(digits: bytes) -> int:
    """The count in a marker; beyond any limit if it is absurd."""
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < 18 else 10**18
