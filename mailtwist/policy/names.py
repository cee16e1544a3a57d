"""Checks of names: what HELO said, where an address has its domain, who connects."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from zope.interface import implementer

from ..address import Address, ascii_domain, normal_domain
from ..delivery.model import RemoteRecipient
from ..errors import (
    BadAddress,
    MailError,
    NoRoute,
    NoSuchDomain,
    NoSuchUser,
    OverQuota,
    RelayDenied,
)
from ..interfaces import ICheck, IResolver, IRouter
from . import faults
from .model import Verdict, Visit

MOST_NAMES = 5  # of an address, looked at


class Check:
    """A check that has nothing to begin early."""

    def begin(self, visit: Visit) -> None:
        """Nothing."""


@implementer(ICheck)
class Says(Check):
    """A check of what is known without a look-up: refuses if `wrong`."""

    def __init__(
        self, wrong: Callable[[Visit], bool], fault: Callable[[], MailError]
    ) -> None:
        self._wrong, self._fault = wrong, fault

    async def check(self, visit: Visit) -> Verdict:
        if self._wrong(visit):
            raise self._fault()
        return Verdict.GO_ON


@implementer(ICheck)
class Allows(Check):
    """Ends the list where `holds`."""

    def __init__(self, holds: Callable[[Visit], bool]) -> None:
        self._holds = holds

    async def check(self, visit: Visit) -> Verdict:
        return Verdict.ALLOW if self._holds(visit) else Verdict.GO_ON


# -- HELO ---------------------------------------------------------------------------


def helo_is_invalid(visit: Visit) -> bool:
    """Neither a host name nor an address; no HELO is none that is wrong."""
    return bool(visit.helo) and _domain(visit.helo) is None and not _is_ip(visit.helo)


def helo_is_not_full(visit: Visit) -> bool:
    """No host name with a dot, and no address literal."""
    if not visit.helo or visit.helo.startswith("["):
        return helo_is_invalid(visit)
    domain = _domain(visit.helo)
    return domain is None or "." not in domain or _is_ip(visit.helo)


@implementer(ICheck)
class HeloKnown(Check):
    """The name of HELO has an address or an MX."""

    def __init__(self, resolver: IResolver) -> None:
        self._resolver = resolver

    async def check(self, visit: Visit) -> Verdict:
        domain = _domain(visit.helo) if visit.helo else None
        if domain is None or domain.startswith("["):
            return Verdict.GO_ON  # reject_invalid_helo_hostname tells of it
        if not await _has_mail_or_address(self._resolver, visit, domain):
            raise faults.HeloUnknown()
        return Verdict.GO_ON


# -- addresses ----------------------------------------------------------------------


def is_not_full(address: Address | None) -> bool:
    """A domain without a dot; the null path and literals are full."""
    if address is None or not address.domain or address.domain.startswith("["):
        return False
    return "." not in address.domain


@implementer(ICheck)
class DomainKnown(Check):
    """The domain of an address exists, and does not say that it takes no mail.

    Domains here count without DNS, which may not know them or not answer."""

    def __init__(
        self,
        resolver: IResolver,
        router: IRouter,
        which: Callable[[Visit], Address | None],
        unknown: Callable[[], MailError],
        takes_none: Callable[[], MailError],
    ) -> None:
        self._resolver, self._router, self._which = resolver, router, which
        self._unknown, self._takes_none = unknown, takes_none

    async def check(self, visit: Visit) -> Verdict:
        address = self._which(visit)
        if address is None or not address.domain or address.domain.startswith("["):
            return Verdict.GO_ON
        try:
            await self._look_up(visit, ascii_domain(address.domain))
        except MailError:
            if not await self._is_here(address):
                raise
        return Verdict.GO_ON

    async def _look_up(self, visit: Visit, domain: str) -> None:
        try:
            known = await _has_mail_or_address(self._resolver, visit, domain)
        except _NullMx as fault:
            raise self._takes_none() from fault
        if not known:
            raise self._unknown()

    async def _is_here(self, address: Address) -> bool:
        try:
            found = await self._router.resolve(address, may_relay=False)
        except (RelayDenied, NoRoute):
            return False
        except (NoSuchUser, OverQuota):
            return True
        return not isinstance(found, RemoteRecipient)


@implementer(ICheck)
class SenderListed(Check):
    """A sender of a domain here exists; with `logged_in` its owner sent it."""

    def __init__(self, router: IRouter, *, logged_in: bool = False) -> None:
        self._router, self._logged_in = router, logged_in

    async def check(self, visit: Visit) -> Verdict:
        sender = visit.sender
        if sender is None or visit.login:  # whose login may use it was checked
            return Verdict.GO_ON
        try:
            found: object = await self._router.resolve(sender, may_relay=False)
        except (RelayDenied, NoRoute):  # elsewhere
            return Verdict.GO_ON
        except NoSuchUser as fault:
            if self._logged_in:
                return Verdict.GO_ON
            raise faults.SenderNotListed() from fault
        except OverQuota:  # it is there
            found = None
        if self._logged_in and not isinstance(found, RemoteRecipient):
            raise faults.SenderNotLoggedIn()
        return Verdict.GO_ON


# -- the client ---------------------------------------------------------------------


@implementer(ICheck)
class ClientKnown:
    """The client's address has a name; with `confirmed` the name leads back to it."""

    def __init__(self, resolver: IResolver, *, confirmed: bool) -> None:
        self._resolver, self._confirmed = resolver, confirmed

    def begin(self, visit: Visit) -> None:
        """The look-up goes on while the client talks."""
        if visit.name is None and not visit.trusted:
            visit.start(NAME, lambda: client_names(self._resolver, visit.address))

    async def check(self, visit: Visit) -> Verdict:
        if visit.address == "local":
            return Verdict.GO_ON
        if visit.name is not None:
            if not visit.name:
                raise faults.ClientUnknown()
            return Verdict.GO_ON
        named, confirmed = await names_of(self._resolver, visit)
        if not (confirmed if self._confirmed else named):
            raise faults.ClientUnknown()
        return Verdict.GO_ON


