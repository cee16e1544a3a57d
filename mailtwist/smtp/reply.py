"""Replies, and the one place where a fault becomes SMTP (RFC 5321 §4.2, RFC 5248)."""

from __future__ import annotations

import re
from functools import cached_property

from attrs import frozen

from .. import errors
from ..errors import MailError
from .faults import SMTPFault

MOST_TEXT = 512 - len("250-5.7.11 \r\n")  # RFC 5321 §4.5.3.1.5

_UNSAFE = re.compile(r"[^\x20-\x7e]")
_UNSAFE_UTF8 = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@frozen
class Reply:
    """What the server answers.

    `status` is the RFC 3463 code or "" where there is none (greeting, EHLO, 334, 354:
    RFC 2034 §3); more than one line makes a multi-line reply.  With `closes` the
    connection ends behind it.
    """

    code: int
    status: str
    lines: tuple[str, ...]
    closes: bool = False

    def encode(self, *, utf8: bool = False) -> bytes:
        """On the wire.  Control characters, and without `utf8` all that is not ASCII,
        become "?": what a client sent can be quoted in `lines` without harm."""
        if self._plain is not None:
            return self._plain
        status = f"{self.status} " if self.status else ""
        unsafe = _UNSAFE_UTF8 if utf8 else _UNSAFE
        out = []
        last = len(self.lines) - 1
        for number, text in enumerate(self.lines):
            mark = " " if number == last else "-"
            if not (text.isascii() and text.isprintable() and len(text) <= MOST_TEXT):
                octets = unsafe.sub("?", text).encode()
                text = octets[:MOST_TEXT].decode(errors="ignore")
            out.append(f"{self.code}{mark}{status}{text}\r\n".encode())
        return b"".join(out)

    @cached_property
    def _plain(self) -> bytes | None:
        """What nearly every reply is: one line of ASCII."""
        if len(self.lines) != 1:
            return None
        text = self.lines[0]
        if not (text.isascii() and text.isprintable() and len(text) <= MOST_TEXT):
            return None
        status = f"{self.status} " if self.status else ""
        return f"{self.code} {status}{text}\r\n".encode()


@frozen
class Replies:
    """Several replies to one event: to each recipient of a message, and with PRDR one
    before and one behind them.  `code` is the best of the final ones."""

    each: tuple[Reply, ...]

    @property
    def code(self) -> int:
        return min(one.code for one in self.each if one.code // 100 != 3)

    @property
    def closes(self) -> bool:
        return any(one.closes for one in self.each)

    def encode(self, *, utf8: bool = False) -> bytes:
        """On the wire, in order."""
        return b"".join(one.encode(utf8=utf8) for one in self.each)


def reply(code: int, status: str, text: str) -> Reply:
    """A reply of one line."""
    return Reply(code, status, (text,))


# First match wins: what a class says about the command, then what a status says.
_BY_CLASS: tuple[tuple[type[MailError], int], ...] = (
    (errors.LineTooLong, 500),
    (errors.UnknownCommand, 500),
    (errors.SyntaxFault, 501),
    (errors.SaslCancelled, 501),
    (errors.UnknownMechanism, 504),
    (errors.BadSequence, 503),
    (errors.BadParameter, 504),
    (errors.TooManyRecipients, 452),
)
_BY_STATUS = {
    "4.2.1": 450,
    "4.2.2": 452,
    "4.3.1": 452,
    "4.5.3": 452,
    "5.2.2": 552,
    "5.3.4": 552,
    "5.1.3": 501,
    "5.1.7": 501,
    "5.5.1": 503,
    "5.5.2": 501,
    "5.5.4": 501,
    "5.7.0": 530,
    "5.7.8": 535,
}
_BY_SUBJECT = {"4.": 451, "5.1": 550, "5.2": 550, "5.4": 550, "5.7": 550, "5.": 554}


def reply_for(fault: MailError, *, auth: bool = False) -> Reply:
    """The reply to a command that ended in `fault`.

    `auth` if the command was AUTH, where a source that is down is 454 (RFC 4954 §6).
    """
    closes = False
    if isinstance(fault, SMTPFault):
        code, closes = fault.code, fault.closes
    elif auth and fault.status == "4.7.0":
        code = 454
    else:
        code = _code(fault)
    lines: tuple[str, ...] = (fault.public,)
    if isinstance(fault, errors.ScriptRefused):
        lines = fault.lines
    return Reply(code, fault.status, lines, closes)


def _code(fault: MailError) -> int:
    for kind, code in _BY_CLASS:
        if isinstance(fault, kind):
            return code
    known = _BY_STATUS.get(fault.status)
    if known is not None:
        return known
    for subject, code in _BY_SUBJECT.items():
        if fault.status.startswith(subject):
            return code
    return 451  # a status that is none: mail waits
