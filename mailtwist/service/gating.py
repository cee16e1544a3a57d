"""What strangers are asked before their mail is taken, from the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config.model import Config
from ..interfaces import ICheck, IResolver
from ..policy.model import Phase
from ..policy.score import Score


def gate_checks(
    config: Config, hostname: str, resolver: IResolver, reactor: Any
) -> Mapping[Phase, Sequence[ICheck]]:
    """The checks of `[gate]`, which come behind those of `[restrictions]`.

    Where all is told at RCPT, what permits a client spares it the lists too."""
    checks: dict[Phase, Sequence[ICheck]] = {}
    gate = config.gate
    if gate.scores:
        ours = [hostname, *(domain.name for domain in config.domain)]
        phase = Phase.CLIENT if config.restrictions.delay_reject else Phase.SENDER
        checks[phase] = (Score(gate, resolver, reactor, ours),)
    return checks
