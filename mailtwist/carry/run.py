"""Bringing one end up to date with another.

A message that the journal does not know is looked for at the other end before it is
carried: by its date, then by its octets.  So nothing comes twice after a kill, after a
journal was lost, or where another program began the work.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred

from ..errors import MailError, OverQuota, StorageFull, SystemBusy
from ..flags import Flags
from ..imap4.client import ServerGone
from ..mailbox.model import Path
from .journal import Journal, Known
from .model import Folder, IEnd, Item, Letter, Listed

BATCH_OCTETS = 8 * 1024 * 1024  # of messages carried at a time, but for a larger one
BATCH = 100  # messages
MOST_TRIES = 20  # over connections that get lost
UNKNOWN_OCTETS = 64 * 1024  # what a message counts for whose size is not known

_ENDS_ALL = (OverQuota, StorageFull, SystemBusy, ServerGone)

Threads = Callable[..., Deferred[Any]]


@frozen(kw_only=True)
class Wishes:
    """What is carried: folders whose name, with "/" between its parts, matches one of
    `only` and none of `leave_out` (fnmatch); `into` is put before each path.

    `expunge`: what was carried and is gone at the source goes at the target.
    `follow_flags`: flags that changed at the source do so at the target.  `take`: what
    is at the target goes at the source."""

    only: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    into: Path = ()
    expunge: bool = False
    follow_flags: bool = True
    take: bool = False
    dry_run: bool = False

    def wants(self, path: Path) -> bool:
        name = "/".join(path)
        if any(fnmatchcase(name, pattern) for pattern in self.leave_out):
            return False
        return not self.only or any(fnmatchcase(name, one) for one in self.only)

    def place(self, path: Path) -> Path:
        return (*self.into, *path) if self.into else path


@define
class Figures:
    """How far it is; `total` counts the messages of the folders that were seen."""

    folders: int = 0
    total: int = 0
    carried: int = 0
    octets: int = 0
    there: int = 0  # were at the target already
    flags: int = 0  # messages with changed flags
    expunged: int = 0
    failed: list[str] = field(factory=list)

    def add(self, other: Figures) -> None:
        """What was done by another run too."""
        self.carried += other.carried
        self.octets += other.octets
        self.flags += other.flags
        self.expunged += other.expunged


async def carried(begin: Callable[[], Carrier], most: int = MOST_TRIES) -> Figures:
    """Run carriers until one comes through: a connection that is lost after something
    was carried is no end, as the next goes on there.  The figures of the last, with
    what those before it carried."""
    before = Figures()
    for tries in range(1, most + 1):
        carrier = begin()
        try:
            figures = await carrier.run()
        except ServerGone:
            figures = carrier.figures
            if tries == most or not (figures.carried or figures.flags):
                raise
            before.add(figures)
            continue
        figures.there -= before.carried
        figures.add(before)
        return figures
    raise ServerGone()


class Carrier:
    """Carries from `source` to `target`; `told(figures)` is called now and then,
    `thread` runs what blocks."""

    def __init__(
        self,
        source: IEnd,
        target: IEnd,
        journal: Journal,
        wishes: Wishes,
        thread: Threads,
        told: Callable[[Figures], None] = lambda figures: None,
    ) -> None:
        self._source, self._target, self._journal = source, target, journal
        self._wishes, self._thread, self._told = wishes, thread, told
        self.figures = Figures()

    async def run(self) -> Figures:
        """Raises MailError for what ends all of it; single messages that cannot be
        carried are in the figures."""
        await self._thread(self._journal.alone)
        try:
            folders = [f for f in await self._source.folders() if self._wanted(f)]
            there = {f.path: f for f in await self._target.folders()}
            for folder in folders:
                place = evolve(folder, path=self._wishes.place(folder.path))
                await self._folder(folder.path, place, there.get(place.path))
                self.figures.folders += 1
                self._told(self.figures)
        finally:
            await self._thread(self._journal.close)
        return self.figures

    def _wanted(self, folder: Folder) -> bool:
        return self._wishes.wants(folder.path)

    async def _folder(self, path: Path, place: Folder, there: Folder | None) -> None:
        seen = await self._source.listed(path)
        self.figures.total += len(seen.items)
        self._told(self.figures)
        if self._wishes.dry_run:
            listed = (
                Listed("") if there is None else await self._target.listed(place.path)
            )
        else:
            missing = there is None or (place.subscribed and not there.subscribed)
            if missing or place.rights:
                await self._target.make(place)
            listed = await self._target.listed(place.path)
        one = _OneFolder(self, path, place.path, seen, listed)
        await one.begin()
        await one.match()
        await one.carry()
        await one.flag()
        await one.expunge()
        await one.take()

    # -- what a folder asks ---------------------------------------------------

    @property
    def ends(self) -> tuple[IEnd, IEnd]:
        return self._source, self._target

    @property
    def wishes(self) -> Wishes:
        return self._wishes

    def progress(self) -> None:
        self._told(self.figures)

    async def journal(self, work: str, *arguments: Any) -> Any:
        if self._wishes.dry_run and work != "known":
            return None
        return await self._thread(getattr(self._journal, work), *arguments)


class _OneFolder:
    """One folder: what is at the source against what is at the target."""

    def __init__(
        self, carrier: Carrier, path: Path, place: Path, seen: Listed, there: Listed
    ) -> None:
        self._carrier, self._path, self._place = carrier, path, place
        self._seen, self._there = seen, there
        self._source, self._target = carrier.ends
        self._figures, self._wishes = carrier.figures, carrier.wishes
        self._known: dict[str, Known] = {}
        self._new: list[Item] = []

    async def begin(self) -> None:
        self._known = await self._carrier.journal(
            "known", self._path, self._seen.validity, self._there.validity
        )
        self._new = [one for one in self._seen.items if one.key not in self._known]
        self._figures.there += len(self._seen.items) - len(self._new)

    # -- what is there already ------------------------------------------------

    async def match(self) -> None:
        """Find new ones among those at the target that nobody told the journal of."""
        theirs = {known.key for known in self._known.values()}
        strange = defaultdict(list)
        for item in self._there.items:
            if item.key not in theirs:
                strange[item.internal_date].append(item)
        if not strange or not self._new:
            return
        ours = defaultdict(list)
        for item in self._new:
            ours[item.internal_date].append(item)
        found: dict[str, Known] = {}
        for date, mine in ours.items():
            for one, other in await self._same(mine, strange.get(date, [])):
                found[one.key] = Known(other.key, other.flags)
        await self._carrier.journal("note", self._path, list(found.items()))
        self._known |= found
        self._new = [one for one in self._new if one.key not in found]
        self._figures.there += len(found)

    async def _same(
        self, ours: Sequence[Item], theirs: Sequence[Item]
    ) -> list[tuple[Item, Item]]:
        """Pairs with the same octets; those in one order stay in it."""
        mine = [one for one in ours if any(_alike(one, other) for other in theirs)]
        others = [one for one in theirs if any(_alike(one, other) for other in mine)]
        if not mine or not others:
            return []
        by_digest = defaultdict(list)
        for item, digest in await self._digests(self._target, self._place, others):
            by_digest[digest].append(item)
        pairs = []
        for item, digest in await self._digests(self._source, self._path, mine):
            if by_digest[digest]:
                pairs.append((item, by_digest[digest].pop(0)))
        return pairs

    @staticmethod
    async def _digests(
        end: IEnd, path: Path, items: Sequence[Item]
    ) -> list[tuple[Item, bytes]]:
        found = []
        for some in batches(items):
            octets = await end.read(path, [item.key for item in some])
            found += [
                (item, hashlib.sha256(one).digest())
                for item, one in zip(some, octets, strict=True)
                if one is not None
            ]
        return found

    # -- what is new ----------------------------------------------------------

    async def carry(self) -> None:
        """The next messages are read while those before are put in."""
        if self._wishes.dry_run:
            self._figures.carried += len(self._new)
            self._figures.octets += sum(item.octets or 0 for item in self._new)
            return
        putting: Deferred[None] | None = None
        for some in batches(self._new):
            try:
                octets = await self._read(some)
            finally:
                if putting is not None:
                    await putting
            putting = Deferred.fromCoroutine(self._put(some, octets))
        if putting is not None:
            await putting

    async def _read(self, items: list[Item]) -> list[bytes | None]:
        """What cannot be read holds up nothing else; all of them is a fault."""
        try:
            return await self._source.read(self._path, [item.key for item in items])
        except _ENDS_ALL:
            raise
        except MailError:
            if len(items) == 1:
                raise
        found: list[bytes | None] = []
        failed: list[tuple[Item, MailError]] = []
        for item in items:
            try:
                found += await self._source.read(self._path, [item.key])
            except _ENDS_ALL:
                raise
            except MailError as fault:
                failed.append((item, fault))
                found.append(None)
        if len(failed) == len(items):
            raise failed[0][1]
        for item, why in failed:
            self._refused(item, why)
        return found

    async def _put(self, items: list[Item], octets: list[bytes | None]) -> None:
        pairs = [
            (item, Letter(one, item.flags, item.internal_date))
            for item, one in zip(items, octets, strict=True)
            if one is not None  # gone meanwhile
        ]
        try:
            await self._add(pairs)
        except _ENDS_ALL:
            raise
        except MailError:
            if len(pairs) == 1:
                raise
            await self._one_by_one(pairs)
        self._carrier.progress()

    async def _one_by_one(self, pairs: list[tuple[Item, Letter]]) -> None:
        """One of them was refused: which?  None at all goes in if the end is down."""
        failed: list[tuple[Item, MailError]] = []
        for pair in pairs:
            try:
                await self._add([pair])
            except _ENDS_ALL:
                raise
            except MailError as fault:
                failed.append((pair[0], fault))
        if len(failed) == len(pairs):
            raise failed[0][1]
        for item, why in failed:
            self._refused(item, why)

    def _refused(self, item: Item, fault: MailError) -> None:
        name = "/".join(self._path)
        self._figures.failed.append(f"{name}: message {item.key}: {fault.public}")

    async def _add(self, pairs: list[tuple[Item, Letter]]) -> None:
        letters = [letter for _, letter in pairs]
        keys = await self._target.add(self._place, letters)
        carried = []
        for (item, letter), key in zip(pairs, keys, strict=True):
            if isinstance(key, MailError):
                self._refused(item, key)
                continue
            carried.append((item.key, Known(key, item.flags)))
            self._figures.octets += len(letter.octets)
        await self._carrier.journal("note", self._path, carried)
        self._known |= dict(carried)
        self._figures.carried += len(carried)

    # -- what changed ---------------------------------------------------------

    async def flag(self) -> None:
        """Flags that came or went at the source since then do so at the target."""
        if not self._wishes.follow_flags:
            return
        flags = {item.key: item.flags for item in self._there.items}
        changes: list[tuple[str, Flags]] = []
        noted = []
        for item in self._seen.items:
            known = self._known.get(item.key)
            if known is None or known.flags == item.flags:
                continue
            noted.append((item.key, Known(known.key, item.flags)))
            held = flags.get(known.key)
            if held is None:
                continue
            wanted = (held | (item.flags - known.flags)) - (known.flags - item.flags)
            if wanted != held:
                changes.append((known.key, wanted))
        self._figures.flags += len(changes)
        if changes and not self._wishes.dry_run:
            await self._target.set_flags(self._place, changes)
        if noted:
            await self._carrier.journal("note", self._path, noted)

    async def expunge(self) -> None:
        if not self._wishes.expunge:
            return
        here = {item.key for item in self._seen.items}
        there = {item.key for item in self._there.items}
        gone = {key: one for key, one in self._known.items() if key not in here}
        keys = [known.key for known in gone.values() if known.key in there]
        self._figures.expunged += len(keys)
        if keys and not self._wishes.dry_run:
            await self._target.remove(self._place, keys)
        if gone:
            await self._carrier.journal("forget", self._path, list(gone))

    async def take(self) -> None:
        if self._wishes.take and not self._wishes.dry_run:
            items = self._seen.items
            keys = [item.key for item in items if item.key in self._known]
            if keys:
                await self._source.remove(self._path, keys)


def _alike(one: Item, other: Item) -> bool:
    unknown = one.octets is None or other.octets is None
    return unknown or one.octets == other.octets


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Runs of messages that are small enough to hold together."""
    some: list[Item] = []
    held = 0
    for item in items:
        octets = UNKNOWN_OCTETS if item.octets is None else item.octets
        if some and (held + octets > BATCH_OCTETS or len(some) >= BATCH):
            yield some
            some, held = [], 0
        some.append(item)
        held += octets
    if some:
        yield some
