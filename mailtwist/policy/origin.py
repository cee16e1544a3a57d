"""Where mail of strangers comes from: SPF, DKIM, ARC and DMARC of one message.

Look-ups begin as early as what they ask about is known: SPF and the client's name with
MAIL, keys and the author's policy with the header.  All are awaited once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as Late
from zope.interface import implementer

from ..address import ascii_domain, normal_domain
from ..config.trusting import Trust
from ..delivery.model import Envelope
from ..errors import BadAddress, DnsUnavailable, MailError
from ..interfaces import IContentCheck, IContentLook, IResolver
from ..mime.address_list import addresses
from ..mime.header import fields, table
from ..mime.slices import Buffer
from ..trust.arc import ArcResult, Chain
from ..trust.canonical import Body
from ..trust.dkim_verify import DkimResult, Verifier
from ..trust.dmarc import DmarcResult, Evidence, Suffixes, evaluated
from ..trust.spf import SpfQuestion, SpfResult, check_helo, check_sender
from .content import Judgement
from .model import Visit
from .names import client_names
from .origin_judging import Found, judgement, settled
from .origin_names import MessageNames

Value = TypeVar("Value")

NO_SPF = SpfResult("none")
LATE = "DNS took too long"


@frozen
class Setting:
    """What all messages share.

    `clock` has `seconds` and `callLater`, `now` gives seconds of the epoch, `chance` a
    number from 0 to below 100; `suffixes` as `trust.dmarc` has it; `told` hears of each
    DMARC result that a domain might want reported."""

    config: Trust
    resolver: IResolver
    hostname: str
    authserv_id: str
    clock: Any
    now: Callable[[], float]
    chance: Callable[[], float]
    suffixes: Suffixes | None = None
    told: Callable[[Found], None] = field(default=lambda found: None)
    exempt: Callable[[str], bool] = field(default=lambda address: False)


@implementer(IContentCheck)
class Origin:
    """See IContentCheck."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def look(self, visit: Visit) -> IContentLook | None:
        try:
            ip_address(visit.address)
        except ValueError:
            return None  # a local socket, or a proxy that does not know
        if self.setting.exempt(visit.address):
            return None
        return OriginLook(self.setting, visit)


@implementer(IContentLook)
class OriginLook:
    """See IContentLook."""

    def __init__(self, setting: Setting, visit: Visit) -> None:
        self._setting = setting
        self._names = MessageNames(setting.resolver, setting.config.look_ups)
        self._begun_s = setting.clock.seconds()
        self._client_address = visit.address.partition("%")[0]
        self._helo = visit.helo
        self._sender = visit.sender
        self._body = Body()
        self._verifier: Verifier | None = None
        self._chain: Chain | None = None
        self._authors: list[str] = []
        self._work: list[Deferred[Any]] = []
        question = SpfQuestion(
            ip_address(self._client_address),
            visit.helo,
            visit.sender,
            setting.hostname,
            int(setting.now()),
        )
        self._spf = self._begin(check_sender(question, self._names))
        self._helo_spf = (
            self._begin(check_helo(question, self._names))
            if visit.sender is not None
            else None
        )
        self._client = self._begin(self._named(visit))

    def _begin(self, work: Coroutine[Any, Any, Value]) -> Deferred[Value]:
        made = Deferred.fromCoroutine(work)
        self._work.append(made)
        return made

    async def _named(self, visit: Visit) -> tuple[str, str]:
        """(iprev's result, the client's name) of RFC 8601 §3."""
        if visit.name is not None:
            return ("pass" if visit.name else "fail"), visit.name
        try:
            first, confirmed = await client_names(self._setting.resolver, visit.address)
        except DnsUnavailable:
            return "temperror", ""
        if confirmed:
            return "pass", confirmed
        return ("fail" if first else "permerror"), ""

    # -- the message comes ------------------------------------------------------------

    def header(self, octets: bytes) -> None:
        found = fields(octets)
        now_s = int(self._setting.now())
        self._verifier = Verifier(found, self._body, now_s)
        self._chain = Chain(found, self._body)
        self._authors = author_domains(table(found).get(b"from", []))
        for name in dict.fromkeys(self._verifier.key_names):
            self._begin(self._asked(name))
        for domain in self._authors[:1]:
            self._begin(self._asked(f"_dmarc.{domain}"))

    async def _asked(self, name: str) -> None:
        """The answer is in the resolver's cache when it is wanted."""
        try:
            await self._names.txt(name)
        except MailError:
            return

    def body(self, octets: bytes) -> None:
        self._body.feed(octets)

    async def judge(self, content: Buffer, envelope: Envelope) -> Judgement:
        setting = self._setting
        end = setting.clock.seconds() + setting.config.look_up_s
        late = SpfResult("temperror", problem=LATE)
        spf = await self._within(self._spf, end, late)
        helo = NO_SPF
        if self._helo_spf is not None:
            helo = await self._within(self._helo_spf, end, late)
        iprev = await self._within(self._client, end, ("temperror", ""))
        dkim: list[DkimResult] = []
        if self._verifier is not None and self._verifier.signed:
            dkim = await self._within(
                self._begin(self._verifier.results(self._names)),
                end,
                [DkimResult("temperror", problem=LATE)],
            )
        arc = ArcResult("none")
        if self._chain is not None and self._chain.there:
            arc = await self._within(
                self._begin(self._chain.result(self._names)),
                end,
                ArcResult("temperror", problem=LATE),
            )
        author = self._authors[0] if self._authors else ""
        dmarc = await self._within(
            self._begin(
                evaluated(
                    self._authors,
                    Evidence(spf, dkim),
                    self._names,
                    chance=setting.chance(),
                    suffixes=setting.suffixes,
                )
            ),
            end,
            DmarcResult("temperror", author, problem=LATE),
        )
        found = Found(
            self._client_address,
            self._helo,
            self._sender,
            iprev,
            spf,
            helo,
            tuple(dkim),
            arc,
            dmarc,
            setting.clock.seconds() - self._begun_s,
        )
        found = settled(found, setting.config)
        setting.told(found)
        return judgement(found, setting.config, setting.authserv_id, setting.hostname)

    async def _within(
        self, work: Deferred[Value], end: float, otherwise: Value
    ) -> Value:
        """What `work` gives until then."""
        if not work.called:
            clock = self._setting.clock
            work.addTimeout(max(end - clock.seconds(), 0.001), clock)
        try:
            return await work
        except (Late, CancelledError):
            return otherwise

    def end(self) -> None:
        work, self._work = self._work, []
        for one in work:
            one.addErrback(lambda fault: None)
            one.cancel()


def author_domains(values: list[bytes]) -> list[str]:
    """The domains of From as A-labels, each once."""
    found: dict[str, None] = {}
    for one in addresses(values):
        if one.host:
            try:
                name = ascii_domain(normal_domain(one.host.decode()))
            except (BadAddress, UnicodeDecodeError):
                continue
            if not name.startswith("["):
                found[name] = None
    return list(found)
