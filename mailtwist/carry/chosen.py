"""An end of which only some messages are taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.python.components import proxyForInterface

from ..mailbox.model import Path
from .model import IEnd, Item, Listed
from .run import batches

_End: Any = proxyForInterface(IEnd, "_end")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]*>)", re.I | re.M)


class Chosen(_End):
    """`wanted(octets)` says so of a whole message."""

    def __init__(self, end: IEnd, wanted: Callable[[bytes], bool]) -> None:
        super().__init__(end)
        self._wanted = wanted

    async def listed(self, path: Path) -> Listed:
        """All are read for it."""
        listed = await self._end.listed(path)
        found: list[Item] = []
        for some in batches(listed.items):
            octets = await self.read(path, [item.key for item in some])
            found += [
                item
                for item, one in zip(some, octets, strict=True)
                if one is not None and self._wanted(one)
            ]
        return Listed(listed.validity, found)

    async def read(self, path: Path, keys: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = await self._end.read(path, keys)
        return found


def has_message_id(wanted: Sequence[str]) -> Callable[[bytes], bool]:
    """True for messages with one of these, angle brackets or not."""
    ids = {f"<{one.strip().strip('<>')}>".encode() for one in wanted}

    def check(octets: bytes) -> bool:
        end = _HEADER_END.search(octets)
        header = octets if end is None else octets[: end.start()]
        found = _MESSAGE_ID.search(header)
        return found is not None and found[1] in ids

    return check
