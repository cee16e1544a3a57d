"""A message that is checked as a whole before anybody has it.

What the checks add stands above the message, so it is kept until they have spoken: in
memory while it is small, otherwise in a file.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable, Sequence

from attrs import evolve
from zope.interface import implementer

from ..delivery.model import Envelope, Verdict
from ..delivery.sinks import verdicts_of
from ..errors import MailError
from ..interfaces import IContentLook, IDelivery, IMessageSink, IRouter
from ..mime.header import fields
from ..mime.slices import Buffer
from ..policy.content import ContentChecks, Judgement
from ..policy.model import Visit
from ..trust.results import authserv_id
from .ordered import delivery_for, ordered

RESULTS = b"authentication-results"
_RESULTS = re.compile(rb"^authentication-results[ \t]*:", re.I | re.M)


class Checking:
    """The checks of one transaction, from MAIL on."""

    def __init__(self, checks: ContentChecks, visit: Visit) -> None:
        self.checks, self.visit = checks, visit
        looks = [check.look(visit) for check in checks.checks]
        self.looks: list[IContentLook] = [look for look in looks if look is not None]

    def before(self, delivery: IDelivery, router: IRouter) -> IDelivery:
        """`delivery` behind the checks."""
        return CheckedDelivery(self, delivery, router)

    def end(self) -> None:
        """No message will come, or it is done with."""
        looks, self.looks = self.looks, []
        for look in looks:
            look.end()


@implementer(IDelivery)
class CheckedDelivery:
    """For one message."""

    def __init__(
        self, checking: Checking, delivery: IDelivery, router: IRouter
    ) -> None:
        self.checking, self.delivery, self.router = checking, delivery, router

    def begin(self, envelope: Envelope) -> IMessageSink:
        """See IDelivery."""
        return CheckedSink(self, envelope)


@implementer(IMessageSink)
class CheckedSink:
    """Keeps the octets, lets the checks see them, and passes all on at the end."""

    def __init__(self, to: CheckedDelivery, envelope: Envelope) -> None:
        self.octets = 0
        self._to, self._envelope = to, envelope
        self._kept = to.checking.checks.kept(b"")
        self._in_body = self._spent = False

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """The first octets are the whole header and more (smtp.header sees to it)."""
        looks = self._to.checking.looks
        body = octets
        if not self._in_body:
            self._in_body = True
            header, body = _split(octets)
            header = without_forged(header, self._to.checking.checks.authserv_id)
            octets = header + body
            for look in looks:
                look.header(header)
        if body:
            for look in looks:
                look.body(body)
        self.octets += len(octets)
        return self._kept.write(octets)

    def abort(self) -> None:
        """See IMessageSink."""
        if not self._spent:
            self._spent = True
            self._kept.close()
            self._to.checking.end()

    async def commit(self) -> list[Verdict]:
        """See IMessageSink."""
        if self._spent:
            raise MailError("The message was given up")
        self._spent = True
        try:
            return await self._commit()
        finally:
            self._kept.close()
            self._to.checking.end()

    async def _commit(self) -> list[Verdict]:
        checking, envelope = self._to.checking, self._envelope
        count = len(envelope.recipients)
        content = await self._kept.buffer()
        said = [await look.judge(content, envelope) for look in checking.looks]
        decisions = [
            *checking.visit.decisions.values(),
            *(decision for one in said for decision in one.decisions),
        ]
        if decisions:
            checking.checks.record(envelope.message_id, decisions)
        refused = [one.refuse for one in said if one.refuse is not None]
        if refused:
            # What cannot be told for now may be no refusal later: that comes last.
            return [min(refused, key=lambda fault: fault.temporary)] * count
        return await self._pass_on(said, content, count)

    async def _pass_on(
        self, said: Sequence[Judgement], content: Buffer, count: int
    ) -> list[Verdict]:
        envelope, delivery = self._envelope, self._to.delivery
        above = b"".join(one.fields for one in said)
        envelope = evolve(envelope, trace=above + envelope.trace)
        if any(one.junk for one in said):
            envelope = await self._to.checking.checks.junk(envelope)
        redirected = False
        for one in said:
            if one.orders.discard or one.orders.redirect is not None:
                redirected = True
            envelope = await ordered(envelope, one.orders, self._to.router)
            delivery = delivery_for(delivery, one.orders)
        changed = [one.content for one in said if one.content is not None]
        pieces: Iterable[bytes] = (
            [changed[-1]] if changed else self._to.checking.checks.pieces(content)
        )
        sink = delivery.begin(envelope)
        try:
            for piece in pieces:
                waiting = sink.write(piece)
                if waiting is not None:
                    await waiting
        except BaseException:
            sink.abort()
            raise
        verdicts = await verdicts_of(sink, len(envelope.recipients))
        return [verdicts[0]] * count if redirected else verdicts[:count]


def without_forged(header: bytes, authserv: str) -> bytes:
    """The header without results that claim to be ours, or cannot be read
    (RFC 8601 §5)."""
    if not _RESULTS.search(header):
        return header
    kept = []
    for name, raw in fields(header):
        if name.lower() == RESULTS:
            value = raw.partition(b":")[2].decode("utf-8", "replace")
            if authserv_id(value) in ("", authserv):
                continue
        kept.append(raw)
    end = b"\r\n" if header.endswith(b"\r\n\r\n") else b""
    return b"".join(kept) + end


def _split(octets: bytes) -> tuple[bytes, bytes]:
    if octets.startswith(b"\r\n"):
        return octets[:2], octets[2:]
    end = octets.find(b"\r\n\r\n")
    cut = len(octets) if end < 0 else end + 4
    return octets[:cut], octets[cut:]
