"""One message on its way into the spool; see ISpoolSink."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...delivery.model import Envelope, Recipient, Verdict
from ...errors import MailError
from ...interfaces import ISpoolSink
from ...store.maildir import durable
from ...store.maildir.account import shielded
from ...store.maildir.spool import Spool
from ..model import Memory
from . import statements
from .memory import insert_beside

if TYPE_CHECKING:
    from .disk import DiskSpool

log = Logger("mailtwist")


@implementer(ISpoolSink)
class SpoolSink:
    """Octets in memory while they are few, then in a file that grows as they come."""

    def __init__(self, spool: DiskSpool, envelope: Envelope) -> None:
        self._spool, self._envelope = spool, envelope
        self._file = os.urandom(12).hex()
        self._octets = spool.spooler.spool(
            os.path.join(spool.files, self._file), envelope.trace
        )
        self._spent = False
        self._beside: Sequence[tuple[Envelope, bytes]] = ()
        self._memories: Sequence[Memory] = ()

    @property
    def octets(self) -> int:
        return self._octets.octets

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """See IMessageSink."""
        return None if self._spent else self._octets.write(octets)

    def address(self, recipients: tuple[Recipient, ...]) -> None:
        """See ISpoolSink."""
        self._envelope = evolve(self._envelope, recipients=recipients)

    def beside(
        self, messages: Sequence[tuple[Envelope, bytes]], memories: Sequence[Memory]
    ) -> None:
        """See ISpoolSink."""
        self._beside, self._memories = messages, memories

    def abort(self) -> None:
        """See IMessageSink."""
        if not self._spent:
            self._spent = True
            self._octets.abort()

    async def commit(self) -> list[Verdict]:
        """See IMessageSink: all recipients are in the queue, or none is."""
        count = len(self._envelope.recipients)
        if self._spent:
            return [MailError("The message was given up") for _ in range(count)]
        self._spent = True
        verdict = await shielded(Deferred.fromCoroutine(self._commit()))
        return [verdict] * count

    async def _commit(self) -> Verdict:
        octets = self._octets
        octets.hold()
        try:
            await octets.settled()
            if octets.fault is not None:
                raise durable.fault_of(octets.fault)
            await self._insert(octets)
        except MailError as fault:
            return fault
        except Exception:
            log.failure("taking a message into the queue")
            return MailError()
        finally:
            octets.abort()
            octets.release()
        return None

    async def _insert(self, octets: Spool) -> None:
        spool = self._spool
        size = len(octets.head) + octets.octets
        message, recipients = spool.accepted(self._envelope, size)
        inline: bytes | None = None
        file = ""
        if octets.in_memory:
            inline = b"".join([octets.head, *octets.parts])
        else:
            file = self._file
            await spool.spooler.defer(self._sync, octets)
        made = spool.made(self._beside)
        memories = self._memories

        def work(connection: Any) -> None:
            statements.insert(connection, message, recipients, inline, file)
            insert_beside(connection, made, memories)

        await spool.writer.submit(work)
        octets.renamed = True  # the file belongs to a message now
        spool.tell(message, recipients, spool.fresh(message, inline))
        spool.tell_of(made)

    def _sync(self, octets: Spool) -> None:
        """In a thread: the file and its name are durable."""
        try:
            os.fsync(octets.open_descriptor())
            durable.sync_directory(self._spool.files)
        except OSError as cause:
            raise durable.fault_of(cause) from cause
