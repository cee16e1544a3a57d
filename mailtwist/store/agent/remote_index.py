"""What another process knows of a mailbox's texts and threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ...mailbox.model import TextHits, TextPlace


class RemoteIndex(ABC):
    """What IIndexedMailbox has more than IMailbox."""

    @abstractmethod
    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any: ...

    async def text_hits(self, needle: str, place: TextPlace) -> TextHits | None:
        hits: TextHits | None = await self._ask("text_hits", needle, place)
        return hits

    async def text_extracts(self, uids: Sequence[int]) -> list[str | None]:
        found: list[str | None] = await self._ask("text_extracts", list(uids))
        return found

    async def kept_threads(self, algorithm: str, of: bytes) -> bytes | None:
        kept: bytes | None = await self._ask("kept_threads", algorithm, of)
        return kept

    async def keep_threads(self, algorithm: str, of: bytes, threads: bytes) -> None:
        await self._ask("keep_threads", algorithm, of, threads)
