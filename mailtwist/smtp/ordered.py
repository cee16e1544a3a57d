"""An envelope as policy wants it: held, filtered, redirected, copied, marked."""

from __future__ import annotations

from attrs import evolve

from ..delivery.model import NOTHING_SAID, Envelope, Notify, Recipient
from ..delivery.queue_work import queue_work
from ..delivery.sinks import Discarding
from ..interfaces import IDelivery, IRouter
from ..log import mail_log
from ..policy.orders import NO_ORDERS, Orders

DISCARDING = Discarding()
NOBODY_TOLD = Notify(frozenset({"NEVER"}))


async def ordered(envelope: Envelope, orders: Orders, router: IRouter) -> Envelope:
    """The envelope after `orders`: recipients that were added stand behind the others,
    or one stands in place of all.

    Raises a temporary MailError if one of them cannot be looked up now."""
    if orders is NO_ORDERS or orders.discard:
        return envelope
    changed = evolve(
        envelope,
        trace=fields(orders) + envelope.trace,
        held=orders.hold,
        filter=orders.filter,
    )
    sender = envelope.reverse_path
    if orders.redirect is not None:
        mail_log.redirected(envelope.message_id, str(orders.redirect))
        only = await queue_work(
            router, orders.redirect, sender=sender, notify=NOTHING_SAID
        )
        return evolve(changed, recipients=(only,))
    there = {each.address for each in envelope.recipients}
    added: list[Recipient] = [
        await queue_work(router, address, sender=sender, notify=NOBODY_TOLD)
        for address in orders.bcc
        if address not in there
    ]
    if not added:
        return changed
    # A copy that fails is ours to deal with, whoever is told of the others.
    return evolve(changed, recipients=(*envelope.recipients, *added), one_reply=True)


def delivery_for(delivery: IDelivery, orders: Orders) -> IDelivery:
    """Where the message goes."""
    return DISCARDING if orders.discard else delivery


def fields(orders: Orders) -> bytes:
    """The fields above the message, the first order's at the top."""
    return b"".join(b"%s\r\n" % one.encode("ascii") for one in orders.prepend)
