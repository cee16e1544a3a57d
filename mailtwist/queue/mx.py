"""The hosts that take the mail of a domain (RFC 5321 §5.1), with addresses and TLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..address import ascii_domain
from ..config.relaying import Relay
from ..dns.model import Answer
from ..errors import DnsUnavailable, MailError, NoRoute, NoSuchDomain
from ..host_port import host_port, is_address
from ..interfaces import IHosts, IResolver
from ..smtp.faults import MailLoop
from .model import Host
from .tls_policy import DomainPolicy, TlsPolicies

log = Logger()

MOST_HOSTS = 16  # of a domain that are looked at, the best first
MOST_ADDRESSES = 8  # of one host that are tried, each family half at least

Exchange = tuple[int, str]
TlsTold = Callable[[str, Host, str, str], None]


class NoTrustedHost(MailError):
    """Every host of the domain is refused by its MTA-STS policy (RFC 8461 §5)."""

    status, public = "4.7.5", "No mail host of that domain is one its policy allows"


@frozen
class Ourselves:
    """How this host knows itself: its names (A-labels, lower case), and whether it
    takes SMTP at an IP address and port."""

    names: frozenset[str] = frozenset()
    listens_at: Callable[[str, int], bool] = lambda address, port: False


@frozen
class _Candidate:
    """A host that was looked up: `fault` tells why it has no addresses."""

    preference: int
    name: str
    answer: Answer = Answer(())
    addresses: tuple[str, ...] = ()
    fault: MailError | None = None


@implementer(IHosts)
class Hosts:
    """See IHosts.

    `random` orders equals; `tls_told` hears of each attempt at TLS with a domain's
    hosts: domain (A-labels), host, address and failure.
    """

    def __init__(
        self,
        resolver: IResolver,
        config: Relay,
        *,
        policies: TlsPolicies,
        ourselves: Ourselves,
        random: Random,
        tls_told: TlsTold = lambda domain, host, address, failure: None,
    ) -> None:
        self._resolver, self._config = resolver, config
        self._policies, self._ourselves = policies, ourselves
        self._random, self._tls_told = random, tls_told

    async def hosts(self, next_hop: str) -> Sequence[Host]:
        try:
            name, port = host_port(next_hop, self._config.port)
        except ValueError as fault:
            raise NoRoute("That is no host to send mail to") from fault
        if next_hop.startswith("[") or is_address(name):
            return [await self._direct(next_hop, ascii_domain(name), port)]
        return await self._by_mx(next_hop, ascii_domain(name), port)

    def tls_result(self, next_hop: str, host: Host, address: str, failure: str) -> None:
        if next_hop.startswith("["):
            return  # no domain, and nobody to tell
        name, _ = host_port(next_hop, self._config.port)
        self._tls_told(ascii_domain(name), host, address, failure)

    async def _direct(self, next_hop: str, name: str, port: int) -> Host:
        """A host named without MX.

        A port says that this is configuration and no address literal of some sender:
        then its own loopback addresses are what the administrator means."""
        configured = not next_hop.endswith("]")
        if is_address(name):
            answer = Answer((name,), authentic=True, name=name)
        else:
            answer = await self._resolver.addresses(name, ipv6=self._config.ipv6)
        addresses = answer.records[:MOST_ADDRESSES]
        if not configured:
            addresses = self._usable(answer.records)
            if any(self._ourselves.listens_at(address, port) for address in addresses):
                raise MailLoop("Mail for that address would come back to this host")
        if not addresses:
            raise NoRoute("That host has no address that mail can be sent to")
        policy = await self._policies.of(next_hop)
        rule = await policy.rule(name, port, answer, signed=True)
        return Host(name, port, addresses, rule or policy.default, authentic=True)

    async def _by_mx(self, next_hop: str, domain: str, port: int) -> list[Host]:
        answer = await self._resolver.mx(domain)
        exchanges = self._ordered(answer.records)
        if answer.records and not exchanges:
            raise NoSuchDomain("That domain takes no mail", status="5.1.10")
        implicit = not exchanges
        if implicit:
            exchanges = [(0, domain)]
        foreign = before_us(exchanges, self._ourselves.names)
        candidates = await self._looked_up(foreign[:MOST_HOSTS])
        ours = [c for c in candidates if self._is_ours(c, port)]
        if ours:
            best = min(c.preference for c in ours)
            candidates = [c for c in candidates if c.preference < best]
        if not candidates:
            raise MailLoop("Mail for that domain would come back to this host")
        policy = await self._policies.of(domain)
        found, faults = await self._ruled(candidates, policy, port, answer.authentic)
        if found:
            return found
        temporary = [fault for fault in faults if fault.temporary]
        if temporary:
            raise temporary[0]
        if implicit and isinstance(faults[0], NoSuchDomain):
            raise faults[0]
        raise NoRoute("The mail hosts of that domain have no address to send mail to")

    def _ordered(self, records: Sequence[Exchange]) -> list[Exchange]:
        """By preference, equals shuffled; "." is no host (RFC 7505 §3)."""
        named = sorted((r for r in records if r[1]), key=itemgetter(0))
        ordered: list[Exchange] = []
        for _, equals in groupby(named, key=itemgetter(0)):
            group = list(equals)
            self._random.shuffle(group)
            ordered += group
        return ordered

    async def _looked_up(self, exchanges: Sequence[Exchange]) -> list[_Candidate]:
        """All at once; the resolver bounds the time."""
        asked = [
            Deferred.fromCoroutine(self._candidate(*exchange)) for exchange in exchanges
        ]
        try:
            return [await one for one in asked]
        except BaseException:
            for one in asked:
                one.addErrback(_dropped)
                one.cancel()
            raise

    async def _candidate(self, preference: int, name: str) -> _Candidate:
        try:
            answer = await self._resolver.addresses(name, ipv6=self._config.ipv6)
        except (NoSuchDomain, DnsUnavailable) as fault:
            return _Candidate(preference, name, fault=fault)
        addresses = self._usable(answer.records)
        if addresses:
            return _Candidate(preference, name, answer, addresses)
        none = NoRoute() if answer.records else NoSuchDomain("Domain has no mail host")
        return _Candidate(preference, name, fault=none)

    async def _ruled(
        self,
        candidates: Sequence[_Candidate],
        policy: DomainPolicy,
        port: int,
        signed: bool,
    ) -> tuple[list[Host], list[MailError]]:
        """The candidates that may be tried, and why the others may not."""
        found: list[Host] = []
        faults: list[MailError] = []
        for one in candidates:
            if one.fault is not None:
                faults.append(one.fault)
                continue
            try:
                rule = await policy.rule(one.name, port, one.answer, signed=signed)
            except DnsUnavailable as fault:  # of TLSA: as if it were down
                faults.append(fault)
                continue
            if rule is None:
                log.info(
                    "{host} is no host of {domain} by its MTA-STS policy",
                    host=one.name,
                    domain=policy.domain,
                )
                faults.append(NoTrustedHost())
                continue
            proven = signed or (rule.policy == "sts" and rule.level == "verify")
            found.append(Host(one.name, port, one.addresses, rule, authentic=proven))
        return found, faults

    def _is_ours(self, candidate: _Candidate, port: int) -> bool:
        return any(
            self._ourselves.listens_at(address, port) for address in candidate.addresses
        )

    def _usable(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """IPv6 first, each family shuffled, without those that lead nowhere."""
        good = [a for a in addresses if is_usable(a, self._config.loopback_hosts)]
        families = [[a for a in good if ":" in a], [a for a in good if ":" not in a]]
        for family in families:
            self._random.shuffle(family)
        half = MOST_ADDRESSES // 2
        first = families[0][: max(half, MOST_ADDRESSES - len(families[1]))]
        return tuple((first + families[1])[:MOST_ADDRESSES])


def before_us(exchanges: Sequence[Exchange], names: frozenset[str]) -> list[Exchange]:
    """The hosts better than ourselves: mail goes nearer to its end or nowhere
    (RFC 5321 §5.1)."""
    ours = [preference for preference, name in exchanges if name in names]
    return [e for e in exchanges if not ours or e[0] < min(ours)]


def is_usable(address: str, loopback: bool) -> bool:
    """True if mail may be sent to this IP address, which a stranger may have chosen."""
    ip: Any = ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return loopback
    if ip.is_unspecified or ip.is_multicast:
        return False
    return bool(ip.version == 6 or (not ip.is_reserved and int(ip) >> 24))


def _dropped(_: object) -> None:
    """A look-up that whoever wanted it gave up."""
