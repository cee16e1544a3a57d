"""Sieve scripts in memory."""

from __future__ import annotations

from zope.interface import implementer

from ..errors import NoSuchScript, ScriptActive, ScriptExists, TooManyScripts
from ..mailbox.interfaces import IScripts
from ..mailbox.model import ScriptInfo


@implementer(IScripts)
class MemoryScripts:
    """See IScripts."""

    def __init__(self) -> None:
        self._scripts: dict[str, bytes] = {}
        self._active: str | None = None

    @property
    def active(self) -> bytes | None:
        """The octets of the active script."""
        return None if self._active is None else self._scripts[self._active]

    async def scripts(self) -> list[ScriptInfo]:
        return [
            ScriptInfo(name, len(octets), name == self._active)
            for name, octets in sorted(self._scripts.items())
        ]

    async def script(self, name: str) -> bytes:
        if name not in self._scripts:
            raise NoSuchScript()
        return self._scripts[name]

    async def put_script(self, name: str, octets: bytes, most: int) -> None:
        if len(self._scripts.keys() - {name}) >= most:
            raise TooManyScripts()
        self._scripts[name] = octets

    async def remove_script(self, name: str) -> None:
        await self.script(name)
        if name == self._active:
            raise ScriptActive()
        del self._scripts[name]

    async def rename_script(self, old: str, new: str) -> None:
        octets = await self.script(old)
        if new in self._scripts:
            raise ScriptExists()
        del self._scripts[old]
        self._scripts[new] = octets
        if self._active == old:
            self._active = new

    async def activate_script(self, name: str | None) -> None:
        if name is not None:
            await self.script(name)
        self._active = name
