"""From queued recipients to transactions, and the names they take turns by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from ..address import Address
from .model import Job, QueuedMessage, QueuedRecipient


def source_of(message: QueuedMessage) -> str:
    """Who shares one turn: the login, else the domain of the reverse-path."""
    if message.login:
        return f"login {message.login}"
    return "" if message.reverse_path is None else message.reverse_path.domain


def place_of(recipient: QueuedRecipient) -> str:
    """Where it goes, as far as that is known without a look-up."""
    route = recipient.route
    return place_of_way(route.transport, route.next_hop, recipient.address.domain)


def place_of_way(transport: str, next_hop: str, domain: str) -> str:
    return f"{transport}:{next_hop or domain}"


def place_of_all(recipients: Iterable[QueuedRecipient]) -> str:
    """The place of all, "" if there are several."""
    places = {place_of(recipient) for recipient in recipients}
    return places.pop() if len(places) == 1 else ""


def jobs_of(
    message: QueuedMessage, recipients: Sequence[QueuedRecipient], most: int
) -> list[Job]:
    """Transactions of at most `most` recipients: one sender, route and place each.

    Recipients of a pipe or a file are alone: each runs by itself, for its own user.
    """
    groups: dict[object, list[QueuedRecipient]] = {}
    for recipient in recipients:
        key = (
            place_of(recipient),
            recipient.route,
            recipient.sender,
            recipient.run_as,
            recipient.of_list,
            recipient.number if recipient.route.transport in ("pipe", "file") else 0,
        )
        groups.setdefault(key, []).append(recipient)
    jobs = []
    for some in groups.values():
        path, route = reverse_path(message, some[0]), some[0].route
        told = for_list(message) if some[0].of_list else message
        for at in range(0, len(some), most):
            jobs.append(Job(told, tuple(some[at : at + most]), path, route))
    return jobs


def for_list(message: QueuedMessage) -> QueuedMessage:
    """The same without what its sender asked of reports (RFC 3461 §5.2.7.1)."""
    return evolve(message, wishes=evolve(message.wishes, ret="", envid=""))


def reverse_path(message: QueuedMessage, recipient: QueuedRecipient) -> Address | None:
    """Who sends to this recipient: the message's reverse-path, or what replaced it."""
    if recipient.sender is None:
        return message.reverse_path
    return Address.parse(recipient.sender) if recipient.sender else None
