"""One message on its way into the spool; see ISpoolSink."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from attrs import evolve
from zope.interface import implementer

from ...delivery.model import Envelope, Recipient, Verdict
from ...errors import MailError
from ...interfaces import ISpoolSink
from ...store.maildir import durable
from ...store.maildir.spool import Spool
from .memory import New

if TYPE_CHECKING:
    from .disk import DiskSpool


@implementer(ISpoolSink)
class SpoolSink:
    """Octets in memory while they are few, then in a file that grows as they come."""

    def __init__(self, spool: DiskSpool, envelope: Envelope) -> None:
        self._spool, self._envelope = spool, envelope
        self._file = os.urandom(12).hex()
        self._octets = spool.spooler.spool(
            os.path.join(spool.files, self._file), envelope.trace
        )
        self._signature = (
            spool.signing.begin(envelope) if spool.signing is not None else None
        )
        self._spent = False

    @property
    def octets(self) -> int:
        return self._octets.octets

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """See IMessageSink."""
        if self._spent:
            return None
        if self._signature is not None:
            self._signature.feed(octets)
        return self._octets.write(octets)

    def address(self, recipients: tuple[Recipient, ...]) -> None:
        """See ISpoolSink."""
        self._envelope = evolve(self._envelope, recipients=recipients)

    def abort(self) -> None:
        """See IMessageSink."""
        if not self._spent:
            self._spent = True
            self._octets.abort()

    async def commit(self) -> list[Verdict]:
        """See IMessageSink: all recipients are in the queue, or none is."""
        count = len(self._envelope.recipients)
        try:
            await self._spool.commit_all([self])
        except MailError as fault:
            return [fault] * count
        return [None] * count

    def begin_commit(self) -> None:
        """From here on nobody else ends it; raises MailError if somebody did."""
        if self._spent:
            raise MailError("The message was given up")
        self._spent = True
        self._octets.hold()

    async def prepared(self) -> New:
        """What becomes rows, its file durable; raises MailError."""
        octets = self._octets
        await octets.settled()
        if octets.fault is not None:
            raise durable.fault_of(octets.fault)
        head = self._signature.head() if self._signature is not None else b""
        size = len(head) + len(octets.head) + octets.octets
        message, recipients = self._spool.accepted(self._envelope, size)
        if octets.in_memory:
            inline = b"".join([head, octets.head, *octets.parts])
            return New(message, recipients, inline)
        await self._spool.spooler.defer(self._sync, octets)
        return New(message, recipients, None, self._file, head)

    def committed(self) -> None:
        """The file belongs to a message now."""
        self._octets.renamed = True

    def end_commit(self) -> None:
        self._octets.abort()
        self._octets.release()

    def _sync(self, octets: Spool) -> None:
        """In a thread: the file and its name are durable."""
        try:
            os.fsync(octets.open_descriptor())
            durable.sync_directory(self._spool.files)
        except OSError as cause:
            raise durable.fault_of(cause) from cause
