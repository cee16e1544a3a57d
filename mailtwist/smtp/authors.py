"""Whom a submitted message says it is from, and how it is marked as another's.

RFC 5322 §3.6.2: From names the authors, Sender who is responsible for the transmission;
with several authors there is a Sender.  A message that is sent on by a user has fields
of its own for that (§3.6.6).  RFC 6409 §8.1 lets a submission server add Sender, or put
another in its place.
"""

from __future__ import annotations

from attrs import frozen

from ..address import Address
from ..errors import BadAddress, BadMessage
from ..mime.header import fields
from ..mime.mailbox_list import mailbox_list

OURS = b"x-authenticated-sender"
RESENT = b"resent-"


@frozen
class Authors:
    """`authors` and `sender` of a message (None: not said) or of its last resending.

    `missing` if there is no From; `at` is the offset of the first field of the
    resending, 0 of a message that was not.
    """

    authors: tuple[Address, ...]
    sender: Address | None = None
    missing: bool = False
    resent: bool = False
    at: int = 0

    @property
    def named(self) -> tuple[Address, ...]:
        """Everybody whom it says to be from."""
        return self.authors if self.sender is None else (*self.authors, self.sender)

    @property
    def needs_sender(self) -> bool:
        """True if there must be a Sender, and is none."""
        return self.sender is None and len(self.authors) != 1


def authors_of(header: bytes, *, resent: bool) -> Authors:
    """What a header says; if `resent`, of the last resending where there is one.

    Raises BadMessage for fields that are no addresses, or are there twice."""
    at, prefix, found = 0, b"", _table(header)
    if resent and any(name.startswith(RESENT) for name, _ in found):
        at, block = _resending(found)
        if RESENT + b"from" in (name for name, _ in block):
            prefix, found = RESENT, block
    authors = [raw for name, raw in found if name == prefix + b"from"]
    senders = [raw for name, raw in found if name == prefix + b"sender"]
    told = prefix.title().decode()
    for name, all_of in (("From", authors), ("Sender", senders)):
        if len(all_of) > 1:
            raise BadMessage(f"Message has more than one {told}{name} field")
    if not authors:
        return Authors((), _sender(senders, told), missing=True)
    return Authors(
        tuple(_addresses(authors[0], f"{told}From")),
        _sender(senders, told),
        resent=bool(prefix),
        at=at if prefix else 0,
    )


def _table(header: bytes) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), raw) for name, raw in fields(header)]


def _resending(
    found: list[tuple[bytes, bytes]],
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """The first run of Resent- fields, which are of the last resending, and its
    offset."""
    start = at = 0
    block: list[tuple[bytes, bytes]] = []
    for name, raw in found:
        if name.startswith(RESENT):
            start = start if block else at
            block.append((name, raw))
        elif block:
            break
        at += len(raw)
    return start, block


def _sender(senders: list[bytes], told: str) -> Address | None:
    if not senders:
        return None
    found = _addresses(senders[0], f"{told}Sender")
    if len(found) != 1:
        raise BadMessage(f"{told}Sender is not one address")
    return found[0]


def _addresses(raw: bytes, name: str) -> list[Address]:
    try:
        return mailbox_list(raw[raw.index(b":") + 1 :])
    except BadAddress as fault:
        raise BadMessage(f"{name}: {fault.public}") from fault


def with_sender(header: bytes, sender: bytes, found: Authors | None) -> bytes:
    """The header with a Sender, or a Resent-Sender, in place of what stands there.

    `found` is what it says, None if that cannot be told."""
    if found is not None and found.resent:
        before, behind = header[: found.at], header[found.at :]
        length = sum(len(raw) for _, raw in _resending(_table(header))[1])
        block = _without(behind[:length], RESENT + b"sender")
        return b"%bResent-Sender: %b\r\n%b%b" % (before, sender, block, behind[length:])
    return b"Sender: %b\r\n%b" % (sender, _without(header, b"sender"))


def with_ours(header: bytes, sender: bytes | None) -> bytes:
    """The header with X-Authenticated-Sender only if `sender` is to stand in it."""
    ours = b"X-Authenticated-Sender: %b\r\n" % sender if sender is not None else b""
    return ours + _without(header, OURS)


def _without(header: bytes, name: bytes) -> bytes:
    found = fields(header)
    if all(one.lower() != name for one, _ in found):
        return header
    length = sum(len(raw) for _, raw in found)
    kept = [raw for one, raw in found if one.lower() != name]
    return b"".join(kept) + header[length:]
