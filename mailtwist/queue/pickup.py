"""Takes what local programs dropped into the queue.

A file is removed when its message is durable; its name is the message's id, so that one
that was taken before a crash is not taken again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..delivery.model import Envelope
from ..delivery.queue_work import queue_work
from ..delivery.trace import date_time
from ..errors import BadMessage, MailError
from ..interfaces import IRouter
from ..log import mail_log
from . import drop
from .drop import Dropped
from .spool.disk import DiskSpool

log = Logger("mailtwist")

POLL_S = 1.0
BAD = "bad"  # folder for what cannot be read, in the drop folder
_NAME = re.compile("[0-9a-f]{32}")
MOST_AT_ONCE = 100  # files of one look


class Pickup:
    """One drop folder.  `clock` gives `seconds` of the epoch and `callLater`."""

    def __init__(
        self,
        clock: Any,
        folder: str,
        spool: DiskSpool,
        router: IRouter,
        *,
        hostname: str,
        most_octets: int,
    ) -> None:
        self._clock, self._folder = clock, Path(folder)
        self._spool, self._router = spool, router
        self._hostname, self._most_octets = hostname, most_octets
        self._taken: set[str] = set()  # whose files could not be removed
        self._failed: dict[str, float] = {}  # when the file may be tried again
        self._poll = LoopingCall(self.look)
        self._poll.clock = clock
        self._looking: Deferred[Any] | None = None

    async def start(self) -> None:
        """Have the folder, forget what was taken before, and look from now on.

        A folder that cannot be had is logged: the rest of the server runs."""
        try:
            drop.make_folder(self._folder)
            await self._remove_taken()
        except MailError as fault:
            log.error("nothing can be dropped: {public}", public=fault.public)
            return
        self._looking = self._poll.start(POLL_S).addErrback(_broken)

    async def stop(self) -> None:
        """Returns when no file is being taken."""
        if self._poll.running:
            self._poll.stop()
        if self._looking is not None:
            await self._looking

    def waits(self, name: str) -> bool:
        """True if this file could not be taken and is tried again later."""
        return name in self._failed

    async def _remove_taken(self) -> None:
        """Before any message leaves the queue."""
        for name in await self._thread(self._waiting):
            if await self._spool.message(name) is not None:
                await self._remove(name)

    async def look(self) -> None:
        """Take every file that is whole."""
        now_s = self._clock.seconds()
        try:
            names = await self._thread(self._waiting)
        except MailError as fault:
            log.error("the drop folder cannot be read: {public}", public=fault.public)
            return
        self._failed = {n: at for n, at in self._failed.items() if n in names}
        for name in names:
            if name not in self._taken and self._failed.get(name, 0.0) <= now_s:
                await self._take(name)
            if not self._poll.running:
                return

    def _waiting(self) -> list[str]:
        """In the thread."""
        names = []
        try:
            for name in drop.waiting(self._folder, self._clock.seconds()):
                names.append(name)
                if len(names) >= MOST_AT_ONCE + len(self._taken) + len(self._failed):
                    break
        except OSError as cause:
            raise MailError(f"{self._folder}: {cause.strerror}") from cause
        return names

    async def _take(self, name: str) -> None:
        try:
            if not _NAME.fullmatch(name):
                raise BadMessage("The name of the file was not made by sendmail")
            dropped, octets = await self._thread(
                partial(drop.take, self._folder, name, self._most_octets)
            )
            await self._queue(name, dropped, octets)
        except BadMessage as fault:
            log.error("{name} in the drop folder: {public}", name=name, public=fault)
            await self._thread(partial(self._set_aside, name))
        except FileNotFoundError:
            return
        except (MailError, OSError) as fault:
            log.error("{name} in the drop folder waits: {why}", name=name, why=fault)
            self._failed[name] = self._clock.seconds() + 60 * POLL_S
        else:
            await self._remove(name)

    async def _queue(self, name: str, dropped: Dropped, octets: bytes) -> None:
        """The message is in the queue when this returns; raises MailError."""
        recipients = [
            await queue_work(
                self._router, to, sender=dropped.sender, notify=dropped.notify
            )
            for to in dropped.recipients
        ]
        now_s = self._clock.seconds()
        date = date_time(int(now_s)).decode()
        host = f"{self._hostname} (mailtwist, from uid {dropped.uid})"
        trace = f"Received: by {host}\r\n\tid {name};\r\n\t{date}\r\n"
        envelope = Envelope(
            name,
            name,
            dropped.sender,
            tuple(recipients),
            trace.encode(),
            login=f"uid {dropped.uid}",
            wishes=dropped.wishes,
            signing="author",
        )
        sink = self._spool.begin(envelope)
        try:
            waiting = sink.write(octets)
            if waiting is not None:
                await waiting
        except BaseException:
            sink.abort()
            raise
        for fault in await sink.commit():
            if fault is not None:
                raise fault
        mail_log.accepted(
            f"uid {dropped.uid}",
            "sendmail",
            name,
            "" if dropped.sender is None else str(dropped.sender),
            len(recipients),
            len(octets),
        )

    async def _remove(self, name: str) -> None:
        try:
            await self._thread(partial(os.unlink, self._folder / name))
        except OSError as cause:
            self._taken.add(name)
            log.error("{name} cannot be removed: {cause}", name=name, cause=cause)

    def _set_aside(self, name: str) -> None:
        """In the thread."""
        bad = self._folder / BAD
        bad.mkdir(mode=0o700, exist_ok=True)
        os.rename(self._folder / name, bad / name)

    def _thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return self._spool.spooler.defer(work)


def _broken(failure: Any) -> None:
    log.failure("taking what was dropped", failure=failure)
