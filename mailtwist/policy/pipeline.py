"""The checks of each phase, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..interfaces import ICheck
from .lists import first_of
from .model import Phase, Visit

BEFORE_RECIPIENT = (Phase.CLIENT, Phase.HELO, Phase.SENDER)


class Pipeline:
    """`checks` by phase.  With `delayed` those of client, HELO and sender are told at
    RCPT, as Postfix does by default: then it is known who mail was for."""

    def __init__(
        self, checks: Mapping[Phase, Sequence[ICheck]], *, delayed: bool = True
    ) -> None:
        self.delayed = delayed
        self._checks = {phase: tuple(some) for phase, some in checks.items() if some}
        self._judges_sender = any(phase in self._checks for phase in BEFORE_RECIPIENT)

    @property
    def empty(self) -> bool:
        return not self._checks

    def wants(self, phase: Phase) -> bool:
        """True if there is anything to ask in this phase."""
        return phase in self._checks

    @property
    def judges_sender(self) -> bool:
        """True if there is anything to ask before a recipient."""
        return self._judges_sender

    def begin(self, visit: Visit) -> None:
        """A client connected: look-ups that will be wanted of it start."""
        for phase in BEFORE_RECIPIENT:
            for check in self._checks.get(phase, ()):
                check.begin(visit)

    async def ask(self, phase: Phase, visit: Visit) -> None:
        """Every check of the phase, until one allows.  Raises its MailError."""
        await first_of(self._checks.get(phase, ()), visit)

    async def judge_sender(self, visit: Visit) -> None:
        """Client, HELO and sender as far as they were not asked about before."""
        for phase in BEFORE_RECIPIENT if self.delayed else (Phase.SENDER,):
            await self.ask(phase, visit)


NO_POLICY = Pipeline({})
