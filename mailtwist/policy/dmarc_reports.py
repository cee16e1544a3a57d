"""What DMARC found, counted and reported daily to those who ask for it (RFC 9990)."""

from __future__ import annotations

import gzip
import hashlib
from base64 import encodebytes
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..address import Address, ascii_domain
from ..delivery import own_mail
from ..delivery.trace import date_time
from ..errors import DnsUnavailable, MailError, NoSuchDomain
from ..interfaces import IDelivery, IResolver, IRouter
from ..queue.tls_reports import SPREAD_S, day_of
from ..queue.tlsrpt import Reporting
from ..trust.aggregate import (
    AggregateReport,
    DkimProof,
    Row,
    SpfProof,
    encode,
    published,
)
from ..trust.dmarc_record import organizational, policy, walked
from .dmarc_store import Counted, DmarcStore
from .origin_judging import Found
from .origin_names import MessageNames

log = Logger()

FLUSH_S = 60.0  # how long counts are in memory only
LOOK_S = 1800.0  # between two looks for reports to send
KEPT_DAYS = 7  # what could not be reported
MOST_KEYS = 20_000  # in memory
DAY_S = 86_400
MOST_LOOK_UPS = 50  # to know whether two domains are of one organization


def counted(found: Found, now_s: float, discovery_method: str) -> Counted | None:
    """Under what a message counts; None if nobody wants to hear of it."""
    dmarc = found.dmarc
    if dmarc.policy is None or not dmarc.policy.reports_to:
        return None
    if dmarc.result not in ("pass", "fail"):
        return None
    applied = found.applied if found.applied != "defer" else "none"
    override, comment = "", ""
    if found.trusted:
        override, comment = "trusted_forwarder", f"arc={found.trusted}"
    elif dmarc.result == "fail" and dmarc.disposition != dmarc.wanted:
        override = "sampled_out"
    elif dmarc.result == "fail" and applied != dmarc.wanted:
        override = "local_policy"
    sender = found.sender
    scope = "helo" if sender is None else "mfrom"
    spf = (SpfProof(found.spf.domain or found.helo, scope, found.spf.result),)
    row = Row(
        found.client,
        applied,
        "pass" if dmarc.dkim_aligned else "fail",
        "pass" if dmarc.spf_aligned else "fail",
        dmarc.domain,
        ascii_domain(sender.domain) if sender is not None else "",
        override,
        comment,
        tuple(
            DkimProof(one.domain, one.selector, one.result)
            for one in found.dkim
            if one.domain
        ),
        spf,
    )
    return Counted(day_of(now_s), published(dmarc.policy, discovery_method), row)


