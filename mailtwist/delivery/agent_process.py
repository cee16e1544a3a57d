"""One program with a message on its standard input, watched until it ends."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IContent

log = Logger("mailtwist")

READ_OCTETS = 64 * 1024
LINGER_S = 5.0  # how long its children may keep its output open


@frozen
class Ended:
    """How it ended: `status` None if a signal killed it; `late` if that was ours."""

    status: int | None
    output: bytes
    late: bool = False


@frozen
class Program:
    """What is to run: its words, its environment, in whose home, with what limits.

    `before` goes to its input ahead of the message."""

    words: Sequence[str]
    environment: Mapping[str, str]
    home: str
    before: bytes
    timeout_s: float
    output_octets: int

    def values(self) -> tuple[Any, ...]:
        """For another process, to be put into `of`."""
        pairs = list(self.environment.items())
        rest = self.home, self.before, self.timeout_s, self.output_octets
        return (list(self.words), pairs, *rest)

    @classmethod
    def of(cls, words: list[str], pairs: list[tuple[str, str]], *rest: Any) -> Program:
        return cls(words, dict(pairs), *rest)


async def run_program(reactor: Any, program: Program, content: IContent) -> Ended:
    """Run it with our own rights; the content goes to its input, line ends as LF.

    Cancelling kills it.  Raises MailError if it cannot be run, or the content not be
    read."""
    path = program.words[0]
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        log.error("{program} is not there to be run", program=path)
        raise MailError("Command cannot be run", status="4.3.5")
    watched = Watched(
        reactor, program.before, content, program.timeout_s, program.output_octets
    )
    home = program.home  # the child has no way to complain of it
    reachable = os.path.isdir(home) and os.access(home, os.X_OK)
    try:
        reactor.spawnProcess(
            watched,
            path,
            args=[os.fsencode(word) for word in program.words],
            env={
                os.fsencode(name): os.fsencode(value)
                for name, value in program.environment.items()
            },
            path=home if reachable else "/",
        )
    except OSError as fault:
        log.error("a command cannot be run: {why}", why=fault.strerror)
        raise MailError("Command cannot be run", status="4.3.0") from fault
    return await watched.ended


@implementer(IPullProducer)
class Watched(ProcessProtocol):
    """Feeds and times one program."""

    transport: Any  # Twisted's Process: a consumer too

    def __init__(
        self,
        reactor: Any,
        before: bytes,
        content: IContent,
        timeout_s: float,
        output_octets: int,
    ) -> None:
        self._reactor, self._content = reactor, content
        self._before, self._timeout_s, self._most = before, timeout_s, output_octets
        self.ended: Deferred[Ended] = Deferred(lambda _: self._kill(cancelled=True))
        self._at, self._held, self._reading = 0, b"", False
        self._output, self._late, self._fed = bytearray(), False, False
        self._fault: MailError | None = None
        self._timers: list[Any] = []

    def connectionMade(self) -> None:
        self._timers.append(self._reactor.callLater(self._timeout_s, self._too_late))
        self.transport.write(self._before)
        self.transport.registerProducer(self, False)

    # -- its input ----------------------------------------------------------------

    def resumeProducing(self) -> None:
        """The pipe took what it had: read more, unless that is on its way."""
        if not self._reading and not self._fed:
            self._reading = True
            Deferred.fromCoroutine(self._feed()).addErrback(self._cannot_feed)

    async def _feed(self) -> None:
        octets = await self._content.read(self._at, READ_OCTETS)
        self._at += len(octets)
        last = not octets or self._at >= self._content.octets
        octets, self._held = self._held + octets, b""
        if octets.endswith(b"\r") and not last:
            octets, self._held = octets[:-1], b"\r"
        self._reading = False
        if self._fed:  # it closed its input meanwhile
            return
        self.transport.write(octets.replace(b"\r\n", b"\n"))
        if last:
            self._fed = True
            self.transport.unregisterProducer()
            self.transport.closeStdin()

    def _cannot_feed(self, failure: Any) -> None:
        fault = failure.value
        if not isinstance(fault, MailError):
            log.failure("reading a message for a command", failure)
            fault = MailError()
        self._fault = fault
        self._kill()

    def stopProducing(self) -> None:
        """It reads no more: what it says when it ends counts."""
        self._fed = True

    # -- its end ------------------------------------------------------------------

    def outReceived(self, data: bytes) -> None:
        self._output += data[: self._most - len(self._output)]

    errReceived = outReceived

    def _too_late(self) -> None:
        self._late = True
        self._kill()

    def _kill(self, *, cancelled: bool = False) -> None:
        if self.transport is not None and self.transport.pid:
            self.transport.signalProcess("KILL")
        if cancelled and not self.ended.called:
            self.ended.errback(CancelledError())

    def processExited(self, reason: Any) -> None:
        """Its children may hold its pipes; they are not waited for."""
        if not self._fed:
            self._fed = True
            self.transport.unregisterProducer()
            self.transport.closeStdin()
        self._timers.append(self._reactor.callLater(LINGER_S, self._left, reason))

    def _left(self, reason: Any) -> None:
        self.transport.loseConnection()
        self._settle(reason)

    def processEnded(self, reason: Any) -> None:
        self._settle(reason)

    def _settle(self, reason: Any) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        if self.ended.called:
            return
        if self._fault is not None:
            self.ended.errback(self._fault)
            return
        status = 0 if reason.check(ProcessDone) else reason.value.exitCode
        self.ended.callback(Ended(status, bytes(self._output), self._late))
