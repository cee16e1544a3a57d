"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): what is held and may be held.

A quota root is the account, or a mailbox together with its inferiors; it is called as
the mailbox is.  A mailbox counts towards every root above it, and the account towards
that of its domain, which is the sum of all its accounts.  What has no limit is no root.
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from ...address import ascii_domain
from ...errors import MailboxFault, NotPermitted
from ...interfaces import ISetsLimits
from ...mailbox.held_rights import personal
from ...mailbox.model import Limits, Path, Quota
from ..names import split, text_of
from ..response import Answer, astring, no, ok, parenthesized, untagged
from ..session import Session
from ..types_kept import GetQuota, GetQuotaRoot, SetQuota
from .mailboxes import name_of

ROOT = b"User quota"  # as Dovecot names it, which clients show
DOMAIN_ROOT = b"Domain %b"
BLOCK_OCTETS = 1024  # of STORAGE (RFC 9208 §5.1)
RESOURCES = {  # names and units of limits (RFC 9208 §5)
    "STORAGE": ("octets", BLOCK_OCTETS),
    "MESSAGE": ("messages", 1),
    "MAILBOX": ("mailboxes", 1),
}
MOST = 2**62  # of octets, and of anything


async def get_quota(session: Session, command: GetQuota) -> Answer:
    found = await session.mailboxes.quotas()
    with suppress(MailboxFault):  # one of others is told who names it
        text = text_of(command.root, utf8=session.engine.utf8)
        path = split(text, session.config.delimiter)
        if not personal(session.mailboxes, path):
            found = await session.mailboxes.quotas(path)
    for quota in found:
        if _name(session, quota) == astring(command.root):
            session.put(_line(session, quota))
            return ok("GETQUOTA completed")
    return no("No such quota root", b"NONEXISTENT")


async def get_quota_root(session: Session, command: GetQuotaRoot) -> Answer:
    """The mailbox must be there (§4.1.2); in one of others it takes the right to read
    (§6)."""
    await session.mailboxes.status(command.path)
    quotas = await session.mailboxes.quotas(command.path)
    roots = [_name(session, quota) for quota in quotas]
    session.put(untagged(b"QUOTAROOT", name_of(session, command.path), *roots))
    for quota in quotas:
        session.put(_line(session, quota))
    return ok("GETQUOTAROOT completed")


async def set_quota(session: Session, command: SetQuota) -> Answer:
    """Limits are the administrator's (§4.1.3); a mailbox that had none gets a root."""
    login = session.login
    if login is None or not ISetsLimits.providedBy(login.account):
        raise NotPermitted("Limits are set by the administrator")
    setter = cast(ISetsLimits, login.account)
    limits = _limits(command)
    if limits is None:
        return no("That cannot be limited", b"CANNOT")
    path = await _settable(session, command.root)
    await setter.set_limits(path, limits)
    for quota in await session.mailboxes.quotas(path or None):
        if quota.root == path and not quota.domain:
            session.put(_line(session, quota))
            break
    else:
        session.put(untagged(b"QUOTA", astring(command.root), b"()"))
    return ok("SETQUOTA completed")


async def _settable(session: Session, root: bytes) -> Path:
    """The mailbox whose limits are meant, () for the account; raises MailError."""
    if root == ROOT:
        return ()
    for quota in await session.mailboxes.quotas():
        if quota.domain and _name(session, quota) == astring(root):
            raise NotPermitted("Limits of domains stand in the configuration")
    text = text_of(root, utf8=session.engine.utf8)
    path = split(text, session.config.delimiter)
    if not personal(session.mailboxes, path):
        raise NotPermitted("Only its owner's login may limit a mailbox")
    await session.mailboxes.status(path)
    return path


def _limits(command: SetQuota) -> Limits | None:
    """None for a resource that is none, is named twice, or for too much of it."""
    found: dict[str, int] = {}
    for resource, limit in command.limits:
        name, unit = RESOURCES.get(resource, ("", 1))
        if not name or name in found or limit * unit > MOST:
            return None
        found[name] = limit * unit
    return Limits(**found)


def _name(session: Session, quota: Quota) -> bytes:
    if quota.domain:
        return astring(DOMAIN_ROOT % ascii_domain(quota.domain).encode())
    return name_of(session, quota.root) if quota.root else astring(ROOT)


def _line(session: Session, quota: Quota) -> bytes:
    """Usage and limit of each resource that is limited."""
    limits: Limits = quota.limits
    told = []
    if limits.octets is not None:
        held, limit = _blocks(quota.octets), limits.octets // BLOCK_OCTETS
        told.append(b"STORAGE %d %d" % (held, limit))
    if limits.messages is not None:
        told.append(b"MESSAGE %d %d" % (quota.messages, limits.messages))
    if limits.mailboxes is not None:
        told.append(b"MAILBOX %d %d" % (quota.mailboxes, limits.mailboxes))
    return untagged(b"QUOTA", _name(session, quota), parenthesized(told))


def _blocks(octets: int) -> int:
    return -(-octets // BLOCK_OCTETS)
