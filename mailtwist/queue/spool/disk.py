"""The spool on disk; see ISpool."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...config.queueing import Queue
from ...delivery.model import Envelope
from ...delivery.signing import Signing
from ...errors import MailError
from ...interfaces import IContent, ISpool, ISpoolSink
from ...shielded import shielded
from ...store.maildir.durable import make_directories
from ...store.maildir.spool import Spooler
from ..model import (
    NOTHING_CROWDED,
    Crowded,
    Memory,
    QueuedMessage,
    QueuedRecipient,
    Seen,
)
from . import memory, statements
from .content import KeptContent, SpoolContent
from .rows import queued_recipients
from .sink import SpoolSink
from .thread import Runner, SpoolThread

log = Logger("mailtwist")

DATABASE, FILES = "queue.sqlite", "files"
INLINE_OCTETS = 32 * 1024  # a message up to this size lies in the database
KEPT_OCTETS = 16 * 1024  # and up to this one is handed on in memory when new
ORPHAN_S = 3600.0  # a file of a message that nobody has written to for so long

Arrived = Callable[[QueuedMessage, Sequence[QueuedRecipient], IContent], None]


@implementer(ISpool)
class DiskSpool:
    """The queue in one folder.

    `arrived` is called with each message that became durable; `signing` signs them on
    their way in.  `writer` and `reader`
    are given where there is no reactor with threads; nothing is opened before `start`.
    """

    def __init__(
        self,
        reactor: Any,
        folder: str,
        config: Queue,
        *,
        now: Callable[[], float] = time.time,
        writer: Runner | None = None,
        reader: Runner | None = None,
    ) -> None:
        path = os.path.join(folder, DATABASE)
        self.folder, self.now = folder, now
        self.files = os.path.join(folder, FILES)
        self.writer = writer or SpoolThread(reactor, path, writes=True)
        self.reader = reader or SpoolThread(reactor, path, writes=False)
        self.spooler = Spooler(reactor, INLINE_OCTETS, INLINE_OCTETS)
        self.arrived: Arrived = lambda message, recipients, content: None
        self.signing: Signing | None = None
        self._config = config
        self._seen: tuple[int, int] | None = None  # version, and orders given
        self._settling: set[Deferred[None]] = set()

    def start(self, *, alone: bool = True) -> Deferred[None]:
        """Make the folders; fires when what a crash left behind is removed.

        A file that is begun after this call is safe, and if we are not `alone` those
        that others begin.  Raises OSError."""
        make_directories([self.files])
        there = [each.name for each in os.scandir(self.files) if alone or _old(each)]
        started = self.writer.submit(partial(self._remove_orphans, there))
        return started.addCallback(self._started)

    def _started(self, seen: tuple[int, int]) -> None:
        """What others change from here on is noticed."""
        self._seen = seen

    def _remove_orphans(self, there: list[str], connection: Any) -> tuple[int, int]:
        if there:
            known = statements.files(connection)
            for name in there:
                if name not in known:
                    self.remove_file(name)
        return _look(connection)

    def remove_file(self, name: str) -> None:
        """The file of a message that ended; what stays is an orphan at next start."""
        if name:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.files, name))

    async def close(self) -> None:
        """Returns when all that was begun is done and nothing is open."""
        await self.spooler.close()
        await self.writer.close()
        await self.reader.close()

    # -- in -----------------------------------------------------------------------

    def begin(self, envelope: Envelope) -> SpoolSink:
        """See ISpool."""
        return SpoolSink(self, envelope)

    def accepted(
        self, envelope: Envelope, octets: int
    ) -> tuple[QueuedMessage, list[QueuedRecipient]]:
        """What an envelope with a content of `octets` becomes now; raises MailError."""
        now_s = self.now()
        due_s = max(now_s, envelope.wishes.hold_until_s)
        config = self._config
        bounce = envelope.reverse_path is None
        expire_s = config.bounce_expire_s if bounce else config.expire_s
        message = QueuedMessage(
            envelope.message_id,
            envelope.reverse_path,
            octets,
            now_s,
            due_s + expire_s,
            envelope.wishes,
            envelope.login or "",
            envelope.held,
            envelope.filter,
        )
        return message, queued_recipients(envelope, due_s)

    # -- out ----------------------------------------------------------------------

    async def due(
        self,
        now_s: float,
        count: int,
        loaded: Collection[str] = (),
        crowded: Crowded = NOTHING_CROWDED,
        since_s: float = 0.0,
    ) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
        """See ISpool."""
        return await self.reader.submit(
            partial(
                statements.due,
                now_s=now_s,
                count=count,
                loaded=list(loaded),
                crowded=crowded,
                since_s=since_s,
            )
        )

    async def next_due(self, now_s: float) -> float | None:
        """See ISpool."""
        return await self.reader.submit(partial(statements.next_due, now_s=now_s))

    async def recipients(self, queue_id: str) -> list[QueuedRecipient]:
        """See ISpool."""
        return await self.reader.submit(
            partial(statements.recipients, queue_id=queue_id)
        )

    async def message(self, queue_id: str) -> QueuedMessage | None:
        """See ISpool."""
        return await self.reader.submit(partial(statements.message, queue_id=queue_id))

    def content(self, message: QueuedMessage) -> IContent:
        """See ISpool."""
        return SpoolContent(self.reader, self.files, message)

    async def settle(
        self,
        queue_id: str,
        done: Sequence[int],
        later: Sequence[QueuedRecipient],
        reports: Sequence[tuple[Envelope, bytes]] = (),
    ) -> float | None:
        """See ISpool."""
        new = [self._signed(*report) for report in reports]

        def work(connection: Any) -> tuple[str, float | None]:
            file = statements.settle(connection, queue_id, done, later)
            memory.insert_all(connection, new)
            return file, statements.due_of(connection, queue_id)

        file, due_s = await self.writer.submit(work)
        if file:
            self.spooler.run(self.remove_file, file)
        for each in new:
            self._tell(each)
        return due_s

    def _signed(self, envelope: Envelope, octets: bytes) -> memory.New:
        """A whole message that is to be queued."""
        signature = self.signing.begin(envelope) if self.signing is not None else None
        if signature is not None:
            signature.feed(octets)
            octets = signature.head() + octets
        return memory.New(*self.accepted(envelope, len(octets)), octets)

    async def commit_all(
        self, sinks: Sequence[ISpoolSink], memories: Sequence[Memory] = ()
    ) -> None:
        """See ISpool."""
        await shielded(Deferred.fromCoroutine(self._commit_all(sinks, memories)))

    async def _commit_all(
        self, sinks: Sequence[ISpoolSink], memories: Sequence[Memory]
    ) -> None:
        ours = [sink for sink in sinks if isinstance(sink, SpoolSink)]
        begun: list[SpoolSink] = []
        try:
            for sink in ours:
                sink.begin_commit()
                begun.append(sink)
            new = [await sink.prepared() for sink in ours]
            now_s = self.now()

            def work(connection: Any) -> None:
                memory.insert_all(connection, new, memories, now_s)
                if memories:
                    memory.forget(connection, now_s)

            await self.writer.submit(work)
            for sink in ours:
                sink.committed()
            for each in new:
                self._tell(each)
        except MailError:
            raise
        except Exception as cause:
            log.failure("taking a message into the queue")
            raise MailError() from cause
        finally:
            for sink in begun:
                sink.end_commit()

    async def remembered(self, account: str, keys: Sequence[bytes]) -> list[bytes]:
        """See ISpool."""
        return await self.reader.submit(
            partial(
                memory.remembered, account=account, keys=list(keys), now_s=self.now()
            )
        )

    def _tell(self, new: memory.New) -> None:
        """A message is durable, whatever those who hear of it make of that."""
        content = self._fresh(new.message, new.octets)
        try:
            self.arrived(new.message, new.recipients, content)
        except Exception:
            log.failure("{id} arrived in the queue", id=new.message.queue_id)

    async def those(
        self, queue_ids: Sequence[str]
    ) -> list[tuple[QueuedMessage, list[QueuedRecipient]]]:
        """See ISpool."""
        return await self.reader.submit(
            partial(statements.those, queue_ids=list(queue_ids))
        )

    async def seen(self) -> Seen:
        """See ISpool."""
        now = await self.writer.submit(_look)
        before, self._seen = self._seen, now
        if before is None or before == now:
            return Seen.NOTHING
        return Seen.MAIL if before[1] == now[1] else Seen.ORDERS

    async def hurry(self, now_s: float, domain: str = "") -> None:
        """See ISpool."""

        def work(connection: Any) -> None:
            statements.hurry(connection, now_s=now_s, domain=domain)
            statements.give_order(connection)

        await self.writer.submit(work)

    def _fresh(self, message: QueuedMessage, octets: bytes | None) -> IContent:
        """The content of a message that has just come, `octets` if still in memory."""
        if octets is not None and len(octets) <= KEPT_OCTETS:
            return KeptContent(octets)
        return self.content(message)


def _look(connection: Any) -> tuple[int, int]:
    return statements.data_version(connection), statements.orders(connection)


def _old(entry: os.DirEntry[str]) -> bool:
    """True if nobody can be writing it any more; one that just went is not."""
    try:
        return time.time() - entry.stat().st_mtime > ORPHAN_S
    except OSError:
        return False
