"""What asks a server, made anew when its settings or their CAs change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from ..config.load import load_section, section_in
from ..directory.reread import Open, Reread, open_here
from ..errors import ConfigError
from .settings import LdapServer, MysqlServer
from .trusted import cas_in, trusted_cas

Section = TypeVar("Section", bound="MysqlServer | LdapServer")
Made = TypeVar("Made")


@frozen
class Used(Generic[Section, Made]):
    settings: Section
    made: Made


class Settled(Generic[Section, Made]):
    """Gives what `make(settings, cas)` made of the file at `path`, in the reactor's
    thread.  The old one counts, and may still be asked, until a changed file can be
    used.

    `open_` opens both files for whoever has given up root.  Raises ConfigError, and
    what `make` raises, at first.
    """

    def __init__(
        self,
        kind: type[Section],
        path: str,
        make: Callable[[Section, str | None], Made],
        open_: Open = open_here,
    ) -> None:
        self._kind, self._make, self._open = kind, make, open_
        self._reread = Reread(path, self._first, again=self._again, also=_cas)

    def __call__(self) -> Made:
        return self._reread().made

    @property
    def settings(self) -> Section:
        """Those that count now."""
        return self._reread().settings

    def _first(self, path: str) -> Used[Section, Made]:
        settings = load_section(self._kind, path)
        return Used(settings, self._make(settings, trusted_cas(settings.ca)))

    async def _again(self, path: str) -> Used[Section, Made]:
        settings = section_in(self._kind, path, await self._opened(path))
        cas = None
        if settings.ca:
            cas = cas_in(settings.ca, await self._opened(settings.ca))
        try:
            return Used(settings, self._make(settings, cas))
        except ValueError as fault:
            raise ConfigError(f"{path}: {fault}") from fault

    async def _opened(self, path: str) -> int:
        """By `open_`, else with our own rights: a file that was named after the start
        may be readable for all.  Raises ConfigError."""
        try:
            try:
                return await self._open(path)
            except OSError:
                return await open_here(path)
        except OSError as fault:
            raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault


def _cas(used: Used[Section, Made]) -> tuple[str, ...]:
    return (used.settings.ca,) if used.settings.ca else ()
