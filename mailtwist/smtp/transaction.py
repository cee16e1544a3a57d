"""One mail transaction of the server: recipients, the message, what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred

from ..address import Address
from ..auth.login import Peer
from ..delivery.model import (
    NOTHING_SAID,
    Envelope,
    LocalRecipient,
    Recipient,
    Verdict,
    Wishes,
)
from ..eager import step
from ..errors import AuthUnavailable, MailError, TooManyRecipients
from ..interfaces import IDelivery, IMessageSink, IRouter
from ..log import mail_log
from ..policy.orders import Orders
from .authorship import Authorship
from .command import Mail, Rcpt
from .faults import TooLate, TooManyDomains
from .header import HeaderLook
from .ordered import delivery_for, ordered
from .reply import Replies, Reply, reply, reply_for

MOST_LOOKUPS = 100  # started ahead at once
NO_LOOK = HeaderLook()  # until a message begins; holds nothing
RECIPIENT_OK = reply(250, "2.1.5", "Recipient ok")
PRDR_FOLLOWS = reply(353, "", "Each recipient's verdict follows, then that of all")


class Transaction:
    """From MAIL to the end of its message, or to RSET.

    `wishes` are those of `mail` made absolute.  `queued` gives the forward-paths of
    RCPT commands that wait, so that their look-ups start while one is awaited.
    `each_told` if every recipient gets its own reply at the end (LMTP).
    """

    def __init__(
        self,
        mail: Mail,
        wishes: Wishes,
        message_id: str,
        *,
        router: IRouter,
        may_relay: bool,
        most_recipients: int,
        most_domains: int,
        each_told: bool,
        queued: Callable[[], list[Address]],
        poster: Collection[str] = (),
    ) -> None:
        self.mail, self.wishes, self.message_id = mail, wishes, message_id
        self.committing = False  # nothing can stop a delivery that was begun
        self.committed = False  # somebody has the message
        self._router, self._may_relay, self._queued = router, may_relay, queued
        self._most_recipients, self._most_domains = most_recipients, most_domains
        self._each_told, self._poster = each_told, poster
        self._recipients: dict[Address, Recipient] = {}
        self._said: list[Address] = []  # in every RCPT that was accepted
        self._domains: set[str] = set()
        self._lookups: dict[Address, Deferred[Recipient]] = {}
        self._sink: IMessageSink | None = None
        self._look = NO_LOOK
        self._authorship: Authorship | None = None  # until its header was judged
        self._fault: MailError | None = None
        self._redirected = False

    # -- recipients -----------------------------------------------------------------

    async def rcpt(
        self, event: Rcpt, judge: Callable[[Address], Awaitable[None]] | None = None
    ) -> Reply:
        """The reply to RCPT; raises MailError, also what `judge` raises of a recipient
        that exists."""
        address = event.forward_path
        if len(self._recipients) >= self._most_recipients:
            raise TooManyRecipients()
        if self._most_domains:
            self._domains.add(address.domain)
            if len(self._domains) > self._most_domains:
                self._domains.discard(address.domain)
                raise TooManyDomains()
        try:
            recipient = await self._resolved(address)
        except AuthUnavailable as fault:
            raise _may_pass(fault) from fault
        if judge is not None:
            await judge(address)
        if event.notify is not NOTHING_SAID:
            recipient = evolve(recipient, notify=event.notify)
        self._recipients.setdefault(address, recipient)
        self._said.append(address)
        return RECIPIENT_OK

    async def _resolved(self, address: Address) -> Recipient:
        """The look-up of a recipient; others start if it has to wait."""
        asked = self._lookups.pop(address, None)
        if asked is not None:
            if not asked.called:
                self.look_ahead()
            return await asked
        found, rest = step(self._look_up(address))
        if rest is not None:
            self.look_ahead()
            found = await rest
        return cast(Recipient, found)

    def _look_up(self, address: Address) -> Coroutine[Any, Any, Recipient]:
        return self._router.resolve(
            address,
            may_relay=self._may_relay,
            size_octets=self.mail.size_octets,
            sender=self.mail.reverse_path,
            poster=self._poster,
        )

    def look_ahead(self) -> None:
        """Start the look-ups of recipients that wait; their answers wait their turn."""
        room = self._most_recipients - len(self._recipients)
        for address in self._queued():
            if len(self._lookups) >= min(room, MOST_LOOKUPS):
                return
            if address not in self._lookups and address not in self._recipients:
                self._lookups[address] = Deferred.fromCoroutine(self._look_up(address))

    # -- the message ----------------------------------------------------------------

    @property
    def prdr(self) -> bool:
        """True if replies to each recipient frame the one to all: with one recipient
        there is nothing to tell apart."""
        return self.mail.prdr and not self._each_told and len(self._said) > 1

    async def begin(
        self,
        delivery: IDelivery,
        peer: Peer,
        login: str | None,
        trace: Callable[[bytes], bytes],
        missing: tuple[bytes, bytes] | None,
        orders: Orders,
        copies: Sequence[Recipient] = (),
        authorship: Authorship | None = None,
    ) -> None:
        """A sink for the message; `trace` makes the trace field for the only recipient
        to be named in it, `missing` as HeaderLook has it; `copies` go where the client
        did not ask, and their fate is not told; `authorship` judges whom the message is
        from.  Raises MailError."""
        recipients = tuple(self._recipients.values())
        only = b""
        if len(recipients) == 1:
            address = recipients[0].address
            # The domain alone must not make this a message that needs SMTPUTF8.
            only = address.encode(utf8=self.wishes.smtputf8 and not address.ascii)
        envelope = Envelope(
            self.message_id,
            peer.session,
            self.mail.reverse_path,
            recipients,
            trace(only),
            login,
            self.mail.size_octets,
            self.wishes,
            not (self._each_told or self.prdr),
            signing="author" if self._may_relay else "",
        )
        envelope = await ordered(envelope, orders, self._router)
        self._redirected = orders.redirect is not None and not orders.discard
        if copies and orders.redirect is None and not orders.discard:
            recipients = (*envelope.recipients, *copies)
            envelope = evolve(envelope, recipients=recipients)
        self._look, self._authorship = HeaderLook(missing), authorship
        self._sink = delivery_for(delivery, orders).begin(envelope)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """Message octets; an awaitable asks to wait before the next."""
        if self._sink is None:
            return None
        try:
            ready = self._look.feed(octets)
            if not ready:
                return None
            if self._authorship is not None:
                judged, rest = step(self._judged(ready, whole=False))
                if rest is not None:
                    return self._write_judged(rest)
                ready = cast(bytes, judged)
        except MailError as fault:
            self.spoil(fault)
            return None
        return self._sink.write(ready)

    async def _judged(self, octets: bytes, *, whole: bool) -> bytes:
        """The first octets of the message, after a look at whom it is from."""
        authorship, self._authorship = self._authorship, None
        if authorship is None:
            return octets
        return await authorship.judged(octets, whole=whole)

    async def _write_judged(self, judging: Awaitable[bytes]) -> None:
        self._fault = TooLate()  # if this wait is cut short
        try:
            octets = await judging
            self._fault = None
        except MailError as fault:
            self._fault = None
            self.spoil(_may_pass(fault))
            return
        waiting = self._sink.write(octets) if self._sink is not None else None
        if waiting is not None:
            await waiting

    def spoil(self, fault: MailError | None = None) -> None:
        """What was taken can go; the answer at the end of data tells why."""
        self._fault = self._fault or fault
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()

    def chunk(self, octets: int, fault: MailError | None) -> Reply:
        """The reply to a chunk that is not the last; raises MailError."""
        fault = fault or self._fault
        if fault is not None:
            self.spoil(fault)
            raise fault
        return reply(250, "2.0.0", f"{octets} octets taken")

    async def finish(
        self, octets: bytes, fault: MailError | None, peer: Peer
    ) -> Reply | Replies:
        """The reply to the end of data; raises MailError if nobody got the message and
        one reply tells it.

        With one reply for all: if any recipient's copy is durable it is 250, as a
        client must not send it again; otherwise the first temporary fault, else the
        first permanent one.
        """
        fault = fault or self._fault
        if fault is None and self._sink is not None:
            try:
                octets = await self._judged(self._look.finish(octets), whole=True)
                waiting = self._sink.write(octets) if octets else None
                if waiting is not None:
                    await waiting
                verdicts = await self._commit(self._sink, peer)
                return self._replies(verdicts)
            except MailError as told:
                fault = _may_pass(told)
        fault = fault or MailError()
        if self._each_told and self._said:
            mail_log.refused(peer.session, peer.protocol, "message", fault)
            return Replies((reply_for(fault),) * len(self._said))
        raise fault

    async def _commit(
        self, sink: IMessageSink, peer: Peer
    ) -> dict[Address, MailError | None]:
        self._sink, self.committing = None, True  # the delivery ends it from here on
        try:
            verdicts: Sequence[Verdict] = await sink.commit()
        finally:
            self.committing = False
        count = len(self._recipients)  # of a redirected message one verdict is theirs
        verdicts = [verdicts[0]] * count if self._redirected else verdicts[:count]
        by_address = dict(zip(self._recipients, verdicts, strict=True))
        refused = [verdict for verdict in verdicts if verdict is not None]
        if len(refused) < len(verdicts):
            self.committed = True
            sender = self.mail.reverse_path
            mail_log.accepted(
                peer.session,
                peer.protocol,
                self.message_id,
                "" if sender is None else str(sender),
                len(verdicts),
                sink.octets,
            )
        if refused and (self.committed or self._each_told):
            for address, verdict in by_address.items():
                # Of a mailbox here the store has told already.
                local = isinstance(self._recipients[address], LocalRecipient)
                if verdict is not None and not local:
                    mail_log.not_delivered(self.message_id, str(address), verdict)
        return by_address

    def _replies(self, verdicts: dict[Address, MailError | None]) -> Reply | Replies:
        accepted = reply(250, "2.0.0", f"{self.message_id} accepted")
        if self._each_told or self.prdr:
            each = [
                accepted if (fault := verdicts[said]) is None else reply_for(fault)
                for said in self._said
            ]
            if self._each_told:
                return Replies(tuple(each))
            final = accepted if self.committed else reply_for(_gravest(verdicts))
            return Replies((PRDR_FOLLOWS, *each, final))
        if self.committed:
            return accepted
        raise _gravest(verdicts)

    def abort(self) -> None:
        """Octets that were taken and look-ups are forgotten."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()
        if self._lookups:
            unasked, self._lookups = self._lookups, {}
            for lookup in unasked.values():
                lookup.addErrback(lambda fault: None)
                lookup.cancel()


def _may_pass(fault: MailError) -> MailError:
    """A source of accounts that cannot be asked says nothing of a password here."""
    if isinstance(fault, AuthUnavailable):
        return MailError("Cannot look that up now, try again later")
    return fault


def _gravest(verdicts: dict[Address, MailError | None]) -> MailError:
    """The first temporary fault, else the first one."""
    refused = [verdict for verdict in verdicts.values() if verdict is not None]
    if not refused:
        return MailError()
    return next((fault for fault in refused if fault.temporary), refused[0])
