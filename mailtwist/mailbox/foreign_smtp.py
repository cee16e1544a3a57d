"""An IMessageDelivery as router and delivery of the logins that have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from twisted.mail.smtp import Address as TheirAddress
from twisted.mail.smtp import SMTPBadRcpt, SMTPBadSender, SMTPServerError, User
from zope.interface import implementer

from ..address import Address
from ..delivery.model import Envelope, LocalRecipient, RemoteRecipient, Verdict
from ..errors import BadMessage, MailError, NoRoute, NoSuchUser, RelayDenied
from ..interfaces import IDelivery, IMessageSink, IRouter

MOST_LINE = 64 * 1024  # octets of one line, which avatars take whole


@frozen
class ForeignRecipient(RemoteRecipient):
    """Somebody whom the avatar takes mail for; `make` gives the IMessageSMTP."""

    make: Callable[[], Any] | None = None


@implementer(IRouter, IDelivery)
class NoWayIn:
    """For a listener where only logins send, each its own way: there are no mailboxes
    behind it."""

    async def resolve(
        self,
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> RemoteRecipient:
        raise RelayDenied()

    async def owner(self, address: Address) -> None:
        """It knows nobody."""

    async def mailbox(
        self, address: Address, *, size_octets: int | None = None, login: str = ""
    ) -> LocalRecipient:
        raise NoSuchUser()

    def begin(self, envelope: Envelope) -> ForeignSink:
        return ForeignSink(envelope)


class ForeignWayIn(NoWayIn):
    """`hostname` is told to the avatar as the client's name, which it cannot know."""

    def __init__(self, avatar: Any, hostname: str) -> None:
        self._avatar = avatar
        self._helo = hostname.encode(), b"127.0.0.1"

    async def may_send_as(self, address: Address) -> bool:
        """True if the avatar takes the sender; raises what it refuses for now."""
        try:
            await maybeDeferred(self._avatar.validateFrom, self._helo, _theirs(address))
        except SMTPBadSender as fault:
            if fault.code < 500:
                raise MailError(_text(fault)) from fault
            return False
        return True

    async def resolve(
        self,
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> ForeignRecipient:
        origin = TheirAddress(b"") if sender is None else _theirs(sender)
        user = User(_theirs(address), self._helo, None, origin)
        try:
            make = await maybeDeferred(self._avatar.validateTo, user)
        except SMTPBadRcpt as fault:
            temporary = fault.code < 500
            raise (MailError if temporary else NoSuchUser)(_text(fault)) from fault
        return ForeignRecipient(address, make=make)


@implementer(IMessageSink)
class ForeignSink:
    """Gives each recipient's message the lines, the trace field of ours before them."""

    def __init__(self, envelope: Envelope) -> None:
        self.octets = 0
        self._messages = [
            each.make()
            if isinstance(each, ForeignRecipient) and each.make is not None
            else None
            for each in envelope.recipients
        ]
        self._partial = b""
        self._too_long = False
        self._lines(envelope.trace)

    def write(self, octets: bytes) -> None:
        self.octets += len(octets)
        self._lines(octets)

    def _lines(self, octets: bytes) -> None:
        if self._too_long:
            return
        *lines, self._partial = (self._partial + octets).split(b"\r\n")
        if len(self._partial) > MOST_LINE:
            self._too_long, self._partial = True, b""
        for message in self._messages:
            if message is not None:
                for line in lines:
                    message.lineReceived(line)

    async def commit(self) -> list[Verdict]:
        if self._too_long:
            self.abort()
            raise BadMessage("A line of the message is too long")
        if self._partial:
            self._lines(b"\r\n")
        messages, self._messages = self._messages, []
        return [await self._end(message) for message in messages]

    async def _end(self, message: Any) -> Verdict:
        if message is None:
            return NoRoute()
        try:
            await maybeDeferred(message.eomReceived)
        except SMTPServerError as fault:
            status = "4.3.0" if fault.code < 500 else "5.3.0"
            return MailError(_text(fault), status=status)
        except MailError as fault:
            return fault
        return None

    def abort(self) -> None:
        messages, self._messages = self._messages, []
        for message in messages:
            if message is not None:
                message.connectionLost()


def _theirs(address: Address) -> TheirAddress:
    made = TheirAddress(b"")
    made.local, _, made.domain = address.encode().rpartition(b"@")
    return made


def _text(fault: Any) -> str:
    """What a fault of theirs says, in one line."""
    said = fault.resp
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return re.sub(r"[^ -~]+", " ", text)[:400] or MailError.public