class DmarcReports:
    """Counts and reports; `clock` gives `seconds` (of the epoch) and `callLater`.

    Reports go by mail through `delivery`."""

    def __init__(
        self,
        *,
        clock: Any,
        resolver: IResolver,
        store: DmarcStore,
        router: IRouter,
        delivery: IDelivery,
        reporting: Reporting,
        new_id: Callable[[], str],
        discovery_method: str,
    ) -> None:
        self._clock, self._resolver, self._store = clock, resolver, store
        self._router, self._delivery = router, delivery
        self._reporting, self._new_id = reporting, new_id
        self._method = discovery_method
        self._counts: dict[Counted, int] = {}
        self._loops: list[LoopingCall] = []
        self._work: set[Deferred[Any]] = set()

    def start(self) -> None:
        """Keep what is counted."""
        self._loop(self.flush, FLUSH_S, now=False)

    def lead(self) -> None:
        """Reports are ours to send, too."""
        self._loop(self.send, LOOK_S, now=True)

    def _loop(self, work: Callable[[], Any], every_s: float, *, now: bool) -> None:
        loop = LoopingCall(self._doing, work)
        loop.clock = self._clock
        loop.start(every_s, now=now)
        self._loops.append(loop)

    async def stop(self) -> None:
        """Keep what was counted; reports under way wait for the next start."""
        for loop in self._loops:
            loop.stop()
        self._loops = []
        for one in list(self._work):
            one.cancel()
        await self.flush()
        await self._store.close()

    def told(self, found: Found) -> None:
        """Count one message."""
        key = counted(found, self._clock.seconds(), self._method)
        if key is not None and (key in self._counts or len(self._counts) < MOST_KEYS):
            self._counts[key] = self._counts.get(key, 0) + 1

    def _doing(self, work: Callable[[], Any]) -> Deferred[None]:
        done: Deferred[None] = Deferred.fromCoroutine(work())
        self._work.add(done)

        def ended(result: Any) -> None:
            self._work.discard(done)
            if result is not None and not result.check(CancelledError):
                log.failure("DMARC reports", failure=result)

        return done.addBoth(ended)

    async def flush(self) -> None:
        """Make the counts durable."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await self._store.count(counts)
        except MailError as fault:
            log.error("DMARC results cannot be kept: {why}", why=fault.public)

    async def send(self) -> None:
        """Report the days that are over."""
        now = self._clock.seconds()
        try:
            for day, domain in await self._store.waiting(day_of(now - self._pause_s())):
                old = day < day_of(now - KEPT_DAYS * DAY_S)
                if old or await self._report(day, domain):
                    await self._store.forget(day, domain)
        except MailError as fault:
            log.error("DMARC reports wait: {why}", why=fault.public)

    def _pause_s(self) -> float:
        """How long after midnight we report: each host at its own time."""
        digest = hashlib.sha256(b"dmarc" + self._reporting.hostname.encode()).digest()
        return int.from_bytes(digest[:4]) / 2**32 * SPREAD_S

    async def _report(self, day: str, domain: str) -> bool:
        """True if a report went out, or nobody wants one."""
        try:
            wanted = await self._wanted(domain)
        except DnsUnavailable:
            return False
        rows = await self._store.counted(day, domain)
        if not wanted or not rows:
            return True
        made = report(domain, rows, self._reporting, _second_of(day))
        sent = [await self._sent(made, to) for to in wanted]
        return any(sent)

    async def _wanted(self, domain: str) -> list[Address]:
        """Where reports about a domain go, that agreed to it.  Raises
        DnsUnavailable."""
        try:
            answer = await self._resolver.txt(f"_dmarc.{domain}")
        except NoSuchDomain:
            return []
        found = policy(domain, answer.records)
        if found is None:
            return []
        addresses = [Address.parse(text) for text in found.reports_to]
        return [to for to in addresses if await self._agreed(domain, to)]

    async def _agreed(self, domain: str, to: Address) -> bool:
        """RFC 7489 §7.1: a mailbox elsewhere must say that it wants the reports."""
        host = ascii_domain(to.domain)
        names = MessageNames(self._resolver, MOST_LOOK_UPS)
        if host == domain or organizational(
            host, await walked(host, names)
        ) == organizational(domain, await walked(domain, names)):
            return True
        for name in (domain, "*"):
            try:
                answer = await self._resolver.txt(f"{name}._report._dmarc.{host}")
            except NoSuchDomain:
                continue
            if any(one.strip().startswith(b"v=DMARC1") for one in answer.records):
                return True
        log.info(
            "{host} did not agree to reports about {domain}", host=host, domain=domain
        )
        return False

    async def _sent(self, made: MadeReport, to: Address) -> bool:
        try:
            await self._mail(made, to)
        except MailError as fault:
            log.warn(
                "DMARC report about {domain} to {to}: {why}",
                domain=made.domain,
                to=str(to),
                why=fault.public,
            )
            return False
        log.info("DMARC report about {domain} to {to}", domain=made.domain, to=str(to))
        return True

    async def _mail(self, made: MadeReport, to: Address) -> None:
        message_id, date = self._new_id(), date_time(int(self._clock.seconds()))
        octets = message(made, self._reporting, to, message_id, date)
        await own_mail.send(self._router, self._delivery, to, message_id, octets)


@frozen
class MadeReport:
    """A report about one domain and day, gzipped, with its name."""

    domain: str
    report_id: str
    file_name: str
    octets: bytes


def report(
    domain: str,
    counts: Sequence[tuple[Counted, int]],
    reporting: Reporting,
    begin_s: int,
) -> MadeReport:
    """The report of a day that begins at `begin_s`, of at least one line.

    If the policy changed on that day the one of most messages stands in it."""
    end_s = begin_s + DAY_S - 1
    report_id = f"{begin_s}.{domain}@{reporting.hostname}"
    made = AggregateReport(
        reporting.hostname,
        reporting.contact,
        report_id,
        begin_s,
        end_s,
        counts[0][0].published,
        tuple((key.row, count) for key, count in counts),
        "mailtwist",
    )
    name = f"{reporting.hostname}!{domain}!{begin_s}!{end_s}.xml.gz"
    return MadeReport(domain, report_id, name, gzip.compress(encode(made), mtime=0))


def message(
    made: MadeReport, reporting: Reporting, to: Address, message_id: str, date: bytes
) -> bytes:
    """The report as mail (RFC 7489 §7.2.1.1); `date` is a date-time."""
    boundary = b"=_" + message_id.encode()
    hostname, domain = reporting.hostname.encode(), made.domain.encode()
    number = message_id.encode()
    header = (
        b"From: DMARC reports <MAILER-DAEMON@%s>" % hostname,
        b"To: " + to.encode(utf8=not to.ascii),
        b"Subject: Report Domain: %s\r\n\tSubmitter: %s\r\n\tReport-ID: <%s>"
        % (domain, hostname, made.report_id.encode()),
        b"Date: " + date,
        b"Message-ID: <%s@%s>" % (number, hostname),
        b"Auto-Submitted: auto-generated",  # RFC 3834 §5
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed;\r\n\tboundary="%s"' % boundary,
    )
    text = (
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        b"This is an aggregate report of DMARC for mail from %s, as seen by %s.\r\n"
        b"It is meant for programs (RFC 9990).\r\n" % (domain, hostname)
    )
    attached = (
        b"Content-Type: application/gzip\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment;\r\n\tfilename="%s"\r\n\r\n'
        % made.file_name.encode()
        + encodebytes(made.octets).replace(b"\n", b"\r\n")
    )
    delimiter = b"--" + boundary
    parts = (b"\r\n".join(header) + b"\r\n", delimiter, text + delimiter)
    return b"\r\n".join((*parts, attached + delimiter + b"--\r\n"))


def _second_of(day: str) -> int:
    """The first second of a UTC day."""
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
