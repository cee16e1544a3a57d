"""One message to the hosts of one next hop: which to try, and when to stop.

RFC 5321 §5.1: what fails for a while at one host may go to the next; what is refused
for good may not, and after the end of the data without an answer nothing may, as the
host may have the message (RFC 1047).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ..errors import MailError
from ..queue.model import Host, Job, Outcome, QueuedRecipient, TlsRule
from .client import ConnectionLost, SMTPClient
from .client_engine import Result
from .client_offer import PeerOffer
from .client_pool import Connections, Door, Login, never_begun
from .client_reply import PeerRefusal
from .client_tls import ClientTls, TlsFailed
from .convert import converted
from .transport_look import Look
from .transport_plan import Peer, Plan, check_size, plan

log = Logger()

MOST_ADDRESSES = 5  # tried in one attempt
MOST_SESSIONS = 2  # hosts in one attempt that answered and could not take the message
MOST_BATCHES = 20  # transactions in one attempt with a host that takes few recipients


_Asked = tuple[QueuedRecipient, bytes]  # with its RCPT


class TlsTold(Protocol):
    """Hears of each attempt at TLS, as `IHosts.tls_result`."""

    def __call__(self, host: Host, address: str, failure: str) -> None: ...


@frozen
class Way:
    """How a host is spoken to."""

    lmtp: bool = False
    implicit_tls: bool = False
    tls: ClientTls | None = None
    login: Login | None = None


class Attempt:
    """One job at the hosts of one next hop."""

    def __init__(
        self,
        reactor: Any,
        connections: Connections,
        job: Job,
        look: Look,
        tls_told: TlsTold,
    ) -> None:
        self._reactor, self._connections = reactor, connections
        self._job, self._look, self._tls_told = job, look, tls_told
        self._left: list[QueuedRecipient] = list(job.recipients)
        self._outcomes: dict[int, Outcome] = {}
        self._sessions = 0

    async def run(self, hosts: Sequence[tuple[Host, Way]]) -> list[Outcome]:
        """One outcome for each recipient of the job."""
        for host, way, address in _doors(hosts):
            try:
                await self._host(host, way, address)
            except CancelledError:
                raise
            except MailError as fault:
                self._fail(fault, host.name)
            except Exception:  # of ours: the mail waits, what is known stays so
                log.failure("sending {id}", id=self._job.message.queue_id)
                self._fail(MailError(), host.name)
            if not self._left or self._sessions >= MOST_SESSIONS:
                break
        none = Outcome(MailError("No host to send to", status="4.4.4"))
        return [self._outcomes.get(r.number, none) for r in self._job.recipients]

    async def _host(self, host: Host, way: Way, address: str) -> None:
        host = evolve(host, rule=self._rule(host, way))
        door = Door(host, address, way.lmtp, way.implicit_tls, way.tls, way.login)
        client = self._connections.kept(door)
        if client is not None and await self._session(client, door, kept=True):
            return
        try:
            client, result = await self._connections.open(door)
        except TlsFailed as fault:
            self._tls_told(host, address, fault.result)
            if self._job.message.wishes.require_tls and self._job.reverse_path:
                raise TlsFailed(fault.public, fault.result, status="5.7.10") from fault
            raise
        if result is not None:
            self._tls_told(host, address, result)
        await self._session(client, door, kept=False)

    def _rule(self, host: Host, way: Way) -> TlsRule:
        """The host's rule with the sender's word on TLS (RFC 8689 §4.2)."""
        rule, job = host.rule, self._job
        if way.lmtp:
            return rule
        if job.message.wishes.require_tls and job.reverse_path is not None:
            if rule.level in ("none", "may", "encrypt"):
                return evolve(rule, level="verify")
        elif rule.policy != "no-policy-found" and self._look.tls_not_required:
            return evolve(rule, level="may", tlsa=())
        return rule

    async def _session(self, client: SMTPClient, door: Door, *, kept: bool) -> bool:
        """Transactions on one connection; False if one that was kept was dead."""
        try:
            begun = await self._transactions(client, door, kept=kept)
        except BaseException:
            client.abort()
            raise
        if begun:
            self._sessions += 1
            self._connections.give_back(door, client)
        return begun

    async def _transactions(
        self, client: SMTPClient, door: Door, *, kept: bool
    ) -> bool:
        engine, host = client.engine, door.host
        peer = Peer(
            host.name,
            engine.offer,
            secure=client.secure,
            verified=client.proven and host.authentic,
            logged_in=door.login is not None,
            final=door.lmtp,
        )
        try:
            made = plan(
                self._job, self._left, self._look, peer, self._reactor.seconds()
            )
            content = await converted(
                self._reactor,
                self._look,
                made.needs,
                no_utf8_headers=made.no_utf8_headers,
            )
            check_size(content.octets, peer)
        except MailError as fault:  # the connection is good for other messages
            self._fail(fault, host.name)
            return True
        if not client.usable:  # it ended meanwhile
            if kept:
                return False
            raise ConnectionLost(f"{host.name} closed the connection")
        for recipient, why in made.refused:
            self._settle(recipient, Outcome(why, host.name), host_wide=True)
        start = 0
        for number in range(MOST_BATCHES):
            asked = _batch(made.recipients[start:], engine.offer)
            if not asked or not client.usable:
                break
            transaction = made.transaction(start, len(asked), content.octets)
            results = await client.send(transaction, content)
            if kept and number == 0 and never_begun(results):
                client.abort()
                return False
            self._told(made, asked, results, host)
            start += self._taken(results)
        for recipient, _ in made.recipients[start:]:
            full = MailError(f"{host.name} takes no more now", status="4.5.3")
            self._settle(recipient, Outcome(full, host.name))
        return True

    @staticmethod
    def _taken(results: tuple[Result, ...]) -> int:
        """How many of a batch are decided: those behind the last that was taken may
        only have been too many, and are asked again (RFC 5321 §4.5.3.1.10)."""
        count = len(results)
        good = [n for n, result in enumerate(results) if result.fault is None]
        if not good:
            return count
        rest = results[good[-1] + 1 :]
        many = all(r.fault is not None and r.fault.status == "4.5.3" for r in rest)
        return good[-1] + 1 if many else count

    def _told(
        self,
        made: Plan,
        asked: Sequence[_Asked],
        results: tuple[Result, ...],
        host: Host,
    ) -> None:
        for (recipient, _), result in zip(asked, results, strict=True):
            said = "" if result.reply is None else str(result.reply)
            outcome = Outcome(result.fault, host.name, said, made.action)
            self._settle(recipient, outcome, final=result.uncertain)

    # -- what is known ----------------------------------------------------------------

    def _fail(self, fault: MailError, host: str) -> None:
        """`fault` for everybody left, at this host."""
        reply = fault.reply if isinstance(fault, PeerRefusal) else ""
        for recipient in list(self._left):
            self._settle(recipient, Outcome(fault, host, reply), host_wide=True)

    def _settle(
        self,
        recipient: QueuedRecipient,
        outcome: Outcome,
        *,
        final: bool = False,
        host_wide: bool = False,
    ) -> None:
        """Note an outcome.  A success, a refusal of the recipient or one after which
        nobody knows (`final`) ends the search; what only this host refuses, for a while
        or `host_wide`, may be better at the next."""
        known = self._outcomes.get(recipient.number)
        fault = outcome.fault
        ends = final or fault is None or not (fault.temporary or host_wide)
        waits = known is not None and known.fault is not None and known.fault.temporary
        if not ends and waits and fault is not None and not fault.temporary:
            return  # the other host may take it later
        self._outcomes[recipient.number] = outcome
        if ends and recipient in self._left:
            self._left.remove(recipient)


def _batch(recipients: Sequence[_Asked], offer: PeerOffer) -> Sequence[_Asked]:
    """As many of the first as go into one transaction (RFC 9422)."""
    batch = recipients[: offer.limit("RCPTMAX") or None]
    most = offer.limit("RCPTDOMAINMAX")
    if most:
        domains: set[str] = set()
        for count, (recipient, _) in enumerate(batch):
            domains.add(recipient.address.domain)
            if len(domains) > most:
                return batch[:count]
    return batch


def _doors(hosts: Sequence[tuple[Host, Way]]) -> list[tuple[Host, Way, str]]:
    """The addresses to try: two of each host in order, one of each family if it has
    both, so that a dead host with many does not hide the next; then what is left."""
    first: list[tuple[Host, Way, str]] = []
    rest: list[tuple[Host, Way, str]] = []
    for host, way in hosts:
        families = [":" in address for address in host.addresses]
        other = families.index(not families[0]) if len(set(families)) == 2 else 1
        for number, address in enumerate(host.addresses):
            doors = first if number in (0, other) else rest
            doors.append((host, way, address))
    return (first + rest)[:MOST_ADDRESSES]
