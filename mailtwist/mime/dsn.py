"""Delivery status notifications as octets (RFC 3464, RFC 6522, RFC 6533).

A report is 7-bit whenever what it returns is: addresses that are not ASCII stand in the
utf-8-addr-xtext form and an SMTPUTF8 message is returned in base64, so that the way
back needs no more than the sender's own address does (RFC 6533 §4.5).
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence

from attrs import frozen

from ..address import Address

MOST_FIELD = 900  # octets of a field's value; a line may have 998 (RFC 5322 §2.1.1)
LINE = 76

_NOT_TEXT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_NOT_QCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")


@frozen
class RecipientStatus:
    """The group of fields of one recipient (RFC 3464 §2.3).

    `original` is the decoded ORCPT ("rfc822;ann@example.test"), "" if none was given;
    `action` "failed", "delayed", "delivered", "relayed" or "expanded"; `status` an
    RFC 3463 code.  `remote_mta` "" if no host was reached; `diagnostic` the reply of
    that host, or our own sentence if there was none; the dates are date-times
    (RFC 5322 §3.3), b"" if there is none to tell.
    """

    final: Address
    action: str
    status: str
    original: str = ""
    remote_mta: str = ""
    diagnostic: str = ""
    last_attempt: bytes = b""
    retry_until: bytes = b""


@frozen
class Report:
    """What a notification tells.

    `text` is for people; `returned` the octets of the message or of its header, as
    `whole` says, CRLF line ends; `utf8` if those were sent with SMTPUTF8.
    """

    message_id: str
    hostname: str
    recipient: Address
    subject: str
    text: str
    date: bytes
    arrival: bytes
    statuses: Sequence[RecipientStatus]
    returned: bytes
    whole: bool = False
    utf8: bool = False
    envid: str = ""
    references: bytes = b""  # the message's own Message-ID, "<...>"

    @property
    def eight_bit(self) -> bool:
        """True if the octets of `compose` are not all ASCII."""
        return not self.recipient.ascii or not (self.utf8 or self.returned.isascii())


def compose(report: Report) -> bytes:
    """The message: multipart/report with text, status and what is returned."""
    boundary = f"=_{report.message_id}/{report.hostname}".encode()
    while boundary in report.returned:
        boundary += b"_"
    parts = (_text(report.text), _status(report), _returned(report))
    delimiter = b"--" + boundary
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return _header(report, boundary) + body + delimiter + b"--\r\n"


def _header(report: Report, boundary: bytes) -> bytes:
    hostname = report.hostname.encode()
    lines = [
        b"From: Mail Delivery System <MAILER-DAEMON@%s>" % hostname,
        b"To: " + report.recipient.encode(utf8=not report.recipient.ascii),
        b"Subject: " + report.subject.encode(),
        b"Date: " + report.date,
        b"Message-ID: <%s@%s>" % (report.message_id.encode(), hostname),
    ]
    if report.references:
        lines.append(b"References: " + report.references)
    lines += [
        b"Auto-Submitted: auto-replied",  # RFC 3834 §5
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/report; report-type=delivery-status;\r\n"
        b'\tboundary="%s"' % boundary,
    ]
    if report.eight_bit:
        lines.append(b"Content-Transfer-Encoding: 8bit")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _text(text: str) -> bytes:
    octets = text.replace("\n", "\r\n").encode()
    if octets.isascii():
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + octets
    quoted = b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
    return (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quoted.replace(b"\n", b"\r\n")
    )


def _status(report: Report) -> bytes:
    """message/delivery-status: the message's fields, then a group per recipient."""
    groups = [
        [
            _field("Original-Envelope-Id", report.envid),
            _field("Reporting-MTA", f"dns; {report.hostname}"),
            b"Arrival-Date: %s\r\n" % report.arrival,
        ]
    ]
    for one in report.statuses:
        group = []
        if one.original:
            kind, _, address = one.original.partition(";")
            group.append(_field("Original-Recipient", _typed(kind, address)))
        kind = "rfc822" if one.final.ascii else "utf-8"
        final = one.final.encode().decode() if one.final.ascii else str(one.final)
        group.append(_field("Final-Recipient", _typed(kind, final)))
        group.append(_field("Action", one.action))
        group.append(_field("Status", one.status))
        group.append(_field("Remote-MTA", one.remote_mta and f"dns; {one.remote_mta}"))
        # "smtp" is for a reply of another host only (RFC 3464 §2.3.6).
        kind = "smtp" if one.remote_mta else "x-mailtwist"
        group.append(
            _field("Diagnostic-Code", one.diagnostic and f"{kind}; {one.diagnostic}")
        )
        if one.last_attempt:
            group.append(b"Last-Attempt-Date: %s\r\n" % one.last_attempt)
        if one.retry_until:
            group.append(b"Will-Retry-Until: %s\r\n" % one.retry_until)
        groups.append(group)
    return b"Content-Type: message/delivery-status\r\n\r\n" + b"\r\n".join(
        b"".join(group) for group in groups
    )


def _typed(kind: str, address: str) -> str:
    """address-type ";" generic-address; what is not ASCII as RFC 6533 §3 says."""
    if kind.lower() == "utf-8" or not address.isascii():
        return f"utf-8;{utf8_addr_xtext(address)}"
    return f"{kind};{address}"


def utf8_addr_xtext(address: str) -> str:
    r"""The 7-bit form of an address of type utf-8: \x{...} for what needs it."""
    return _NOT_QCHAR.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)


def _field(name: str, value: str) -> bytes:
    """A field with its CRLF, folded; nothing of it without a value."""
    if not value:
        return b""
    value = _NOT_TEXT.sub(" ", value).encode("ascii", "replace").decode()
    lines, line = [], f"{name}:"
    for word in value[:MOST_FIELD].split():
        if len(line) + 1 + len(word) > LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]).encode() + b"\r\n"


def _returned(report: Report) -> bytes:
    kind = {
        (True, False): b"message/rfc822",
        (False, False): b"text/rfc822-headers",
        (True, True): b"message/global",
        (False, True): b"message/global-headers",
    }[report.whole, report.utf8]
    head, octets = b"Content-Type: " + kind + b"\r\n", report.returned
    if report.utf8:
        encoded = encodebytes(octets).replace(b"\n", b"\r\n")
        return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded
    if not octets.isascii():
        head += b"Content-Transfer-Encoding: 8bit\r\n"
    return head + b"\r\n" + octets
