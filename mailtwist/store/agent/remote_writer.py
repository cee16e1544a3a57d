"""Octets on their way to an agent: messages that are delivered or uploaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...delivery.model import Envelope, Verdict
from ...directory.model import Account
from ...errors import MailError
from ...interfaces import IMessageSink
from ...mailbox.interfaces import IUpload
from .connection import CALL_S, Connection

WINDOW_OCTETS = 512 * 1024  # of a message on the way to the agent
PIECE_OCTETS = 1024 * 1024  # of one frame
SMALL_OCTETS = 64 * 1024  # of a message that goes to the agent at its end


class Writer:
    """What an upload and a message have in common: octets in flight, and an end."""

    answer_s = CALL_S  # for its octets

    def __init__(self, reach: Callable[[], Connection]) -> None:
        self.octets, self.number = 0, 0  # the number when it has begun
        self._unacknowledged = 0
        self._waiting: list[Deferred[None]] = []
        self._ended = False
        self.connection: Connection | None = None
        self.fault: MailError | None = None  # that its end will tell
        try:
            self.connection = connection = reach()
        except MailError as fault:
            self.fault = fault
            return
        connection.held += 1

    @property
    def begun(self) -> bool:
        """True if the agent knows of it."""
        return self.number != 0

    def begin(self, method: str, *what: Any) -> None:
        """Tell the agent that octets for this come."""
        if self.connection is not None:
            self.number = next(self.connection.numbers)
            begun = self.connection.call(method, self.number, *what)
            begun.addErrback(self._failed)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """As IMessageSink.write."""
        self.octets += len(octets)
        if self.connection is None or self.fault is not None or self._ended:
            return None
        for start in range(0, len(octets), PIECE_OCTETS):
            piece = octets[start : start + PIECE_OCTETS]
            self._unacknowledged += len(piece)
            sent = self.connection.call_within(
                self.answer_s, "write", self.number, piece
            )
            sent.addErrback(self._failed).addCallback(self._taken, len(piece))
        if self._unacknowledged <= WINDOW_OCTETS:
            return None
        wait: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(wait)
        return wait

    def _taken(self, _: object, octets: int) -> None:
        self._unacknowledged -= octets
        if self._unacknowledged <= WINDOW_OCTETS // 2:
            waiting, self._waiting = self._waiting, []
            for wait in waiting:
                wait.callback(None)

    def _failed(self, failure: Any) -> None:
        fault = failure.value
        self.fault = fault if isinstance(fault, MailError) else MailError()

    def end(self) -> None:
        """The connection may go idle."""
        if not self._ended:
            self._ended = True
            if self.connection is not None:
                self.connection.held -= 1

    def abort(self) -> None:
        if not self._ended:
            self.end()
            if self.connection is not None and self.begun:
                self.connection.tell("abort", self.number)


@implementer(IUpload)
class RemoteUpload(Writer):
    """See IUpload."""

    def __init__(self, reach: Callable[[], Connection], account: Account) -> None:
        super().__init__(reach)
        self.begin("upload", account)

    async def shelve(self) -> None:
        """A fault is told by what the upload is for."""
        if self.connection is not None and self.fault is None:
            try:
                await self.connection.call("shelve", self.number)
            except MailError as fault:
                self.fault = fault


@implementer(IMessageSink)
class RemoteSink(Writer):
    """See IMessageSink.  A message that is small goes in one request at its end."""

    def __init__(self, reach: Callable[[], Connection], envelope: Envelope) -> None:
        self._envelope, self._held = envelope, bytearray()
        super().__init__(reach)

    def write(self, octets: bytes) -> Awaitable[None] | None:
        if self.begun or self._ended:
            return super().write(octets)
        self._held += octets
        if len(self._held) <= SMALL_OCTETS:
            self.octets += len(octets)
            return None
        held, self._held = bytes(self._held), bytearray()
        self.octets -= len(held) - len(octets)
        self.begin("begin", self._envelope)
        return super().write(held)

    async def commit(self) -> list[Verdict]:
        """An agent that dies now may have delivered: then better twice than never."""
        if self._ended:
            raise MailError("The message was given up")
        connection = self.connection
        if connection is None or self.fault is not None:
            self.abort()
            raise self.fault or MailError()
        try:
            if self.begun:
                verdicts = await connection.call("commit", self.number)
            else:
                held, self._held = bytes(self._held), bytearray()
                verdicts = await connection.call("deliver", self._envelope, held)
        finally:
            self.end()
        if not isinstance(verdicts, list) or len(verdicts) != len(
            self._envelope.recipients
        ):
            raise MailError()
        return [_verdict(each) for each in verdicts]

    def abort(self) -> None:
        self._held.clear()
        super().abort()


def _verdict(said: object) -> Verdict:
    return said if said is None or isinstance(said, MailError) else MailError()
