"""A watch of all mailboxes that a login sees, wherever they are."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import MailError
from .interfaces import IRights
from .metadata import ACCOUNT
from .model import Path
from .sharing import Beyond, Reader, Sharing

log = Logger("mailtwist")


class SharedWatch:
    """See IMailboxes.watch.  A tree of others that cannot be watched is left out: what
    happens in it is told when somebody asks."""

    def __init__(
        self,
        sharing: Sharing,
        reader: Reader,
        changed: Callable[[Path | None], None],
    ) -> None:
        self._sharing, self._reader, self._changed = sharing, reader, changed
        self._ends: list[Callable[[], None]] = []
        self._watched: set[Path] = set()  # places
        self._ended = False

    async def begun(self, own: IRights, lost: Callable[[], None]) -> Callable[[], None]:
        """Gives what ends it."""
        self._ends.append(await own.watch(self._changed, lost))
        self._ends.append(self._sharing.watchers.add(self._given))
        try:
            await self._extend()
        except BaseException:
            self.end()
            raise
        return self.end

    def end(self) -> None:
        self._ended = True
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    def _given(self, _: None) -> None:
        """Somebody gave or took rights, perhaps ours."""
        self._changed(None)
        extending = Deferred.fromCoroutine(self._extend())
        extending.addErrback(lambda failure: log.failure("watching others", failure))

    async def _extend(self) -> None:
        trees = await self._sharing.all_beyond(self._reader)
        fresh = [one for one in trees if one.place not in self._watched]
        await self._sharing.each(fresh, self._watch)

    async def _watch(self, beyond: Beyond) -> None:
        if beyond.place in self._watched:
            return
        self._watched.add(beyond.place)

        def told(path: Path | None) -> None:
            if path != ACCOUNT:
                self._changed(None if path is None else beyond.outer(path))
            else:
                self._changed(path)

        def lost() -> None:
            self._watched.discard(beyond.place)

        try:
            end = await beyond.tree.watch(told, lost)
        except MailError:
            self._watched.discard(beyond.place)
            raise
        if self._ended:
            end()
        else:
            self._ends.append(end)
