"""What strangers are asked before their mail is taken, from the configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..config.model import Config
from ..interfaces import ICheck, IResolver
from ..policy.greylist import Greylist
from ..policy.greylist_store import FILE, GreylistStore
from ..policy.model import Phase
from ..policy.score import Score


class Gating:
    """The checks of `[gate]`, and what they remember."""

    def __init__(
        self, config: Config, hostname: str, resolver: IResolver, reactor: Any
    ) -> None:
        self._config, self._hostname = config, hostname
        self._resolver, self._reactor = resolver, reactor
        self._met: GreylistStore | None = None
        if config.gate.greylist:
            path = os.path.join(config.server.data, FILE)
            self._met = GreylistStore(reactor, path, config.gate, time.time)

    def checks(self) -> Mapping[Phase, Sequence[ICheck]]:
        """They come behind those of `[restrictions]`.

        Where all is told at RCPT, what permits a client spares it the lists too."""
        config, gate = self._config, self._config.gate
        checks: dict[Phase, Sequence[ICheck]] = {}
        if gate.scores:
            ours = [self._hostname, *(domain.name for domain in config.domain)]
            phase = Phase.CLIENT if config.restrictions.delay_reject else Phase.SENDER
            checks[phase] = (Score(gate, self._resolver, self._reactor, ours),)
        if self._met is not None:
            greylist = Greylist(
                gate,
                self._met.met,
                self._resolver,
                self._reactor,
                self._hostname,
                time.time,
            )
            checks[Phase.RECIPIENT] = (greylist,)
        return checks

    async def close(self) -> None:
        """End the thread."""
        if self._met is not None:
            await self._met.close()
