"""Mail that the server writes itself: where any other would go, back to nobody."""

from __future__ import annotations

from ..address import Address
from ..interfaces import IDelivery, IRouter
from .model import Envelope, LocalRecipient, Notify

NEVER = Notify(frozenset({"NEVER"}))


async def send(
    router: IRouter, delivery: IDelivery, to: Address, message_id: str, octets: bytes
) -> None:
    """Deliver a whole message, or put it into the queue.  Raises MailError."""
    found = await router.resolve(to, may_relay=True)
    if not isinstance(found, LocalRecipient):
        found = type(found)(found.address, found.targets, NEVER)
    envelope = Envelope(message_id, message_id, None, (found,), signing="author")
    sink = delivery.begin(envelope)
    wait = sink.write(octets)
    if wait is not None:
        await wait
    for verdict in await sink.commit():
        if verdict is not None:
            raise verdict
