"""The index of what is shared, made anew from what the accounts have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import MailError
from ..mailbox.interfaces import IRights
from ..mailbox.rights import NEGATIVE
from ..store.shares import Shares, SharesFile
from .quiet_work import QuietWork

log = Logger("mailtwist")

Trees = Callable[[str], Awaitable[IRights | None]]


@define
class Rebuilt:
    """`faults` has a line for each account that could not be asked."""

    accounts: int = 0
    added: int = 0
    removed: int = 0
    faults: list[str] = field(factory=list)


async def rebuild(shares: Shares, trees: Trees, names: Collection[str]) -> Rebuilt:
    """Ask the accounts `names`, and those that the index knows, for their lists.

    What an account that cannot be asked may have given stays in the index, and the
    index then counts as incomplete if it did before.  Raises MailError."""
    noted: dict[str, set[str]] = defaultdict(set)
    for owner, identifier in await shares.run(SharesFile.shared):
        noted[owner].add(identifier)
    done = Rebuilt()
    for name in sorted({*names, *noted}):
        try:
            await _one(shares, trees, name, noted.get(name, set()), done)
        except MailError as fault:
            done.faults.append(f"{name}: {fault.public}")
    if not done.faults:
        await shares.run(SharesFile.complete)
    return done


async def _one(
    shares: Shares, trees: Trees, name: str, noted: set[str], done: Rebuilt
) -> None:
    tree = await trees(name)
    # Noted before the lists are read: what is given meanwhile is noted once more, and
    # so is not forgotten.
    counts = {one: await shares.note(name, one) for one in noted}
    lists = {} if tree is None else await tree.lists()
    given = {
        identifier
        for entries in lists.values()
        for identifier in entries
        if tree is not None
        and identifier != tree.owner
        and not identifier.startswith(NEGATIVE)
    }
    done.accounts += tree is not None
    for identifier in sorted(given - noted):
        await shares.note(name, identifier)
        done.added += 1
    for identifier in sorted(noted - given):
        await shares.forget(name, identifier, counts[identifier])
        done.removed += 1


class SharesKeeper(QuietWork):
    """Rebuilds the index of a running server when it was damaged.

    `names` gives the accounts that are known without being named."""

    doing = "the index of what is shared"

    def __init__(
        self, shares: Shares, trees: Trees, names: Callable[[], Awaitable[list[str]]]
    ) -> None:
        self._shares, self._trees, self._names = shares, trees, names

    def startService(self) -> None:
        super().startService()
        self._shares.on_damage = lambda: self.begin(self._rebuild())

    async def _rebuild(self) -> None:
        try:
            done = await rebuild(self._shares, self._trees, await self._names())
        except MailError as fault:
            log.error("the index of what is shared: {why}", why=fault.public)
            return
        for line in done.faults:
            log.warn("what is shared is not known of {line}", line=line)
        log.info(
            "the index of what is shared is made anew from {accounts} accounts",
            accounts=done.accounts,
        )

    def stopService(self) -> Deferred[None] | None:
        self._shares.on_damage = None
        return super().stopService()
