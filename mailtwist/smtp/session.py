"""What an SMTP client's events are answered with: policy, recipients, delivery.

The server side of one connection between greeting and goodbye, without octets of the
protocol.  The rules of the roles are here: who may relay, who must log in, whose sender
address is whose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from ..address import Address
from ..auth.login import Authenticator, Login, Peer
from ..config.model import Smtp
from ..delivery.model import Envelope, LocalRecipient, Recipient, Wishes
from ..delivery.trace import date_time
from ..errors import (
    AuthNeeded,
    AuthUnavailable,
    BadSequence,
    EncryptionNeeded,
    MailError,
    MessageTooBig,
    NoRoute,
    RelayDenied,
    SenderRefused,
    TooManyRecipients,
)
from ..interfaces import IDelivery, IMessageSink, IRouter
from ..log import mail_log
from ..mime.received import Hop, protocol
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
from .faults import CommandNotImplemented, TlsNeededForMechanism, TooManyMessages
from .header import HeaderLook
from .reply import Reply, reply

Network = IPv4Network | IPv6Network
Converse = Callable[[bytes], Awaitable[bytes]]

_SENDER_OK = reply(250, "2.1.0", "Sender ok")
_RECIPIENT_OK = reply(250, "2.1.5", "Recipient ok")
_SEND_IT = reply(354, "", "Send the message, end it with a dot on a line of its own")


@frozen
class Rooms:
    """What every session of a factory works with; `now` gives seconds of the epoch."""

    config: Smtp
    hostname: str
    role: str  # "smtp" or "submission"
    authenticator: Authenticator
    router: IRouter
    delivery: IDelivery
    trusted_networks: Sequence[Network]
    now: Callable[[], float]


class Session:
    """One client.

    `starttls` if TLS can be started; `cipher` is version and cipher of TLS for the
    trace, "" until they are known.  `queued` gives the forward-paths of RCPT commands
    that wait, so that their look-ups start while one is awaited.
    """

    def __init__(
        self,
        rooms: Rooms,
        peer: Peer,
        *,
        starttls: bool,
        queued: Callable[[], list[Address]],
    ) -> None:
        self.peer, self.cipher = peer, ""
        self.login: Login | None = None
        self.committing = False  # nothing can stop a delivery that was begun
        self.messages = 0  # accepted in this connection
        self._rooms, self._starttls, self._queued = rooms, starttls, queued
        self._in_trusted_network = in_networks(peer.address, rooms.trusted_networks)
        self._hello: Hello | None = None
        self._hop: Hop | None = None  # for messages without SMTPUTF8
        self._transactions = 0
        self._mail: Mail | None = None
        self._recipients: dict[Address, Recipient] = {}
        self._lookups: dict[Address, Deferred[Recipient]] = {}
        self._message_id = ""
        self._sink: IMessageSink | None = None
        self._look = HeaderLook()
        self._fault: MailError | None = None

    @property
    def trusted(self) -> bool:
        """True for trusted networks and logins: they may relay, and type loosely."""
        return self._in_trusted_network or self.login is not None

    @property
    def offer(self) -> Offer:
        """What the client is offered now."""
        tls, login = self.peer.tls, self.login
        return Offer(
            self._rooms.config.message_octets,
            self._starttls and not tls,
            self._rooms.authenticator.mechanisms(tls=tls) if login is None else (),
        )

    async def answer(self, event: Event) -> Reply:
        """The reply to anything but AUTH and message octets; raises MailError."""
        match event:
            case Rcpt():
                return await self._rcpt(event)
            case Mail():
                return await self._take_mail(event)
            case Data():
                return self._data()
            case Hello():
                return self._greet(event)
            case Connected():
                return reply(220, "", f"{self._rooms.hostname} ESMTP mailtwist")
            case Rset():
                self.reset()
                return reply(250, "2.0.0", "Forgotten")
            case Noop():
                return reply(250, "2.0.0", "Ok")
            case Quit():
                text = f"{self._rooms.hostname} closing the connection"
                return Reply(221, "2.0.0", (text,), closes=True)
            case Vrfy():
                return await self._vrfy(event)
            case Expn():  # RFC 5321 §7.3
                return reply(252, "2.0.0", "Lists are not told, but send some mail")
            case Help():
                lines = help_lines(event.topic, self.offer)
                if lines is None:
                    return reply(504, "5.5.4", "No help on that")
                return Reply(214, "2.0.0", lines)
            case StartTls():
                return reply(220, "2.0.0", "Begin TLS now")
            case MailError():
                raise event
            case _:
                raise BadSequence()

    def _greet(self, event: Hello) -> Reply:
        self.reset()
        self._hello, self._hop = event, None
        hostname = self._rooms.hostname
        if not event.extended:
            return reply(250, "", hostname)
        return Reply(250, "", ehlo_lines(hostname, event.domain, self.offer))

    # -- logging in ---------------------------------------------------------------

    async def authenticate(self, event: Auth, converse: Converse) -> Reply:
        """The reply that ends an AUTH exchange; raises MailError."""
        mechanisms = self._rooms.authenticator.mechanisms
        if not mechanisms(tls=self.peer.tls) and not mechanisms(tls=True):
            raise CommandNotImplemented("AUTH is not offered here")
        try:
            self.login = await self._rooms.authenticator.login_sasl(
                event.mechanism, event.initial, converse, self.peer
            )
        except EncryptionNeeded as fault:
            raise TlsNeededForMechanism() from fault
        self._hop = None
        return reply(235, "2.7.0", "Authentication successful")

    def tls_started(self) -> None:
        """RFC 3207 §4.2: what the client said before is forgotten."""
        self.reset()
        self.log_out()
        self._hello = self._hop = None
        self.peer = evolve(self.peer, tls=True)

    def log_out(self) -> None:
        login, self.login = self.login, None
        if login is not None:
            login.logout()

    # -- the transaction ----------------------------------------------------------

    async def _take_mail(self, event: Mail) -> Reply:
        rooms, login = self._rooms, self.login
        config = rooms.config
        if rooms.role == "submission" and login is None:
            raise AuthNeeded() if self.offer.mechanisms else EncryptionNeeded()
        if self.messages >= config.messages:
            raise TooManyMessages()
        if event.size_octets is not None and event.size_octets > config.message_octets:
            raise MessageTooBig()
        self._mail = event
        if login is not None and event.reverse_path is not None:
            asked = Deferred.fromCoroutine(
                login.account.may_send_as(event.reverse_path)
            )
            if not asked.called:
                self.look_ahead()
            if not await asked:
                self.reset()
                raise SenderRefused()
        self._transactions += 1
        self._message_id = f"{self.peer.session}.{self._transactions}"
        return _SENDER_OK

    async def _rcpt(self, event: Rcpt) -> Reply:
        address = event.forward_path
        if len(self._recipients) >= self._rooms.config.recipients:
            raise TooManyRecipients()
        asked = self._lookups.pop(address, None) or self._look_up(address)
        if not asked.called:
            self.look_ahead()
        try:
            recipient = await asked
        except AuthUnavailable as fault:
            raise MailError("Cannot look that up now, try again later") from fault
        self._recipients.setdefault(address, recipient)
        return _RECIPIENT_OK

    def _look_up(self, address: Address) -> Deferred[Recipient]:
        mail = self._mail
        return Deferred.fromCoroutine(
            self._rooms.router.resolve(
                address,
                may_relay=self.trusted,
                size_octets=mail.size_octets if mail else None,
                sender=mail.reverse_path if mail else None,
            )
        )

    def look_ahead(self) -> None:
        """Start the look-ups of recipients that wait; their answers wait their turn."""
        room = self._rooms.config.recipients - len(self._recipients)
        for address in self._queued():
            if len(self._lookups) >= min(room, MOST_LOOKUPS):
                return
            if address not in self._lookups and address not in self._recipients:
                self._lookups[address] = self._look_up(address)

    def _data(self) -> Reply:
        """A sink for the message, its trace field made."""
        mail = self._mail
        if mail is None:
            raise BadSequence()
        rooms, login = self._rooms, self.login
        recipients = tuple(self._recipients.values())
        date = date_time(int(rooms.now()))
        only = b""
        if len(recipients) == 1:
            only = recipients[0].address.encode(utf8=mail.smtputf8)
        envelope = Envelope(
            self._message_id,
            self.peer.session,
            mail.reverse_path,
            recipients,
            self._trace(mail.smtputf8).received(self._message_id, date, only),
            login.name if login is not None else None,
            mail.size_octets,
            Wishes(mail.body, mail.smtputf8, auth=mail.auth),
        )
        missing = None
        if login is not None or rooms.role == "submission":
            number, host = self._message_id.encode(), rooms.hostname.encode()
            missing = (
                b"Date: %s\r\n" % date,
                b"Message-ID: <%s@%s>\r\n" % (number, host),
            )
        self._look, self._fault = HeaderLook(missing), None
        self._sink = rooms.delivery.begin(envelope)
        return _SEND_IT

    def _trace(self, utf8: bool) -> Hop:
        if self._hop is not None and not utf8:
            return self._hop
        config, login, hello = self._rooms.config, self.login, self._hello
        client: str | None = self.peer.address
        if client == "local":
            client = ""
        if login is not None and not config.received_client:
            client = None
        hop = Hop(
            hello.domain if hello else "",
            client,
            self._rooms.hostname,
            protocol(
                extended=hello is not None and hello.extended,
                tls=self.peer.tls,
                login=login is not None,
                utf8=utf8,
            ),
            self.cipher if config.received_tls else "",
            login.name if login is not None and config.received_login else "",
        )
        if not utf8:
            self._hop = hop
        return hop

    # -- the message --------------------------------------------------------------

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Message octets; an awaitable asks to wait before the next."""
        if self._sink is None:
            return None
        try:
            ready = self._look.feed(octets)
        except MailError as fault:
            self.spoil(fault)
            return None
        return self._sink.write(ready) if ready else None

    def spoil(self, fault: MailError | None = None) -> None:
        """What was taken can go; the answer at the end of data tells why."""
        self._fault = self._fault or fault
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()

    async def finish(self, octets: bytes, fault: MailError | None) -> Reply:
        """The reply to the end of data; raises MailError if nobody got the message.

        If any recipient's copy is durable the answer is 250, as a client must not send
        it again; otherwise the first temporary fault, else the first permanent one.
        """
        try:
            fault = fault or self._fault
            if fault is None and self._sink is not None:
                octets = self._look.finish(octets)
                waiting = self._sink.write(octets) if octets else None
                if waiting is not None:
                    await waiting
                return await self._commit()
            raise fault or MailError()
        finally:
            self.reset()

    async def _commit(self) -> Reply:
        sink, mail = self._sink, self._mail
        if sink is None or mail is None:
            raise MailError()
        self._sink, self.committing = None, True  # the delivery ends it from here on
        try:
            verdicts = await sink.commit()
        finally:
            self.committing = False
        refused = [verdict for verdict in verdicts if verdict is not None]
        if len(refused) == len(verdicts):
            raise next((v for v in refused if v.temporary), None) or (
                refused[0] if refused else MailError()
            )
        self.messages += 1
        mail_log.accepted(
            self.peer.session,
            self.peer.protocol,
            self._message_id,
            "" if mail.reverse_path is None else str(mail.reverse_path),
            len(verdicts),
            sink.octets,
        )
        if refused:
            addresses = self._recipients
            for address, verdict in zip(addresses, verdicts, strict=True):
                if verdict is not None:
                    mail_log.not_delivered(self._message_id, str(address), verdict)
        return reply(250, "2.0.0", f"{self._message_id} accepted")

    # -- the rest -----------------------------------------------------------------

    async def _vrfy(self, event: Vrfy) -> Reply:
        """RFC 5321 §3.5: the truth of local addresses if that is switched on."""
        cannot = reply(252, "2.0.0", "Cannot tell, but send some mail and see")
        if not self._rooms.config.vrfy:
            return cannot
        text = event.text
        if text.startswith("<") and text.endswith(">"):
            text = text[1:-1]
        try:
            recipient = await self._rooms.router.resolve(
                Address.parse(text), may_relay=False
            )
        except (RelayDenied, NoRoute):
            return cannot
        except AuthUnavailable as fault:
            raise MailError("Cannot look that up now, try again later") from fault
        if not isinstance(recipient, LocalRecipient):
            return cannot
        return reply(250, "2.1.5", f"<{recipient.address}>")

    def reset(self) -> None:
        """No transaction: octets that were taken and look-ups are forgotten."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()
        self._mail = self._fault = None
        self._recipients = {}
        if self._lookups:
            unasked, self._lookups = self._lookups, {}
            for lookup in unasked.values():
                lookup.addErrback(lambda fault: None)
                lookup.cancel()

    def end(self) -> None:
        """The connection is gone."""
        if not self.committing:
            self.reset()
        self.log_out()


MOST_LOOKUPS = 100  # started ahead at once


def in_networks(address: str, networks: Sequence[Network]) -> bool:
    """True if the IP address (IPv4 in IPv6 as IPv4) is in one of them."""
    if not networks:
        return False
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
