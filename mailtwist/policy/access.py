"""Access tables: what is looked up in them, and what their actions do (access(5))."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from zope.interface import implementer

from ..address import Address, ascii_domain, normal_domain
from ..config.restricting import Restriction
from ..errors import BadAddress, MailError
from ..interfaces import ICheck, IResolver, ITable
from ..log import mail_log
from . import faults
from .actions import PERMIT, Action, Ask, Order, Refuse, Tell, parsed
from .lists import about, first_of
from .model import Verdict, Visit
from .names import Check, names_of

MOST_DEPTH = 20  # tables that name restrictions that ask tables

Checks = Callable[[Sequence[Restriction]], Sequence[ICheck]]


def no_checks(restrictions: Sequence[Restriction]) -> Sequence[ICheck]:
    """For tables that name no restrictions."""
    raise ValueError(restrictions)


@implementer(ICheck)
class Access(Check):
    """The first key that the table has decides."""

    def __init__(
        self,
        table: ITable,
        keys: Callable[[Visit, bool], Iterator[str]],
        checks: Checks = no_checks,
    ) -> None:
        """`keys(visit, whole)` gives what to look for, with `whole` no parts; `checks`
        the checks that a value names, or raises ValueError for what names none."""
        self._table, self._keys, self._checks = table, keys, checks

    async def check(self, visit: Visit) -> Verdict:
        for key in self._keys(visit, self._table.whole_keys):
            text = await self._table.find(key)
            if text is None:
                continue
            try:
                action = parsed(text)
                if not isinstance(action, Ask):
                    return self._done(action, key, visit)
                checks = self._checks(action.restrictions)
                if visit.depth >= MOST_DEPTH:
                    raise ValueError(text)
            except ValueError as bad:
                mail_log.bad_action(self._table.name, key, text)
                raise faults.BadTable() from bad
            visit.depth += 1
            try:
                return await first_of(checks, visit)
            finally:
                visit.depth -= 1
        return Verdict.GO_ON

    def _done(self, action: Action, key: str, visit: Visit) -> Verdict:
        """What an action says at once; raises its MailError."""
        match action:
            case Refuse():
                raise action.fault
            case Tell():
                word, text = "WARN" if action.warns else "INFO", f"{key}: {action.text}"
                mail_log.told_by_policy(visit.session, word, text, about(visit))
            case Order():
                text = f"{key}: {action.text}"
                mail_log.told_by_policy(visit.session, action.word, text, about(visit))
                visit.order(action.orders)
        permits = action == PERMIT or (isinstance(action, Order) and action.permits)
        return Verdict.ALLOW if permits else Verdict.GO_ON


@implementer(ICheck)
class ClientAccess(Check):
    """An access table of client names and addresses; a name that cannot be looked up
    now is not known."""

    def __init__(
        self, table: ITable, resolver: IResolver, checks: Checks = no_checks
    ) -> None:
        self._resolver, self._table, self._checks = resolver, table, checks

    async def check(self, visit: Visit) -> Verdict:
        try:
            _, name = await names_of(self._resolver, visit)
        except MailError:
            name = ""
        return await Access(
            self._table,
            lambda visit, whole: client_keys(name, visit.address, whole),
            self._checks,
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
