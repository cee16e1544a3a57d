"""What an SMTP client's events are answered with, between greeting and goodbye.

The server side of one connection without octets of the protocol.  The rules of the
roles are here: who may relay, who must log in, whose sender address is whose, who may
ask for what.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve
from twisted.internet.defer import Deferred

from ..address import Address
from ..auth.channel import TlsChannel
from ..auth.login import Login, Peer
from ..delivery.trace import date_time
from ..errors import (
    AuthNeeded,
    BadSequence,
    EncryptionNeeded,
    MailError,
    MessageTooBig,
    SenderRefused,
)
from ..log import mail_log
from ..mime.received import Hop, protocol
from ..policy.model import Visit
from ..policy.orders import NO_ORDERS
from . import asked, burl
from .checked import Checking
from .command import (
    Auth,
    Burl,
    Connected,
    Data,
    EndOfChunk,
    Etrn,
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
    Xclient,
    Xforward,
)
from .extensions import ehlo_lines, help_lines
from .faults import (
    CommandNotImplemented,
    TlsNeededForMechanism,
    TooManyMessages,
)
from .judging import Judging
from .reply import Replies, Reply, reply, reply_for
from .rooms import Rooms, in_networks
from .transaction import Transaction
from .wishes import absolute

Converse = Callable[[bytes], Awaitable[bytes]]

SENDER_OK = reply(250, "2.1.0", "Sender ok")
SEND_IT = reply(354, "", "Send the message, end it with a dot on a line of its own")


class Session:
    """One client.

    `starttls` if TLS can be started; `cipher` is version and cipher of TLS for the
    trace, "" until they are known.  `queued` gives the forward-paths of RCPT commands
    that wait, so that their look-ups start while one is awaited; `impatient` tells
    whether the client talked when it had to wait.
    """

    def __init__(
        self,
        rooms: Rooms,
        peer: Peer,
        *,
        starttls: bool,
        queued: Callable[[], list[Address]],
        impatient: Callable[[], bool],
    ) -> None:
        self.peer, self.cipher = peer, ""
        self.login: Login | None = None
        self.messages = 0  # accepted in this connection
        self._rooms, self._starttls, self._queued = rooms, starttls, queued
        self._proxy = in_networks(peer.address, rooms.restrictions.trusted_proxies)
        self._in_trusted_network = in_networks(peer.address, rooms.trusted_networks)
        self._hello: Hello | None = None
        self._hop: Hop | None = None  # for messages without SMTPUTF8
        self._transactions = 0
        self._transaction: Transaction | None = None
        self._impatient = impatient
        self._checking: Checking | None = None
        self._judging = self._judged()

    def _judged(self, name: str | None = None) -> Judging | None:
        """Policy for the client, `name` as a proxy told it; None if there is none."""
        rooms = self._rooms
        if self.lmtp or (rooms.policy.empty and rooms.content is None):
            return None
        visit = Visit(
            self.peer.address,
            rooms.role,
            self.peer.tls,
            self._in_trusted_network,
            name,
            session=self.peer.session,
        )
        return Judging(rooms.policy, visit, self._impatient)

    @property
    def lmtp(self) -> bool:
        return self._rooms.role == "lmtp"

    @property
    def trusted(self) -> bool:
        """True for trusted networks and logins: they may relay, and type loosely."""
        return self._in_trusted_network or self.login is not None

    @property
    def committing(self) -> bool:
        """True while a delivery goes on that nothing can stop."""
        return self._transaction is not None and self._transaction.committing

    @property
    def offer(self) -> Offer:
        """What the client is offered now."""
        return self._rooms.offer(
            self.peer,
            starttls=self._starttls,
            login=self.login is not None,
            proxy=self._proxy,
            etrn=self._in_trusted_network,
            burl=self._rooms.burl(self.login),
        )

    async def answer(self, event: Event) -> Reply:
        """The reply to anything but AUTH and message octets; raises MailError."""
        match event:
            case Rcpt():
                return await self._rcpt(event)
            case Mail():
                return await self._take_mail(event)
            case Data():
                await self._begin()
                return SEND_IT
            case EndOfChunk():
                transaction = self._transaction
                if transaction is None:
                    raise event.fault or BadSequence()
                return transaction.chunk(event.octets, event.fault)
            case Hello():
                return await self._greet(event)
            case Connected():
                return await self._welcome()
            case Rset():
                self.reset()
                return reply(250, "2.0.0", "Forgotten")
            case Noop():
                return reply(250, "2.0.0", "Ok")
            case Quit():
                text = f"{self._rooms.hostname} closing the connection"
                return Reply(221, "2.0.0", (text,), closes=True)
            case Vrfy():
                return await asked.vrfy(self._rooms, event)
            case Expn():  # RFC 5321 §7.3
                return reply(252, "2.0.0", "Lists are not told, but send some mail")
            case Help():
                lines = help_lines(event.topic, self.offer)
                if lines is None:
                    return reply(504, "5.5.4", "No help on that")
                return Reply(214, "2.0.0", lines)
            case StartTls():
                return reply(220, "2.0.0", "Begin TLS now")
            case Etrn():
                return await asked.etrn(self._rooms, event)
            case Xclient():
                return await self._xclient(event)
            case Xforward():
                self._log_proxied("XFORWARD", event)
                return reply(250, "2.0.0", "Ok")
            case MailError():
                raise event
            case _:
                raise BadSequence()

    def _greeting(self) -> Reply:
        spoken = "LMTP" if self.lmtp else "ESMTP"
        return reply(220, "", f"{self._rooms.hostname} {spoken} mailtwist")

    async def _welcome(self) -> Reply:
        """The greeting, or a refusal that ends the connection (RFC 5321 §3.1)."""
        try:
            if not self._in_trusted_network:
                self._rooms.rates.connection(self.peer.address)
            if self._judging is not None:
                await self._judging.client()
        except MailError as fault:
            told = reply_for(fault)
            return evolve(told, code=421 if fault.temporary else 554, closes=True)
        return self._greeting()

    async def _greet(self, event: Hello) -> Reply:
        self.reset()
        if self._judging is not None:
            await self._judging.helo(event)
        self._hello, self._hop = event, None
        hostname = self._rooms.hostname
        if not event.extended:
            return reply(250, "", hostname)
        return Reply(250, "", ehlo_lines(hostname, event.domain, self.offer))

    # -- logging in ---------------------------------------------------------------

    async def authenticate(self, event: Auth, converse: Converse) -> Reply:
        """The reply that ends an AUTH exchange; raises MailError."""
        mechanisms = self._rooms.authenticator.mechanisms
        over_tls = evolve(self.peer, tls=True)
        if self.lmtp or not mechanisms(self.peer) and not mechanisms(over_tls):
            raise CommandNotImplemented("AUTH is not offered here")
        try:
            login = await self._rooms.authenticator.login_sasl(
                event.mechanism, event.initial, converse, self.peer
            )
        except EncryptionNeeded as fault:
            raise TlsNeededForMechanism() from fault
        self._log_in(login)
        self._hop = None
        return reply(235, "2.7.0", "Authentication successful")

    def _log_in(self, login: Login) -> None:
        """Raises TooFast for one connection too many."""
        try:
            self._rooms.rates.enter(login.name)
        except MailError:
            login.logout()
            raise
        self.login = login

    def tls_started(self, channel: TlsChannel) -> None:
        """RFC 3207 §4.2: what the client said before is forgotten."""
        self.reset()
        self.log_out()
        self._hello = self._hop = None
        self.peer = evolve(self.peer, tls=True, channel=channel)

    def log_out(self) -> None:
        login, self.login = self.login, None
        if login is not None:
            self._rooms.rates.leave(login.name)
            login.logout()

    # -- proxies ------------------------------------------------------------------

    async def _xclient(self, event: Xclient) -> Reply:
        """From here on the client is the one that the proxy tells of."""
        given = dict(event.given)
        login, name = None, given.get("LOGIN")
        peer = self.peer
        if "ADDR" in given:
            peer = evolve(peer, address=given["ADDR"] or "unknown")
        if name:
            login = await self._rooms.authenticator.login_proxied(name, peer)
        self.reset()
        self.log_out()
        if login is not None:
            self._log_in(login)
        self.peer = peer
        self._in_trusted_network = in_networks(
            peer.address, self._rooms.trusted_networks
        )
        self._hello = self._hop = None
        if self._judging is not None:
            self._judging.end()
        self._judging = self._judged(given["NAME"] or "" if "NAME" in given else None)
        helo = given.get("HELO")
        if helo:
            self._hello = Hello(helo, given.get("PROTO") != "SMTP")
        self._log_proxied("XCLIENT", event)
        return self._greeting()

    def _log_proxied(self, command: str, event: Xclient | Xforward) -> None:
        mail_log.proxied(
            self.peer.session,
            self.peer.protocol,
            command,
            {name: value or "" for name, value in event.given},
        )

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
        self._count(rooms.rates.message)
        wishes = absolute(event, config, rooms.now(), trusted=self.trusted or self.lmtp)
        transaction = self._transaction = Transaction(
            event,
            wishes,
            f"{self.peer.session}.{self._transactions + 1}",
            router=rooms.way_in(login).router,
            may_relay=self.trusted and not self.lmtp,
            most_recipients=config.recipients,
            most_domains=config.recipient_domains,
            each_told=self.lmtp,
            queued=self._queued,
            poster=login.account.identifiers if login is not None else (),
        )
        if login is not None and event.reverse_path is not None:
            asked = Deferred.fromCoroutine(
                login.account.may_send_as(event.reverse_path)
            )
            if not asked.called:
                transaction.look_ahead()
            if not await asked:
                self.reset()
                raise SenderRefused()
        self._transactions += 1
        if self._judging is not None:
            name = login.name if login is not None else ""
            try:
                await self._judging.sender(event, tls=self.peer.tls, login=name)
            except MailError:
                self.reset()
                raise
            self._begin_checking(self._judging.visit)
        if wishes.priority != event.wishes.priority:  # RFC 6710
            text = f"{wishes.priority} is the priority that the message gets"
            return reply(250, "2.3.6", text)
        return SENDER_OK

    def _begin_checking(self, visit: Visit) -> None:
        """Messages of strangers are checked as a whole; their look-ups start here."""
        checks = self._rooms.content
        if checks is not None and not self.trusted and self._rooms.role == "smtp":
            checking = Checking(checks, visit)
            self._checking = checking if checking.looks else None

    async def _rcpt(self, event: Rcpt) -> Reply:
        transaction = self._transaction
        if transaction is None:
            raise BadSequence()
        self._count(self._rooms.rates.recipient)
        judging = self._judging
        if judging is None:
            return await transaction.rcpt(event)
        if judging.waits:
            transaction.look_ahead()
        await judging.before_recipient()
        return await transaction.rcpt(event, judging.recipient)

    def _count(self, rate: Callable[[str, str], None]) -> None:
        """Raises TooFast; trusted networks may be as fast as they can."""
        login = self.login
        if login is not None or not self._in_trusted_network:
            rate(self.peer.address, login.name if login is not None else "")

    def look_ahead(self) -> None:
        """Start the look-ups of recipients that wait."""
        if self._transaction is not None:
            self._transaction.look_ahead()

    async def _begin(self) -> None:
        """A sink for the message, its trace field made."""
        transaction = self._transaction
        if transaction is None:
            raise BadSequence()
        orders = NO_ORDERS
        if self._judging is not None:
            orders = await self._judging.data()
        rooms, login = self._rooms, self.login
        message_id = transaction.message_id
        date = date_time(int(rooms.now()))
        hop = self._trace(transaction.wishes.smtputf8)
        missing = None
        if login is not None or rooms.role == "submission":
            number, host = message_id.encode(), rooms.hostname.encode()
            missing = (
                b"Date: %s\r\n" % date,
                b"Message-ID: <%s@%s>\r\n" % (number, host),
            )
        sender, copy = transaction.mail.reverse_path, None
        if login is not None and sender is not None:
            copy = await login.account.sent_copy(sender)
        way_in = rooms.way_in(login)
        delivery = way_in.delivery
        if self._checking is not None:
            delivery = self._checking.before(delivery, way_in.router)
        await transaction.begin(
            delivery,
            self.peer,
            login.name if login is not None else None,
            lambda only: hop.received(message_id, date, only),
            missing,
            orders,
            () if copy is None else (copy,),
            None if login is None else rooms.authorship(login, transaction.mail),
        )

    def _trace(self, utf8: bool) -> Hop:
        if self._hop is not None and not utf8:
            return self._hop
        config, login, hello = self._rooms.config, self.login, self._hello
        client: str | None = self.peer.address
        if client in ("local", "unknown"):
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
                lmtp=self.lmtp,
            ),
            self.cipher if config.received_tls else "",
            login.name if login is not None and config.received_login else "",
        )
        if not utf8:
            self._hop = hop
        return hop

    # -- the message --------------------------------------------------------------

    async def begin_chunks(self) -> None:
        """BDAT: a sink for the message; a fault is told when its octets have come."""
        try:
            await self._begin()
        except MailError as fault:
            self.spoil(fault)

    async def fetch(self, event: Burl, takes: burl.Takes) -> None:
        """BURL: as chunks of the client, but the octets are read here."""
        if event.first:
            await self.begin_chunks()
        await burl.fetch(self._rooms.urls, self.login, event, takes, self.write)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Message octets; an awaitable asks to wait before the next."""
        transaction = self._transaction
        return transaction.write(octets) if transaction is not None else None

    def spoil(self, fault: MailError | None = None) -> None:
        """What was taken can go; the answer at the end of data tells why."""
        if self._transaction is not None:
            self._transaction.spoil(fault)

    async def finish(self, octets: bytes, fault: MailError | None) -> Reply | Replies:
        """The reply to the end of data; raises MailError if nobody got the message."""
        transaction = self._transaction
        if transaction is None:
            raise fault or BadSequence()
        try:
            return await transaction.finish(octets, fault, self.peer)
        finally:
            self.messages += transaction.committed
            self.reset()

    # -- the end ------------------------------------------------------------------

    def reset(self) -> None:
        """No transaction: octets that were taken and look-ups are forgotten."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.abort()
        checking, self._checking = self._checking, None
        if checking is not None:
            checking.end()

    def end(self) -> None:
        """The connection is gone."""
        if self._judging is not None:
            self._judging.end()
        if not self.committing:
            self.reset()
        self.log_out()
