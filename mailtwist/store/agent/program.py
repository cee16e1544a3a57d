"""Commands and files of a user: our end and the agent's, which runs the program."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...delivery.agent_process import Ended, Program, run_program
from ...errors import MailError
from ...interfaces import IContent
from .connection import CALL_S, Connection
from .remote_writer import PIECE_OCTETS, Writer

HELD_OCTETS = 256 * 1024  # that a slow program may leave with its agent


# -- our end ----------------------------------------------------------------------


class RemoteProgram(Writer):
    """A program with the octets for its input on their way."""

    def __init__(self, connection: Connection, program: Program, octets: int) -> None:
        self.answer_s = program.timeout_s + CALL_S
        super().__init__(lambda: connection)
        self.begin("program", *program.values(), octets)

    async def commit(self) -> Ended:
        """Waits for its end."""
        if self.connection is None or self.fault is not None:
            self.abort()
            raise self.fault or MailError()
        try:
            said = await self.connection.call_within(
                self.answer_s, "commit", self.number
            )
        finally:
            self.end()
        match said:
            case [None | int() as status, bytes(output), bool(late)]:
                return Ended(status, output, late)
        raise MailError()


async def run_by_agent(
    connection: Connection, program: Program, content: IContent
) -> Ended:
    """Run it as the agent's user, `content` for its input.

    Raises MailError, MailboxUnreachable if the agent is lost.  Cancelling kills it."""
    running = RemoteProgram(connection, program, content.octets)
    try:
        for start in range(0, content.octets, PIECE_OCTETS):
            waiting = running.write(await content.read(start, PIECE_OCTETS))
            if waiting is not None:
                await waiting
        return await running.commit()
    except BaseException:
        running.abort()
        raise


# -- the agent's ------------------------------------------------------------------


@implementer(IContent)
class Arriving:
    """Content that is read, once and in order, while it comes."""

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self._held = bytearray()
        self._reader: Deferred[None] | None = None
        self._writer: Deferred[None] | None = None
        self._ended = False

    async def read(self, start: int, count: int) -> bytes:
        """See IContent."""
        while not self._held and not self._ended and start < self.octets:
            self._reader = Deferred()
            await self._reader
        some = bytes(self._held[:count])
        del self._held[:count]
        self._wake()
        return some

    def write(self, octets: bytes) -> Awaitable[None] | None:
        if self._ended:
            return None
        self._held += octets
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)
        if len(self._held) <= HELD_OCTETS or self._ended:
            return None
        self._writer = Deferred()
        return self._writer

    def _wake(self) -> None:
        if self._writer is not None and len(self._held) <= HELD_OCTETS:
            writer, self._writer = self._writer, None
            writer.callback(None)

    def end(self) -> None:
        """Nobody reads any more."""
        self._ended = True
        self._held.clear()
        self._wake()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)


class RunningProgram:
    """What writes of a StoreServer go to while a program runs."""

    def __init__(
        self,
        reactor: Any,
        program: Program,
        octets: int,
        running: set[RunningProgram],
    ) -> None:
        """It is one of `running` until it ended."""
        self._running = running
        running.add(self)
        self.octets = 0
        self._content = Arriving(octets)
        self._ended = Deferred.fromCoroutine(
            run_program(reactor, program, self._content)
        )
        self._ended.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._running.discard(self)
        self._content.end()
        return result

    def write(self, octets: bytes) -> Awaitable[None] | None:
        return self._content.write(octets)

    async def commit(self) -> list[Any]:
        """As RemoteProgram wants it."""
        ended = await self._ended
        return [ended.status, ended.output, ended.late]

    def abort(self) -> None:
        """Kill it."""
        self._ended.addErrback(lambda failure: None)
        self._ended.cancel()
