"""Our end of the connection to an agent: calls, and who still needs it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...directory.model import Account
from ...errors import MailboxUnreachable, MailError, SystemBusy
from ...mailbox.model import Path
from .codec import packed
from .frames import Frames

log = Logger("mailtwist")

CALL_S = 120.0  # for an answer
MOST_WAITING_OCTETS = 64 * 1024 * 1024  # of frames, while the agent starts

Changed = Callable[[int], None]
TreeChanged = Callable[[Path | None], None]


@define(eq=False)
class Call:
    """One request that waits."""

    answer: Deferred[Any]
    timer: Any = None


class Connection(Frames):
    """Requests made before the agent is there wait for it.

    `held` counts open mailboxes, uploads and messages: while it or an answer is wanted
    the connection is not idle.  `lost_by` is called once with this connection.
    """

    def __init__(self, reactor: IReactorTime, uid: int) -> None:
        super().__init__()
        self._reactor, self.uid = reactor, uid
        self.numbers = count(1)
        self.held = 0
        self.used_s = reactor.seconds()
        self.lost, self.up, self.answered = False, False, False
        self.when_lost: list[Callable[[], None]] = []
        self._early: list[bytes] = []
        self._early_octets = 0
        self._calls: dict[int, Call] = {}
        self._watches: dict[int, Callable[[Any], None]] = {}  # with what was sent

    @property
    def busy(self) -> bool:
        return bool(self.held or self._calls or not self.up)

    # -- asking ---------------------------------------------------------------

    def call(self, method: str, *arguments: Any, **named: Any) -> Deferred[Any]:
        """What `method` gives at the other end.

        Fails with the MailError that it raised, MailboxUnreachable if the agent is
        gone.  Cancelling abandons the wait only."""
        return self.call_within(CALL_S, method, *arguments, **named)

    def call_within(
        self, most_s: float, method: str, *arguments: Any, **named: Any
    ) -> Deferred[Any]:
        """As `call`, for what may take longer or has to be quicker."""
        if self.lost:
            return fail(MailboxUnreachable())
        number = next(self.numbers)
        call = Call(Deferred(lambda _: self._give_up(number)))
        call.timer = self._reactor.callLater(most_s, self._too_late, number)
        self._calls[number] = call
        try:
            self._put([number, method, list(arguments), list(named.items())])
        except (TypeError, ValueError):
            log.failure("a request for a store agent")
            self._answered(number, False, MailError())
        except MailError as fault:
            self._answered(number, False, fault)
        return call.answer

    def tell(self, method: str, *arguments: Any) -> None:
        """A request without an answer."""
        if not self.lost:
            self._put([0, method, list(arguments), []])

    def _put(self, request: list[Any]) -> None:
        self.used_s = self._reactor.seconds()
        if self.up:
            self.send(request)
            return
        frame = packed(request)
        self._early_octets += len(frame)
        if self._early_octets > MOST_WAITING_OCTETS:
            raise SystemBusy()
        self._early.append(frame)

    def connectionMade(self) -> None:
        self.up = True
        self.transport.writeSequence(self._early)
        self._early.clear()

    # -- hearing --------------------------------------------------------------

    def received(self, value: Any) -> None:
        """What is no answer that we wait for is ignored: the wait was given up."""
        try:
            number, good, result = value
            if number:
                self.answered = True
                self._answered(int(number), bool(good), result)
            else:
                self.hinted(good, result)
        except (TypeError, ValueError):
            self._cut_off("it is no answer")

    def hinted(self, watch: Any, what: Any) -> None:
        """Something changed; raises TypeError, ValueError for what is no hint."""
        changed = self._watches.get(watch)
        if changed is not None:
            changed(what)

    def _answered(self, number: int, good: bool, result: Any) -> None:
        call = self._forget(number)
        if call is None:
            return
        if good:
            call.answer.callback(result)
        else:
            fault = result if isinstance(result, MailError) else MailError()
            call.answer.errback(fault)

    def _forget(self, number: int) -> Call | None:
        call = self._calls.pop(number, None)
        if call is not None and call.timer.active():
            call.timer.cancel()
        self.used_s = self._reactor.seconds()
        return call

    def _give_up(self, number: int) -> None:
        self._forget(number)

    def _too_late(self, number: int) -> None:
        """It hangs, or was stopped by its user: another one may do better."""
        log.error("the store agent of uid {uid} does not answer", uid=self.uid)
        self._answered(number, False, MailboxUnreachable())
        self.give_up()

    # -- watching -------------------------------------------------------------

    def watch(self, mailbox: int, changed: Changed) -> int:
        """The number of the watch."""
        watch = next(self.numbers)
        self._watches[watch] = lambda what: changed(int(what))
        self.tell("watch", mailbox, watch)
        return watch

    def end_watch(self, watch: int) -> None:
        if self._watches.pop(watch, None) is not None:
            self.tell("end_watch", watch)

    async def watch_tree(
        self, account: Account, changed: TreeChanged, lost: Callable[[], None]
    ) -> Callable[[], None]:
        """Hints about all of an account until the result is called, or `lost` was."""
        watch = next(self.numbers)
        self._watches[watch] = lambda what: changed(
            None if what is None else tuple(map(str, what))
        )
        self.when_lost.append(lost)
        self.held += 1

        def end() -> None:
            if watch in self._watches:
                self.when_lost.remove(lost)
                self.held -= 1
                self.end_watch(watch)

        try:
            await self.call("watch_tree", account, watch)
        except BaseException:
            end()
            raise
        return end

    # -- the end --------------------------------------------------------------

    def give_up(self) -> None:
        """Cut the connection, or what would have become one."""
        if self.up:
            self.transport.abortConnection()
        self.connectionLost()

    def connectionLost(self, reason: Any = None) -> None:
        if self.lost:
            return
        self.lost = True
        self._early.clear()
        for number in list(self._calls):
            self._answered(number, False, MailboxUnreachable())
        self._watches.clear()
        ends, self.when_lost = self.when_lost, []
        for end in ends:
            end()
