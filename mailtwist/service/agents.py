"""Store agents, from the configuration: who starts them, and when nobody can."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.model import Config
from ..delivery.agent_process import Ended, Program, run_program
from ..delivery.agent_user import Identity
from ..errors import MailboxUnreachable, MailError
from ..interfaces import IContent
from ..keeper.process import Keepers
from ..store.agent.agents import Agents
from ..store.agent.program import run_by_agent
from ..store.agent.start import SOCKET, NotStarted, agent_environment, agent_words

log = Logger("mailtwist")

MOST_TOLD = 4000  # octets of what an agent says that cannot serve


def build_agents(
    reactor: Any, config: Config, hostname: str, keepers: Keepers
) -> Agents:
    """Starts nothing; by the keeper that is root, or by ourselves while we are."""
    starter = Starter(reactor, config, hostname)

    def spawn(uid: int, gid: int) -> Deferred[int]:
        way = keepers.keeper().spawn if keepers.privileged else starter.spawn
        return way(uid, gid)

    return Agents(
        reactor,
        spawn,
        most=config.agents.most,
        idle_s=config.agents.idle_s,
        can_start=lambda: keepers.privileged or is_root(),
    )


def is_root() -> bool:
    return os.geteuid() == 0


class Starter:
    """Starts agents from a server that is root."""

    def __init__(self, reactor: Any, config: Config, hostname: str) -> None:
        self._reactor, self._config, self._hostname = reactor, config, hostname
        self._told = False

    def spawn(self, uid: int, gid: int) -> Deferred[int]:
        """See Spawn; MailboxUnreachable where nobody may start any."""
        if not is_root():
            if not self._told:
                self._told = True
                log.error(
                    "accounts with a uid of their own cannot be reached, such as those"
                    " of uid {uid}: that takes a server that is started as root",
                    uid=uid,
                )
            return fail(MailboxUnreachable())
        try:
            return succeed(self._started(uid, gid))
        except (NotStarted, OSError) as fault:
            log.error("no store agent for uid {uid}: {why}", uid=uid, why=str(fault))
            return fail(MailboxUnreachable())

    def _started(self, uid: int, gid: int) -> int:
        words = agent_words(self._config, self._hostname, uid, gid)
        ours, theirs = socket.socketpair()
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._reactor.spawnProcess(
                Started(uid),
                words[0],
                args=words,
                env=agent_environment(),
                path="/",
                childFDs={0: nothing, 1: nothing, 2: "r", SOCKET: theirs.fileno()},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(nothing)
            theirs.close()
        return ours.detach()


class Started(ProcessProtocol):
    """Is there for its end; what it says then is why it could not serve."""

    def __init__(self, uid: int) -> None:
        self._uid, self._said = uid, bytearray()

    def childDataReceived(self, descriptor: int, data: bytes) -> None:
        self._said += data[: MOST_TOLD - len(self._said)]

    def processEnded(self, reason: Failure) -> None:
        if not reason.check(ProcessDone):
            log.error(
                "the store agent of uid {uid} ended badly: {why} {said}",
                uid=self._uid,
                why=reason.getErrorMessage(),
                said=self._said.decode(errors="replace").strip(),
            )


class Runner:
    """Runs commands, as ourselves or by the agent of a uid."""

    def __init__(self, reactor: Any, agents: Agents) -> None:
        self._reactor, self._agents = reactor, agents

    async def run(
        self, identity: Identity, program: Program, content: IContent
    ) -> Ended:
        """See Run; MailboxUnreachable, SystemBusy if there is no agent for now."""
        if identity.uid is None:
            return await run_program(self._reactor, program, content)
        if identity.gid is None:
            raise MailError("User of the command has no group", status="4.3.5")
        connection = self._agents.of(identity.uid, identity.gid)
        return await run_by_agent(connection, program, content)
