"""What the mailboxes of one account hold, and may hold."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial

from ...errors import NotPermitted, OverQuota
from ...mailbox.model import Limits, Path, Quota, Usage
from . import tree
from .account import AccountFiles
from .counting import amount_of
from .ledger import Amount, Change, Page, key_of


class Held:
    """That part of IMailboxes."""

    files: AccountFiles

    async def usage(self) -> Usage:
        files, limits = self.files, self.files.account.limits
        page = await self._page(make=files.account.is_limited)
        if page is not None:
            held = page.amount("")
        else:
            held = await self.measured()
        return Usage(*held, limits.octets, limits.messages)

    async def quotas(self, path: Path | None = None) -> list[Quota]:
        files = self.files
        page = await self._page(make=files.account.is_limited)
        if page is None:
            return []
        if path is not None:
            self.files.place.check(path)
        found: list[Quota] = await files.aside(files.counting.quotas, page, path)
        return found

    async def fits(self, path: Path, octets: int, messages: int = 1) -> bool:
        page = await self._page(make=self.files.account.is_limited)
        coming, account = self.files.coming, self.files.account
        here, beside = coming.to(account), coming.beside(account)
        more = octets + here[0], messages + here[1]
        return page is None or await self._fits(page, [(path, more)], beside=beside)

    async def recount(self) -> Usage:
        files = self.files

        async def recount() -> None:
            await self._count()
            await files.thread(partial(files.counting.settle, anew=True))

        await files.turn(recount)
        return await self.usage()

    async def set_limits(self, path: Path, limits: Limits) -> None:
        if not path:
            raise NotPermitted("Limits of the account are where the account is")
        files = self.files

        async def set_limits() -> None:
            await files.thread(tree.set_limits, files, path, limits)
            await self._count()

        await files.turn(set_limits)

    async def _page(self, *, make: bool = True) -> Page | None:
        """What is known; counted first if it has to be, and if it may be made."""
        files = self.files
        page = await files.aside(files.counting.page)
        if page is None and (make or os.path.exists(files.counting.path)):
            page = await files.turn(self._page_or_count)
        return page

    async def _page_or_count(self) -> Page:
        """Within a turn."""
        files = self.files
        return await files.thread(files.counting.page) or await self._count()

    async def measured(self) -> Amount:
        """What is there, counted without putting it down."""
        return await self.files.aside(self.files.counting.measured)

    async def _count(self) -> Page:
        """Within a turn."""
        files = self.files
        return await files.thread(files.counting.count, files.adopt)

    async def _fits(
        self,
        page: Page,
        changes: Sequence[tuple[Path, Amount]],
        *,
        within: bool = False,
        beside: Amount = (0, 0),
    ) -> bool:
        """Nobody is refused for old figures.

        `beside` comes just now to others of the domain."""
        told = [Change(key_of(path), *more) for path, more in changes]
        files, octets, messages = self.files, *amount_of(told)
        account, counting = files.account, files.counting
        shared = octets + beside[0], messages + beside[1]

        async def fits(page: Page) -> bool:
            if not page.fits(account.limits, told):
                return False
            if account.summed is None or max(octets, messages) <= 0:
                return True
            return await files.aside(counting.domain_fits, shared)

        if await fits(page):
            return True
        if page.counted_lately(time.time()) and account.summed is None:
            return False
        return await fits(await (self._recent() if within else self.recent()))

    async def recent(self) -> Page:
        """Figures for which somebody may be refused."""
        return await self.files.turn(self._recent)

    async def _recent(self) -> Page:
        """Within a turn."""
        files = self.files
        page = await files.thread(files.counting.page)
        if page is None or not page.counted_lately(time.time()):
            page = await self._count()
        if files.account.summed is not None:
            await files.thread(files.counting.settle)
        return page

    async def need_room(self, changes: Sequence[tuple[Path, Amount]]) -> None:
        """Within a turn.  Raises OverQuota if so many octets and messages more in these
        mailboxes do not fit."""
        files = self.files
        page = await files.thread(files.counting.page)
        if page is None:
            counted = os.path.exists(files.counting.path)
            if not counted and not files.account.is_limited:
                return
            page = await self._count()
        if not await self._fits(page, changes, within=True):
            raise OverQuota()
