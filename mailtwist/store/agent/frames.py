"""Frames of the codec on a stream."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from .codec import MOST_OCTETS, NotOurs, packed, unpacked

log = Logger("mailtwist")


class Frames(Protocol):
    """Calls `received(value)` for each; a peer that sends anything else is cut off."""

    transport: Any

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = 4  # octets until there is something to look at

    def send(self, value: object) -> None:
        """Raises TypeError and ValueError as `packed`."""
        self.transport.write(packed(value))

    def received(self, value: Any) -> None:
        raise AssertionError("override received")

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= self._wanted:
            length = int.from_bytes(self._buffer[:4])
            if length > MOST_OCTETS:
                self._cut_off("it is too long")
                return
            self._wanted = 4 + length
            if len(self._buffer) < self._wanted:
                return
            frame = bytes(memoryview(self._buffer)[4 : self._wanted])
            del self._buffer[: self._wanted]
            self._wanted = 4
            try:
                value = unpacked(frame)
            except NotOurs as why:
                self._cut_off(str(why))
                return
            self.received(value)

    def _cut_off(self, why: str) -> None:
        log.error("a frame between server and agent: {why}", why=why[:200])
        self._buffer.clear()
        self._wanted = MOST_OCTETS
        self.transport.abortConnection()
