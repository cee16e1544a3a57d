"""TLS results counted, and reported to those who ask for it (RFC 8460)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..address import Address
from ..delivery import own_mail
from ..errors import DnsUnavailable, MailError, NoSuchDomain
from ..interfaces import IDelivery, IResolver, IRouter
from .bounce import date_time
from .https import HttpsFailed
from .model import Host
from .tls_store import TlsStore
from .tlsrpt import Key, Reporting, TlsReport, destinations, mailbox, message, report

log = Logger()

FLUSH_S = 60.0  # how long counts are in memory only
LOOK_S = 1800.0  # between two looks for reports to send
SPREAD_S = 4 * 3600.0  # after midnight, so that not all the world reports at once
KEPT_DAYS = 7  # results that could not be reported
MOST_KEYS = 20_000  # in memory
MEDIA_TYPE = "application/tlsrpt+gzip"


class Post(Protocol):
    """Sends octets; see https.Https.post."""

    async def post(self, url: str, kind: str, octets: bytes) -> None: ...


class TlsReports:
    """Counts and reports; `clock` gives `seconds` (of the epoch) and `callLater`.

    Only domains with a TLSRPT record are counted at all.  Reports go by mail through
    `delivery`, or by https.
    """

    def __init__(
        self,
        *,
        clock: Any,
        resolver: IResolver,
        store: TlsStore,
        https: Post,
        router: IRouter,
        delivery: IDelivery,
        reporting: Reporting,
        new_id: Callable[[], str],
        sts_text: Callable[[str], str] = lambda domain: "",
    ) -> None:
        """`sts_text` gives the lines of the MTA-STS policy that holds for a domain."""
        self._sts_text = sts_text
        self._clock, self._resolver, self._store = clock, resolver, store
        self._https, self._router, self._delivery = https, router, delivery
        self._reporting, self._new_id = reporting, new_id
        self._counts: dict[Key, int] = {}
        self._loops: list[LoopingCall] = []
        self._work: set[Deferred[Any]] = set()

    def start(self) -> None:
        for work, every_s in ((self._flush, FLUSH_S), (self._send, LOOK_S)):
            loop = LoopingCall(self._doing, work)
            loop.clock = self._clock
            loop.start(every_s, now=work == self._send)
            self._loops.append(loop)

    async def stop(self) -> None:
        """Keep what was counted; reports that are under way wait for the next start."""
        for loop in self._loops:
            loop.stop()
        self._loops = []
        for one in list(self._work):
            one.cancel()
        await self._flush(look=False)

    def told(self, domain: str, host: Host, address: str, failure: str) -> None:
        """Count a result, as IHosts.tls_result tells it, about a domain (A-labels)."""
        rule = host.rule
        lines = self._sts_text(domain) if rule.policy == "sts" else ""
        if rule.policy == "tlsa":
            lines = "\n".join(
                f"{usage} {selector} {matching} {data.hex()}"
                for usage, selector, matching, data in sorted(rule.tlsa)
            )
        key = Key(
            day_of(self._clock.seconds()),
            domain,
            rule.policy,
            lines,
            host.name,
            address,
            failure,
        )
        if key in self._counts or len(self._counts) < MOST_KEYS:
            self._counts[key] = self._counts.get(key, 0) + 1

    def _doing(self, work: Callable[[], Any]) -> Deferred[None]:
        done: Deferred[None] = Deferred.fromCoroutine(work())
        self._work.add(done)

        def ended(result: Any) -> None:
            self._work.discard(done)
            if result is not None and not result.check(CancelledError):
                log.failure("TLS reports", failure=result)

        return done.addBoth(ended)

    async def _flush(self, *, look: bool = True) -> None:
        """Make the counts durable, without those that nobody wants."""
        if look:
            for domain in {key.domain for key in self._counts}:
                if await self._wanted(domain) == []:
                    self._counts = {
                        k: count
                        for k, count in self._counts.items()
                        if k.domain != domain
                    }
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await self._store.count(counts)
        except MailError as fault:
            log.error("TLS results cannot be kept: {why}", why=fault.public)

    async def _wanted(self, domain: str) -> list[str] | None:
        """Where reports about a domain go; None if that cannot be told now."""
        try:
            answer = await self._resolver.txt(f"_smtp._tls.{domain}")
        except NoSuchDomain:
            return []
        except DnsUnavailable:
            return None
        return destinations(answer.records)

    async def _send(self) -> None:
        now = self._clock.seconds()
        today = day_of(now - self._pause_s())
        try:
            waiting = await self._store.waiting(today)
            for day, domain in waiting:
                old = day < day_of(now - KEPT_DAYS * 86_400)
                if old or await self._report(day, domain):
                    await self._store.forget(day, domain)
        except MailError as fault:
            log.error("TLS reports wait: {why}", why=fault.public)

    def _pause_s(self) -> float:
        """How long after midnight we report: each host at its own time."""
        digest = hashlib.sha256(self._reporting.hostname.encode()).digest()
        return int.from_bytes(digest[:4]) / 2**32 * SPREAD_S

    async def _report(self, day: str, domain: str) -> bool:
        """True if a report went out, or nobody wants one."""
        wanted = await self._wanted(domain)
        if wanted is None:
            return False
        results = await self._store.results(day, domain)
        if not wanted or not results:
            return True
        made = report(results, self._reporting)
        sent = [await self._sent(made, uri) for uri in wanted]
        return any(sent)

    async def _sent(self, made: TlsReport, uri: str) -> bool:
        to = mailbox(uri)
        try:
            if to is None:
                await self._https.post(uri, MEDIA_TYPE, made.octets)
            else:
                await self._mail(made, to)
        except (HttpsFailed, MailError) as fault:
            why = fault.public if isinstance(fault, MailError) else str(fault)
            log.warn(
                "TLS report about {domain} to {uri}: {why}",
                domain=made.domain,
                uri=uri,
                why=why,
            )
            return False
        log.info("TLS report about {domain} to {uri}", domain=made.domain, uri=uri)
        return True

    async def _mail(self, made: TlsReport, to: Address) -> None:
        message_id, date = self._new_id(), date_time(self._clock.seconds())
        octets = message(made, self._reporting, to, message_id, date)
        await own_mail.send(self._router, self._delivery, to, message_id, octets)


def day_of(second: float) -> str:
    """The UTC day of a second of the epoch."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
