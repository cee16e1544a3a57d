"""Messages and recipients as rows of the database, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import asdict, evolve, fields

from ...address import Address
from ...delivery.model import (
    NO_WISHES,
    NOTHING_SAID,
    DeliverBy,
    Envelope,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from ...errors import MailError
from ..model import QueuedMessage, QueuedRecipient

MESSAGE = (
    "queue_id, sender_local, sender_domain, octets, arrived_s, expires_s, wishes, "
    "login, held, filter_transport, filter_next_hop"
)
RECIPIENT = (
    "number, local_part, domain, original_local, original_domain, transport, next_hop, "
    "notify, orcpt, sender, run_as, attempts, due_s, last_s, status, reply, host, "
    "delay_told, of_list"
)

_DEFAULTS = asdict(NO_WISHES)


def message_row(message: QueuedMessage) -> tuple[Any, ...]:
    """The columns MESSAGE."""
    sender = message.reverse_path
    return (
        message.queue_id,
        None if sender is None else sender.local_part,
        None if sender is None else sender.domain,
        message.octets,
        message.arrived_s,
        message.expires_s,
        wishes_text(message.wishes),
        message.login,
        int(message.held),
        message.filter.transport if message.filter is not None else None,
        message.filter.next_hop if message.filter is not None else "",
    )


def message_of(row: Sequence[Any]) -> QueuedMessage:
    """From the columns MESSAGE."""
    queue_id, local_part, domain, octets, arrived_s, expires_s, wishes = row[:7]
    login, held, transport, next_hop = row[7:]
    return QueuedMessage(
        queue_id,
        None if local_part is None else Address(local_part, domain),
        octets,
        arrived_s,
        expires_s,
        wishes_of(wishes),
        login,
        bool(held),
        None if transport is None else Route(transport, next_hop),
    )


def recipient_row(recipient: QueuedRecipient) -> tuple[Any, ...]:
    """The columns RECIPIENT."""
    address, original = recipient.address, recipient.original
    notify = recipient.notify
    return (
        recipient.number,
        address.local_part,
        address.domain,
        original.local_part,
        original.domain,
        recipient.route.transport,
        recipient.route.next_hop,
        None if notify.when is None else " ".join(sorted(notify.when)),
        notify.orcpt,
        recipient.sender,
        recipient.run_as,
        recipient.attempts,
        recipient.due_s,
        recipient.last_s,
        recipient.status,
        recipient.reply,
        recipient.host,
        int(recipient.delay_told),
        int(recipient.of_list),
    )


def recipient_of(row: Sequence[Any]) -> QueuedRecipient:
    """From the columns RECIPIENT."""
    when, orcpt = row[7], row[8]
    notify = NOTHING_SAID
    if when is not None or orcpt:
        notify = Notify(None if when is None else frozenset(when.split()), orcpt)
    sender, run_as, attempts, due_s, last_s, status, reply, host = row[9:17]
    return QueuedRecipient(
        row[0],
        Address(row[1], row[2]),
        Route(row[5], row[6]),
        Address(row[3], row[4]),
        notify,
        sender,
        run_as,
        attempts,
        due_s,
        last_s,
        status,
        reply,
        host,
        bool(row[17]),
        bool(row[18]),
    )


def wishes_text(wishes: Wishes) -> str:
    """JSON of what differs from the defaults."""
    if wishes is NO_WISHES:
        return ""
    said = {
        name: value
        for name, value in asdict(wishes).items()
        if value != _DEFAULTS[name]
    }
    return json.dumps(said) if said else ""


def wishes_of(text: str) -> Wishes:
    """From what `wishes_text` gave; words of a newer program are left out."""
    if not text:
        return NO_WISHES
    known = {field.name for field in fields(Wishes)}
    said = {name: value for name, value in json.loads(text).items() if name in known}
    if said.get("deliver_by"):
        said["deliver_by"] = DeliverBy(**said["deliver_by"])
    return Wishes(**said)


# -- what an envelope becomes -------------------------------------------------------


def queued_recipients(envelope: Envelope, due_s: float) -> list[QueuedRecipient]:
    """The rows of an envelope, each (address, route, sender) only once.

    An address that was expanded to several and asked for a report of success gets it
    for the expansion; its members are not asked for theirs (RFC 3461 §5.2.7.3).  For
    a list the message is delivered with that, and what follows is its owner's
    (§5.2.7.1).  A filter gets recipients as they are.
    """
    found: dict[object, QueuedRecipient] = {}
    for recipient in envelope.recipients:
        if not isinstance(recipient, RemoteRecipient):
            raise MailError("A mailbox here is not for the queue")
        notify = recipient.notify
        targets = recipient.targets or (Target(recipient.address),)
        if envelope.filter is not None:
            targets = (Target(recipient.address, envelope.filter),)
        of_list = all(target.of_list for target in targets)
        ends = of_list or len(targets) > 1
        if ends and notify.when is not None and "SUCCESS" in notify.when:
            action = "delivered" if of_list else "expanded"
            told = Target(recipient.address, Route("done", action))
            _add(found, recipient, told, notify, due_s)
            rest = notify.when - {"SUCCESS"} or frozenset({"NEVER"})
            notify = evolve(notify, when=rest)
        for target in targets:
            asked = NOTHING_SAID if target.of_list else notify
            _add(found, recipient, target, asked, due_s)
    return list(found.values())


def _add(
    found: dict[object, QueuedRecipient],
    recipient: RemoteRecipient,
    target: Target,
    notify: Notify,
    due_s: float,
) -> None:
    key = (target.address, target.route, target.sender, target.of_list)
    if key not in found:
        found[key] = QueuedRecipient(
            len(found) + 1,
            target.address,
            target.route,
            recipient.address,
            notify,
            target.sender,
            target.run_as,
            due_s=due_s,
            of_list=target.of_list,
        )
