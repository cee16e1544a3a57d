"""DMARC: is the author's domain who sent this, and what if not (RFC 9989, RFC 7489)?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from ..errors import DnsUnavailable
from .dkim_verify import DkimResult
from .dmarc_record import POLICIES, Policy, at, organizational, walked
from .model import INames
from .spf import SpfResult

MOST_AUTHORS = 4  # domains in From that are looked at

# The organizational domain of a domain by a list of suffixes; "" of a suffix.
Suffixes = Callable[[str], str]


@frozen
class DmarcResult:
    """`result` is pass, fail, none, temperror or permerror (RFC 8601 §2.7.6).

    `domain` is the author's; `policy` the record that holds for it; `wanted` what that
    asks of mail that fails ("none", "quarantine", "reject"), `disposition` what is left
    of it after pct= and t=, or "defer" while DNS keeps the truth back.
    """

    result: str
    domain: str = ""
    policy: Policy | None = None
    wanted: str = "none"
    disposition: str = "none"
    spf_aligned: bool = False
    dkim_aligned: bool = False
    problem: str = ""


@frozen
class Evidence:
    """What was proven of a message: domains as A-labels, lower case."""

    spf: SpfResult | None = None
    dkim: Sequence[DkimResult] = ()


async def evaluated(
    authors: Sequence[str],
    evidence: Evidence,
    names: INames,
    *,
    chance: float,
    suffixes: Suffixes | None = None,
) -> DmarcResult:
    """What holds for a message of these domains in From (A-labels).

    `chance` is a random number from 0 to below 100, for pct=.  With `suffixes` domains
    are found by that list, as in RFC 7489 §3.2, else by walking up in DNS.  Of several
    authors the worst counts."""
    domains = list(dict.fromkeys(authors))
    if not domains:
        return DmarcResult("none", problem="no author")
    if len(domains) > MOST_AUTHORS:
        return DmarcResult(
            "permerror",
            domains[0],
            wanted="reject",
            disposition="reject",
            problem="too many authors",
        )
    check = _Check(evidence, names, chance, suffixes)
    return max([await check.author(one) for one in domains], key=_badness)


async def policy_of(
    domain: str, names: INames, suffixes: Suffixes | None = None
) -> tuple[Policy, str] | None:
    """(record, what it asks of mail from `domain`); None if it asks for nothing.
    Raises DnsUnavailable."""
    policy, _ = await _found(domain, names, suffixes)
    if policy is None:
        return None
    exists = True
    if policy.domain != domain and policy.missing:
        exists = await _exists(domain, names)
    return policy, policy.for_domain(domain, exists=exists)


async def _found(
    domain: str, names: INames, suffixes: Suffixes | None
) -> tuple[Policy | None, str]:
    """(the record that holds, the organizational domain)."""
    if suffixes is not None:
        organization = suffixes(domain) or domain
        policy = await at(domain, names)
        if policy is None and organization != domain:
            policy = await at(organization, names)
        return policy, organization
    found = await walked(domain, names)
    organization = organizational(domain, found)
    by_domain = {one.domain: one for one in found}
    # RFC 9989 §4.10.1: its own, else the organization's, else the suffix's.
    policy = by_domain.get(domain) or by_domain.get(organization)
    return policy or (found[-1] if found else None), organization


async def _exists(domain: str, names: INames) -> bool:
    for ipv6 in (False, True):
        if await names.addresses(domain, ipv6=ipv6):
            return True
    return bool(await names.mx(domain))


@frozen
class _Check:
    evidence: Evidence
    names: INames
    chance: float
    suffixes: Suffixes | None

    async def author(self, domain: str) -> DmarcResult:
        try:
            policy, organization = await _found(domain, self.names, self.suffixes)
            if policy is None:
                return DmarcResult("none", domain)
            exists = True
            if policy.domain != domain and policy.missing:
                exists = await _exists(domain, self.names)
            wanted = policy.for_domain(domain, exists=exists)
            found = DmarcResult("fail", domain, policy, wanted)
            spf = self.evidence.spf
            spf_aligned = spf is not None and await self._proves(
                spf.result == "pass",
                spf.domain,
                domain,
                organization,
                policy.strict_spf,
            )
            dkim_aligned = False
            for one in self.evidence.dkim:
                dkim_aligned = dkim_aligned or await self._proves(
                    one.result == "pass" and not one.testing,
                    one.domain,
                    domain,
                    organization,
                    policy.strict_dkim,
                )
            found = evolve(found, spf_aligned=spf_aligned, dkim_aligned=dkim_aligned)
            if spf_aligned or dkim_aligned:
                return evolve(found, result="pass")
            if wanted != "none" and await self._hidden(domain, organization):
                return evolve(
                    found,
                    result="temperror",
                    disposition="defer",
                    problem="what might prove it cannot be looked up now",
                )
        except DnsUnavailable:
            return DmarcResult("temperror", domain, problem="DNS does not answer")
        return evolve(found, disposition=self._softened(wanted, policy))

    async def _proves(
        self, passed: bool, domain: str, author: str, organization: str, strict: bool
    ) -> bool:
        return passed and await self._aligned(domain, author, organization, strict)

    async def _aligned(
        self, domain: str, author: str, organization: str, strict: bool
    ) -> bool:
        """RFC 9989 §4.10.2; only a domain of the same organization is looked up."""
        domain = domain.lower()
        if domain == author:
            return True
        if strict or not (
            domain == organization or domain.endswith(f".{organization}")
        ):
            return False
        if self.suffixes is not None:
            return (self.suffixes(domain) or domain) == organization
        found = await walked(domain, self.names)
        return organizational(domain, found) == organization

    async def _hidden(self, author: str, organization: str) -> bool:
        """True if an aligned domain could not be checked for the moment."""
        claims = [(one.result, one.domain) for one in self.evidence.dkim]
        if self.evidence.spf is not None:
            claims.append((self.evidence.spf.result, self.evidence.spf.domain))
        for result, domain in claims:
            if result == "temperror" and await self._aligned(
                domain, author, organization, strict=False
            ):
                return True
        return False

    def _softened(self, wanted: str, policy: Policy) -> str:
        """RFC 7489 §6.6.4: whom pct= spares gets the next milder; RFC 9989: t=y."""
        if policy.testing or self.chance >= policy.percent:
            return POLICIES[max(0, POLICIES.index(wanted) - 1)]
        return wanted


_DISPOSITIONS = ("none", "defer", "quarantine", "reject")


def _badness(found: DmarcResult) -> tuple[int, int]:
    """What is told if authors differ: the one whose wish is followed."""
    words = ("pass", "none", "temperror", "permerror", "fail")
    return _DISPOSITIONS.index(found.disposition), words.index(found.result)
