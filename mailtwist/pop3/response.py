"""What the server answers, and the one place where a fault becomes POP3."""

from __future__ import annotations

from attrs import frozen

from ..errors import (
    AuthFailed,
    BadParameter,
    BadSequence,
    EncryptionNeeded,
    LineTooLong,
    LoginTooSoon,
    MailboxInUse,
    MailError,
    MessageGone,
    NoSuchMessage,
    SaslCancelled,
    SyntaxFault,
    UnknownCommand,
    UnknownMechanism,
)

MOST_LINE = 510  # octets of a status line without CRLF (RFC 2449 §4)


@frozen
class Reply:
    """A status line: `text` for people, `code` an extended response code or ""."""

    ok: bool
    text: str
    code: str = ""

    def encode(self) -> bytes:
        status = "+OK" if self.ok else "-ERR"
        code = f"[{self.code}] " if self.code else ""
        line = f"{status} {code}{self.text}".encode()
        return line[:MOST_LINE] + b"\r\n"


# RFC 2449 §8 and RFC 3206 §4; the first class that fits.  What the client itself did
# wrong has no code: trying again changes nothing.
CODES: tuple[tuple[type[MailError], str], ...] = (
    (AuthFailed, "AUTH"),
    (EncryptionNeeded, "AUTH"),
    (MailboxInUse, "IN-USE"),
    (LoginTooSoon, "LOGIN-DELAY"),
    (SyntaxFault, ""),
    (LineTooLong, ""),
    (BadSequence, ""),
    (UnknownCommand, ""),
    (BadParameter, ""),
    (SaslCancelled, ""),
    (UnknownMechanism, ""),
    (NoSuchMessage, ""),
    (MessageGone, ""),
)

# Faults that count against a client's limit of wrong commands.
WRONG = (
    AuthFailed,
    EncryptionNeeded,
    SyntaxFault,
    LineTooLong,
    BadSequence,
    UnknownCommand,
    BadParameter,
    SaslCancelled,
    UnknownMechanism,
)


def err_for(fault: MailError) -> Reply:
    """The -ERR for a fault; its cause never reaches the wire."""
    for kind, code in CODES:
        if isinstance(fault, kind):
            return Reply(False, fault.public, code)
    return Reply(False, fault.public, "SYS/TEMP" if fault.temporary else "SYS/PERM")


def lines(rows: list[bytes]) -> bytes:
    """A short multi-line answer behind its status line, with the final dot.

    No row begins with a dot here (capabilities, languages, mechanisms)."""
    return b"".join(row + b"\r\n" for row in rows) + b".\r\n"
