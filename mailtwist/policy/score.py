"""Points of a client: what lists say of it, and how it behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as Late
from zope.interface import implementer

from ..address import ascii_domain, normal_domain
from ..config.gating import Gate, dns_list
from ..errors import BadAddress, DnsUnavailable, MailError
from ..interfaces import ICheck, IResolver
from ..log import mail_log
from ..trust.model import Decision
from . import faults
from .dns_lists import DnsLists, Hit, address_key
from .model import Verdict, Visit
from .names import NAME, client_names, helo_is_not_full, names_of

Record = Callable[[str, Sequence[Decision]], None]
OPTION = "gate.refuse_at"


@frozen
class Point:
    """What counts for or against a client; `told` is said to it."""

    points: int
    line: str
    told: str
    hit: Hit | None = None


def is_asked_about(visit: Visit) -> bool:
    """A stranger with an address, on a port for strangers."""
    if visit.trusted or visit.login or visit.role != "smtp":
        return False
    return "." in visit.address or ":" in visit.address


@implementer(ICheck)
class Score:
    """Refuses who has too many points; `visit.points` keeps them."""

    def __init__(
        self,
        config: Gate,
        resolver: IResolver,
        clock: Any,
        our_names: Sequence[str],
        record: Record = mail_log.decided,
    ) -> None:
        """`clock` has `seconds` and `callLater`; `our_names` are domains that are no
        HELO of anybody else."""

        def lists(texts: Sequence[str]) -> DnsLists:
            some = [dns_list(text) for text in texts]
            return DnsLists(some, resolver, clock, config.wait_s)

        self._config, self._resolver, self._clock = config, resolver, clock
        self._client = lists(config.client_lists)
        self._helo = lists(config.helo_lists)
        self._sender = lists(config.sender_lists)
        self._ours = frozenset(name.lower() for name in our_names)
        self._record = record

    def begin(self, visit: Visit) -> None:
        """Look-ups about the client go on while it talks."""
        if not is_asked_about(visit):
            return
        if self._client:
            self._start(visit, self._client, address_key(visit.address))
        if self._config.nameless_points and visit.name is None:
            visit.start(NAME, lambda: client_names(self._resolver, visit.address))

    async def check(self, visit: Visit) -> Verdict:
        if not is_asked_about(visit):
            return Verdict.GO_ON
        begun_s = self._clock.seconds()
        found = [*await self._hits(visit), *self._behaviour(visit)]
        if self._config.nameless_points and await self._is_nameless(visit):
            points = self._config.nameless_points
            found.append(Point(points, f"nameless {points:+d}", "no name in DNS"))
        visit.points = sum(one.points for one in found)
        refused = visit.points >= self._config.refuse_at
        if found:
            decision = Decision(
                "score",
                visit.address,
                "refused" if refused else "passed",
                f"{visit.points} points: " + ", ".join(one.line for one in found),
                self._clock.seconds() - begun_s,
                OPTION if refused else "",
            )
            visit.decisions[decision.check] = decision
            if refused:
                self._record(visit.session, [decision])
                raise await self._fault(visit, found)
        return Verdict.GO_ON

    # -- lists ------------------------------------------------------------------------

    async def _hits(self, visit: Visit) -> list[Point]:
        asked = [(self._client, address_key(visit.address), visit.address)]
        helo = _domain(visit.helo)
        if helo:
            asked.append((self._helo, helo, helo))
        sender = _domain(visit.sender.domain) if visit.sender is not None else ""
        if sender:
            asked.append((self._sender, sender, sender))
        asked = [one for one in asked if one[0]]
        for lists, key, _ in asked:
            self._start(visit, lists, key)
        found = []
        for lists, key, what in asked:
            hits: tuple[Hit, ...] = await visit.once(
                _name(lists, key), partial(lists.hits, key)
            )
            found += [
                Point(
                    hit.list.points,
                    hit.line,
                    f"{what} is listed by {hit.list.zone}",
                    hit,
                )
                for hit in hits
            ]
        return found

    @staticmethod
    def _start(visit: Visit, lists: DnsLists, key: str) -> None:
        visit.start(_name(lists, key), partial(lists.hits, key))

    async def _fault(self, visit: Visit, found: list[Point]) -> MailError:
        """With the reason of the list that counts most."""
        worst = max(found, key=lambda one: one.points)
        reason = await self._client.reason(worst.hit) if worst.hit is not None else ""
        return faults.Scored(worst.told, reason)

    # -- behaviour --------------------------------------------------------------------

    def _behaviour(self, visit: Visit) -> Iterator[Point]:
        points = self._config.impatient_points
        if points and visit.impatient:
            yield Point(
                points, f"impatient {points:+d}", "you did not wait for answers"
            )
        points = self._config.helo_points
        if points and self._is_false(visit):
            told = f"your HELO says {visit.helo}"
            yield Point(points, f"helo {visit.helo} {points:+d}", told)

    def _is_false(self, visit: Visit) -> bool:
        helo = visit.helo
        if helo.startswith("["):
            literal = helo[1:].removesuffix("]")
            if literal[:5].lower() == "ipv6:":
                literal = literal[5:]
            try:
                return ip_address(literal) != ip_address(visit.address)
            except ValueError:
                return True
        return helo_is_not_full(visit) or _domain(helo) in self._ours

    async def _is_nameless(self, visit: Visit) -> bool:
        """What cannot be told in time counts for nothing."""
        asked = Deferred.fromCoroutine(names_of(self._resolver, visit))
        if not asked.called:
            asked.addTimeout(self._config.wait_s, self._clock)
        try:
            _, confirmed = await asked
        except (Late, DnsUnavailable):
            return False
        return not confirmed


def _name(lists: DnsLists, key: str) -> str:
    """Of a look-up of the visit."""
    return f"lists {id(lists)} {key}"


def _domain(text: str) -> str:
    """As A-labels; "" for what is no domain with a dot."""
    try:
        name = ascii_domain(normal_domain(text)) if text else ""
    except BadAddress:
        return ""
    return name if "." in name and not name.startswith("[") else ""
