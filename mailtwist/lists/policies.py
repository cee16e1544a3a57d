"""What authors' domains ask of mail in their name, from DNS (DMARC)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from zope.interface import implementer

from ..dns.model import Answer
from ..errors import NoSuchDomain
from ..interfaces import IResolver
from ..trust.dmarc import policy_of
from .interfaces import IPolicies

GUARDED = ("quarantine", "reject")


@implementer(IPolicies)
class Policies:
    """See IPolicies."""

    def __init__(self, resolver: IResolver) -> None:
        self._names = Names(resolver)

    async def guarded(self, domain: str) -> bool:
        """See IPolicies."""
        found = await policy_of(domain, self._names)
        return found is not None and found[1] in GUARDED


class Names:
    """See trust.model.INames."""

    def __init__(self, resolver: IResolver) -> None:
        self._resolver = resolver

    async def txt(self, name: str) -> Sequence[bytes]:
        return await _there(self._resolver.txt(name))

    async def addresses(self, name: str, *, ipv6: bool) -> Sequence[str]:
        return [
            address
            for address in await _there(self._resolver.addresses(name))
            if (":" in address) is ipv6
        ]

    async def mx(self, name: str) -> Sequence[tuple[int, str]]:
        return await _there(self._resolver.mx(name))

    async def ptr(self, address: str) -> Sequence[str]:
        return await _there(self._resolver.ptr(address))


async def _there(asked: Awaitable[Answer]) -> Sequence[Any]:
    """What there is, nothing for a name that does not exist."""
    try:
        return (await asked).records
    except NoSuchDomain:
        return ()
