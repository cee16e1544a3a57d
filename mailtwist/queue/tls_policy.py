"""The TLS that a host must give, decided for each destination.

First what the configuration says of the destination, then DANE (RFC 7672), then MTA-STS
(RFC 8461), then `relay.tls`.  DANE goes before MTA-STS, which must not weaken it
(RFC 8461 §2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import evolve, frozen

from ..config.model import Config
from ..config.relaying import TlsPolicy
from ..dns.model import Answer
from ..errors import NoSuchDomain
from ..host_port import destination
from ..interfaces import IResolver
from .model import TlsRule
from .mta_sts import StsPolicy


class StsSource(Protocol):
    """Where the MTA-STS policies of domains come from."""

    async def policy(self, domain: str) -> StsPolicy | None:
        """The policy that holds for a domain now, None without one; never raises."""


class TlsPolicies:
    """What is asked of each destination."""

    def __init__(
        self, config: Config, resolver: IResolver, sts: StsSource | None = None
    ) -> None:
        """Raises ValueError for a destination in `config` that cannot be one."""
        relay = config.relay
        self._configured = [
            (destination(policy.destination, relay.port), policy)
            for policy in config.tls_policy
        ]
        self._resolver, self._port = resolver, relay.port
        self._dane = config.dns.validating
        self._sts = sts if relay.mta_sts else None
        # Without TLSA records "dane" is what "may" is.
        self._default = TlsRule("may" if relay.tls == "dane" else relay.tls)

    async def of(self, next_hop: str) -> DomainPolicy:
        """What holds for a domain (A-labels) or "[host]:port"."""
        found = self._find(next_hop)
        if found is not None:
            level = "may" if found.tls == "dane" else found.tls
            rule = TlsRule(level, found.names)
            dane = found.tls == "dane" and self._dane
            return DomainPolicy(next_hop, self._resolver, rule, dane)
        if self._default.level == "none":
            return DomainPolicy(next_hop, self._resolver, self._default, False)
        sts = None
        if self._sts is not None and not next_hop.startswith("["):
            sts = await self._sts.policy(next_hop)
        return DomainPolicy(next_hop, self._resolver, self._default, self._dane, sts)

    def _find(self, next_hop: str) -> TlsPolicy | None:
        wanted = destination(next_hop, self._port)
        for place, policy in self._configured:
            below = place.startswith(".") and wanted.endswith(place)
            if below or place == wanted:
                return policy
        return None


@frozen
class DomainPolicy:
    """What holds for the hosts of one destination; `default` where nothing better is
    known of a host."""

    domain: str
    resolver: IResolver
    default: TlsRule
    dane: bool = False
    sts: StsPolicy | None = None

    async def rule(
        self, name: str, port: int, addresses: Answer, *, signed: bool
    ) -> TlsRule | None:
        """What host `name` must give; None if the policy of the domain refuses it.

        `signed` if the name came from a signed MX record or the configuration.  What
        came from another may have been forged, but if its own records are signed they
        count (RFC 7672 §2.2.1), unless the domain has a policy that says more.  Raises
        DnsUnavailable if it cannot be told whether there are TLSA records: the host
        counts as down then (RFC 7672 §2.1.2).
        """
        no_sts = self.sts is None or self.sts.mode == "none"
        if self.dane and (signed or no_sts):
            rule = await self._by_tlsa(name, port, await self._bases(name, addresses))
            if rule is not None:
                return rule
        if self.sts is None or no_sts:
            return self.default
        allowed = self.sts.allows(name)
        if self.sts.mode == "enforce":
            return TlsRule("verify", (name,), policy="sts") if allowed else None
        return evolve(self.default, names=(name,), policy="sts", testing=True)

    async def _bases(self, name: str, addresses: Answer) -> tuple[str, ...]:
        """Where TLSA records may stand (RFC 7672 §2.2.2): at the end of a CNAME chain,
        else at the name itself; there alone if only the alias is signed."""
        end = addresses.name or name
        if addresses.authentic:
            return tuple(dict.fromkeys((end, name)))
        if end == name:
            return ()
        try:
            alias = await self.resolver.cname(name)
        except NoSuchDomain:
            return ()
        return (name,) if alias.records and alias.authentic else ()

    async def _by_tlsa(
        self, name: str, port: int, bases: Sequence[str]
    ) -> TlsRule | None:
        for base in bases:
            try:
                answer = await self.resolver.tlsa(port, base)
            except NoSuchDomain:
                continue
            if answer.records and answer.authentic:
                names = [base, name]
                if not self.domain.startswith("["):
                    names.append(self.domain)
                return TlsRule(
                    "dane", tuple(dict.fromkeys(names)), answer.records, "tlsa"
                )
        return None
