"""Lists in DNS of hosts and domains, bad ones and good ones (RFC 5782)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as Late

from ..config.gating import DnsList
from ..errors import DnsUnavailable, NoSuchDomain
from ..interfaces import IResolver
from ..log import mail_log

REFUSES = "127.255.255."  # how lists say that they do not answer our resolver
MOST_SILENT = 5  # questions in a row without an answer
LEFT_OUT_S = 60.0  # a list that does not answer
TOLD_S = 3600.0  # between two lines of the log about the same
MOST_REASON = 200  # characters of a TXT record that a client is told


@frozen
class Hit:
    """A list that knows what it was asked about."""

    list: DnsList
    answer: str
    name: str  # that was asked for

    @property
    def line(self) -> str:
        return f"{self.list.zone} {self.answer} {self.list.points:+d}"


class DnsLists:
    """Asks all of them at once.  A list that says nothing in time, or that it does not
    answer us, counts for nothing; one that stays silent is left out for a while."""

    def __init__(
        self, lists: Sequence[DnsList], resolver: IResolver, clock: Any, wait_s: float
    ) -> None:
        """`clock` has `seconds` and `callLater`."""
        self._resolver, self._clock, self._wait_s = resolver, clock, wait_s
        self._zones: dict[str, list[DnsList]] = {}
        for one in lists:
            self._zones.setdefault(one.zone, []).append(one)
        self._silent = dict.fromkeys(self._zones, 0)
        self._left_out: dict[str, float] = {}  # until when
        self._told: dict[str, float] = {}  # when

    def __bool__(self) -> bool:
        return bool(self._zones)

    async def hits(self, key: str) -> tuple[Hit, ...]:
        """Of a domain, or of an address as `address_key` gives it."""
        now_s = self._clock.seconds()
        asked = []
        for zone, some in self._zones.items():
            if self._left_out.get(zone, 0.0) > now_s:
                continue
            answering = Deferred.fromCoroutine(self._answers(f"{key}.{zone}", zone))
            if not answering.called:
                answering.addTimeout(self._wait_s, self._clock)
            asked.append((zone, some, answering))
        found: list[Hit] = []
        try:
            for zone, some, answering in asked:
                answers = await self._told_by(zone, answering)
                for one in some:
                    counted = next(filter(one.counts, answers), "")
                    if counted:
                        found.append(Hit(one, counted, f"{key}.{zone}"))
        except BaseException:
            for _, _, answering in asked:
                answering.addErrback(lambda fault: None)
                answering.cancel()
            raise
        return tuple(found)

    async def _told_by(
        self, zone: str, answering: Deferred[tuple[str, ...]]
    ) -> tuple[str, ...]:
        try:
            answers = await answering
        except (Late, DnsUnavailable):
            self._silent[zone] += 1
            if self._silent[zone] >= MOST_SILENT:
                self._silent[zone] = 0
                self._left_out[zone] = self._clock.seconds() + LEFT_OUT_S
                self._tell(zone, "does not answer, so it is left out for a while")
            return ()
        self._silent[zone] = 0
        return answers

    async def _answers(self, name: str, zone: str) -> tuple[str, ...]:
        """None of a list that does not know it, or will not tell."""
        try:
            records = (await self._resolver.addresses(name, ipv6=False)).records
        except NoSuchDomain:
            return ()
        for record in records:
            if record.startswith(REFUSES):
                self._tell(zone, f"refuses to answer our resolver ({record})")
                return ()
            if not record.startswith("127."):
                self._tell(zone, f"is no list any more, it says {record}")
                return ()
        return tuple(records)

    def _tell(self, zone: str, text: str) -> None:
        now_s = self._clock.seconds()
        if zone not in self._told or now_s >= self._told[zone] + TOLD_S:
            self._told[zone] = now_s
            mail_log.dns_list_fails(zone, text)

    async def reason(self, hit: Hit) -> str:
        """What the list says to those whom it lists; "" if it says nothing now."""
        asked = Deferred.fromCoroutine(self._texts(hit.name))
        if not asked.called:
            asked.addTimeout(self._wait_s, self._clock)
        try:
            texts = await asked
        except (Late, DnsUnavailable, NoSuchDomain):
            return ""
        text = texts[0].decode("ascii", "replace") if texts else ""
        return "".join(c if " " <= c <= "~" else "?" for c in text)[:MOST_REASON]

    async def _texts(self, name: str) -> tuple[bytes, ...]:
        return (await self._resolver.txt(name)).records


def address_key(address: str) -> str:
    """The octets of an IPv4 address, or the nibbles of an IPv6 address, from the last
    to the first (RFC 5782 §2.1, §2.4); raises ValueError."""
    pointer = ip_address(address).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
