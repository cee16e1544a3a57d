"""APPEND and REPLACE between their literals (RFC 3501 §6.3.11, RFC 4466 §2.3).

A command comes in frames, each up to the octets of a message; `AppendReader` keeps
between them what the next frame goes on with.
"""

from __future__ import annotations

import re

from ...errors import BadParameter, SyntaxFault
from ...flags import NONE
from ...seqset import SequenceSet
from ..types_append import Append, MessageEnd, MessageStart, Step, TextPart, UrlPart
from .date import date_time
from .flag import flag_list
from .mailbox import mailbox
from .scanner import CommandScanner
from .sequence import sequence_set
from .strings import astring, sp

MOST_MESSAGES = 10_000  # of one APPEND

_MESSAGE = re.compile(rb"(~?)\{([0-9]{1,18})(\+?)\}\r\n\Z")
_CATENATE = re.compile(rb"CATENATE \(", re.I)
_TEXT = re.compile(rb"TEXT ", re.I)
_URL = re.compile(rb"URL ", re.I)
_UTF8 = re.compile(rb"UTF8 \(", re.I)
_REST = re.compile(rb" *\Z")
_MORE = re.compile(rb" *")


def append(s: CommandScanner) -> Append:
    """mailbox; the rest is read by AppendReader."""
    sp(s)
    return Append(mailbox(s))


def replace(s: CommandScanner) -> Append:
    """seq-number / uniqueid SP mailbox (RFC 8508 §5)."""
    sp(s)
    at = s.at
    number: SequenceSet = sequence_set(s)
    if number.saved or len(number.ranges) != 1 or len(set(number.ranges[0])) != 1:
        raise SyntaxFault("the number of one message", at)
    sp(s)
    return Append(mailbox(s), number, s.uid)


class AppendReader:
    """The steps of one command, frame by frame."""

    def __init__(self, command: Append) -> None:
        self._most = MOST_MESSAGES if command.replaces is None else 1
        self._messages = 0  # begun
        self._within = self._first = False  # a CATENATE list, at its first part
        self._bracket = False  # a parenthesis closes behind the literal
        self._literal = False  # the octets of a message stood before this frame

    def read(self, s: CommandScanner) -> tuple[Step, ...]:
        """What the frame says from the cursor on; raises SyntaxFault, BadParameter.

        A TextPart is the last step of its frame.
        """
        steps: list[Step] = []
        while not (steps and isinstance(steps[-1], TextPart)):
            if self._literal:
                self._literal = False
                if self._bracket:
                    s.expect(b")", "a closing parenthesis")
                    self._bracket = False
                steps.append(MessageEnd())
            elif self._within:
                steps.append(self._part(s))
            elif self._messages and s.try_match(_REST):
                break  # Quirk: spaces before the line end
            else:
                steps.append(self._start(s))
                if not s.try_match(_CATENATE):
                    steps.append(self._whole(s))
                else:
                    self._within = self._first = True
        return tuple(steps)

    def _start(self, s: CommandScanner) -> MessageStart:
        """SP [flag-list SP] [date-time SP], what comes before append-data."""
        if self._messages == self._most:
            most = "one message" if self._most == 1 else f"{self._most} messages"
            raise BadParameter(f"At most {most} at a time")
        sp(s)
        if self._messages:
            s.try_match(_MORE)  # Quirk: imapclient sends two spaces between messages
        self._messages += 1
        flags, internal_date = NONE, None
        if s.text.startswith(b"(", s.at):
            flags = flag_list(s)
            sp(s)
        if s.text.startswith(b'"', s.at):
            internal_date = date_time(s)
            sp(s)
        return MessageStart(flags, internal_date)

    def _whole(self, s: CommandScanner) -> TextPart:
        """A message in one literal; in UTF-8 it may stand in parentheses (RFC 6855 §4)
        or not (RFC 9755)."""
        if s.utf8 and s.try_match(_UTF8):
            self._bracket = True
        self._literal = True
        return _text_part(s)

    def _part(self, s: CommandScanner) -> Step:
        """cat-part, or the end of the list (RFC 4469 §5, RFC 6855 §4)."""
        if self._bracket:
            s.expect(b")", "a closing parenthesis")
            self._bracket = False
        if not self._first:
            if s.skip(b")"):
                self._within = False
                return MessageEnd()
            sp(s)
        self._first = False
        if s.try_match(_URL):
            return UrlPart(astring(s, "a URL"))
        if s.try_match(_TEXT):
            return _text_part(s)
        if s.utf8 and s.try_match(_UTF8):
            self._bracket = True
            return _text_part(s)
        raise SyntaxFault("TEXT or URL", s.at)


def _text_part(s: CommandScanner) -> TextPart:
    found = s.match(_MESSAGE, "a message as a literal")
    return TextPart(int(found[2]), not found[3], bool(found[1]))
