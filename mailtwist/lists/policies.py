"""What authors' domains ask of mail in their name, from DNS (DMARC)."""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import IResolver
from ..policy.origin_names import MessageNames
from ..trust.dmarc import policy_of
from .interfaces import IPolicies

GUARDED = ("quarantine", "reject")
MOST_LOOKUPS = 20  # for one post


@implementer(IPolicies)
class Policies:
    """See IPolicies."""

    def __init__(self, resolver: IResolver) -> None:
        self._resolver = resolver

    async def guarded(self, domain: str) -> bool:
        """See IPolicies."""
        names = MessageNames(self._resolver, MOST_LOOKUPS)
        found = await policy_of(domain, names)
        return found is not None and found[1] in GUARDED
