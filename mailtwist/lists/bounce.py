"""What a report of failed delivery says, and of whom.

Reports as RFC 3464 wants them are read by their fields; of others, the forms that many
hosts still send: qmail's, Exim's, and texts with an address beside a status or a
sentence that everybody writes.  `parsed` takes any octets.
"""

from __future__ import annotations

import re

from attrs import frozen

from ..address import Address
from ..errors import BadAddress, BadMessage
from ..mime.header import fields, table, unfold
from ..mime.part import Part
from ..mime.text import TransferDecoder
from .incoming import incoming, text_of

HARD, SOFT, DELAYED, NONE = "hard", "soft", "delayed", "none"
MOST_OCTETS = 1 << 20  # of a report that are read
MOST_FAILED = 500  # recipients that one report tells of
MOST_DIAGNOSTIC = 300  # characters


@frozen
class Failed:
    """`kind` HARD (5.x.y, failed), SOFT (4.x.y, failed) or DELAYED (it is still tried);
    `address` None if the report does not say whose."""

    address: Address | None
    kind: str
    status: str = ""
    diagnostic: str = ""


@frozen
class Bounce:
    """`failed` is empty for what is no report of a failure: `reason` says what it is
    ("a success", "an automatic answer", "no report")."""

    failed: tuple[Failed, ...]
    reason: str = ""


_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d[ -](?:[45]\.\d+\.\d+)?")
_ADDRESS = r"<?([^\s<>()\[\],;:\"]{1,64}@[A-Za-z0-9.-]{1,255}[A-Za-z0-9])>?"
_QMAIL = re.compile(rf"^{_ADDRESS}:[ \t]*\n(.*(?:\n[^\n<]+)*)", re.M)
_EXIM = re.compile(rf"^  {_ADDRESS}[ \t]*\n((?:    .*\n?)*)", re.M)
_ANY = re.compile(_ADDRESS)
_OURS = re.compile(r"mailer-daemon@|postmaster@|-bounces(?:\+|@)", re.I)
_QMAIL_START = "This is the qmail-send program"
_EXIM_START = "message that you sent could not be delivered"
_ENDS = re.compile(  # where the returned message begins in a text
    r"^(?:-{2,}.*(?:copy|original|returned|header|message).*"
    r"|--- Below this line is a copy.*|Return-Path:.*|Received: .*)$",
    re.M | re.I,
)
_SOFT_WORDS = re.compile(
    r"quota|mailbox (?:is )?full|over.?quota|insufficient (?:system )?storage"
    r"|temporar|try again|greylist|timed? ?out|connection refused",
    re.I,
)
_HARD_WORDS = re.compile(
    r"user unknown|unknown user|no such (?:user|person|mailbox|address|recipient)"
    r"|does(?:n't| not) exist|not found|mailbox unavailable|invalid (?:recipient|user"
    r"|mailbox|address)|account (?:has been |is )?(?:disabled|closed|inactive)"
    r"|no mailbox|recipient rejected|host unknown|unrouteable|undeliverable"
    r"|unable to deliver|permanent|rejected|address rejected|unknown (?:address"
    r"|recipient)|user doesn't have|delivery (?:has )?failed|could not be delivered",
    re.I,
)
_DELAY_WORDS = re.compile(
    r"delayed|warning: (?:message|could not)|not yet been"
    r"|will (?:keep|continue) (?:to )?try|no action is required|still being retried",
    re.I,
)
_ANSWER = re.compile(
    r"out of (?:the )?office|auto(?:matic)?[ -]?(?:reply|answer|response)|vacation"
    r"|abwesen|away from",
    re.I,
)


def parsed(octets: bytes) -> Bounce:
    """What a report says; raises BadMessage for octets that cannot be a message."""
    octets = octets[:MOST_OCTETS]
    if not octets.strip():
        raise BadMessage("An empty message was sent to the address for bounces")
    message = incoming(octets, None)
    status = _delivery_status(message.root)
    if status is not None:
        found = _by_fields(octets, status)
        if found.failed or found.reason:
            return found
    submitted = " ".join(message.texts(b"auto-submitted")).lower()
    if _ANSWER.search(message.subject) or submitted.startswith("auto-replied (vac"):
        return Bounce((), "an automatic answer")
    named = _header_failed(message.texts(b"x-failed-recipients"))
    text = text_of(message)
    return _by_text(text, message.subject, named)


def _delivery_status(part: Part) -> Part | None:
    """The part with the fields of RFC 3464, wherever it stands."""
    if part.media_type == "message" and part.subtype in (
        "delivery-status",
        "global-delivery-status",
    ):
        return part
    if part.encapsulates and part.subtype in ("rfc822", "global"):
        return None  # in the message that is returned
    for child in part.children:
        found = _delivery_status(child)
        if found is not None:
            return found
    return None


# -- reports as they should be ------------------------------------------------------


