"""What policy says in each phase of one connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve
from twisted.internet.defer import Deferred

from ..address import Address
from ..errors import MailError
from ..policy.model import Phase, Visit
from ..policy.orders import NO_ORDERS, Orders
from ..policy.pipeline import Pipeline
from .command import Hello, Mail
from .faults import TooLate


class Judging:
    """Asks the checks of `policy` about one client.

    `impatient` tells whether it talked when it had to wait.  Methods raise the
    MailError of a check.
    """

    def __init__(
        self, policy: Pipeline, visit: Visit, impatient: Callable[[], bool]
    ) -> None:
        self.visit = visit
        self._policy, self._impatient = policy, impatient
        self._asked: Deferred[None] | None = None  # of the sender
        self._fault: MailError | None = None
        self._of_client = self._of_helo = NO_ORDERS  # for every message

    async def client(self) -> None:
        """The client connected."""
        self._policy.begin(self.visit)
        if not self._policy.delayed:
            await self._policy.ask(Phase.CLIENT, self.visit)
            self._of_client = self._of_helo = self.visit.orders

    async def helo(self, hello: Hello) -> None:
        """HELO or EHLO."""
        visit = self.visit
        visit.helo, visit.extended = hello.domain, hello.extended
        visit.impatient = self._impatient()
        if not self._policy.delayed:
            visit.orders = self._of_client
            await self._policy.ask(Phase.HELO, visit)
            self._of_helo = visit.orders

    async def sender(self, mail: Mail, *, tls: bool, login: str) -> None:
        """MAIL.  If the answer is delayed to RCPT its look-ups start here."""
        visit = self.visit
        self._forget()
        visit.tls, visit.login, visit.recipient = tls, login, None
        visit.sender, visit.size_octets = mail.reverse_path, mail.size_octets
        visit.impatient = self._impatient()
        visit.orders, visit.decisions = self._of_helo, {}
        if not self._policy.judges_sender:
            return
        if self._policy.delayed:
            self._asked = Deferred.fromCoroutine(self._policy.judge_sender(visit))
        else:
            await self._policy.judge_sender(visit)

    @property
    def waits(self) -> bool:
        """True while a look-up about the sender goes on."""
        return self._asked is not None and not self._asked.called

    async def before_recipient(self) -> None:
        """What was delayed, for every RCPT."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._fault = TooLate()  # if this wait is cut short
            try:
                await asked
                self._fault = None
            except MailError as fault:
                self._fault = fault
        if self._fault is not None:
            raise self._fault

    @property
    def recipient(self) -> Callable[[Address], Awaitable[None]] | None:
        """Judges a recipient that exists; None if there is nothing to ask."""
        asked = self._policy.judges_sender or self._policy.wants(Phase.RECIPIENT)
        return self._recipient if asked else None

    async def _recipient(self, address: Address) -> None:
        """Reasons to defer are of this recipient alone; if it is refused, so is all
        that was ordered because of it."""
        visit = self.visit
        before = visit.orders
        visit.recipient = address
        try:
            await self._ask(Phase.RECIPIENT)
        except BaseException:
            visit.orders = before
            raise
        visit.orders = evolve(
            visit.orders,
            defer_if_permit=before.defer_if_permit,
            defer_if_reject=before.defer_if_reject,
        )

    async def data(self) -> Orders:
        """DATA, or the first BDAT; what is to be done with the message."""
        if self._policy.empty:
            return NO_ORDERS
        visit = self.visit
        visit.recipient = None
        visit.impatient = self._impatient()
        before = visit.orders
        visit.orders = before.without_deferrals()
        try:
            await self._ask(Phase.DATA)
            return visit.orders
        finally:
            visit.orders = before

    async def _ask(self, phase: Phase) -> None:
        await self._policy.ask(phase, self.visit)
        later = self.visit.orders.defer_if_permit
        if later is not None:
            raise later

    def _forget(self) -> None:
        asked, self._asked, self._fault = self._asked, None, None
        if asked is not None:
            asked.addErrback(lambda fault: None)
            asked.cancel()

    def end(self) -> None:
        """The connection is gone, or is another client's."""
        self._forget()
        self.visit.end()
