"""One open mailbox of a login: its own, or one that others share with it.

Either may be copied from into any mailbox that the login can name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.python.components import proxyForInterface
from zope.interface import alsoProvides

from ..errors import MessageGone
from ..flags import SEEN, Flags
from . import across
from .across import Message
from .held_rights import check
from .interfaces import IIndexedMailbox, IMailbox, IReadByMany
from .limited_flags import store_limited
from .model import (
    Appended,
    Changes,
    Column,
    Copied,
    Expunged,
    FlagAction,
    FlagChange,
    MailboxStatus,
    MessageRows,
    Path,
    Range,
    Stored,
    TextHits,
    TextPlace,
)
from .rights import Rights, changeable
from .sharing import Beyond, Reader

if TYPE_CHECKING:
    from .shared import SharedMailboxes

Proxy: Any = proxyForInterface(IMailbox, "_open")


class OwnMailbox(Proxy):
    """A mailbox of the login's own account."""

    def __init__(self, mailbox: IMailbox, tree: SharedMailboxes) -> None:
        super().__init__(mailbox)
        self._tree = tree
        if IIndexedMailbox.providedBy(mailbox):
            alsoProvides(self, IIndexedMailbox)

    async def text_hits(self, needle: str, place: TextPlace) -> TextHits | None:
        hits: TextHits | None = await self._open.text_hits(needle, place)
        return hits

    async def text_extracts(self, uids: Sequence[int]) -> list[str | None]:
        found: list[str | None] = await self._open.text_extracts(uids)
        return found

    async def kept_threads(self, algorithm: str, of: bytes) -> bytes | None:
        kept: bytes | None = await self._open.kept_threads(algorithm, of)
        return kept

    async def keep_threads(self, algorithm: str, of: bytes, threads: bytes) -> None:
        await self._open.keep_threads(algorithm, of, threads)

    def _here(self, target: Path) -> Path | None:
        """The name in this mailbox's own tree; None if the target is in another."""
        return target if self._tree.namespaces.personal(target) else None

    async def copy(self, uids: Sequence[int], target: Path) -> Copied:
        here = self._here(target)
        if here is not None:
            return await self._copied(uids, here, moves=False)
        await self._tree.need(target, "i")
        return await across.copy(self, uids, self._tree, target)

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        here = self._here(target)
        if here is not None:
            return await self._copied(uids, here, moves=True)
        await self._tree.need(target, "i")
        copied = await across.copy(self, uids, self._tree, target)
        if copied.source_uids:
            await self._open.expunge(copied.source_uids)
        return copied

    async def _copied(self, uids: Sequence[int], here: Path, *, moves: bool) -> Copied:
        work = self._open.move if moves else self._open.copy
        copied: Copied = await work(uids, here)
        return copied

    async def replace(self, uid: int, target: Path, message: Message) -> Appended:
        here = self._here(target)
        if here is not None:
            done: Appended = await self._open.replace(uid, here, message)
            return done
        if not (await self._open.rows([uid])).uids:
            message[0].abort()
            raise MessageGone()
        done = await self._tree.append(target, [message])
        await self._open.expunge([uid])
        return done


