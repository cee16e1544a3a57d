"""What an SMTP client's events are answered with: policy, recipients, delivery.

The server side of one connection between greeting and goodbye, without octets.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate, make_msgid
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from attrs import define, field, frozen

from ..address import Address
from ..config.model import Smtp
from ..delivery.model import Envelope, Recipient
from ..errors import (
    AuthNeeded,
    BadSequence,
    EncryptionNeeded,
    MailError,
    MessageTooBig,
    SenderRefused,
    TooManyRecipients,
)
from ..interfaces import IDelivery, IMessageSink, IRouter
from ..log import mail_log
from ..mime.received import Hop, protocol, received
from .command import (
    Auth,
    Connected,
    Data,
    Event,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    Offer,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from .extensions import ehlo_lines, help_lines
from .faults import TlsNeededForMechanism, TooManyMessages
from .reply import Reply, reply
from .submission import HeaderLook

Network = IPv4Network | IPv6Network
Converse = Callable[[bytes], Awaitable[bytes]]


@frozen
class Rooms:
    """What every session of a factory works with."""

    config: Smtp
    hostname: str
    role: str  # "smtp" or "submission"
    authenticator: Any
    router: IRouter
    delivery: IDelivery
    trusted_networks: Sequence[Network]


@define(eq=False)
class Session:
    """One client.  `peer` is auth.login.Peer; `tls` "" or version and cipher."""

    rooms: Rooms
    peer: Any
    starttls: bool
    tls: str = ""
    login: Any = None  # auth.login.Login
    hello: Hello | None = None
    mail: Mail | None = None
    recipients: list[Recipient] = field(factory=list)
    message_id: str = ""
    messages: int = 0
    sink: IMessageSink | None = None
    _look: HeaderLook | None = None
    _fault: MailError | None = None

    @property
    def trusted(self) -> bool:
        """True for hosts of trusted_networks and for logins: they may relay."""
        return self.login is not None or in_networks(
            self.peer.address, self.rooms.trusted_networks
        )

    @property
    def offer(self) -> Offer:
        mechanisms = ()
        if self.login is None:
            mechanisms = self.rooms.authenticator.mechanisms(tls=bool(self.tls))
        return Offer(
            self.rooms.config.message_octets,
            self.starttls and not self.tls,
            mechanisms,
        )

    async def answer(self, event: Event) -> Reply:
        """The reply to any event but AUTH and message octets; raises MailError."""
        match event:
            case Connected():
                return reply(220, "", f"{self.rooms.hostname} ESMTP mailtwist")
            case Hello():
                return self._hello(event)
            case Mail():
                return await self._mail(event)
            case Rcpt():
                return await self._rcpt(event)
            case Data():
                return self._data()
            case Rset():
                self.reset()
                return reply(250, "2.0.0", "Forgotten")
            case Noop():
                return reply(250, "2.0.0", "Nothing done")
            case Quit():
                text = f"{self.rooms.hostname} closes the connection"
                return Reply(221, "2.0.0", (text,), closes=True)
            case Vrfy():
                return await self._vrfy(event)
            case Expn():
                return reply(252, "2.5.1", "Lists are not told")
            case Help():
                lines = help_lines(event.topic, self.offer)
                if lines is None:
                    return reply(504, "5.5.4", "No such command here")
                return Reply(214, "2.0.0", lines)
            case StartTls():
                if not self.starttls or self.tls:
                    raise BadSequence("TLS is up" if self.tls else "No TLS here")
                return reply(220, "2.0.0", "Begin TLS")
        raise MailError()

    def _hello(self, event: Hello) -> Reply:
        self.reset()
        self.hello = event
        if not event.extended:
            return reply(250, "", self.rooms.hostname)
        lines = ehlo_lines(self.rooms.hostname, event.domain, self.offer)
        return Reply(250, "", lines)

    # -- AUTH -----------------------------------------------------------------

    async def authenticate(self, event: Auth, converse: Converse) -> Reply:
        """The reply that ends the exchange; raises MailError."""
        if self.login is not None:
            raise BadSequence("You are logged in")
        try:
            self.login = await self.rooms.authenticator.login_sasl(
                event.mechanism, event.initial, converse, self.peer
            )
        except EncryptionNeeded as fault:
            raise TlsNeededForMechanism() from fault
        return reply(235, "2.7.0", "Authentication successful")

    # -- the transaction ------------------------------------------------------

    async def _mail(self, event: Mail) -> Reply:
        config = self.rooms.config
        if self.messages >= config.messages:
            raise TooManyMessages()
        if self.rooms.role == "submission" and self.login is None:
            raise AuthNeeded() if self.tls else EncryptionNeeded()
        if event.size_octets is not None and event.size_octets > config.message_octets:
            raise MessageTooBig()
        await self._check_sender(event.reverse_path)
        self.mail = event
        self.message_id = f"{int(time.time()):x}-{secrets.token_hex(6)}"
        return reply(250, "2.1.0", "Sender taken")

    async def _check_sender(self, sender: Address | None) -> None:
        """On submission the sender must be the login's (RFC 6409 §6.1)."""
        if self.rooms.role != "submission" or sender is None:
            return
        if not await self.login.account.may_send_as(sender):
            raise SenderRefused()

    async def _rcpt(self, event: Rcpt) -> Reply:
        if len(self.recipients) >= self.rooms.config.recipients:
            raise TooManyRecipients()
        recipient = await self.rooms.router.resolve(
            event.forward_path,
            may_relay=self.trusted,
            size_octets=self.mail.size_octets if self.mail else None,
        )
        self.recipients.append(recipient)
        return reply(250, "2.1.5", "Recipient taken")

    def _data(self) -> Reply:
        """A sink for the message, its trace fields ready."""
        mail, hello = self.mail, self.hello
        if mail is None or hello is None:
            raise BadSequence()
        config, login = self.rooms.config, self.login
        submitted = login is not None or self.rooms.role == "submission"
        date = formatdate(localtime=True)
        only = self.recipients[0].address if len(self.recipients) == 1 else None
        trace = received(
            Hop(
                hello.domain,
                "" if submitted and not config.received_client else self._client(),
                self.rooms.hostname,
                protocol(
                    extended=hello.extended,
                    tls=bool(self.tls),
                    login=login is not None,
                    utf8=mail.smtputf8,
                ),
                self.message_id,
                date,
                self.tls if config.received_tls else "",
                login.name if login is not None and config.received_login else "",
                only.encode(utf8=mail.smtputf8).decode() if only is not None else "",
            )
        )
        envelope = Envelope(
            self.message_id,
            self.peer.session,
            mail.reverse_path,
            tuple(self.recipients),
            trace,
            mail.body,
            mail.smtputf8,
            login.name if login is not None else None,
            mail.size_octets,
        )
        missing = None
        if submitted:
            made = make_msgid(self.message_id, self.rooms.hostname)
            missing = (
                f"Date: {date}\r\n".encode(),
                f"Message-ID: {made}\r\n".encode(),
            )
        self._look, self._fault = HeaderLook(missing), None
        self.sink = self.rooms.delivery.begin(envelope)
        return reply(354, "", "Send the message, end with a line of one dot")

    def _client(self) -> str:
        address = str(self.peer.address)
        return f"IPv6:{address}" if ":" in address else address

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Message octets; the awaitable asks to wait."""
        if self.sink is None or self._look is None or self._fault is not None:
            return None
        try:
            ready = self._look.feed(octets)
        except MailError as fault:
            self.spoil(fault)
            return None
        return self.sink.write(ready) if ready else None

    def spoil(self, fault: MailError | None = None) -> None:
        """What was taken can go; the end of data tells why."""
        self._fault = self._fault or fault or MailError()
        if self.sink is not None:
            self.sink.abort()
            self.sink = None

    async def finish(self, octets: bytes, fault: MailError | None) -> Reply:
        """The reply to the end of data; raises MailError if nobody got the message.

        If any recipient's copy is durable the answer is 250; otherwise the worst
        temporary, else the permanent fault (architecture: one verdict per recipient).
        """
        try:
            return await self._finish(octets, fault)
        finally:
            self.reset()

    async def _finish(self, octets: bytes, fault: MailError | None) -> Reply:
        waited = self.write(octets) if octets and fault is None else None
        if waited is not None:
            await waited
        if fault is not None or self._fault is not None:
            raise fault or self._fault or MailError()
        sink, look = self.sink, self._look
        if sink is None or look is None:
            raise MailError()
        rest = look.finish()
        waited = sink.write(rest) if rest else None
        if waited is not None:
            await waited
        self.sink = None  # from here on the delivery ends it, whoever goes away
        verdicts = await sink.commit()
        refused = [verdict for verdict in verdicts if verdict is not None]
        if refused and len(refused) == len(verdicts):
            temporary = [verdict for verdict in refused if verdict.temporary]
            raise (temporary or refused)[0]
        self.messages += 1
        sender = self.mail.reverse_path if self.mail else None
        mail_log.accepted(
            self.peer.session,
            self.message_id,
            str(sender or ""),
            len(verdicts),
            sink.octets,
        )
        return reply(250, "2.0.0", f"{self.message_id} taken")

    async def _vrfy(self, event: Vrfy) -> Reply:
        if self.rooms.config.vrfy:
            address = Address.parse(event.text.strip("<> "))
            await self.rooms.router.resolve(address, may_relay=False)
            return reply(250, "2.1.5", f"<{address}>")
        return reply(252, "2.5.0", "Try to send; it will be told")

    def reset(self) -> None:
        """No transaction; octets that were taken are forgotten."""
        if self.sink is not None:
            self.sink.abort()
        self.sink = self._look = self._fault = self.mail = None
        self.recipients = []

    def end(self) -> None:
        """The connection is gone."""
        self.reset()
        if self.login is not None:
            self.login.logout()
            self.login = None


def in_networks(address: str, networks: Sequence[Network]) -> bool:
    if not networks:
        return False
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
