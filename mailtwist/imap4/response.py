"""What the server says: tagged answers, response codes, strings (RFC 3501 §7)."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Kind(Enum):
    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


@frozen
class Answer:
    """resp-cond-state: `code` goes in brackets, octets without them, b"" for none.

    `text` is printable ASCII without a CR or LF.
    """

    kind: Kind
    text: str
    code: bytes = b""

    def encode(self, tag: bytes = b"*") -> bytes:
        """One line with CRLF; with the default tag an untagged response."""
        code = b"[%b] " % self.code if self.code else b""
        return b"%b %b %b%b\r\n" % (tag, self.kind.value, code, self.text.encode())


def ok(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.OK, text, code)


def no(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.NO, text, code)


def bad(text: str, code: bytes = b"") -> Answer:
    return Answer(Kind.BAD, text, code)
