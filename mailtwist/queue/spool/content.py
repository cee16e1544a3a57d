"""The octets of queued messages; see IContent."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from zope.interface import implementer

from ...errors import MailError
from ...interfaces import IContent
from ...store.maildir.durable import fault_of
from ..model import QueuedMessage
from . import statements
from .thread import Runner


@implementer(IContent)
class KeptContent:
    """Octets that are in memory."""

    def __init__(self, kept: bytes) -> None:
        self.octets, self._kept = len(kept), kept

    async def read(self, start: int, count: int) -> bytes:
        """See IContent."""
        return self._kept[start : start + count]


@implementer(IContent)
class SpoolContent:
    """Octets that lie in the spool; small ones are read once and kept."""

    def __init__(self, reader: Runner, folder: str, message: QueuedMessage) -> None:
        self.octets = message.octets
        self._reader, self._folder = reader, folder
        self._queue_id = message.queue_id
        self._kept: bytes | None = None
        self._path, self._head = "", b""

    async def read(self, start: int, count: int) -> bytes:
        """See IContent."""
        if self._kept is None:
            octets = await self._reader.submit(
                partial(self._read, start=start, count=count)
            )
            if self._kept is None:
                return octets
        return self._kept[start : start + count]

    def _read(self, connection: Any, start: int, count: int) -> bytes:
        """In the thread."""
        if not self._path:
            found = statements.content(connection, self._queue_id)
            if found is None:
                raise MailError("Message is not in the queue any more")
            file, octets, head = found
            if octets is not None:
                self._kept = octets
                return b""
            self._path, self._head = os.path.join(self._folder, file), head
        above = self._head[start : start + count]
        start, count = max(0, start - len(self._head)), count - len(above)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return above + os.pread(descriptor, count, start)
            finally:
                os.close(descriptor)
        except OSError as cause:
            raise fault_of(cause) from cause
