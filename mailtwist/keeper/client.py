"""The server's side of the keeper: asks, waits in time, and survives its end."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import MailboxUnreachable, SourceDown, SystemBusy
from .packets import BadPacket, packed, receive, send

log = Logger("mailtwist")

MOST_CALLS = 2000  # that wait for an answer
AGENT_S = 20.0  # for an agent to be started
OPEN_S = 10.0
SLACK_S = 2.0  # that we wait longer than the keeper, which knows more of why


class KeeperLost(Exception):
    """The keeper is not there, or gave no answer."""


class Answer:
    """What a request got: the result, and a descriptor that is the taker's to close."""

    def __init__(self, result: Mapping[str, Any], descriptor: int | None) -> None:
        self.result, self.descriptor = result, descriptor


@implementer(IReadWriteDescriptor)
class Keeper:
    """One keeper, by our end of its socket, which is ours from now on.

    `when_lost` is called once if its end was not wanted.
    """

    def __init__(self, reactor: Any, sock: socket.socket) -> None:
        self._reactor, self._socket = reactor, sock
        self._socket.setblocking(False)
        self._numbers = count(1)
        self._calls: dict[int, tuple[Deferred[Answer], Any]] = {}
        self._unsent: deque[bytes] = deque()
        self.lost = False
        self.when_lost: list[Callable[[], None]] = []
        reactor.addReader(self)

    # -- what it does ---------------------------------------------------------

    async def verify(
        self,
        service: str,
        user: str,
        password: bytes,
        *,
        host: str = "",
        protocol: str = "",
        limit_s: float,
    ) -> str:
        """`packets.RIGHT`, WRONG, or DISABLED for a right password of an account that
        is expired or may not log in, as PAM's `service` says.

        `host` is the address of the client.  Raises SourceDown if PAM could not say
        within `limit_s`, SystemBusy."""
        arguments = {
            "service": service,
            "user": user,
            "password": password.decode("latin-1"),
            "host": host,
            "protocol": protocol,
        }
        try:
            answer = await self._ask("verify", arguments, limit_s)
        except KeeperLost as fault:
            raise SourceDown() from fault
        verdict = answer.result.get("verdict")
        if verdict is None:
            raise SourceDown() from KeeperLost(answer.result.get("fault", ""))
        return str(verdict)

    def spawn(self, uid: int, gid: int, *, spool: str = "") -> Deferred[int]:
        """A descriptor of our end of the stream to a new store agent with these rights;
        it can lock its user's file `spool`, if that is in one.

        Fails with MailboxUnreachable, SystemBusy."""
        return Deferred.fromCoroutine(self._spawn(uid, gid, spool))

    async def _spawn(self, uid: int, gid: int, spool: str) -> int:
        wanted = {"uid": uid, "gid": gid, "spool": spool}
        try:
            answer = await self._ask("agent", wanted, AGENT_S)
        except KeeperLost as fault:
            raise MailboxUnreachable() from fault
        if answer.descriptor is None:
            log.error("{why}", why=str(answer.result.get("fault", "no store agent")))
            raise MailboxUnreachable()
        return answer.descriptor

    async def open(self, path: str) -> int:
        """A descriptor for reading one of the files that the keeper was told of.

        Raises OSError as open(2), with EIO if the keeper cannot say."""
        try:
            answer = await self._ask("open", {"path": path}, OPEN_S)
        except KeeperLost as fault:
            raise OSError(5, str(fault), path) from fault
        if answer.descriptor is None:
            told = str(answer.result.get("fault", "not opened"))
            raise OSError(int(answer.result.get("errno", 5)), told, path)
        return answer.descriptor

    # -- asking ---------------------------------------------------------------

    def _ask(
        self, kind: str, arguments: dict[str, Any], limit_s: float
    ) -> Deferred[Answer]:
        """Fails with KeeperLost, SystemBusy.  Cancelling abandons the wait only."""
        if self.lost:
            return fail(KeeperLost("the keeper is gone"))
        if len(self._calls) >= MOST_CALLS:
            return fail(SystemBusy())
        number = next(self._numbers)
        try:
            packet = packed([number, kind, {**arguments, "limit_s": limit_s}])
        except ValueError:
            return fail(SystemBusy())

        def given_up(_: object) -> None:
            self._forget(number)

        answer: Deferred[Answer] = Deferred(given_up)
        timer = self._reactor.callLater(limit_s + SLACK_S, self._too_late, number)
        self._calls[number] = answer, timer
        self._unsent.append(packet)
        self.doWrite()
        return answer

    def _too_late(self, number: int) -> None:
        answer = self._forget(number)
        if answer is not None:
            answer.errback(KeeperLost("the keeper gave no answer in time"))

    def _forget(self, number: int) -> Deferred[Answer] | None:
        answer, timer = self._calls.pop(number, (None, None))
        if timer is not None and timer.active():
            timer.cancel()
        return answer

    # -- called by the reactor ------------------------------------------------

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "keeper"

    def doRead(self) -> None:
        while not self.lost:
            try:
                value, descriptors = receive(self._socket)
            except BlockingIOError:
                return
            except (EOFError, OSError, BadPacket):
                self._end()
                return
            self._heard(value, descriptors)

    def _heard(self, value: Any, descriptors: list[int]) -> None:
        number, result = value
        descriptor = descriptors.pop() if descriptors else None
        answer = self._forget(number)
        if answer is None:  # nobody waits any more
            if descriptor is not None:
                os.close(descriptor)
        elif result.get("busy"):
            answer.errback(SystemBusy())
        else:
            answer.callback(Answer(result, descriptor))

    def doWrite(self) -> None:
        try:
            while self._unsent:
                send(self._socket, self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            self._reactor.addWriter(self)
            return
        except OSError:
            self._end()
            return
        self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends."""
        self.close()

    # -- the end --------------------------------------------------------------

    def close(self) -> None:
        """Let it go; it ends when it sees that."""
        self.when_lost.clear()
        self._end()

    def _end(self) -> None:
        if self.lost:
            return
        self.lost = True
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()
        self._unsent.clear()
        for number in list(self._calls):
            answer = self._forget(number)
            if answer is not None:
                answer.errback(KeeperLost("the keeper is gone"))
        ends, self.when_lost = self.when_lost, []
        for end in ends:
            end()
