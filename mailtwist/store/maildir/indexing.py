"""The text index of accounts, kept up in the background.

A mailbox has its turn when it was quiet for a moment, so that what comes in a row is
taken together.  One mailbox after the other, a few messages at a time; between two
slices the reactor does other things for longer than the slice took.  What is in the
index is durable and not done again, so the work may be ended or killed at any moment.
A lock on a file lets one process at a time write for an account; others search it
meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Any

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ...config.searching import Search
from ...errors import MailboxFault, MailError, SystemBusy
from ...mailbox.model import Path, TextFigures
from ...mailbox.search_index import uncovered
from ...mailbox.search_text import MessageText, message_texts
from ...mailbox.turns import SLICE_US, Turns
from .extracting import Extractor

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox
    from .mailboxes import MaildirMailboxes

log = Logger("mailtwist")

SOON_S = 1.0  # after the last of many changes in a row
LATE_S = 30.0  # after the first of them, if there is no end to them
OTHERS_S = 30.0  # until an account is tried again that another process indexes
CHUNK = 32  # messages of one transaction
NICE = 10  # of the thread that writes
MOST_REST_S = 1.0  # after a command; a server that stops waits for that

Job = tuple[str, Path]  # home, mailbox


@define
class Due:
    """When a mailbox has its turn, by the reactor's clock; never sooner than said."""

    at_s: float
    late_s: float  # not put off beyond this

    def put_off(self, at_s: float) -> None:
        self.at_s = max(self.at_s, min(at_s, self.late_s))