NAME = "client name"


async def names_of(resolver: IResolver, visit: Visit) -> tuple[str, str]:
    """(name, confirmed name) of the client, "" where there is none."""
    if visit.name is not None:
        return visit.name, visit.name
    if not _is_ip(visit.address):
        return "", ""
    found: tuple[str, str] = await visit.once(
        NAME, lambda: client_names(resolver, visit.address)
    )
    return found


async def client_names(resolver: IResolver, address: str) -> tuple[str, str]:
    """The first name of an IP address, and the first one that leads back to it.

    The zone of an address on the link (RFC 4007 §11) is nothing that DNS knows."""
    address = address.partition("%")[0]
    try:
        names = (await resolver.ptr(address)).records[:MOST_NAMES]
    except NoSuchDomain:
        return "", ""
    wanted = ip_address(address)
    for name in names:
        try:
            found = (await resolver.addresses(name)).records
        except NoSuchDomain:
            continue
        if any(ip_address(one) == wanted for one in found):
            return str(names[0]), str(name)
    return (str(names[0]) if names else ""), ""


# -- DNS ----------------------------------------------------------------------------


class _NullMx(Exception):
    """The domain says that it takes no mail (RFC 7505 §3)."""


async def _has_mail_or_address(resolver: IResolver, visit: Visit, domain: str) -> bool:
    """True if there is an MX or an address; raises _NullMx, DnsUnavailable."""

    async def look_up() -> bool | None:
        try:
            mx = (await resolver.mx(domain)).records
            if mx:
                return None if all(host in ("", ".") for _, host in mx) else True
            return bool((await resolver.addresses(domain)).records)
        except NoSuchDomain:
            return False

    known = await visit.once(f"domain {domain}", look_up)
    if known is None:
        raise _NullMx(domain)
    return bool(known)


def _domain(text: str) -> str | None:
    """As A-labels; None for what is no domain."""
    try:
        return ascii_domain(normal_domain(text))
    except BadAddress:
        return None


def _is_ip(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
