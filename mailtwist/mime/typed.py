"""A message as a local program pipes it into `sendmail`, made one that can be sent.

Line ends become CRLF, fields that must be there are added (RFC 5322 §3.6), Bcc and
what only a delivery may write are taken out.  Nothing here raises.
"""

from __future__ import annotations

import re

from attrs import frozen

from .address_list import MISSING_DOMAIN, MISSING_MAILBOX, addresses
from .header import fields

RECIPIENT_FIELDS = frozenset((b"to", b"cc", b"bcc"))
RESENT_FIELDS = frozenset(b"resent-" + name for name in RECIPIENT_FIELDS)
DROPPED = frozenset((b"bcc", b"resent-bcc", b"return-path", b"content-length"))
MOST_FIELDS = 128 * 1024  # octets of a header that are looked at

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_FROM_LINE = re.compile(rb">?From [^\r\n]*\r?\n")
_LINE_END = re.compile(rb"\r\n?|\n")
_LONE_DOT = re.compile(rb"(?:\A|(?<=\n))\.\r?\n")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


@frozen
class Typed:
    """The message, and (local part, domain) of each address in its recipient fields,
    unquoted, the domain b"" where none was given."""

    octets: bytes
    recipients: tuple[tuple[bytes, bytes], ...]


def until_dot(octets: bytes) -> bytes:
    """What stands before a line with a dot alone, which ends a message as people type
    it; all if there is none."""
    found = _LONE_DOT.search(octets)
    return octets if found is None else octets[: found.start()]


def complete(
    octets: bytes, *, sender: str, full_name: str, date: bytes, message_id: bytes
) -> Typed:
    """The message that `octets` mean.

    `sender` is the address of who types, for From; `full_name` "" if not known; `date`
    a date-time (RFC 5322 §3.3), `message_id` with its brackets.
    """
    octets = octets[found.end() :] if (found := _FROM_LINE.match(octets)) else octets
    octets = _LINE_END.sub(b"\r\n", octets)
    header, body = _parted(octets)
    found_fields = fields(header)
    names = {name.lower() for name, _ in found_fields}
    wanted = RESENT_FIELDS if names & RESENT_FIELDS else RECIPIENT_FIELDS
    values = [
        raw.partition(b":")[2] for name, raw in found_fields if name.lower() in wanted
    ]
    kept = [raw for name, raw in found_fields if name.lower() not in DROPPED]
    if b"from" not in names:
        kept.insert(0, b"From: " + _from(sender, full_name) + b"\r\n")
    if b"date" not in names:
        kept.insert(0, b"Date: " + date + b"\r\n")
    if b"message-id" not in names:
        kept.insert(0, b"Message-ID: " + message_id + b"\r\n")
    if not names & {b"to", b"cc"}:
        kept.append(b"To: undisclosed-recipients:;\r\n")
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return Typed(b"".join(kept) + b"\r\n" + body, tuple(_listed(values)))


def _parted(octets: bytes) -> tuple[bytes, bytes]:
    """(header, body): a first line that is no field begins the body, and so does one
    in the middle of what looks like a header."""
    at = 0
    while at < min(len(octets), MOST_FIELDS):
        end = octets.find(b"\r\n", at)
        end = len(octets) if end < 0 else end + 2
        if octets.startswith(b"\r\n", at):
            return octets[:at], octets[end:]
        folded = octets[at : at + 1] in (b" ", b"\t") and at > 0
        if not folded and not _FIELD.match(octets, at, end):
            return octets[:at], octets[at:]
        at = end
    header = octets[:at]
    return header if header.endswith(b"\r\n") else header + b"\r\n", octets[at:]


def _from(sender: str, full_name: str) -> bytes:
    name = re.sub(r"[\x00-\x1f\x7f]", "", full_name).strip()
    if not name:
        return sender.encode()
    if not _ATOMS.fullmatch(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{sender}>".encode()


def _listed(values: list[bytes]) -> list[tuple[bytes, bytes]]:
    """The addresses in address lists, each once, in order."""
    found: dict[tuple[bytes, bytes], None] = {}
    for one in addresses(values):
        if one.mailbox and one.host and one.mailbox != MISSING_MAILBOX:
            domain = b"" if one.host == MISSING_DOMAIN else one.host
            found[one.mailbox, domain] = None
    return list(found)
