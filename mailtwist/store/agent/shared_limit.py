"""Limits of domains whose accounts are reached through agents.

Users may not write to what others hold, so the server keeps the sum (`domain_sum`) of
these accounts itself: it puts down what is to come before the agent is asked, and in
the end what the agent says that the account holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...delivery.model import Envelope, Verdict
from ...directory.model import Account
from ...errors import MailError, OverQuota
from ...interfaces import IMessageSink
from ...mailbox.model import Quota, Usage
from ..maildir import domain_sum
from ..maildir.coming import Coming
from ..maildir.domain_sum import DomainSum
from ..maildir.durable import fault_of
from ..maildir.ledger import Amount

log = Logger("mailtwist")

MOST_PLACES = 100_000  # in the files, that are remembered
NOTHING = (0, 0)

Result = TypeVar("Result")


class SharedLimits:
    """Of all accounts with agents.  `defer` runs work in a thread; `full` is the status
    of what senders are told."""

    def __init__(self, defer: Callable[..., Deferred[Any]], full: str) -> None:
        self._defer, self._full = defer, full
        self._places: dict[str, int] = {}
        self._flying: dict[str, list[Amount]] = {}  # by file
        self.coming = Coming()

    async def _thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Raises MailError."""
        try:
            result: Result = await self._defer(work, *arguments)
        except OSError as cause:
            raise fault_of(cause) from cause
        return result

    async def fits(self, account: Account, more: Amount) -> bool:
        """True if it fits beside all that is there, in flight and announced."""
        mine, others = self.coming.to(account), self.coming.beside(account)
        octets, messages = more[0] + mine[0] + others[0], more[1] + mine[1] + others[1]
        return account.summed is None or await self._thread(
            _fits, account, (octets, messages)
        )

    async def quota(self, account: Account) -> list[Quota]:
        """The root of its domain, if that is limited."""
        if account.summed is None:
            return []
        return [await self._thread(_quota, account)]

    async def is_right(self, account: Account, usage: Usage, *, repair: bool) -> bool:
        """False if the sum of the domain was not what accounts hold."""
        held = usage.octets, usage.messages
        return await self._thread(self._compare, account, held, repair)

    async def during(
        self,
        account: Account,
        more: Amount,
        usage: Callable[[], Awaitable[Usage]],
        work: Callable[[], Awaitable[Result]],
    ) -> Result:
        """Do `work`, by which the account holds so much more at most.

        Raises OverQuota before it if that does not fit."""
        if account.summed is None:
            return await work()
        if more != NOTHING and not await self._comes(account, more):
            raise OverQuota(status=self._full)
        try:
            return await work()
        finally:
            await self._told(account, usage, more)

    async def _comes(self, account: Account, more: Amount) -> bool:
        """Nobody is refused for figures of old."""
        return (
            await self._thread(self._come, account, more)
            or await self._thread(_fits, account, more)
            and await self._thread(self._come, account, more)
        )

    async def told(self, account: Account, usage: Usage) -> None:
        """What it holds now."""
        if account.summed is not None:
            await self._tell(account, (usage.octets, usage.messages), NOTHING)

    async def _told(
        self, account: Account, usage: Callable[[], Awaitable[Usage]], gone: Amount
    ) -> None:
        held: Amount | None = None
        try:
            now = await usage()
            held = now.octets, now.messages
        except MailError as fault:
            log.warn(
                "{name} is not counted: {why}", name=account.name, why=fault.public
            )
        await self._tell(account, held, gone)

    async def _tell(self, account: Account, held: Amount | None, gone: Amount) -> None:
        """What was done is done, whatever becomes of the sum."""
        try:
            await self._thread(self._end, account, held, gone)
        except MailError as fault:
            log.warn(
                "the sum of {name}'s domain: {why}",
                name=account.name,
                why=fault.public,
            )

    # -- in a thread --------------------------------------------------------------

    def _come(self, account: Account, more: Amount) -> bool:
        """Put it down, if it fits."""
        if account.summed is None:
            return True
        with domain_sum.opened(account.summed) as total:
            if not total.fits(more):
                return False
            self._flying.setdefault(account.summed.file, []).append(more)
            self._fly(total)
        return True

    @staticmethod
    def _compare(account: Account, held: Amount, repair: bool) -> bool:
        if account.summed is None:
            return True
        with domain_sum.opened(account.summed) as total:
            right = total.is_right(account.home, held)
            if repair and not right:
                total.tell(account.home, -1, held)
                total.add_up()
        return right

    def _end(self, account: Account, held: Amount | None, gone: Amount) -> None:
        if account.summed is None:
            return
        if gone != NOTHING:
            self._flying[account.summed.file].remove(gone)
        with domain_sum.opened(account.summed) as total:
            if held is not None:
                hint = self._places.get(account.home, -1)
                self._remember(account.home, total.tell(account.home, hint, held))
            if gone != NOTHING:
                self._fly(total)

    def _fly(self, total: DomainSum) -> None:
        file = total.limit.file
        flying = self._flying[file]
        coming = sum(one[0] for one in flying), sum(one[1] for one in flying)
        hint = self._places.get(file, -1)
        self._remember(file, total.fly(hint, coming, len(flying)))

    def _remember(self, key: str, place: int) -> None:
        if len(self._places) >= MOST_PLACES:
            self._places.clear()
        self._places[key] = place


def _fits(account: Account, more: Amount) -> bool:
    if account.summed is None:
        return True
    with domain_sum.opened(account.summed) as total:
        if total.fits(more):
            return True
        if total.settled_lately:
            return False
    domain_sum.settle(account.summed)
    with domain_sum.opened(account.summed) as total:
        return total.fits(more)


def _quota(account: Account) -> Quota:
    if account.summed is None:
        raise MailError()
    with domain_sum.opened(account.summed) as total:
        return total.quota()


@implementer(IMessageSink)
class LimitedSink:
    """`inner`, whose recipients are all the one account, within its domain's limit."""

    def __init__(
        self,
        limits: SharedLimits,
        account: Account,
        envelope: Envelope,
        usage: Callable[[], Awaitable[Usage]],
        inner: IMessageSink,
    ) -> None:
        self.octets = 0
        self._limits, self._account, self._usage = limits, account, usage
        self._inner, self._copies = inner, len(envelope.recipients)
        size = (envelope.size_octets or 0) * self._copies
        self._ended: Callable[[], None] | None = limits.coming.begun(account, size)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """See IMessageSink."""
        self.octets += len(octets)
        written: Awaitable[None] | None = self._inner.write(octets)
        return written

    async def commit(self) -> list[Verdict]:
        """See IMessageSink."""
        more = self.octets * self._copies, self._copies
        try:
            return await self._limits.during(
                self._account, more, self._usage, self._inner.commit
            )
        except OverQuota as fault:
            return [fault] * self._copies
        finally:
            self.abort()

    def abort(self) -> None:
        """See IMessageSink."""
        if self._ended is not None:
            self._ended()
            self._ended = None
        self._inner.abort()
