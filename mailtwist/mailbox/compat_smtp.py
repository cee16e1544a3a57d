"""IMessageDelivery over IRouter and IDelivery."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IMessageDelivery, IMessageSMTP
from twisted.mail.smtp import SMTPBadRcpt, SMTPBadSender, SMTPServerError
from zope.interface import implementer

from ..address import Address
from ..delivery.model import Envelope, Recipient
from ..errors import MailError
from ..interfaces import IDelivery, IMailAccount, IMessageSink, IRouter

CHUNK = 64 * 1024  # octets gathered before they go to the sink


def message_delivery(
    account: IMailAccount | None, router: IRouter, delivery: IDelivery
) -> CompatDelivery:
    """The way in for one login; `account` None is a client that did not log in."""
    return CompatDelivery(account, router, delivery)


def code_for(fault: MailError) -> int:
    """The SMTP reply code of a fault (RFC 5248 §2.4)."""
    if fault.temporary:
        return 452 if fault.status in ("4.2.2", "4.3.1") else 451
    return 550 if fault.status.startswith(("5.1", "5.7")) else 554


@implementer(IMessageDelivery)
class CompatDelivery:
    """Judges senders and recipients, gives a CompatMessage for each recipient."""

    def __init__(
        self, account: IMailAccount | None, router: IRouter, delivery: IDelivery
    ) -> None:
        self._account, self._router, self._delivery = account, router, delivery
        self._session = secrets.token_hex(6)

    def receivedHeader(
        self, helo: tuple[bytes, bytes], origin: Any, recipients: list[Any]
    ) -> bytes:
        """The Received field (RFC 5321 §4.4) without its line end."""
        said, client = helo
        protocol = recipients[0].protocol if recipients else None
        host = getattr(protocol, "host", None) or b"localhost"
        return b"Received: from %s ([%s])\r\n\tby %s with %s; %s" % (
            said or b"unknown",
            client,
            host if isinstance(host, bytes) else str(host).encode(),
            b"ESMTPA" if self._account else b"ESMTP",
            formatdate(localtime=True).encode(),
        )

    def validateFrom(self, helo: object, origin: Any) -> Deferred[Any]:
        """`origin` if this login may send as it, or for the null path."""
        return Deferred.fromCoroutine(self._sender(origin))

    async def _sender(self, origin: Any) -> Any:
        text = bytes(origin)
        if not text or self._account is None:
            return origin
        try:
            allowed = await self._account.may_send_as(_address(text))
        except MailError as fault:
            raise SMTPBadSender(text, code_for(fault), fault.public) from fault
        if not allowed:
            raise SMTPBadSender(text, 550, "Sender does not belong to this login")
        return origin

    def validateTo(self, user: Any) -> Deferred[Callable[[], CompatMessage]]:
        """What makes the message for this recipient."""
        return Deferred.fromCoroutine(self._recipient(user))

    async def _recipient(self, user: Any) -> Callable[[], CompatMessage]:
        text, sender = bytes(user.dest), bytes(user.orig)
        try:
            recipient = await self._router.resolve(
                _address(text),
                may_relay=self._account is not None,
                sender=_address(sender) if sender else None,
                poster=self._account.identifiers if self._account else (),
            )
        except MailError as fault:
            raise SMTPBadRcpt(text, code_for(fault), fault.public) from fault
        return lambda: self._message(user, recipient)

    def _message(self, user: Any, recipient: Recipient) -> CompatMessage:
        sender = bytes(user.orig)
        envelope = Envelope(
            message_id=secrets.token_hex(8),
            session_id=self._session,
            reverse_path=_address(sender) if sender else None,
            recipients=(recipient,),
            login=self._account.account.name if self._account else None,
            signing="author" if self._account else "",
        )
        transport = getattr(user.protocol, "transport", None)
        return CompatMessage(self._delivery.begin(envelope), transport)


@implementer(IMessageSMTP)
class CompatMessage:
    """Lines of one message to one recipient, on their way into a sink.

    While the sink wants us to wait, `transport` is paused.
    """

    def __init__(self, sink: IMessageSink, transport: Any = None) -> None:
        self._sink, self._transport = sink, transport
        self._lines: list[bytes] = []
        self._octets = 0
        self._writing: Deferred[None] | None = None

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)
        self._octets += len(line) + 2
        if self._octets >= CHUNK and self._writing is None:
            self._write()

    def eomReceived(self) -> Deferred[bytes]:
        """Fires when the message is durable; fails with SMTPServerError if not."""
        return Deferred.fromCoroutine(self._commit())

    def connectionLost(self) -> None:
        self._lines.clear()
        self._sink.abort()

    def _write(self) -> None:
        self._writing = writing = Deferred.fromCoroutine(self._flush())
        writing.addBoth(self._written)

    def _written(self, result: object) -> None:
        self._writing = None

    async def _flush(self) -> None:
        """Hand over what was gathered; the client waits if the sink does."""
        paused = False
        while self._lines:
            octets = b"\r\n".join(self._lines) + b"\r\n"
            self._lines.clear()
            self._octets = 0
            wait = self._sink.write(octets)
            if wait is None:
                continue
            if not paused and self._transport is not None:
                paused = True
                self._transport.pauseProducing()
            await wait
        if paused:
            self._transport.resumeProducing()

    async def _commit(self) -> bytes:
        if self._writing is not None:
            await self._writing
        await self._flush()
        try:
            verdict = (await self._sink.commit())[0]
        except MailError as fault:
            raise SMTPServerError(code_for(fault), fault.public) from fault
        if verdict is not None:
            raise SMTPServerError(code_for(verdict), verdict.public)
        return b"delivered"


def _address(octets: bytes) -> Address:
    """An address of Twisted's SMTP; raises BadAddress."""
    return Address.parse(octets.decode("utf-8", "replace"))
