"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): what the account holds and may hold.

All mailboxes of an account share one quota root.  An account without a limit has none.
"""

from __future__ import annotations

from ...errors import NotPermitted
from ...mailbox.model import Usage
from ..response import Answer, astring, no, ok, parenthesized, untagged
from ..session import Session
from ..types_kept import GetQuota, GetQuotaRoot, SetQuota
from .mailboxes import name_of

ROOT = b"User quota"  # as Dovecot names it, which clients show
BLOCK_OCTETS = 1024  # of STORAGE (RFC 9208 §5.1)


async def get_quota(session: Session, command: GetQuota) -> Answer:
    usage = await session.mailboxes.usage()
    if command.root != ROOT or not _limits(usage):
        return no("No such quota root", b"NONEXISTENT")
    session.put(_line(usage))
    return ok("GETQUOTA completed")


async def get_quota_root(session: Session, command: GetQuotaRoot) -> Answer:
    """The mailbox must be there (§4.1.2)."""
    await session.mailboxes.status(command.path)
    usage = await session.mailboxes.usage()
    roots = [astring(ROOT)] if _limits(usage) else []
    session.put(untagged(b"QUOTAROOT", name_of(session, command.path), *roots))
    if roots:
        session.put(_line(usage))
    return ok("GETQUOTAROOT completed")


async def set_quota(session: Session, command: SetQuota) -> Answer:
    """Limits are the administrator's, who has other ways (§4.1.3)."""
    raise NotPermitted("Limits are set by the administrator")


def _limits(usage: Usage) -> list[bytes]:
    """Usage and limit of each resource that is limited."""
    told = []
    if usage.limit_octets is not None:
        held, limit = _blocks(usage.octets), usage.limit_octets // BLOCK_OCTETS
        told.append(b"STORAGE %d %d" % (held, limit))
    if usage.limit_messages is not None:
        told.append(b"MESSAGE %d %d" % (usage.messages, usage.limit_messages))
    return told


def _blocks(octets: int) -> int:
    return -(-octets // BLOCK_OCTETS)


def _line(usage: Usage) -> bytes:
    return untagged(b"QUOTA", astring(ROOT), parenthesized(_limits(usage)))