class ViewedMailbox(OwnMailbox):
    """A mailbox of others: with the rights of the login alone, and with a \\Seen of its
    own if `own_seen`."""

    _open: IReadByMany

    def __init__(
        self,
        mailbox: IReadByMany,
        tree: SharedMailboxes,
        beyond: Beyond,
        path: Path,
        *,
        own_seen: bool,
    ) -> None:
        super().__init__(mailbox, tree)
        self._beyond, self._path, self._own_seen = beyond, path, own_seen
        self._seen: frozenset[int] = frozenset()

    @property
    def path(self) -> Path:
        return self._path

    @property
    def _reader(self) -> Reader:
        return self._tree.reader

    async def where(self) -> Path:
        return self._beyond.outer(await self._open.where())

    async def _held(self) -> Rights:
        return await self._beyond.rights(self._reader, await self._open.where())

    async def _need(self, wanted: str) -> Rights:
        held = await self._held()
        check(held, wanted, is_open=True)
        return held

    # -- reading --------------------------------------------------------------

    async def learn(self) -> None:
        """What the reader has seen, as it is now."""
        if self._own_seen:
            self._seen = frozenset(await self._open.seen_by(self._reader.name))

    async def status(self) -> MailboxStatus:
        return await self.viewed_status(await self._open.status())

    async def viewed_status(self, found: MailboxStatus) -> MailboxStatus:
        """With what this reader has not seen."""
        if not self._own_seen:
            return found
        await self.learn()
        return evolve(found, unseen=max(0, found.messages - len(self._seen)))

    async def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        await self._need("r")
        return self._viewed(await self._open.rows(uids))

    async def rendered(
        self, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[bytes, ...] | None]:
        await self._need("r")
        found: list[tuple[bytes, ...] | None] = await self._open.rendered(uids, columns)
        return found

    async def octets(self, ranges: Sequence[Range]) -> list[bytes | None]:
        await self._need("r")
        found: list[bytes | None] = await self._open.octets(ranges)
        return found

    async def text_hits(self, needle: str, place: TextPlace) -> TextHits | None:
        await self._need("r")
        return await super().text_hits(needle, place)

    async def text_extracts(self, uids: Sequence[int]) -> list[str | None]:
        await self._need("r")
        return await super().text_extracts(uids)

    async def kept_threads(self, algorithm: str, of: bytes) -> bytes | None:
        await self._need("r")
        return await super().kept_threads(algorithm, of)

    async def changes(self, modseq: int) -> Changes:
        """None while the reader may not read (RFC 4314 §5.1.1): a session that has it
        open goes on, and sees nothing more."""
        if "r" not in await self._held():
            return Changes(modseq, MessageRows(), [])
        changes: Changes = await self._open.changes(modseq)
        if changes.rows.uids:
            await self.learn()
        return evolve(changes, rows=self._viewed(changes.rows))

    def _viewed(self, rows: MessageRows) -> MessageRows:
        if not self._own_seen:
            return rows
        pairs = {one: (one - {SEEN}, one | {SEEN}) for one in set(rows.flags)}
        seen = self._seen
        flags = [
            pairs[one][uid in seen]
            for uid, one in zip(rows.uids, rows.flags, strict=True)
        ]
        return evolve(rows, flags=flags)

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        return self._beyond.watched(self._open.watch(changed))

    # -- flags ----------------------------------------------------------------

    async def store_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        *,
        unchanged_since: int | None = None,
    ) -> Stored:
        held = await self._held()
        if held.isdisjoint("swt"):
            check(held, "w", is_open=True)

        def may(flags: Flags) -> Flags:
            return changeable(flags, held)

        if not self._own_seen:
            return await store_limited(self._open, uids, change, unchanged_since, may)

        def common(flags: Flags) -> Flags:
            return may(flags) - {SEEN}

        replaces = change.action is FlagAction.REPLACE
        sees = "s" in held and (replaces or SEEN in change.flags)
        if not sees or (replaces and not held.isdisjoint("wt")) or common(change.flags):
            done = await store_limited(
                self._open, uids, change, unchanged_since, common
            )
            uids, unchanged_since = done.rows.uids, None
            if not sees:
                return evolve(done, rows=self._viewed(done.rows))
            modified = done.modified
        else:
            modified = []
        seen = SEEN in change.flags and change.action is not FlagAction.REMOVE
        done = await self._see(uids, seen, unchanged_since)
        return evolve(done, modified=modified or done.modified)

    async def _see(
        self, uids: Sequence[int], seen: bool, unchanged_since: int | None = None
    ) -> Stored:
        done: Stored = await self._open.see(
            self._reader.name, uids, seen, unchanged_since=unchanged_since
        )
        told = done.rows.uids
        self._seen = self._seen.union(told) if seen else self._seen.difference(told)
        return evolve(done, rows=self._viewed(done.rows))

    # -- messages that come and go --------------------------------------------

    def _here(self, target: Path) -> Path | None:
        return self._beyond.inner(target) if self._beyond.holds(target) else None

    async def move(self, uids: Sequence[int], target: Path) -> Copied:
        await self._need("te")
        return await super().move(uids, target)

    async def replace(self, uid: int, target: Path, message: Message) -> Appended:
        await self._need("te")
        here = self._here(target)
        if here is None:
            return await super().replace(uid, target, message)
        held = await self._beyond.rights(self._reader, here)
        check(held, "i")
        upload, flags, date = message
        may = changeable(flags, held)
        own_seen = frozenset({SEEN} if self._own_seen else ())
        done: Appended = await self._open.replace(
            uid, here, (upload, may - own_seen, date)
        )
        if own_seen & may:
            await self._tree.arrived(self._beyond, here, done.uids, done.uids)
        return done

    async def _copied(self, uids: Sequence[int], here: Path, *, moves: bool) -> Copied:
        """The copies lose the flags that the reader may not set there."""
        await self._need("r")
        await self._tree.need(self._beyond.outer(here), "i")
        seen = self._seen
        copied = await super()._copied(uids, here, moves=moves)
        pairs = zip(copied.source_uids, copied.target_uids, strict=True)
        await self._tree.arrived(
            self._beyond, here, copied.target_uids, [b for a, b in pairs if a in seen]
        )
        return copied

    async def expunge(self, uids: Sequence[int] | None = None) -> Expunged:
        await self._need("e")
        expunged: Expunged = await self._open.expunge(uids)
        return expunged
