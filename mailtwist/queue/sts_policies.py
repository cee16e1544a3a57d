"""MTA-STS policies of domains: fetched, kept, kept to (RFC 8461 §3.3, §5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..dns.cache import Cache, Flights
from ..errors import DnsUnavailable, MailError, NoSuchDomain
from ..interfaces import IResolver
from .https import HttpsFailed
from .mta_sts import BadPolicy, StsPolicy, record_id
from .tls_store import KeptPolicy

log = Logger()

REFRESH_S = 86_400.0  # a policy is fetched anew once a day, though its id stays
FAILED_S = 300.0  # no second attempt before (§3.3)
REMEMBERED = 10_000  # domains in memory
REMEMBERED_S = 3600.0


class Fetch(Protocol):
    """Gets a resource; see https.Https.get."""

    async def get(self, url: str) -> tuple[str, bytes]: ...


class PolicyStore(Protocol):
    """Keeps policies; see tls_store.TlsStore."""

    def policy(self, domain: str) -> Deferred[KeptPolicy | None]: ...

    def keep_policy(self, domain: str, kept: KeptPolicy) -> Deferred[None]: ...


class StsPolicies:
    """What holds for a domain now (tls_policy.StsSource).

    A policy that was fetched holds for its max_age whatever DNS says meanwhile, or the
    protection would end where an attacker begins.  `now` is seconds of the epoch.
    """

    def __init__(
        self,
        resolver: IResolver,
        https: Fetch,
        store: PolicyStore,
        *,
        now: Callable[[], float],
    ) -> None:
        self._resolver, self._https, self._store = resolver, https, store
        self._now = now
        self._known: Cache[tuple[KeptPolicy, StsPolicy] | None] = Cache(REMEMBERED, now)
        self._failed: Cache[str] = Cache(REMEMBERED, now)
        self._flights: Flights[StsPolicy | None] = Flights()
        self._refreshing: set[Deferred[Any]] = set()

    async def policy(self, domain: str) -> StsPolicy | None:
        """See tls_policy.StsSource."""
        known = await self._kept(domain)
        found = await self._announced(domain)
        if found is None or self._failed.get(domain) is not None:
            return known and known[1]
        if known is None or known[0].id != found:
            old = known and known[1]
            return await self._flights.join(
                domain, lambda: self._fetched(domain, found, old)
            )
        kept, policy = known
        if self._now() - kept.fetched_s > min(REFRESH_S, policy.max_age_s / 2):
            self._refresh(domain, found, policy)
        return policy

    def text(self, domain: str) -> str:
        """The lines of the policy that was last used for a domain, "" without one."""
        remembered = self._known.get(domain)
        known = remembered and remembered[0]
        return known[1].text if known else ""

    def close(self) -> None:
        """Give up what is being fetched."""
        self._flights.cancel()
        for one in list(self._refreshing):
            one.cancel()

    async def _announced(self, domain: str) -> str | None:
        """The id that the domain's TXT record tells now."""
        try:
            answer = await self._resolver.txt(f"_mta-sts.{domain}")
        except (NoSuchDomain, DnsUnavailable):
            return None
        return record_id(answer.records)

    async def _kept(self, domain: str) -> tuple[KeptPolicy, StsPolicy] | None:
        """The policy that was fetched and has not expired."""
        remembered = self._known.get(domain)
        if remembered is not None:
            known = remembered[0]
        else:
            known = await self._read(domain)
            self._known.put(domain, known, REMEMBERED_S)
        if known is not None and self._now() > known[0].fetched_s + known[1].max_age_s:
            return None
        return known

    async def _read(self, domain: str) -> tuple[KeptPolicy, StsPolicy] | None:
        try:
            kept = await self._store.policy(domain)
            if kept is not None:
                return kept, StsPolicy.parse(kept.text.encode())
        except (BadPolicy, MailError) as fault:
            log.error(
                "kept MTA-STS policy of {domain} cannot be used: {why}",
                domain=domain,
                why=str(fault),
            )
        return None

    def _refresh(self, domain: str, found: str, policy: StsPolicy) -> None:
        """Fetch the policy anew while the old one is used."""
        one = self._flights.join(domain, lambda: self._fetched(domain, found, policy))
        self._refreshing.add(one)

        def done(result: Any) -> None:
            self._refreshing.discard(one)

        one.addErrback(lambda fault: fault.trap(CancelledError)).addBoth(done)

    async def _fetched(
        self, domain: str, found: str, old: StsPolicy | None
    ) -> StsPolicy | None:
        """The new policy, kept; the old one if it cannot be had."""
        url = f"https://mta-sts.{domain}/.well-known/mta-sts.txt"
        try:
            kind, body = await self._https.get(url)
            if kind != "text/plain":
                raise BadPolicy(f"media type {kind[:40]!r}")
            policy = StsPolicy.parse(body)
        except (HttpsFailed, BadPolicy) as fault:
            log.warn("MTA-STS policy of {domain}: {why}", domain=domain, why=str(fault))
            self._failed.put(domain, str(fault), FAILED_S)
            return old
        kept = KeptPolicy(found, self._now(), policy.text)
        self._known.put(domain, (kept, policy), REMEMBERED_S)
        try:
            await self._store.keep_policy(domain, kept)
        except MailError as fault:
            log.error(
                "MTA-STS policy of {domain} cannot be kept: {why}",
                domain=domain,
                why=fault.public,
            )
        log.info("MTA-STS policy of {domain}: {mode}", domain=domain, mode=policy.mode)
        return policy
