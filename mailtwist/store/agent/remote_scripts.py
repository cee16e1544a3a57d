"""The Sieve scripts of an account whose agent does the work."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from ...mailbox.interfaces import IScripts
from ...mailbox.model import ScriptInfo


@implementer(IScripts)
class RemoteScripts:
    """See IScripts."""

    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        raise AssertionError("the mailboxes ask")

    async def scripts(self) -> list[ScriptInfo]:
        found: list[ScriptInfo] = await self._ask("scripts")
        return found

    async def script(self, name: str) -> bytes:
        octets: bytes = await self._ask("script", name)
        return octets

    async def put_script(self, name: str, octets: bytes, most: int) -> None:
        await self._ask("put_script", name, octets, most)

    async def remove_script(self, name: str) -> None:
        await self._ask("remove_script", name)

    async def rename_script(self, old: str, new: str) -> None:
        await self._ask("rename_script", old, new)

    async def activate_script(self, name: str | None) -> None:
        await self._ask("activate_script", name)
