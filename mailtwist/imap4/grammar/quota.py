"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §7)."""

from __future__ import annotations

from ..types_kept import GetQuota, GetQuotaRoot, SetQuota
from .mailbox import mailbox
from .scanner import CommandScanner
from .strings import MOST_MOD_SEQUENCE, astring, atom, number, parenthesized, sp


def get_quota(s: CommandScanner) -> GetQuota:
    """quota-root-name."""
    sp(s)
    return GetQuota(astring(s, "a quota root"))


def get_quota_root(s: CommandScanner) -> GetQuotaRoot:
    sp(s)
    return GetQuotaRoot(mailbox(s))


def set_quota(s: CommandScanner) -> SetQuota:
    """quota-root-name SP "(" [resource SP limit *(SP resource SP limit)] ")"."""
    sp(s)
    root = astring(s, "a quota root")
    sp(s)
    return SetQuota(root, tuple(parenthesized(s, _limit, empty=True)))


def _limit(s: CommandScanner) -> tuple[str, int]:
    resource = atom(s, "a resource").decode().upper()
    sp(s)
    return resource, number(s, "a limit", MOST_MOD_SEQUENCE)  # number64 has 63 bits too