class Indexer:
    """The work that waits, for all accounts of a store."""

    def __init__(
        self,
        reactor: Any,
        config: Search,
        tree: Callable[[str], MaildirMailboxes | None],
    ) -> None:
        """`tree(home)` gives an account's mailboxes while they are in use."""
        self._reactor, self._config, self._tree = reactor, config, tree
        self._waiting: dict[Job, Due] = {}
        self._order: list[tuple[float, Job]] = []  # heap; `_waiting` may say later
        self._swept: set[str] = set()  # homes whose deleted mailboxes were looked for
        self._timer: Any = None
        self._running: Deferred[None] | None = None
        self._pool = ThreadPool(0, 1, "mailtwist-index")
        self._extractor = Extractor(reactor, config)
        self._closed = False

    @property
    def asked(self) -> bool:
        """True if searches may use an index."""
        return self._config.index != "off"

    @property
    def most_octets(self) -> int:
        """Of one message."""
        return self._config.message_octets

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or self._running is not None

    def changed(self, home: str, path: Path) -> None:
        """A mailbox was opened, or messages came or went."""
        if self._config.index != "background" or self._closed:
            return
        now, due = self._reactor.seconds(), self._waiting.get((home, path))
        if due is None:
            self._put((home, path), Due(now + SOON_S, now + LATE_S))
            self._wait()
        else:
            due.put_off(now + SOON_S)

    def _put(self, job: Job, due: Due) -> None:
        self._waiting[job] = due
        heappush(self._order, (due.at_s, job))

    def _wait(self) -> None:
        """Until the first may be due."""
        if not self._order or self._running is not None or self._closed:
            return
        at_s = self._order[0][0]
        after_s = max(0.0, at_s - self._reactor.seconds())
        if self._timer is None:
            self._timer = self._reactor.callLater(after_s, self._begin)
        elif self._timer.getTime() > at_s:
            self._timer.reset(after_s)

    def _next(self) -> Job | None:
        """Take the first that is due."""
        now = self._reactor.seconds()
        while self._order and self._order[0][0] <= now:
            _, job = self._order[0]
            due = self._waiting[job]
            if due.at_s <= now:
                heappop(self._order)
                del self._waiting[job]
                return job
            heapreplace(self._order, (due.at_s, job))  # it was put off
        return None

    def _begin(self) -> None:
        self._timer = None
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda f: log.failure("indexing", f))
        self._running.addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._running = None
        self._wait()

    async def _run(self) -> None:
        """All that is due; what another process is at waits longer."""
        while (job := self._next()) is not None:
            home, path = job
            tree = self._tree(home)
            if tree is None:
                continue
            try:
                if not await self._one(tree, home, path):
                    later_s = self._reactor.seconds() + OTHERS_S
                    self._put(job, Due(later_s, later_s))
            except MailboxFault:
                pass  # it was deleted meanwhile
            except (MailError, OSError) as fault:
                log.warn("{home}: not indexed: {why}", home=home, why=str(fault))

    async def _one(self, tree: MaildirMailboxes, home: str, path: Path) -> bool:
        lock = Lock(home)
        if not lock.taken:
            return False
        try:
            if home not in self._swept:
                await self._sweep(tree)
                self._swept.add(home)
            await self._mailbox(tree, path, self._config.share)
        finally:
            lock.release()
        return True

    # -- asked for ------------------------------------------------------------

    async def account(
        self, tree: MaildirMailboxes, *, anew: bool = False
    ) -> TextFigures:
        """Index all of an account now, as fast as it goes; see IIndexedMailboxes."""
        lock = Lock(tree.files.account.home)
        if not lock.taken:
            raise SystemBusy("Another process is indexing this account")
        try:
            if anew:
                await self.turn(tree, tree.files.text.clear)
            added = 0
            for info in await self._sweep(tree):
                if info.selectable:
                    with suppress(MailboxFault):  # deleted meanwhile
                        added += await self._mailbox(tree, info.path, 100)
            figures: TextFigures = await self.turn(tree, tree.files.text.figures)
        finally:
            lock.release()
        return evolve(figures, added=added)

    # -- how ------------------------------------------------------------------

    async def _sweep(self, tree: MaildirMailboxes) -> Sequence[Any]:
        """Forget mailboxes that are gone; those that are there."""
        listed = await tree.listed()
        known = {info.object_id for info in listed}
        for name in await self.turn(tree, tree.files.text.mailboxes):
            if name.partition("/")[0] not in known:
                await self.turn(tree, tree.files.text.forget, name)
        return listed

    async def _mailbox(self, tree: MaildirMailboxes, path: Path, share: int) -> int:
        """Bring one up to date; how many messages were put in."""
        mailbox = await tree.open(path, read_only=True)
        try:
            return await self._up_to_date(mailbox, share)
        finally:
            await mailbox.close()

    async def _up_to_date(self, mailbox: MaildirMailbox, share: int) -> int:
        tree, text = mailbox.tree, mailbox.files.text
        name, uids = text_name(mailbox), set((await mailbox.rows()).uids)
        covered = await self.turn(tree, text.covered, name)
        gone = _among(covered, uids)
        if gone:
            await self.turn(tree, text.forget, name, gone)
            covered = await self.turn(tree, text.covered, name)
        turns = Turns(self._rest(share))
        missing = uncovered(uids, covered)
        done = 0
        for start in range(0, len(missing), CHUNK):
            if self._closed or not await self._room(mailbox):
                break
            found = message_texts(
                mailbox,
                missing[start : start + CHUNK],
                most=self._config.message_octets,
                turns=turns,
            )
            texts = [one async for one in found]
            extracts = self._with_extracts(mailbox, texts, turns, share)
            async for one in extracts:  # each may take long, and is not done again
                if self._closed or not await self.turn(tree, text.put, name, [one]):
                    return done
                texts = [text for text in texts if text.uid != one.uid]
                done += 1
            if not await self.turn(tree, text.put, name, texts):
                break
            done += len(texts)
        return done

    async def _with_extracts(
        self,
        mailbox: MaildirMailbox,
        texts: Sequence[MessageText],
        turns: Turns,
        share: int,
    ) -> AsyncIterator[MessageText]:
        """Those that have something for commands, after these have run."""
        if not self._extractor.asked or self._closed:
            return
        by_uid = {one.uid: one for one in texts}
        for uid, parts in await self._extractor.parts(mailbox, list(by_uid)):
            since = self._reactor.seconds()
            extract = await self._extractor.text(mailbox, uid, parts, turns)
            yield evolve(by_uid[uid], extract=extract)
            rest_s = (self._reactor.seconds() - since) * (100 / share - 1)
            if rest_s > 0 and not self._closed:
                rest_s = min(rest_s, MOST_REST_S)
                await deferLater(self._reactor, rest_s, lambda: None)

    async def _room(self, mailbox: MaildirMailbox) -> bool:
        text = mailbox.files.text
        if text.octets() < self._config.account_octets:
            return True
        log.warn("{path} is as large as it may be", path=text.path)
        return False

    def _rest(self, share: int) -> Callable[[], Deferred[None]]:
        pause_s = SLICE_US / 1e6 * (100 / share - 1)
        return lambda: deferLater(self._reactor, pause_s, lambda: None)

    def turn(
        self, tree: MaildirMailboxes, work: Callable[..., Any], *arguments: Any
    ) -> Deferred[Any]:
        """Run `work` alone on the account's index, in a thread of low priority."""
        return tree.files.text_turn(self._slowly, work, *arguments)

    def _slowly(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, _niced, work, *arguments)

    async def close(self) -> None:
        """What was begun is finished, as far as it is in hand."""
        self._closed = True
        self._waiting.clear()
        self._order.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._extractor.close()
        if self._running is not None:
            done: Deferred[None] = Deferred()
            self._running.addBoth(lambda _: done.callback(None))
            await done
        if self._pool.started:
            self._pool.stop()


class Lock:
    """Who writes the index of an account: held by an open file, so that it is free when
    the process ends, however that is."""

    def __init__(self, home: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(os.path.join(home, "search.lock"), flags, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.taken = True
        except OSError as fault:
            os.close(self._file)
            self.taken = False
            if fault.errno != errno.EWOULDBLOCK:
                raise

    def release(self) -> None:
        os.close(self._file)


def text_name(mailbox: MaildirMailbox) -> str:
    """What it is in the index: UIDs mean the same while this is the same."""
    return f"{mailbox.object_id}/{mailbox.uid_validity}"


def _among(covered: list[int], uids: set[int]) -> list[int]:
    """UIDs of the ranges that are not in `uids`."""
    pairs = zip(covered[::2], covered[1::2], strict=True)
    return [
        uid for low, high in pairs for uid in range(low, high + 1) if uid not in uids
    ]


_nice = threading.local()


def _niced(work: Callable[..., Any], *arguments: Any) -> Any:
    """On Linux a thread has a priority of its own."""
    if not getattr(_nice, "done", False):
        _nice.done = True
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    return work(*arguments)
