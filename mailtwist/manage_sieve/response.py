"""Answers, and the one place where a fault becomes NO (RFC 5804 §1.3)."""

from __future__ import annotations

import re

from attrs import frozen

from ..errors import (
    AuthFailed,
    BadParameter,
    BadSequence,
    EncryptionNeeded,
    LineTooLong,
    MailError,
    NoSuchScript,
    OverQuota,
    SaslCancelled,
    ScriptActive,
    ScriptExists,
    StorageFull,
    SyntaxFault,
    TooManyScripts,
    UnknownCommand,
    UnknownMechanism,
)
from ..sieve.faults import ScriptError
from .grammar import BadLiteral, ScriptTooLarge

_UNQUOTABLE = re.compile(rb"[\r\n\0]")
_MOST_QUOTED = 1024  # octets between the quotes (RFC 5804 §4)
_SPECIAL = re.compile(rb'(["\\])')


def string(octets: bytes) -> bytes:
    """A string for the client: quoted, or a literal."""
    if len(octets) <= _MOST_QUOTED and not _UNQUOTABLE.search(octets):
        quoted = _SPECIAL.sub(rb"\\\1", octets)
        if len(quoted) <= _MOST_QUOTED:
            return b'"%b"' % quoted
    return literal(octets)


def literal(octets: bytes) -> bytes:
    """A string for the client that is not quoted."""
    return b"{%d}\r\n%b" % (len(octets), octets)


@frozen
class Reply:
    """`status` is OK, NO or BYE; `code` a response code as it is written, `text` for
    people; `data` are whole lines before it."""

    status: str
    text: str = ""
    code: bytes = b""
    data: bytes = b""

    @property
    def ok(self) -> bool:
        return self.status == "OK"

    def encode(self) -> bytes:
        line = self.status.encode()
        if self.code:
            line += b" (%b)" % self.code
        if self.text:
            text = self.text.encode("utf-8", "replace")
            # Clients that show what they read do not all undo escapes.
            line += b" " + (literal if _SPECIAL.search(text) else string)(text)
        return b"%b%b\r\n" % (self.data, line)


CODES: tuple[tuple[type[MailError], bytes], ...] = (
    (EncryptionNeeded, b"ENCRYPT-NEEDED"),
    (TooManyScripts, b"QUOTA/MAXSCRIPTS"),
    (ScriptTooLarge, b"QUOTA/MAXSIZE"),
    (OverQuota, b"QUOTA"),
    (StorageFull, b"TRYLATER"),
    (NoSuchScript, b"NONEXISTENT"),
    (ScriptExists, b"ALREADYEXISTS"),
    (ScriptActive, b"ACTIVE"),
    (ScriptError, b""),
)

# Faults that count against a client's limit of wrong commands.
WRONG = (
    AuthFailed,
    BadParameter,
    BadSequence,
    EncryptionNeeded,
    LineTooLong,
    SaslCancelled,
    SyntaxFault,
    UnknownCommand,
    UnknownMechanism,
)


def no_for(fault: MailError) -> Reply:
    """The NO for a fault, BYE for one that ends the conversation; its cause never
    reaches the wire."""
    if isinstance(fault, BadLiteral):
        return Reply("BYE", fault.public)
    if isinstance(fault, ScriptError):
        return Reply("NO", "\r\n".join(map(str, fault.faults)))
    for kind, code in CODES:
        if isinstance(fault, kind):
            return Reply("NO", fault.public, code)
    return Reply("NO", fault.public, b"TRYLATER" if fault.temporary else b"")
