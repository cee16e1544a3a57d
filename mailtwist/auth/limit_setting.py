"""Logins that may change what accounts hold (RFC 9208 §4.1.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field, frozen
from twisted.logger import Logger
from zope.interface import implementer

from ..directory.model import Account
from ..errors import NotPermitted
from ..interfaces import ISetsLimits
from ..mailbox.model import Limits, Path
from .account import MailAccount

log = Logger("mailtwist")

Change = Callable[[Account, Limits], Awaitable[Account]]


@frozen
class LimitSetting:
    """Who may, by the names of accounts; `change` keeps limits of a whole account.

    It raises NotPermitted for an account whose limits are kept by others."""

    names: frozenset[str]
    change: Change

    def lets(self, account: Account, by: str) -> bool:
        """`by` is the account whose password it was."""
        return (by or account.name) in self.names


@implementer(ISetsLimits)
@define
class Administrator(MailAccount):
    """A login that may; its limits are those of the account that it is in."""

    by: str = field(default="", kw_only=True)
    change: Change = field(kw_only=True)

    async def set_limits(self, path: Path, limits: Limits) -> None:
        """See ISetsLimits."""
        if path:
            await self.mailboxes.set_limits(path, limits)
        elif limits.mailboxes is not None:
            raise NotPermitted("How many mailboxes there may be stands elsewhere")
        else:
            self.account = await self.change(self.account, limits)
            self.store.mailboxes(self.account)  # which learns of it
        log.info(
            "{by} changes what {name} may hold{where}: {octets} octets, {messages} "
            "messages, {mailboxes} mailboxes",
            by=self.by or self.account.name,
            name=self.account.name,
            where=f" in {'/'.join(path)}" if path else "",
            octets=limits.octets,
            messages=limits.messages,
            mailboxes=limits.mailboxes,
        )
