"""The octets of a message while its scripts run: in memory, or in a file."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Awaitable, Iterator
from typing import Any

from ..mime.slices import Buffer
from ..store.maildir.durable import fault_of, make_directories
from ..store.maildir.spool import Spooler

FOLDER = "sieve"  # in the data folder
PIECE_OCTETS = 128 * 1024


class Keeper:
    """Makes places for octets; `folder` gets a file for each message over
    `memory_octets`."""

    def __init__(self, reactor: Any, folder: str, memory_octets: int) -> None:
        self.folder = folder
        self.spooler = Spooler(reactor, memory_octets)

    def start(self) -> None:
        """Files that a crash left are of no use: who sent them was told nothing."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.folder, name))

    def kept(self, head: bytes) -> Kept:
        return Kept(self, head)

    async def close(self) -> None:
        await self.spooler.close()


class Kept:
    """`head` and what is written, as one buffer."""

    def __init__(self, keeper: Keeper, head: bytes) -> None:
        path = os.path.join(keeper.folder, os.urandom(12).hex())
        folder = keeper.folder
        self._spool = keeper.spooler.spool(
            path, head, lambda: make_directories([folder])
        )
        self._map: mmap.mmap | None = None

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write."""
        return self._spool.write(octets)

    async def buffer(self) -> Buffer:
        """All of it; good until `close`.  Raises StorageFull or another MailError."""
        spool = self._spool
        await spool.settled()
        if spool.fault is not None:
            raise fault_of(spool.fault)
        if spool.in_memory:
            return b"".join([spool.head, *spool.parts])
        try:
            descriptor = spool.open_descriptor()
            self._map = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        except OSError as cause:
            raise fault_of(cause) from cause
        return self._map

    def close(self) -> None:
        """Nothing of it stays."""
        if self._map is not None:
            with contextlib.suppress(BufferError):  # a view is left: it goes with that
                self._map.close()
            self._map = None
        self._spool.abort()


def pieces_of(buffer: Buffer) -> Iterator[bytes]:
    """A large buffer in pieces, a small one as it is."""
    if isinstance(buffer, bytes):
        yield buffer
        return
    for at in range(0, len(buffer), PIECE_OCTETS):
        yield buffer[at : at + PIECE_OCTETS]
