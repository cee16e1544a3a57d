"""From the outbox of the lists into the queue, each mail once.

A mail goes into the queue in one transaction with a memory of its id; only then its row
in the outbox goes.  What a crash leaves in between is remembered and not sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..address import Address
from ..config.option import DAY_S
from ..delivery.model import Envelope, Notify, RemoteRecipient, Route, Target
from ..delivery.queue_work import queue_work
from ..delivery.trace import date_time
from ..errors import MailError
from ..interfaces import IRouter, ISpool, ISpoolSink
from ..log import mail_log
from ..queue.model import Memory
from . import chores
from .chores import Waiting
from .plan import To
from .store import ListStore
from .transport import to_archive

log = Logger("mailtwist")

MEMORY = "mailing lists"  # whose memory of the queue it is
MEMORY_S = 7 * DAY_S
FAILURES = Notify(frozenset({"FAILURE"}))
AT_ONCE = 50  # recipients before others have their turn, and copies in a transaction


class Outbox:
    """`pause` lets others have their turn."""

    def __init__(
        self,
        store: ListStore,
        spool: ISpool,
        router: IRouter,
        hostname: str,
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._store, self._spool, self._router = store, spool, router
        self._hostname, self._pause = hostname, pause
        self._emptying: Deferred[None] | None = None
        self._again = False

    def wake(self) -> None:
        """There may be something in it."""
        self._again = True
        if self._emptying is None:
            emptying = Deferred.fromCoroutine(self._empty())
            if not emptying.called:
                self._emptying = emptying

    async def stop(self) -> None:
        """Returns when no mail is on its way."""
        self._again = False
        if self._emptying is not None:
            waiter: Deferred[None] = Deferred()
            self._emptying.addBoth(lambda _: waiter.callback(None))
            await waiter

    async def _empty(self) -> None:
        while self._again:
            self._again = False
            try:
                await self.look()
            except Exception:  # the next look tries again
                log.failure("sending the mail of lists")
        self._emptying = None

    async def look(self) -> None:
        """One look at all that waits; what cannot go now is left for the next."""
        last = 0
        while True:
            waiting = await self._store.read(partial(chores.after, number=last))
            if waiting is None:
                return
            last = waiting.number
            try:
                await self._queue(waiting)
            except MailError as fault:
                log.warn(
                    "mail {queue_id} of a list waits: {public}",
                    queue_id=waiting.queue_id,
                    public=fault.public,
                )

    async def _queue(self, waiting: Waiting) -> None:
        """The mail is in the queue when this returns; raises MailError."""
        together = [to for to in waiting.recipients if not to.fields]
        apart = [to for to in waiting.recipients if to.fields]
        if together:
            await self._once(waiting, waiting.queue_id, [together])
        for at in range(0, len(apart), AT_ONCE):
            some = [[to] for to in apart[at : at + AT_ONCE]]
            await self._once(waiting, f"{waiting.queue_id}.{at}", some)
        await self._store.write(partial(chores.sent, number=waiting.number))

    async def _once(
        self, waiting: Waiting, name: str, copies: Sequence[Sequence[To]]
    ) -> None:
        """One message for each of `copies`, all in one transaction that remembers its
        name; nothing if that is remembered."""
        key = name.encode()
        if await self._spool.remembered(MEMORY, [key]):
            return
        sinks: list[ISpoolSink] = []
        try:
            for number, people in enumerate(copies):
                queue_id = f"{name}.{number}" if people[0].fields else name
                sinks.append(await self._filled(waiting, queue_id, people))
        except BaseException:
            for sink in sinks:
                sink.abort()
            raise
        memory = Memory(MEMORY, key, self._store.now() + MEMORY_S)
        await self._spool.commit_all(sinks, [memory])
        mail_log.accepted(
            "mailing lists",
            "list",
            name,
            waiting.sender,
            sum(map(len, copies)),
            len(waiting.octets),
        )

    async def _filled(
        self, waiting: Waiting, queue_id: str, people: Sequence[To]
    ) -> ISpoolSink:
        """A message to these, on its way into the queue; raises MailError."""
        sender = Address.parse(waiting.sender) if waiting.sender else None
        recipients = []
        for count, to in enumerate(people, 1):
            recipients.append(await self._recipient(to, sender))
            if count % AT_ONCE == 0:
                await self._pause()
        date = date_time(int(self._store.now())).decode()
        trace = (
            f"Received: by {self._hostname} (mailtwist, mailing list)\r\n"
            f"\tid {queue_id};\r\n\t{date}\r\n"
        )
        sink = self._spool.begin(
            Envelope(
                queue_id,
                queue_id,
                sender,
                tuple(recipients),
                trace.encode(),
                wishes=waiting.wishes,
                signing=waiting.signing,
            )
        )
        try:
            slow = sink.write(people[0].fields.encode() + waiting.octets)
            if slow is not None:
                await slow
        except BaseException:
            sink.abort()
            raise
        return sink

    async def _recipient(self, to: To, sender: Address | None) -> RemoteRecipient:
        """The way of one recipient; the sender "" is that of the archive alone."""
        address, own = Address.parse(to.address), to.sender
        if own == "" and to_archive(address):
            return RemoteRecipient(address, (Target(address, Route("list"), own),))
        found = await queue_work(
            self._router, address, sender=sender, notify=FAILURES, behind="list"
        )
        if own is None:
            return found
        targets = found.targets or (Target(address),)
        return evolve(
            found,
            targets=tuple(
                evolve(one, sender=own) if one.sender is None else one
                for one in targets
            ),
        )
