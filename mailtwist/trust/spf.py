"""SPF: may this host send mail for that domain (RFC 7208)?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote

from attrs import define, field, frozen

from ..address import Address, ascii_domain, normal_domain
from ..errors import BadAddress, DnsUnavailable
from .model import INames
from .spf_record import (
    MOST_TERMS,
    BadRecord,
    Macro,
    MacroText,
    Mechanism,
    Record,
    macro_text,
    parsed,
    selected,
)

MOST_VOID = 2  # look-ups without an answer, RFC 7208 §4.6.4
MOST_NAMES = 10  # of an MX or PTR that are looked at
MOST_EXPLANATION = 300  # octets that still fit into a reply with its status
MOST_DOMAIN, MOST_LABEL = 253, 63

Ip = IPv4Address | IPv6Address


@frozen
class SpfResult:
    """`result` is none, neutral, pass, fail, softfail, temperror or permerror (§2.6).

    `domain` is the one that was checked; `mechanism` the term that decided, "default"
    if none did; `problem` one line about an error; `explanation` what a domain says to
    those it does not know (§6.2), "" without.
    """

    result: str
    domain: str = ""
    mechanism: str = ""
    problem: str = ""
    explanation: str = ""


@frozen
class SpfQuestion:
    """Who sends: `ip` the client's address, `helo` what it said, `sender` the reverse
    path or None; `receiver` is our name and `now_s` the second, for explanations."""

    ip: Ip
    helo: str
    sender: Address | None
    receiver: str = ""
    now_s: int = 0


class _Ends(Exception):
    """An error that decides."""

    def __init__(self, result: str, problem: str) -> None:
        super().__init__(problem)
        self.result, self.problem = result, problem


class _NeverMatches(Exception):
    """A term that cannot be expanded for this sender (RFC 8616 §4)."""


async def check_helo(question: SpfQuestion, names: INames) -> SpfResult:
    """The identity of HELO (§2.3): the mailbox "postmaster" there."""
    return await _checked(question, question.helo, "postmaster", names)


async def check_sender(question: SpfQuestion, names: INames) -> SpfResult:
    """The identity of MAIL FROM (§2.4); of the null path that of HELO."""
    sender = question.sender
    if sender is None or not sender.domain:
        return await check_helo(question, names)
    return await _checked(
        question, sender.domain, sender.local_part or "postmaster", names
    )


async def _checked(
    question: SpfQuestion, domain: str, local_part: str, names: INames
) -> SpfResult:
    try:
        name = ascii_domain(normal_domain(domain))
    except BadAddress:
        name = ""
    if not _is_domain(name) or name.startswith("["):
        return SpfResult("none", domain, problem="that is no domain")
    ip = question.ip
    mapped = getattr(ip, "ipv4_mapped", None)
    check = _Check(question, mapped or ip, local_part, name, names)
    try:
        return await check.host(name, explains=True)
    except _Ends as end:
        return SpfResult(end.result, name, problem=end.problem)
    except DnsUnavailable:
        return SpfResult("temperror", name, problem="DNS does not answer")


@define
class _Check:
    """check_host() and those that it leads to; they share the limits."""

    question: SpfQuestion
    ip: Ip
    local_part: str
    sender_domain: str
    names: INames
    terms: int = 0
    voids: int = 0
    validated: list[str] | None = None
    depth: int = field(default=0)

    async def host(self, domain: str, *, explains: bool) -> SpfResult:
        """check_host() of §4."""
        records = selected(await self.names.txt(domain))
        if not records:
            return SpfResult("none", domain)
        if len(records) > 1:
            raise _Ends("permerror", f"{domain} has more than one record")
        try:
            record = parsed(records[0])
        except BadRecord as bad:
            raise _Ends("permerror", f"record of {domain} {bad}") from bad
        for mechanism in record.mechanisms:
            if mechanism.asks:
                self._count()
            try:
                matches = await self._matches(mechanism, domain)
            except _NeverMatches:
                continue
            if matches:
                told = ""
                if mechanism.result == "fail" and explains:
                    told = await self._explanation(record, domain)
                return SpfResult(
                    mechanism.result, domain, mechanism.text, explanation=told
                )
        if record.redirect is None:
            return SpfResult("neutral", domain, "default")
        return await self._redirected(record.redirect, domain, explains)

    async def _redirected(
        self, redirect: MacroText, domain: str, explains: bool
    ) -> SpfResult:
        self._count()
        try:
            target = await self._domain(redirect, domain)
        except _NeverMatches:
            return SpfResult("neutral", domain, "default")
        if not _is_domain(target):
            raise _Ends("permerror", f"{domain} redirects to no domain")
        found = await self.host(target, explains=explains)
        if found.result == "none":
            raise _Ends("permerror", f"{target} has no record to redirect to")
        return found

    # -- mechanisms ---------------------------------------------------------------

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        match mechanism.kind:
            case "all":
                return True
            case "ip4" | "ip6":
                network = mechanism.network
                return network is not None and self.ip in network
            case "ptr":
                return await self._ptr(await self._target(mechanism, domain))
        target = await self._target(mechanism, domain)
        if mechanism.kind == "include":
            if not _is_domain(target):
                raise _Ends("permerror", f"{domain} includes no domain")
            return await self._include(target)
        if not _is_domain(target):
            return False
        if mechanism.kind == "exists":
            return bool(await self._addresses(target, ipv6=False))
        if mechanism.kind == "a":
            return self._among(await self._addresses(target), mechanism)
        hosts = await self.names.mx(target)
        if not hosts:
            self._void()
        if len(hosts) > MOST_NAMES:
            raise _Ends("permerror", f"{target} has too many MX records")
        for _, host in sorted(hosts):
            if _is_domain(host) and self._among(await self._addresses(host), mechanism):
                return True
        return False

    async def _include(self, target: str) -> bool:
        found = await self.host(target, explains=False)
        if found.result == "none":
            raise _Ends("permerror", f"{target} is included and has no record")
        return found.result == "pass"

    def _among(self, found: Sequence[str], mechanism: Mechanism) -> bool:
        v4 = self.ip.version == 4
        prefix = mechanism.ipv4_prefix if v4 else mechanism.ipv6_prefix
        return any(
            self.ip in ip_network(f"{one}/{prefix}", strict=False) for one in found
        )

    async def _ptr(self, target: str) -> bool:
        return any(_is_within(name, target) for name in await self._validated())

    async def _validated(self) -> list[str]:
        """Names of the client that lead back to it (§5.5)."""
        if self.validated is None:
            try:
                found = list(await self.names.ptr(str(self.ip)))
            except DnsUnavailable:
                found = []
            else:
                if not found:
                    self._void()
            self.validated = []
            for name in found[:MOST_NAMES]:
                try:
                    back = await self._asked(name)
                except DnsUnavailable:
                    continue
                if any(ip_address(one) == self.ip for one in back):
                    self.validated.append(name.lower().removesuffix("."))
        return self.validated

    async def _addresses(self, name: str, *, ipv6: bool | None = None) -> Sequence[str]:
        found = await self._asked(name, ipv6)
        if not found:
            self._void()
        return found

    async def _asked(self, name: str, ipv6: bool | None = None) -> Sequence[str]:
        ipv6 = self.ip.version == 6 if ipv6 is None else ipv6
        return await self.names.addresses(name, ipv6=ipv6)

    def _count(self) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise _Ends("permerror", "more than 10 terms that ask DNS")

    def _void(self) -> None:
        self.voids += 1
        if self.voids > MOST_VOID:
            raise _Ends("permerror", "more than 2 look-ups without an answer")

    # -- macros ---------------------------------------------------------------------

    async def _target(self, mechanism: Mechanism, domain: str) -> str:
        if mechanism.domain is None:
            return domain
        return await self._domain(mechanism.domain, domain)

    async def _domain(self, spec: MacroText, domain: str) -> str:
        """A domain-spec expanded; too long a name loses labels at its left (§7.3)."""
        name = (await self._expanded(spec, domain)).removesuffix(".")
        while len(name) > MOST_DOMAIN and "." in name:
            name = name.partition(".")[2]
        return name

    async def _expanded(self, text: MacroText, domain: str) -> str:
        found = []
        for part in text:
            if isinstance(part, str):
                found.append(part)
            else:
                found.append(_transformed(await self._macro(part, domain), part))
        return "".join(found)

    async def _macro(self, macro: Macro, domain: str) -> str:
        question = self.question
        if macro.letter in "sl" and not self.local_part.isascii():
            raise _NeverMatches()
        match macro.letter:
            case "s":
                return f"{self.local_part}@{self.sender_domain}"
            case "l":
                return self.local_part
            case "o":
                return self.sender_domain
            case "d":
                return domain
            case "i":
                if isinstance(self.ip, IPv4Address):
                    return str(self.ip)
                return ".".join(self.ip.exploded.replace(":", "").upper())
            case "p":
                return await self._name_of_client(domain)
            case "v":
                return "in-addr" if self.ip.version == 4 else "ip6"
            case "h":
                return question.helo
            case "c":
                return str(self.ip)
            case "r":
                return question.receiver or "unknown"
            case _:
                return str(question.now_s)

    async def _name_of_client(self, domain: str) -> str:
        names = await self._validated()
        inside = [name for name in names if _is_within(name, domain)]
        if domain in inside:
            return domain
        return next(iter(inside or names), "unknown")

    async def _explanation(self, record: Record, domain: str) -> str:
        """What the domain has to say, "" if nothing or nothing usable (§6.2)."""
        if record.explanation is None:
            return ""
        try:
            target = await self._domain(record.explanation, domain)
            texts = await self.names.txt(target) if _is_domain(target) else ()
            if len(texts) != 1:
                return ""
            text = macro_text(texts[0].decode("ascii"), explains=True, spaces=True)
            told = await self._expanded(text, domain)
        except (DnsUnavailable, UnicodeDecodeError, BadRecord):
            return ""
        except (_NeverMatches, _Ends):
            return ""
        return _printable(told)[:MOST_EXPLANATION]


def _transformed(value: str, macro: Macro) -> str:
    if macro.reverse or macro.count or macro.delimiters != ".":
        parts = re.split(f"[{re.escape(macro.delimiters)}]", value)
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.count :] if macro.count else parts)
    return quote(value, safe="-._~") if macro.escapes else value


def _is_domain(name: str) -> bool:
    """True if DNS can be asked for it and it has more than one label (§4.3)."""
    labels = name.split(".")
    return (
        len(labels) > 1
        and len(name) <= MOST_DOMAIN
        and all(0 < len(label) <= MOST_LABEL for label in labels)
    )


def _is_within(name: str, domain: str) -> bool:
    name, domain = name.lower(), domain.lower()
    return name == domain or name.endswith(f".{domain}")


def _printable(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
