"""What accounts of other people's realms have beside IMailAccount, or lack."""

from __future__ import annotations

from zope.interface import Attribute, Interface

from .interfaces import IDelivery, IMailAccount, IRouter

NOTHING: frozenset[str] = frozenset()


class ILimitedAccount(IMailAccount):
    """An account that cannot give all that the servers know."""

    missing: frozenset[str] = Attribute(
        "Names of POP3 and IMAP4 capabilities that it cannot give."
    )


class IWayIn(Interface):
    """A login whose messages do not go where those of the listener go."""

    router: IRouter = Attribute("Decides about its recipients.")
    delivery: IDelivery = Attribute("Takes its messages.")


class IUniqueIds(Interface):
    """A mailbox with unique ids of its own for POP3 (RFC 1939 §7)."""

    async def unique_ids() -> list[bytes]:
        """Those of all messages in the order of `rows`; 1 to 70 octets each."""


def missing(account: IMailAccount) -> frozenset[str]:
    """The capabilities that `account` cannot give."""
    if ILimitedAccount.providedBy(account):
        found: frozenset[str] = account.missing
        return found
    return NOTHING
