"""Folders that a login has links to in its own Maildir (see `store.maildir.linked`).

Each reader has a copy of its own, with flags that nobody else sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import Interface

from ..directory.model import Account
from ..errors import MailError
from .interfaces import IStore
from .model import Path
from .rights import NO_RIGHTS, Entries, Rights, parsed
from .sharing import Beyond, Reader

log = Logger("mailtwist")

FOLLOW_S = 5.0  # while a session has one of the folders selected
KNOWN_S = 1.0  # the links are followed anew after

READS = parsed("lrsw")
WRITES = READS | parsed("ite")

# A name, the home of the account that the copy belongs to, and which of its folders may
# be written to.
Link = tuple[str, str, Mapping[Path, bool]]


class ILinkedStore(Interface):
    """A store of accounts that may have links."""

    def linked(account: Account) -> Awaitable[list[Link]] | None:
        """The links of an account, with copies that are up to date; None if it has
        none.  Raises MailError."""


@frozen
class Linked(Beyond):
    """The tree of one link; what else its copy has is not shown."""

    writable: Mapping[Path, bool] = field(factory=dict)
    follow: Callable[[], Callable[[], None]] = lambda: lambda: None

    def held(self, lists: Mapping[Path, Entries], reader: Reader, path: Path) -> Rights:
        may = self.writable.get(path)
        return NO_RIGHTS if may is None else WRITES if may else READS

    def watched(self, end: Callable[[], None]) -> Callable[[], None]:
        """The copy is brought up to date meanwhile."""
        end_following = self.follow()

        def ended() -> None:
            end_following()
            end()

        return ended


class Links:
    """Those of one login; `clock` is IReactorTime."""

    def __init__(self, store: IStore, account: Account, top: str, clock: Any) -> None:
        self._store, self._account, self._top = store, account, top
        self._clock, self._now = clock, clock.seconds
        self._found: list[Linked] = []
        self._known_until_s = 0.0

    async def trees(self, *, anew: bool = False) -> list[Linked]:
        """Raises MailError."""
        if anew or self._now() >= self._known_until_s:
            self._found = await self._followed()
            self._known_until_s = self._now() + KNOWN_S
        return self._found

    async def shown(self) -> list[Linked]:
        """As `trees`, and nothing if they cannot be had now."""
        try:
            return await self.trees()
        except MailError as fault:
            log.warn(
                "what {name} has links to: {why}",
                name=self._account.name,
                why=fault.public,
            )
            return []

    async def _followed(self) -> list[Linked]:
        store: Any = self._store  # ILinkedStore
        asked = store.linked(self._account)
        if asked is None:
            return []
        return [self._tree(*link) for link in await asked]

    def _tree(self, name: str, home: str, writable: Mapping[Path, bool]) -> Linked:
        account = evolve(
            self._account,
            home=home,
            mailbox="",
            storage_limit_octets=None,
            message_limit=None,
            mailbox_limits=(),
            mailboxes_limit=None,
        )
        tree: Any = self._store.mailboxes(account)  # IRights, as it has links
        reads = {self._account.name: READS}
        place = self._top, name
        return Linked(place, tree, reads, writable=writable, follow=self.follow)

    def follow(self) -> Callable[[], None]:
        """Follow the links each FOLLOW_S until what this returns is called."""
        call = LoopingCall(lambda: Deferred.fromCoroutine(self.shown()))
        call.clock = self._clock
        call.start(FOLLOW_S, now=False).addErrback(
            lambda failure: log.failure("following links", failure)
        )

        def end() -> None:
            if call.running:
                call.stop()

        return end