def _by_fields(octets: bytes, part: Part) -> Bounce:
    start, count = part.body
    body = octets[start : start + count]
    if part.encoding in ("base64", "quoted-printable"):
        body = TransferDecoder(part.encoding).feed(body, final=True)
    found: dict[tuple[Address | None, str], Failed] = {}
    reason = ""
    for group in re.split(rb"(?:\r?\n){2,}", body.strip(b"\r\n"))[: MOST_FAILED + 1]:
        one = _group(group)
        if one is None:
            continue
        if one.kind == NONE:
            reason = "a success"
        else:
            found.setdefault((one.address, one.kind), one)
    return Bounce(tuple(found.values()), "" if found else reason)


def _group(group: bytes) -> Failed | None:
    """The fields of one recipient; None for those of the whole message."""
    values = table(fields(group + b"\r\n"))

    def field(name: bytes) -> str:
        found = values.get(name)
        return unfold(found[0]).decode("utf-8", "replace") if found else ""

    action = field(b"action").partition(" ")[0].partition("(")[0].strip().lower()
    named = field(b"original-recipient"), field(b"final-recipient")
    if not action and not any(named):
        return None
    addresses = [one for text in named if (one := _typed(text)) is not None]
    said = _STATUS.search(field(b"status"))
    diagnostic = field(b"diagnostic-code").partition(";")[2].strip()
    diagnostic = " ".join(diagnostic.split())[:MOST_DIAGNOSTIC]
    # Some hosts give 5.0.0 for everything, and the true status in the reply.
    if said is None or said[0] in ("5.0.0", "4.0.0"):
        said = _STATUS.search(diagnostic) or said
    status = said[0] if said else ""
    if action == "delayed":
        kind = DELAYED
    elif (action and action != "failed") or status.startswith("2"):
        kind = NONE
    elif status.startswith("4") or status in ("5.2.2", "5.7.509"):
        kind = SOFT  # a full mailbox may be emptied
    else:
        kind = HARD
    return Failed(addresses[0] if addresses else None, kind, status, diagnostic)


def _typed(text: str) -> Address | None:
    """From "rfc822; ann@example.org", or without the type."""
    kind, mark, rest = text.partition(";")
    return _address((rest if mark else kind).strip())


def _address(text: str) -> Address | None:
    try:
        found = Address.parse(text.strip().strip("<>"))
    except BadAddress:
        return None
    return found if found.domain else None


# -- others -------------------------------------------------------------------------


def _header_failed(values: list[str]) -> list[Address]:
    """X-Failed-Recipients, as Exim has it."""
    words = [word for value in values for word in value.split(",")]
    return [found for word in words[:MOST_FAILED] if (found := _address(word))]


def _by_text(text: str, subject: str, named: list[Address]) -> Bounce:
    told = _ENDS.split(text, maxsplit=1)[0] or text
    kind, status = _kind(told, subject)
    if named:
        return Bounce(tuple(_each(named, kind or HARD, status, told)))
    if _QMAIL_START in text:
        pairs = _QMAIL.findall(told)
    elif _EXIM_START in text:
        pairs = _EXIM.findall(told)
    else:
        pairs = []
    found = []
    for word, why in pairs[:MOST_FAILED]:
        address = _address(word)
        if address is not None:
            own, own_status = _kind(why, "")
            found.append(
                Failed(address, own or kind or HARD, own_status, _one_line(why))
            )
    if found:
        return Bounce(tuple(found))
    if not kind:
        return Bounce((), "no report")
    listed = [
        address
        for word in _ANY.findall(told)[:MOST_FAILED]
        if not _OURS.search(word) and (address := _address(word)) is not None
    ]
    some = list(dict.fromkeys(listed))
    if len(some) == 1:
        return Bounce(tuple(_each(some, kind, status, told)))
    return Bounce((Failed(None, kind, status, _one_line(told)),))


def _kind(text: str, subject: str) -> tuple[str, str]:
    """(HARD, SOFT, DELAYED or "" if nothing is said, status or "")."""
    said = _STATUS.search(text)
    reply = _REPLY.search(text)
    if _DELAY_WORDS.search(subject) or _DELAY_WORDS.search(text):
        return DELAYED, said[0] if said else ""
    if said is not None and said[1] != "2":
        soft = said[1] == "4" or said[0] == "5.2.2"
        return SOFT if soft else HARD, said[0]
    if _SOFT_WORDS.search(text):
        return SOFT, ""
    if reply is not None:
        return (SOFT if reply[1] == "4" else HARD), ""
    if _HARD_WORDS.search(text) or _HARD_WORDS.search(subject):
        return HARD, ""
    return "", ""


def _each(some: list[Address], kind: str, status: str, told: str) -> list[Failed]:
    return [Failed(address, kind, status, _one_line(told)) for address in some]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MOST_DIAGNOSTIC]
