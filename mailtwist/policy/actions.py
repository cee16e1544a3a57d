"""The actions of access tables (access(5)), as they are written."""

from __future__ import annotations

import re

from attrs import frozen

from ..address import Address
from ..config.restricting import Restriction, restriction_list
from ..delivery.routes import parsed_action
from ..errors import BadAddress, MailError
from . import faults
from .orders import Orders

MOST_HEADER_LINE = 998  # octets without CRLF, RFC 5322 §2.1.1

# What may be written, and what it does: docs/restrictions.md has the same table.
ACTIONS = {
    "OK": "permits: the rest of this list is left out",
    "RELAY": "the same as OK",
    "PERMIT": "the same as OK",
    "a number": "the same as OK",
    "DUNNO": "says nothing: the next check decides",
    "REJECT text": "refuses, 550 5.7.1 unless the text begins with a status",
    "DEFER text": "refuses for now, 451 4.7.1",
    "DEFER_IF_PERMIT text": "refuses for now if nothing later refuses, 450 4.7.1",
    "DEFER_IF_REJECT text": "makes a later refusal one for now, 450 4.7.1",
    "4NN text": "refuses for now with this code; 421 ends the connection",
    "5NN text": "refuses with this code; 521 ends the connection",
    "HOLD text": "the message waits in the queue until it is released",
    "DISCARD text": "permits; the message is taken and thrown away",
    "REDIRECT user@domain": "the message goes there and nowhere else",
    "BCC user@domain": "the message goes there too, and nobody is told",
    "FILTER transport:next_hop": "the message takes this way, unexpanded",
    "PREPEND Field: text": "puts a field above the message",
    "INFO text": "writes the text into the log",
    "WARN text": "the same, as a warning",
    "restrictions": "words of a list or names of classes, asked in their order",
}
ALLOWED = ", ".join(f"`{form}`" for form in ACTIONS)

_CODE = re.compile(r"([45]\d\d)(?:\s+([45]\.\d{1,3}\.\d{1,3}))?(?:\s+(.*))?", re.S)
_WORD = re.compile(r"(\w+)(?:\s+(.*))?", re.S)
_STATUS = re.compile(r"([45]\.\d{1,3}\.\d{1,3})(?:\s+(.*))?", re.S)
_UNPRINTABLE = re.compile(r"[^ -~]")
_FIELD = re.compile(r"[!-9;-~]+:[ \t]*[ -~\t]*[!-~][ -~\t]*")

_PERMITS = ("OK", "RELAY", "PERMIT")


@frozen
class Permit:
    """The rest of the list is left out."""


@frozen
class GoOn:
    """The next check decides."""


@frozen
class Refuse:
    """The client is told this."""

    fault: MailError


@frozen
class Tell:
    """A line of the log, with what is known of the client."""

    text: str
    warns: bool


@frozen
class Order:
    """What is done with the message, `word` as the log names it and `text` as it was
    written; the list ends if it `permits`."""

    orders: Orders
    word: str
    text: str
    permits: bool = False


@frozen
class Ask:
    """Checks that decide instead."""

    restrictions: tuple[Restriction, ...]


Action = Permit | GoOn | Refuse | Tell | Order | Ask
PERMIT, GO_ON = Permit(), GoOn()


def parsed(text: str) -> Action:
    """What the right side of an access table says; raises ValueError.

    Words of restrictions are not known here: who asks finds out what they name."""
    text = text.strip()
    code = _CODE.fullmatch(text)
    if code:
        return _coded(text, int(code[1]), code[2], code[3])
    found = _WORD.fullmatch(text)
    if found is None:  # words between commas, or nothing of ours
        return Ask(restriction_list(text))
    word, rest = found[1].upper(), (found[2] or "").strip()
    if word in _PERMITS or (word.isdecimal() and not rest):
        return PERMIT
    match word:
        case "DUNNO":
            return GO_ON
        case "REJECT" | "DEFER":
            return Refuse(_fault("5.7.1" if word == "REJECT" else "4.7.1", rest))
        case "DEFER_IF_PERMIT" | "DEFER_IF_REJECT":
            fault = faults.Coded(450, *_status_and_text("4.7.1", rest))
            if word == "DEFER_IF_PERMIT":
                return Order(Orders(defer_if_permit=fault), word, rest)
            return Order(Orders(defer_if_reject=fault), word, rest)
        case "INFO" | "WARN":
            return Tell(rest, word == "WARN")
        case "HOLD":
            return Order(Orders(hold=True), word, rest)
        case "DISCARD":
            return Order(Orders(discard=True), word, rest, permits=True)
        case "REDIRECT":
            return Order(Orders(redirect=_address(rest)), word, rest)
        case "BCC":
            return Order(Orders(bcc=(_address(rest),)), word, rest)
        case "FILTER":
            return Order(Orders(filter=parsed_action(rest)), word, rest)
        case "PREPEND":
            return Order(Orders(prepend=(_field(rest),)), word, rest)
    return Ask(restriction_list(text))


def _coded(text: str, code: int, status: str | None, told: str | None) -> Refuse:
    status = status or f"{str(code)[0]}.7.1"
    if status[0] != str(code)[0]:
        raise ValueError(text)
    return Refuse(faults.Coded(code, status, _printable(told)))


def _fault(status: str, text: str) -> MailError:
    kind = faults.Deferred if status.startswith("4") else faults.Refused
    status, told = _status_and_text(status, text)
    return kind(told or None, status=status)


def _status_and_text(status: str, text: str) -> tuple[str, str]:
    """The text may begin with a status of its own, of the same class."""
    given = _STATUS.fullmatch(text)
    if given and given[1][0] == status[0]:
        return given[1], _printable(given[2])
    return status, _printable(text)


def _printable(text: str | None) -> str:
    return _UNPRINTABLE.sub("?", text or "").strip()


def _address(text: str) -> Address:
    try:
        address = Address.parse(text)
    except BadAddress as fault:
        raise ValueError(text) from fault
    if not address.domain:
        raise ValueError(text)
    return address


def _field(text: str) -> str:
    """One header field on one line: nothing in it can end the line or the header."""
    if len(text) > MOST_HEADER_LINE or not _FIELD.fullmatch(text):
        raise ValueError(text)
    return text
