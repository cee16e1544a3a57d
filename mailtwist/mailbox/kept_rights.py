"""What follows from the lists of rights and annotations that a store keeps: the same in
every store.

A command asks for rights often and lists change seldom: what was read is remembered
until a change here, and looked at anew after KNOWN_S for changes by other processes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .metadata import ACCOUNT
from .model import Annotation, Path
from .rights import ALL, Entries, Rights, granted

KNOWN_S = 1.0


class KeptRights:
    """The reading half of IRights, over `lists` and `rights` of the store."""

    _known: Mapping[Path, Entries] | None = None
    _known_until_s = 0.0
    _forgotten = 0
    _values: Mapping[Path, bytes] | None = None  # of the annotation _named
    _named = ""
    _values_until_s = 0.0

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
        """They changed, or annotations, or the names that they belong to."""
        self._known = self._values = None
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

    async def metadata(
        self, path: Path | None, names: Sequence[str] = ()
    ) -> list[Annotation]:
        """See IMailboxes."""
        raise AssertionError("the store has it")

    async def known_annotation(self, name: str) -> Mapping[Path, bytes]:
        """See IRights; one name is remembered at a time."""
        values = self._values if name == self._named else None
        if values is None or time.monotonic() > self._values_until_s:
            since = self._forgotten
            found = await self.metadata(None, [name])
            found += await self.metadata(ACCOUNT, [name])
            values = {one.path: one.value for one in found}
            if since == self._forgotten:
                self._values, self._named = values, name
                self._values_until_s = time.monotonic() + KNOWN_S
        return values

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
