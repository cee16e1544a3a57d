"""What the mailboxes of an account with an agent hold, and may hold."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.logger import Logger

from ...directory.model import Account
from ...errors import MailError
from ...mailbox.model import Limits, Path, Quota, Usage
from ..maildir.ledger import Amount
from .shared_limit import SharedLimits

TRIES = 5  # to compare what others change meanwhile

log = Logger("mailtwist")

Result = TypeVar("Result")


class RemoteHeld:
    """That part of IMailboxes."""

    account: Account
    _shared: SharedLimits | None
    _is_unlimited: Callable[[Account], None]  # told of one that has no limits

    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        raise AssertionError("the mailboxes ask")

    async def usage(self) -> Usage:
        usage: Usage = await self._ask("usage")
        if self._shared is not None:
            await self._shared.told(self.account, usage)
        return usage

    async def quotas(self, path: Path | None = None) -> list[Quota]:
        quotas: list[Quota] = await self._ask("quotas", path)
        if self._shared is not None:
            quotas += await self._shared.quota(self.account)
        return quotas

    async def set_limits(self, path: Path, limits: Limits) -> None:
        await self._ask("set_limits", path, limits)

    async def fits(self, path: Path, octets: int, messages: int = 1) -> bool:
        if not self.account.is_limited:
            return await self._fits_unlimited(path, octets, messages)
        fits: bool = await self._ask("fits", path, octets, messages)
        if not fits or self._shared is None:
            return fits
        return await self._shared.fits(self.account, (octets, messages))

    async def _fits_unlimited(self, path: Path, octets: int, messages: int) -> bool:
        """Only mailboxes may have limits; mail comes to an account that cannot say."""
        try:
            if await self._ask("quotas", None):
                fits: bool = await self._ask("fits", path, octets, messages)
                return fits
        except MailError as fault:
            log.debug("{name}: {why}", name=self.account.name, why=fault.public)
        else:
            self._is_unlimited(self.account)
        return True

    async def _sum_is_right(self, repair: bool) -> bool:
        """Deliveries under way are told after they ended."""
        for last in range(TRIES - 1, -1, -1):
            usage: Usage = await self._ask("usage")
            if self._shared is None or await self._shared.is_right(
                self.account, usage, repair=repair and not last
            ):
                return True
        return False

    async def recount(self) -> Usage:
        await self._ask("recount")
        return await self.usage()

    async def within(self, more: Amount, work: Coroutine[Any, Any, Result]) -> Result:
        """Do what may add so much to what the account holds; `more` may be less than
        nothing, and then it is only told.  Raises OverQuota."""
        if self._shared is None:
            return await work
        try:
            return await self._shared.during(
                self.account, more, lambda: self._ask("usage"), lambda: work
            )
        finally:
            work.close()

    @property
    def shares(self) -> bool:
        """True if what it holds counts towards what it shares with others."""
        return self._shared is not None and self.account.summed is not None
