"""A maildrop as POP3 sees it: the messages of one moment, numbered from 1.

The listing is columns, so that 100,000 messages cost no objects; messages are read in
chunks, and small ones ahead when a client takes them in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from ..config.reading import Pop3
from ..errors import (
    LoginTooSoon,
    MailboxInUse,
    MailboxReadOnly,
    MessageGone,
    NoSuchMessage,
)
from ..foreign import IUniqueIds
from ..mailbox.model import Range
from ..mailbox.shown import Shown
from ..policy.rate import Taking
from .text import DotStuffer, TopCutter

CHUNK = 128 * 1024  # octets asked of the store at once while a message is sent
TOP_CHUNK = 16 * 1024  # the first read for TOP: header and some lines, mostly
MOST_AHEAD = 64 * 1024  # octets read ahead and kept for the next commands
MOST_AHEAD_PIPELINED = 256 * 1024  # the same when those commands are here already
MOST_AHEAD_MESSAGES = 64
SLICE = 4096  # rows of LIST and UIDL made at once
MOST_REMEMBERED = 10_000  # logins kept for LOGIN-DELAY before old ones are dropped


class Locks(Protocol):
    """Each name is taken by one at a time."""

    def take(self, name: str) -> bool: ...

    def release(self, name: str) -> None: ...


class Maildrops:
    """Who has which maildrop open, and when it was last opened; for all listeners.

    `locks` and `logins`, which tells whether a name may log in again, are given where
    several processes serve the same accounts."""

    def __init__(
        self, config: Pop3, locks: Locks | None = None, logins: Taking | None = None
    ) -> None:
        self._config, self._locks, self._logins = config, locks, logins
        self._open: set[str] = set()
        self._entered: dict[str, float] = {}

    def enter(self, name: str, now_s: float) -> Callable[[], None]:
        """Take the lock of an account (RFC 1939 §4); call the result to let it go.

        Raises MailboxInUse, LoginTooSoon.  `now_s` is of any clock that only grows.
        """
        if self._config.lock and not self._lock(name):
            raise MailboxInUse("Maildrop is in use by another session")
        if self._config.login_delay_s and not self._may_again(name, now_s):
            self._let_go(name)
            raise LoginTooSoon()
        return lambda: self._let_go(name)

    def _lock(self, name: str) -> bool:
        if name in self._open or self._locks and not self._locks.take(name):
            return False
        self._open.add(name)
        return True

    def _let_go(self, name: str) -> None:
        if name in self._open:
            self._open.discard(name)
            if self._locks:
                self._locks.release(name)

    def _may_again(self, name: str, now_s: float) -> bool:
        """False within the delay after the last login."""
        if self._logins is not None:
            return self._logins.take(name)
        delay = self._config.login_delay_s
        if now_s - self._entered.get(name, now_s - delay) < delay:
            return False
        if len(self._entered) >= MOST_REMEMBERED:
            since = now_s - delay
            self._entered = {n: at for n, at in self._entered.items() if at > since}
        self._entered[name] = now_s
        return True


class Maildrop:
    """One session's view of a mailbox; `mailbox` is an IMailbox."""

    def __init__(
        self,
        mailbox: Any,
        uids: list[int],
        sizes: list[int],
        ids: list[bytes] | None = None,
    ) -> None:
        """`ids` are unique ids that do not follow from the UIDs."""
        self.mailbox, self._ids = mailbox, ids
        self._showing: Shown | None = None
        self.uids, self.sizes = uids, sizes
        self.count, self.octets = len(uids), sum(sizes)
        self.deleted: set[int] = set()  # message numbers
        self._all = self.count, self.octets
        self._ahead: dict[int, bytes] = {}
        self._ahead_lines: int | None = None
        self._last = 0  # message number taken last

    @classmethod
    async def load(cls, mailbox: Any) -> Maildrop:
        rows = await mailbox.rows()
        ids = None
        if IUniqueIds.providedBy(mailbox):
            ids = await mailbox.unique_ids()
        return cls(mailbox, rows.uids, rows.octets, ids)

    # -- the listing ------------------------------------------------------------

    def index(self, number: int) -> int:
        """Where message `number` stands in the columns; raises NoSuchMessage."""
        if not 1 <= number <= len(self.uids) or number in self.deleted:
            raise NoSuchMessage()
        return number - 1

    def delete(self, number: int) -> None:
        """Mark for QUIT; raises NoSuchMessage, MailboxReadOnly."""
        if self.mailbox.read_only:
            raise MailboxReadOnly()
        self.octets -= self.sizes[self.index(number)]
        self.count -= 1
        self.deleted.add(number)

    def reset(self) -> None:
        self.deleted.clear()
        self.count, self.octets = self._all

    def doomed(self) -> list[int]:
        """UIDs marked for deletion, ascending."""
        return [self.uids[number - 1] for number in sorted(self.deleted)]

    def size_row(self, index: int) -> bytes:
        return b"%d %d" % (index + 1, self.sizes[index])

    def id_row(self, index: int) -> bytes:
        """Number and unique id (RFC 1939 §7): UIDVALIDITY and UID never come again."""
        if self._ids is not None:
            return b"%d %b" % (index + 1, self._ids[index])
        return b"%d %d.%d" % (index + 1, self.mailbox.uid_validity, self.uids[index])

    def listing(self, row: Callable[[int], bytes]) -> Iterator[bytes]:
        """The rows of all messages in slices, then the final dot."""
        deleted = self.deleted
        for start in range(0, len(self.uids), SLICE):
            stop = min(start + SLICE, len(self.uids))
            rows = [row(i) for i in range(start, stop) if i + 1 not in deleted]
            if rows:
                yield b"\r\n".join(rows) + b"\r\n"
        yield b".\r\n"

    # -- messages ---------------------------------------------------------------

    async def message(
        self, number: int, lines: int | None, *, utf8: bool, pipelined: bool
    ) -> bytes | AsyncIterator[bytes]:
        """Message `number`, or its header and `lines` lines, as it goes on the wire.

        All of it with the final dot if it is small, else chunks.  Raises NoSuchMessage,
        MessageGone; an iterator that raises MessageGone ended in mid-message.
        """
        index = self.index(number)
        if self._showing is None or self._showing.utf8 is not utf8:
            self._showing = Shown(self.mailbox, utf8=utf8)
        shown = self._showing
        first = await self._start(shown, index, lines, pipelined)
        complete = len(first) < self._first_count(index, lines)
        chunks = _Chunks(lines)
        octets = chunks.next(first)
        if complete or chunks.done:
            return octets + chunks.end()
        return self._rest(shown, index, octets, len(first), chunks)

    async def _rest(
        self, shown: Shown, index: int, octets: bytes, at: int, chunks: _Chunks
    ) -> AsyncIterator[bytes]:
        yield octets
        while not chunks.done:
            found = await shown.octets([Range(self.uids[index], at, CHUNK)])
            if found[0] is None:
                raise MessageGone()
            at += len(found[0])
            yield chunks.next(found[0])
            if len(found[0]) < CHUNK:
                break
        yield chunks.end()

    def _first_count(self, index: int, lines: int | None) -> int:
        """Octets of the first read: one more than there should be, to see the end."""
        most = CHUNK if lines is None or lines > 100 else TOP_CHUNK
        return min(self.sizes[index] + 1, most)

    async def _start(
        self, shown: Shown, index: int, lines: int | None, pipelined: bool
    ) -> bytes:
        """The first octets of a message, and of those that will be asked next."""
        in_order, self._last = index == self._last, index + 1
        if lines != self._ahead_lines:
            self._ahead.clear()
            self._ahead_lines = lines
        first = self._ahead.pop(index, None)
        if first is not None:
            return first
        self._ahead.clear()
        wanted = [index]
        if in_order:
            most = MOST_AHEAD_PIPELINED if pipelined else MOST_AHEAD
            wanted += self._next(index, lines, most)
        counts = [self._first_count(i, lines) for i in wanted]
        whole = all(n > self.sizes[i] for n, i in zip(counts, wanted, strict=True))
        reading = shown.messages if whole else shown.octets
        found = await reading(
            [Range(self.uids[i], 0, n) for n, i in zip(counts, wanted, strict=True)]
        )
        for i, octets in zip(wanted[1:], found[1:], strict=True):
            if octets is not None:
                self._ahead[i] = octets
        if found[0] is None:
            raise MessageGone()
        return bytes(found[0])

    def _next(self, index: int, lines: int | None, most: int) -> list[int]:
        """Messages after `index` whose first reads fit into `most` octets."""
        most -= self._first_count(index, lines)
        wanted = []
        for i in range(index + 1, min(index + MOST_AHEAD_MESSAGES, len(self.uids))):
            most -= self._first_count(i, lines)
            if most < 0:
                break
            if i + 1 not in self.deleted:
                wanted.append(i)
        return wanted


class _Chunks:
    """Cuts and stuffs one message."""

    def __init__(self, lines: int | None) -> None:
        self._cutter = None if lines is None else TopCutter(lines)
        self._stuffer = DotStuffer()

    @property
    def done(self) -> bool:
        return self._cutter is not None and self._cutter.done

    def next(self, chunk: bytes) -> bytes:
        if self._cutter is not None:
            chunk = self._cutter.cut(chunk)
        return self._stuffer.stuff(chunk)

    def end(self) -> bytes:
        return self._stuffer.end()
