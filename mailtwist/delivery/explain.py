"""How a recipient was decided: the steps as values, and as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from ..errors import MailError
from .model import LocalRecipient, Recipient, RemoteRecipient, Target


@frozen
class Step:
    """One look-up on the way: of which address, where, and what it gave."""

    address: str
    where: str
    result: str


@frozen
class Decision:
    """Where mail for an address goes and why; `recipient` or `fault`."""

    address: str
    steps: tuple[Step, ...] = field(factory=tuple)
    recipient: Recipient | None = None
    fault: MailError | None = None


def target_text(target: Target) -> str:
    """One line: "bob@else.test by smtp to [mx.test]:25, sender <x>, as ann"."""
    route = target.route
    parts = [f"{target.address} by {route.transport}"]
    if route.next_hop:
        parts.append(f" to {route.next_hop}")
    elif route.transport == "smtp":
        parts.append(f" to the MX of {target.address.domain}")
    if target.sender is not None:
        parts.append(f", sender <{target.sender}>")
    if target.run_as:
        parts.append(f", as {target.run_as}")
    return "".join(parts)


def targets_of(recipient: RemoteRecipient) -> tuple[Target, ...]:
    return recipient.targets or (Target(recipient.address),)


def decision_lines(decision: Decision) -> Iterator[str]:
    """The whole decision, a line for each step and each target."""
    yield f"{decision.address}:"
    for step in decision.steps:
        yield f"  {step.address}: {step.where}: {step.result}"
    match decision.recipient:
        case LocalRecipient() as local:
            detail = f", detail {local.detail}" if local.detail else ""
            yield f"  = mailbox of {local.account.name}{detail}"
        case RemoteRecipient() as remote:
            for target in targets_of(remote):
                yield f"  = {target_text(target)}"
    if decision.fault is not None:
        yield f"  = refused: {decision.fault.status} {decision.fault.public}"
