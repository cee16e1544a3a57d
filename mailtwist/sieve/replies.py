"""Messages that a script sends: answers (RFC 5230, RFC 3834), notifications (RFC 5436),
and the note to the owner whose script failed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from ..mime.address_list import addresses
from ..mime.ascii_header import ascii_header
from ..mime.compose import field_of, octets_of, text_entity
from ..mime.dsn import utf8_addr_xtext
from .actions import Notify, Vacation
from .faults import Fault
from .message import Header

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MACHINES = re.compile(
    r"(?:owner|request|bounces?)-.*|.*-(?:owner|request|relay|bounces?|errors?)"
    r"|mailer-daemon|mailer|listserv|majordomo|mailman|postmaster|uucp|daemon"
    r"|no-?reply|do-?not-?reply|nobody|www-data|root"
)
_RECIPIENT_FIELDS = (
    *(b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc"),
    *(b"apparently-to", b"x-original-to"),
)
_FORGED = re.compile(r"(?:^|[;\s])(?:dmarc|spf)\s*=\s*fail\b", re.I)
_BULK = frozenset(("bulk", "list", "junk"))
_IMPORTANCE = {1: "High", 2: "Normal", 3: "Low"}
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,300}>")
_NAMING = frozenset((b"from", b"to", b"cc", b"date", b"subject", b"message-id"))
MOST_REFERENCES = 20
MOST_NAMING = 20  # fields of a refused message


@frozen
class Stamp:
    """What every message of ours has: `date` (RFC 5322 §3.3), `message_id` with its
    brackets, and the name of this host."""

    date: str
    message_id: str
    hostname: str


# -- whether to answer ----------------------------------------------------------------


def silence(
    header: Header, sender: Address | None, owned: Collection[Address]
) -> str | None:
    """Why no answer goes to `sender`, the reverse-path; None if one may.

    RFC 5230 §4.5 and §4.6, RFC 3834 §2."""
    if sender is None:
        return "it has the null reverse-path"
    local_part = sender.local_part.lower()
    if _MACHINES.fullmatch(local_part.partition("+")[0]):
        return f"{sender} is no person"
    own = {_plain(address) for address in owned}
    if _plain(sender) in own:
        return "the owner sent it"
    if any(name.startswith(b"list-") for name, _ in header.fields):
        return "it came over a mailing list"
    for value in header.texts(b"auto-submitted"):
        if value.partition(";")[0].strip().lower() != "no":
            return "a program sent it"
    for name in (b"precedence", b"x-precedence"):
        if any(value.strip().lower() in _BULK for value in header.texts(name)):
            return "it is bulk mail"
    suppressed = {"all", "oof", "autoreply"}
    for value in header.texts(b"x-auto-response-suppress"):
        if suppressed & {word.strip().lower() for word in value.split(",")}:
            return "its sender wants no answer of a program"
    if forged(header.texts(b"authentication-results")):
        return "its sender may be forged"
    if any(v.lower().startswith("yes") for v in header.texts(b"x-spam-flag")):
        return "it is spam"
    named = [raw for field in _RECIPIENT_FIELDS for raw in header.raw(field)]
    for listed in addresses(named):
        if listed.mailbox is not None and listed.host is not None:
            text = listed.mailbox + b"@" + listed.host
            if _plain_text(text.decode("utf-8", "replace")) in own:
                return None
    return "none of the owner's addresses is named in it"


def forged(results: Iterable[str]) -> bool:
    """True if a check that Authentication-Results tell of failed."""
    return any(_FORGED.search(value) for value in results)


def _plain(address: Address) -> str:
    return f"{address.local_part}@{address.domain}".lower()


def _plain_text(text: str) -> str:
    try:
        return _plain(Address.parse(text))
    except BadAddress:
        return text.lower()


# -- what is sent ---------------------------------------------------------------------


def answer(
    action: Vacation, header: Header, owner: Address, to: Address, stamp: Stamp
) -> bytes:
    """The answer to a message (RFC 5230 §5)."""
    subject = action.subject
    if subject is None:
        told = (header.texts(b"subject") or [""])[0]
        subject = f"Auto: {told}" if told else "Automatic answer"
    lines = [
        *_head(action.sender or str(owner), str(to), subject, stamp),
        *_thread(header),
        b"Auto-Submitted: auto-replied (vacation)\r\n",
        b"X-Auto-Response-Suppress: All\r\n",
    ]
    return _whole(lines, action.reason, mime=action.mime)


def notification(action: Notify, header: Header, owner: Address, stamp: Stamp) -> bytes:
    """RFC 5436 §2."""
    to = ", ".join(map(str, action.recipients))
    importance = _IMPORTANCE[action.importance]
    lines = [
        *_head(action.sender or str(owner), to, action.subject, stamp),
        *_thread(header),
        field_of("Auto-Submitted", f'auto-notified; owner-email="{owner}"'),
        f"Importance: {importance}\r\n".encode(),
        *(field_of(name.title(), value) for name, value in action.fields),
    ]
    return _whole(lines, action.text or f"{action.subject}\r\n")


def note(
    failed: tuple[tuple[str, Fault], ...], header: Header, owner: Address, stamp: Stamp
) -> bytes:
    """What the owner hears of scripts that failed (RFC 5228 §2.10.6)."""
    sender = (header.texts(b"from") or ["an unknown sender"])[0]
    subject = (header.texts(b"subject") or ["(none)"])[0]
    reasons = "".join(f"    {name}: {fault}\r\n" for name, fault in failed)
    text = (
        "Your mail filter failed on a message, which was kept as if there were no\r\n"
        f"filter.  What went wrong:\r\n\r\n{reasons}\r\n"
        f"The message is from {sender},\r\nits subject is: {subject}\r\n\r\n"
        "You will not be told of the same mistake again for a day.\r\n"
    )
    lines = [
        *_head(
            f"Mail Delivery System <MAILER-DAEMON@{stamp.hostname}>",
            str(owner),
            "Your mail filter failed",
            stamp,
        ),
        b"Auto-Submitted: auto-generated\r\n",
    ]
    return _whole(lines, text)


def refusal(
    reason: str, header: Header, owner: Address, to: Address, stamp: Stamp
) -> bytes:
    """The notice that a message was refused (RFC 5429 §2.2, RFC 8098 §3)."""
    subject = (header.texts(b"subject") or [""])[0]
    text = (
        "Your message was refused by its recipient, whose mail filter says:\r\n\r\n"
        f"{reason.rstrip()}\r\n"
    )
    fields = [f"Reporting-UA: {stamp.hostname}; mailtwist\r\n"]
    original = _MESSAGE_ID.search((header.texts(b"message-id") or [""])[0])
    fields.append(f"Final-Recipient: {_typed(owner)}\r\n")
    if original is not None and original[0].isascii():
        fields.append(f"Original-Message-ID: {original[0]}\r\n")
    fields.append("Disposition: automatic-action/MDN-sent-automatically; deleted\r\n")
    boundary = f"=_{stamp.message_id.strip('<>').replace('@', '/')}"
    parts = [
        text_entity(text),
        b"Content-Type: message/disposition-notification\r\n\r\n"
        + "".join(fields).encode(),
        b"Content-Type: text/rfc822-headers\r\n\r\n" + _ascii_fields(header),
    ]
    lines = [
        *_head(
            f"Mail Delivery System <MAILER-DAEMON@{stamp.hostname}>",
            str(to),
            f"Refused: {subject}",
            stamp,
        ),
        *_thread(header),
        b"Auto-Submitted: auto-replied (rejected)\r\nMIME-Version: 1.0\r\n",
        b"Content-Type: multipart/report;\r\n report-type=disposition-notification;\r\n"
        + f' boundary="{boundary}"\r\n\r\n'.encode(),
    ]
    mark = f"--{boundary}".encode()
    for part in parts:
        end = b"" if part.endswith(b"\r\n") else b"\r\n"
        lines.append(mark + b"\r\n" + part + end)
    return b"".join((*lines, mark + b"--\r\n"))


def _typed(address: Address) -> str:
    """RFC 6533 §3."""
    if address.ascii:
        return f"rfc822; {address.encode().decode('ascii')}"
    return f"utf-8; {utf8_addr_xtext(str(address))}"


def _ascii_fields(header: Header) -> bytes:
    """The fields that tell which message it was, in ASCII and not too many."""
    found = [
        raw if raw.isascii() else name.title() + b": (not in ASCII)\r\n"
        for name, raw in header.fields
        if name in _NAMING
    ]
    return b"".join(found[:MOST_NAMING])


def _head(sender: str, to: str, subject: str, stamp: Stamp) -> list[bytes]:
    named = ascii_header(f"From: {_line(sender)}\r\nTo: {_line(to)}\r\n\r\n".encode())
    return [
        named.removesuffix(b"\r\n"),
        field_of("Subject", subject),
        f"Date: {stamp.date}\r\nMessage-ID: {stamp.message_id}\r\n".encode(),
    ]


def _line(text: str) -> str:
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())


def _thread(header: Header) -> list[bytes]:
    """In-Reply-To and References (RFC 5230 §5.8, RFC 5322 §3.6.4)."""
    own = _MESSAGE_ID.search((header.texts(b"message-id") or [""])[0])
    if own is None or not own[0].isascii():
        return []
    before = (header.texts(b"references") or header.texts(b"in-reply-to") or [""])[0]
    known = [one for one in _MESSAGE_ID.findall(before) if one.isascii()]
    references = "\r\n ".join([*known[-MOST_REFERENCES:], own[0]])
    return [f"In-Reply-To: {own[0]}\r\nReferences: {references}\r\n".encode()]


def _whole(lines: list[bytes], text: str, *, mime: bool = False) -> bytes:
    entity = octets_of(text) if mime else text_entity(text)
    if mime and b"\r\n\r\n" not in entity and not entity.startswith(b"\r\n"):
        entity += b"\r\n\r\n"
    end = b"" if entity.endswith(b"\r\n") else b"\r\n"
    return b"".join((*lines, b"MIME-Version: 1.0\r\n", entity, end))
