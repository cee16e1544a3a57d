"""The agents of all active uids: started when wanted, ended when idle."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ...directory.model import Account
from ...errors import MailboxUnreachable, MailError, SystemBusy
from .connection import Connection

log = Logger("mailtwist")

LOOK_S = 5.0  # how often idle ones are looked for
FIRST_PAUSE_S, MOST_PAUSE_S = 0.25, 30.0  # between starts that come to nothing
CLOSE_S = 10.0  # for an agent to end its work when the server stops

MOST_LINES, LINES_S = 200, 10.0  # of one agent in the log
MOST_LINE = 4000  # characters

# Starts an agent for (uid, gid, an mbox that may lie in a spool, or ""); gives the
# descriptor of our end of its socket.
Spawn = Callable[[int, int, str], Deferred[int]]
Owner = tuple[int, int, str]


@define
class Failed:
    """Starts that failed one after another, and when the next may be."""

    times: int = 0
    next_s: float = 0.0


class Agents:
    """`most` at once; one that is idle for `idle_s`, or in another's way, ends.

    `can_start()` is false where nobody has the right to start any."""

    def __init__(
        self,
        reactor: Any,
        spawn: Spawn,
        *,
        most: int,
        idle_s: float,
        can_start: Callable[[], bool] = lambda: True,
    ) -> None:
        self._reactor, self._spawn, self.can_start = reactor, spawn, can_start
        self._most, self._idle_s = most, idle_s
        self._known: dict[Owner, Agent] = {}
        self._failed: dict[Owner, Failed] = {}
        self._looking: Any = None
        self._closed = False

    def connection(self, account: Account) -> Connection:
        """See Reaches."""
        if account.uid is None or account.gid is None:
            raise MailboxUnreachable()
        spool = account.mailbox_path if account.is_mbox else ""
        return self.of(account.uid, account.gid, spool=spool)

    def of(self, uid: int, gid: int, *, spool: str = "") -> Agent:
        """To the agent with this uid and gid; raises as `connection`."""
        owner = uid, gid, spool
        if self._closed:
            raise MailboxUnreachable()
        agent = self._known.get(owner)
        if agent is not None:
            return agent
        self._may_start(owner)
        agent = Agent(self._reactor, uid)
        self._known[owner] = agent
        agent.when_lost.append(lambda: self._gone(agent, owner))
        self._spawn(uid, gid, spool).addCallbacks(
            lambda descriptor: self._adopt(descriptor, agent),
            lambda failure: self._not_started(failure, agent),
        )
        if self._looking is None:
            self._looking = self._reactor.callLater(LOOK_S, self._look)
        return agent

    def _may_start(self, owner: Owner) -> None:
        failed = self._failed.get(owner)
        if failed is not None and self._reactor.seconds() < failed.next_s:
            raise MailboxUnreachable()
        if len(self._known) < self._most:
            return
        idle = [agent for agent in self._known.values() if not agent.busy]
        if not idle:
            log.warn("{count} store agents are busy: no more", count=len(self._known))
            raise SystemBusy()
        min(idle, key=lambda agent: agent.used_s).end()

    # -- one starts -----------------------------------------------------------

    def _adopt(self, descriptor: int, agent: Agent) -> None:
        try:
            if not agent.lost:
                factory = Factory.forProtocol(lambda: agent)
                factory.noisy = False
                self._reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, factory)
        finally:
            os.close(descriptor)

    def _not_started(self, failure: Failure, agent: Agent) -> None:
        if not failure.check(MailError):
            log.failure("starting a store agent", failure)
        agent.give_up()

    def _gone(self, agent: Agent, owner: Owner) -> None:
        if self._known.get(owner) is agent:
            del self._known[owner]
        if agent.ending or agent.answered:
            self._failed.pop(owner, None)
        if not agent.ending:
            failed = self._failed.setdefault(owner, Failed())
            pause_s = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failed.times, 16))
            failed.times += 1
            failed.next_s = self._reactor.seconds() + pause_s
            if not self._closed:
                log.error("the store agent of uid {uid} is gone", uid=agent.uid)

    # -- some end -------------------------------------------------------------

    def _look(self) -> None:
        self._looking = None
        now = self._reactor.seconds()
        for agent in list(self._known.values()):
            if not agent.busy and now - agent.used_s >= self._idle_s:
                agent.end()
        for owner, failed in list(self._failed.items()):
            if now > failed.next_s + MOST_PAUSE_S:
                del self._failed[owner]
        if self._known or self._failed:
            self._looking = self._reactor.callLater(LOOK_S, self._look)

    async def close(self) -> None:
        """They end what they began."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        ended = [agent.ended() for agent in list(self._known.values())]
        for wait in ended:
            await wait
        self._failed.clear()


class Agent(Connection):
    """The connection to one, and its word in our log."""

    ending = False
    _lines, _lines_since_s = 0, 0.0

    def end(self) -> None:
        """It ends when it sees that nobody is there any more."""
        self.ending = True
        if self.up:
            self.transport.loseConnection()
        self.connectionLost()

    def ended(self) -> Deferred[None]:
        """Fires when it closed its store; or soon, if it does not."""
        self.ending = True
        done: Deferred[None] = Deferred()
        if not self.up:
            self.give_up()
            done.callback(None)
            return done

        def closed() -> None:
            if not done.called:
                done.callback(None)
            if timer.active():
                timer.cancel()

        def too_late() -> None:
            self.give_up()

        timer = self._reactor.callLater(CLOSE_S, too_late)
        self.when_lost.append(closed)
        self.tell("end")
        return done

    def hinted(self, watch: Any, modseq: Any) -> None:
        """[0, "log", [level, text]] is a line for the log."""
        if watch != "log":
            super().hinted(watch, modseq)
            return
        level, text = modseq
        now = self._reactor.seconds()
        if now - self._lines_since_s > LINES_S:
            self._lines, self._lines_since_s = 0, now
        self._lines += 1
        if self._lines > MOST_LINES:  # what it says may be its user's doing
            if self._lines == MOST_LINES + 1:
                log.warn("the store agent of uid {uid} says too much", uid=self.uid)
            return
        known = {"debug", "info", "warn", "error", "critical"}
        named = LogLevel.lookupByName(level if level in known else "info")
        log.emit(named, "{text}", text=str(text)[:MOST_LINE], uid=self.uid)
