"""Transcripts over TCP, with real TLS where they or the port ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailtwist.service.tls import ServerTls

from .transcript import SocketWire, Transcript, play


def self_signed(folder: str) -> ServerTls:
    """A certificate of its own in a new folder."""
    files = Path(folder)
    files.mkdir()
    made = ServerTls(files / "c.pem", files / "k.pem", "1.2", ["mail.example.test"])
    made.load()
    return made


async def play_on(
    factory: Any, transcript: Transcript, implicit: ServerTls | None = None
) -> None:
    """Run it on a port with this factory, under TLS from the start if `implicit`.

    Raises AssertionError naming the line; over when the factory has no session left.
    """
    outer = TLSMemoryBIOFactory(implicit, False, factory) if implicit else factory
    port = reactor.listenTCP(0, outer, interface="127.0.0.1")
    where = port.getHost().port
    try:
        await deferToThread(
            play,
            transcript,
            lambda: SocketWire("127.0.0.1", where, tls=implicit is not None),
        )
    finally:
        await port.stopListening()
        while factory.sessions:
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.001, turn.callback, None)
            await turn
