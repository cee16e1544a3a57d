"""Look-ups of names by way of the configured resolvers, with a cache.

twisted.names' own resolver fills no cache, drops the AD bit and waits a minute; only
its wire code is used here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from ipaddress import ip_address
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..config.relaying import Dns
from ..errors import DnsUnavailable, NoSuchDomain
from ..interfaces import IResolver
from .cache import Cache, Flights
from .exchange import NoReply, ask
from .model import Answer
from .servers import Server, Servers
from .wire import (
    AAAA,
    CNAME,
    MX,
    NXDOMAIN,
    OK,
    PTR,
    TLSA,
    TXT,
    TYPE_NAMES,
    A,
    Question,
    Record,
    Reply,
    valid_name,
)

log = Logger()

MOST_LINKS = 8  # CNAME records in a chain
MOST_NEGATIVE_S = 3 * 3600.0  # RFC 2308 §5
FAILED_S = 5.0  # a failure is remembered, so that a queue full of it costs one question


@frozen
class _Found:
    """What is kept of a look-up: an answer, or a name that is not there."""

    answer: Answer
    exists: bool = True
    failed: bool = False


@implementer(IResolver)
class Resolver:
    """See IResolver.  The time for one look-up is `timeout_s` times `tries`."""

    def __init__(
        self, config: Dns, *, reactor: Any, resolv_conf: str = "/etc/resolv.conf"
    ) -> None:
        """Raises ValueError for a server in `config` that is no address."""
        self._config, self._reactor = config, reactor
        self._servers = Servers(config.servers, reactor=reactor, path=resolv_conf)
        self._good: Server | None = None  # who answered last is asked first
        self._cache: Cache[_Found] = Cache(config.cache, reactor.seconds)
        self._flights: Flights[_Found] = Flights()

    async def mx(self, domain: str) -> Answer:
        return await self._answer(domain, MX)

    async def txt(self, name: str) -> Answer:
        return await self._answer(name, TXT)

    async def tlsa(self, port: int, host: str) -> Answer:
        return await self._answer(f"_{port}._tcp.{host}", TLSA)

    async def cname(self, name: str) -> Answer:
        return await self._answer(name, CNAME)

    async def ptr(self, address: str) -> Answer:
        return await self._answer(ip_address(address).reverse_pointer, PTR)

    async def addresses(
        self, host: str, *, ipv4: bool = True, ipv6: bool = True
    ) -> Answer:
        """AAAA then A; if one of the two cannot be told, the other alone."""
        kinds = [kind for kind, wanted in ((AAAA, ipv6), (A, ipv4)) if wanted]
        asked = [Deferred.fromCoroutine(self._answer(host, kind)) for kind in kinds]
        answers, faults = await _settled(asked)
        found = [answer for answer in answers if answer.records]
        if not found:
            unavailable = [f for f in faults if isinstance(f, DnsUnavailable)]
            if faults:
                raise (unavailable or faults)[0]
            found = answers
        return Answer(
            sum((answer.records for answer in found), ()),
            all(answer.authentic for answer in found),
            found[-1].name,
            min(answer.ttl_s for answer in found),
        )

    def close(self) -> None:
        """Give up every look-up that is under way."""
        self._flights.cancel()

    async def _answer(self, name: str, kind: int) -> Answer:
        name = name.lower().removesuffix(".")
        if not valid_name(name):
            raise NoSuchDomain("That is no domain name")
        question = Question(name, kind)
        kept = self._cache.get(question)
        if kept is not None:
            found, left_s = kept
        else:
            found = await self._flights.join(question, lambda: self._find(question))
            left_s = found.answer.ttl_s
        if found.failed:
            raise DnsUnavailable()
        if not found.exists:
            raise NoSuchDomain()
        return evolve(found.answer, ttl_s=left_s)

    async def _find(self, question: Question) -> _Found:
        try:
            found = await self._follow(question)
        except DnsUnavailable:
            found = _Found(Answer((), ttl_s=FAILED_S), failed=True)
        most_s = self._config.most_ttl_s
        self._cache.put(question, found, min(found.answer.ttl_s, most_s))
        return found

    async def _follow(self, question: Question) -> _Found:
        """Ask, and ask again where a chain of CNAME leads out of a reply."""
        end = self._reactor.seconds() + self._config.timeout_s * self._config.tries
        name, authentic, ttl_s = question.name, self._config.validating, float("inf")
        passed: list[str] = []
        while True:
            reply = await self._ask(Question(name, question.type), end)
            authentic = authentic and reply.authentic
            links: list[Record] = []
            if question.type != CNAME:
                links, name = _chain(reply, name)
            passed += [link.name for link in links]
            if len(passed) > MOST_LINKS or name in passed:
                log.info("{name}: CNAME records without end", name=question.name)
                raise DnsUnavailable()
            records = [
                record
                for record in reply.records
                if (record.name, record.type) == (name, question.type)
            ]
            ttl_s = min([ttl_s, *(record.ttl_s for record in links + records)])
            if records:
                values = tuple(dict.fromkeys(record.value for record in records))
                return _Found(Answer(values, authentic, name, ttl_s))
            if reply.rcode == NXDOMAIN or not links or reply.negative_ttl_s is not None:
                kept_s = min(reply.negative_ttl_s or 0, ttl_s, MOST_NEGATIVE_S)
                exists = reply.rcode != NXDOMAIN
                return _Found(Answer((), authentic, name, kept_s), exists)

    async def _ask(self, question: Question, end: float) -> Reply:
        """The first reply that says something, of one server after the other."""
        servers = self._servers.now()
        if self._good in servers:
            at = servers.index(self._good)
            servers = servers[at:] + servers[:at]
        waiting = list(servers)
        for _ in range(self._config.tries):
            left_s = end - self._reactor.seconds()
            if left_s <= 0 or not waiting:
                break
            server = waiting.pop(0)
            try:
                reply = await ask(
                    self._reactor,
                    server,
                    question,
                    limit_s=min(left_s, self._config.timeout_s),
                    dnssec=self._config.validating,
                )
            except NoReply as fault:
                told = str(fault)
                waiting.append(server)
            else:
                if reply.rcode in (OK, NXDOMAIN):
                    self._good = server
                    return reply
                told = f"{server[0]}: rcode {reply.rcode}"
            log.debug(
                "{name} {type}: {told}",
                name=question.name,
                type=TYPE_NAMES[question.type],
                told=told,
            )
        raise DnsUnavailable()


def _chain(reply: Reply, name: str) -> tuple[list[Record], str]:
    """The CNAME records that lead on from `name`, and where they end."""
    aliases = {r.name: r for r in reply.records if r.type == CNAME}
    links: list[Record] = []
    while name in aliases and len(links) <= MOST_LINKS:
        links.append(aliases[name])
        name = aliases[name].value
    return links, name


async def _settled(
    asked: list[Deferred[Answer]],
) -> tuple[list[Answer], list[Exception]]:
    """The answers and the faults of look-ups that run side by side."""
    answers: list[Answer] = []
    faults: list[Exception] = []
    try:
        for one in asked:
            wait: Awaitable[Answer] = one
            try:
                answers.append(await wait)
            except (DnsUnavailable, NoSuchDomain) as fault:
                faults.append(fault)
    except BaseException:
        for one in asked:
            one.addErrback(lambda _: None)  # whoever cancelled us has no use for it
            one.cancel()
        raise
    return answers, faults
