"""What follows from the lists of rights that a store keeps: the same for every store.

A command asks for rights often and lists change seldom: what was read is remembered
until a change here, and looked at anew after KNOWN_S for changes by other processes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from .model import Path
from .rights import ALL, Entries, Rights, granted

KNOWN_S = 1.0


class KeptRights:
    """The reading half of IRights, over `lists` and `rights` of the store."""

    _known: Mapping[Path, Entries] | None = None
    _known_until_s = 0.0
    _forgotten = 0

    @property
    def owner(self) -> str:
        """See IRights."""
        raise AssertionError("the store has it")

    def owner_of(self, path: Path) -> str:
        return self.owner

    async def lists(self) -> dict[Path, dict[str, Rights]]:
        """See IRights."""
        raise AssertionError("the store has them")

    async def rights(self, path: Path) -> dict[str, Rights]:
        """See IRights."""
        raise AssertionError("the store has them")

    def forget_lists(self) -> None:
        """They changed, or the names that they belong to."""
        self._known = None
        self._forgotten += 1

    async def known_lists(self) -> Mapping[Path, Entries]:
        """`lists`, perhaps as they were KNOWN_S ago if another process changes them."""
        known = self._known
        if known is None or time.monotonic() > self._known_until_s:
            since = self._forgotten
            known = await self.lists()
            if since == self._forgotten:  # else a change came between
                self._known, self._known_until_s = known, time.monotonic() + KNOWN_S
        return known

    async def my_rights(self, path: Path) -> Rights:
        return self._owners(await self.rights(path))

    async def may(self, path: Path) -> Rights:
        entries = (await self.known_lists()).get(path)
        return ALL if entries is None else self._owners(entries)

    async def limited(self) -> dict[Path, Rights]:
        known = await self.known_lists()
        return {path: self._owners(entries) for path, entries in known.items()}

    def _owners(self, entries: Entries) -> Rights:
        return granted(entries, {self.owner}, owner=True)
