"""Checks of whole messages: what they are given, and what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from attrs import frozen

from ..delivery.model import Envelope
from ..errors import MailError
from ..interfaces import IContentCheck
from ..log import mail_log
from ..mime.slices import Buffer
from ..trust.model import Decision
from .orders import NO_ORDERS, Orders


class IKept(Protocol):
    """Octets that are kept until they are all there."""

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write."""

    async def buffer(self) -> Buffer:
        """All of it; good until `close`.  Raises MailError."""

    def close(self) -> None: ...


@frozen
class Judgement:
    """What one check says of a message.

    `fields` go above it, each with its CRLF; `refuse` is told to the client; `junk`
    files it as spam in mailboxes here; `orders` as those of access tables; `content`
    stands in place of the octets that came (without `fields`), None for no change.
    `decisions` are kept for whoever asks later why.
    """

    fields: bytes = b""
    refuse: MailError | None = None
    junk: bool = False
    orders: Orders = NO_ORDERS
    content: bytes | None = None
    decisions: tuple[Decision, ...] = ()


Record = Callable[[str, Sequence[Decision]], None]


@frozen
class ContentChecks:
    """The checks of messages from strangers, in their order.

    `kept` makes a place for octets and `pieces` cuts a buffer; fields named
    Authentication-Results that claim to be of `authserv_id` are taken out, as they
    cannot be ours (RFC 8601 §5).  `junk` sends a message into the mailboxes for spam;
    `record` is given a message id and what was decided.
    """

    checks: Sequence[IContentCheck]
    authserv_id: str
    kept: Callable[[bytes], IKept]
    pieces: Callable[[Buffer], Iterable[bytes]]
    junk: Callable[[Envelope], Awaitable[Envelope]]
    record: Record = mail_log.decided
