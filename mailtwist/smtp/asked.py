"""Answers to what has nothing to do with a message: VRFY and ETRN."""

from __future__ import annotations

from ..address import Address
from ..delivery.model import LocalRecipient
from ..errors import AuthUnavailable, MailError, NoRoute, RelayDenied
from .command import Etrn, Vrfy
from .faults import EtrnRefused
from .reply import Reply, reply
from .rooms import Rooms


async def vrfy(rooms: Rooms, event: Vrfy) -> Reply:
    """RFC 5321 §3.5: the truth of local addresses if that is switched on."""
    cannot = reply(252, "2.0.0", "Cannot tell, but send some mail and see")
    if not rooms.config.vrfy:
        return cannot
    text = event.text
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    try:
        recipient = await rooms.router.resolve(Address.parse(text), may_relay=False)
    except (RelayDenied, NoRoute):
        return cannot
    except AuthUnavailable as fault:
        raise MailError("Cannot look that up now, try again later") from fault
    if not isinstance(recipient, LocalRecipient):
        return cannot
    return reply(250, "2.1.5", f"<{recipient.address}>")


async def etrn(rooms: Rooms, event: Etrn) -> Reply:
    """RFC 1985: only for domains whose mail is kept for them."""
    domain, known = event.domain, rooms.restrictions.etrn_domains
    if rooms.flush is None or not any(
        domain == one or domain.endswith("." + one) for one in known
    ):
        raise EtrnRefused()
    await rooms.flush(domain)
    return reply(250, "2.0.0", f"Queuing for node {domain} started")
