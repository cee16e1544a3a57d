"""Greylisting: who is not known is asked to come back (RFC 6647)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as Late
from zope.interface import implementer

from ..config.gating import Gate
from ..dns.cache import Cache
from ..errors import MailError
from ..interfaces import ICheck, IResolver
from ..log import mail_log
from ..trust.model import Decision
from ..trust.spf import SpfQuestion, check_sender
from . import faults
from .model import Verdict, Visit
from .names import Check
from .origin_names import MessageNames
from .score import Record, is_asked_about

MOST_NETWORKS = 10_000  # known ones, remembered here so that nobody need be asked
REMEMBERED_S = 600.0
STORE_S = 10.0  # for the store to answer
SPF_LOOK_UPS = 30


class IMet(Protocol):
    """See greylist_store.Met."""

    @property
    def wait_s(self) -> int: ...

    @property
    def network(self) -> bool: ...

    @property
    def waited_s(self) -> int: ...


Ask = Callable[[str, bytes], Deferred[Any]]  # an IMet of a network and a key


@implementer(ICheck)
class Greylist(Check):
    """Comes last: who is refused for other reasons is not asked to come back.

    A store that cannot tell lets everybody in."""

    def __init__(
        self,
        config: Gate,
        met: Ask,
        resolver: IResolver,
        clock: Any,
        hostname: str,
        now: Callable[[], float],
        record: Record = mail_log.decided,
    ) -> None:
        """`clock` has `seconds` and `callLater`, `now` gives seconds of the epoch."""
        self._config, self._met, self._resolver = config, met, resolver
        self._clock, self._hostname, self._now = clock, hostname, now
        self._record = record
        self._networks: Cache[bool] = Cache(MOST_NETWORKS, clock.seconds)

    async def check(self, visit: Visit) -> Verdict:
        if not is_asked_about(visit) or visit.recipient is None:
            return Verdict.GO_ON
        if visit.points <= self._config.trust_at:
            self._decided(visit, "passed", "a good list knows the client")
            return Verdict.GO_ON
        network = wide_network(visit.address)
        if self._networks.get(network) is not None:
            self._decided(visit, "passed", f"{network} is known")
            return Verdict.GO_ON
        met = await self._asked(network, key_of(network, visit, self._config))
        if met is None:
            self._decided(visit, "passed", "the store does not answer")
        elif met.network:
            self._networks.put(network, True, REMEMBERED_S)
            self._decided(visit, "passed", f"{network} is known")
        elif not met.wait_s:
            away = f"came back after {met.waited_s} s" if met.waited_s else "is known"
            self._decided(visit, "passed", away)
        elif self._config.greylist_spf and await self._is_senders(visit):
            self._decided(visit, "passed", "SPF lets the client send")
        else:
            told = f"to come back in {met.wait_s} s"
            decision = self._decided(visit, "put off", told, "gate.greylist")
            self._record(visit.session, [decision])
            raise faults.Greylisted(met.wait_s)
        return Verdict.GO_ON

    async def _asked(self, network: str, key: bytes) -> IMet | None:
        asked = self._met(network, key)
        if not asked.called:
            asked.addTimeout(STORE_S, self._clock)
        try:
            found: IMet = await asked
        except (Late, MailError) as fault:
            mail_log.greylist_fails(str(fault) or "no answer")
            return None
        return found

    async def _is_senders(self, visit: Visit) -> bool:
        """SPF says that the client sends for the sender's domain."""
        question = SpfQuestion(
            ip_address(visit.address.partition("%")[0]),
            visit.helo,
            visit.sender,
            self._hostname,
            int(self._now()),
        )
        names = MessageNames(self._resolver, SPF_LOOK_UPS)
        asked = Deferred.fromCoroutine(check_sender(question, names))
        if not asked.called:
            asked.addTimeout(self._config.wait_s, self._clock)
        try:
            return (await asked).result == "pass"
        except Late:
            return False

    def _decided(
        self, visit: Visit, verdict: str, detail: str, option: str = ""
    ) -> Decision:
        made = Decision("greylist", str(visit.recipient), verdict, detail, 0.0, option)
        visit.decisions[f"greylist {visit.recipient}"] = made
        return made


def wide_network(address: str) -> str:
    """The /24 of an IPv4 address or the /64 of an IPv6 address: hosts that send the
    same mail in turns are near each other.  Raises ValueError."""
    ip = ip_address(address.partition("%")[0])
    return str(ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def key_of(network: str, visit: Visit, config: Gate) -> bytes:
    """16 octets for the network, the sender (or its domain) and the recipient."""
    sender = ""
    if visit.sender is not None:
        sender = visit.sender.domain.lower()
        if config.greylist_sender == "address":
            sender = f"{visit.sender.quoted_local_part.lower()}@{sender}"
    parts: Sequence[str] = (network, sender, str(visit.recipient).lower())
    octets = "\0".join(parts).encode(errors="surrogateescape")
    return blake2b(octets, digest_size=16).digest()
