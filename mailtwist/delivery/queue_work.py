"""Recipients that nobody waits for, as work for the queue."""

from __future__ import annotations

from ..address import Address
from ..errors import AuthUnavailable, MailError
from ..interfaces import IRouter
from .model import LocalRecipient, Notify, RemoteRecipient, Route, Target
from .spare import for_mailbox


async def queue_work(
    router: IRouter,
    address: Address,
    *,
    sender: Address | None,
    notify: Notify,
    behind: str = "",
) -> RemoteRecipient:
    """The way of an address that may be anywhere; one that is nobody's will bounce.

    Raises a temporary MailError if it cannot be looked up now."""
    try:
        found = await router.resolve(
            address, may_relay=True, sender=sender, behind=behind
        )
    except AuthUnavailable as fault:
        raise MailError("Accounts cannot be looked up now") from fault
    except MailError as fault:
        if fault.status == "4.2.2":  # full now; the queue tries again
            route = Route("mailbox")
        elif fault.temporary:
            raise
        else:
            route = Route("error", f"{fault.status} {fault.public}")
        return RemoteRecipient(address, (Target(address, route),), notify)
    if isinstance(found, LocalRecipient):
        found = for_mailbox(found)
    return RemoteRecipient(found.address, found.targets, notify)
