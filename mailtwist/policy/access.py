"""Access tables: what is looked up in them, and the actions they give (access(5))."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from zope.interface import implementer

from ..address import Address, ascii_domain, normal_domain
from ..errors import BadAddress, MailError
from ..interfaces import ICheck, IResolver, ITable
from ..log import mail_log
from . import faults
from .model import Verdict, Visit
from .names import Check, names_of

_CODE = re.compile(r"([45])\d\d(?:\s+([45]\.\d{1,3}\.\d{1,3}))?(?:\s+(.*))?\Z", re.S)
_WORD = re.compile(r"(\w+)(?:\s+(.*))?\Z", re.S)
_STATUS = re.compile(r"([45]\.\d{1,3}\.\d{1,3})(?:\s+(.*))?\Z", re.S)
_UNPRINTABLE = re.compile(r"[^ -~]")


def action(text: str) -> Verdict | MailError:
    """What the right side of an access table says; raises ValueError.

    `OK`, `PERMIT` or a number allow; `DUNNO` goes on; `REJECT text`, `DEFER text` and
    `550 5.7.1 text` refuse.
    """
    code = _CODE.match(text.strip())
    if code:
        status = code[2] or f"{code[1]}.7.1"
        if status[0] != code[1]:
            raise ValueError(text)
        return _fault(status, code[3])
    found = _WORD.match(text.strip())
    word = found[1].upper() if found else ""
    if found and word in ("REJECT", "DEFER"):
        status, rest = ("5.7.1" if word == "REJECT" else "4.7.1"), found[2] or ""
        given = _STATUS.match(rest)
        if given and given[1][0] == status[0]:
            status, rest = given[1], given[2] or ""
        return _fault(status, rest)
    if found and (word in ("OK", "PERMIT") or word.isdecimal()) and not found[2]:
        return Verdict.ALLOW
    if word == "DUNNO":
        return Verdict.GO_ON
    raise ValueError(text)


def _fault(status: str, text: str | None) -> MailError:
    kind = faults.Deferred if status.startswith("4") else faults.Refused
    text = _UNPRINTABLE.sub("?", text or "").strip()
    return kind(text or None, status=status)


@implementer(ICheck)
class Access(Check):
    """The first key that the table has decides."""

    def __init__(
        self,
        table: ITable,
        keys: Callable[[Visit, bool], Iterator[str]],
    ) -> None:
        """`keys(visit, whole)` gives what to look for, with `whole` no parts."""
        self._table, self._keys = table, keys

    async def check(self, visit: Visit) -> Verdict:
        for key in self._keys(visit, self._table.whole_keys):
            text = await self._table.find(key)
            if text is None:
                continue
            try:
                told = action(text)
            except ValueError as bad:
                mail_log.bad_action(self._table.name, key, text)
                raise faults.BadTable() from bad
            if isinstance(told, MailError):
                raise told
            return told
        return Verdict.GO_ON


@implementer(ICheck)
class ClientAccess(Check):
    """An access table of client names and addresses; a name that cannot be looked up
    now is not known."""

    def __init__(self, table: ITable, resolver: IResolver) -> None:
        self._resolver, self._table = resolver, table

    async def check(self, visit: Visit) -> Verdict:
        try:
            _, name = await names_of(self._resolver, visit)
        except MailError:
            name = ""
        return await Access(
            self._table, lambda visit, whole: client_keys(name, visit.address, whole)
        ).check(visit)


def client_keys(name: str, address: str, whole: bool) -> Iterator[str]:
    """The name and the domains above it, the address and the networks around it."""
    if name:
        yield from domain_keys(name, whole)
    yield address
    try:
        ip = ip_address(address)
    except ValueError:
        return
    if not whole:
        yield from _networks(ip)


def _networks(ip: IPv4Address | IPv6Address) -> Iterator[str]:
    """Without the last octets, or groups: 192.0.2, 2001:db8."""
    mark = "." if ip.version == 4 else ":"
    text = str(ip) if ip.version == 4 else str(ip).partition("::")[0]
    if ip.version == 6 and text != str(ip):
        yield text
    while mark in text:
        text = text.rpartition(mark)[0]
        yield text


def helo_keys(visit: Visit, whole: bool) -> Iterator[str]:
    """What HELO said, and the domains above it."""
    if visit.helo:
        try:
            yield from domain_keys(ascii_domain(normal_domain(visit.helo)), whole)
        except BadAddress:
            yield visit.helo.lower()


def sender_keys(visit: Visit, whole: bool) -> Iterator[str]:
    """The sender; the null path is "<>"."""
    if visit.sender is None:
        yield "<>"
    else:
        yield from address_keys(visit.sender, whole)


def recipient_keys(visit: Visit, whole: bool) -> Iterator[str]:
    """The recipient that is asked about."""
    if visit.recipient is not None:
        yield from address_keys(visit.recipient, whole)


def address_keys(address: Address, whole: bool) -> Iterator[str]:
    """user@domain, the domain and those above it, user@."""
    yield address.encode().decode().lower()
    if whole:
        return
    if address.domain:
        yield from domain_keys(ascii_domain(address.domain), whole)
    yield f"{address.quoted_local_part.lower()}@"


def domain_keys(domain: str, whole: bool) -> Iterator[str]:
    """The domain, then those above it as `example.com` and `.example.com`."""
    yield domain.lower()
    if whole or domain.startswith("["):
        return
    above = domain.lower()
    while "." in above:
        above = above.partition(".")[2]
        yield f".{above}"
        yield above
