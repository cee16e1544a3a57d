"""Store agents, from the configuration: who starts them, and when nobody can."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from ..config.model import Config
from ..delivery.agent_process import Ended, Program, run_program
from ..delivery.agent_user import Identity
from ..errors import MailboxUnreachable, MailError, SourceDown
from ..interfaces import IContent
from ..keeper.process import Keepers
from ..store.agent.agents import Agents
from ..store.agent.program import run_by_agent

log = Logger("mailtwist")


def build_agents(reactor: Any, config: Config, keepers: Keepers) -> Agents:
    """Starts nothing.  They are started by the keeper, if that is root."""
    starter = Starter(keepers)
    return Agents(
        reactor,
        starter.spawn,
        most=config.agents.most,
        idle_s=config.agents.idle_s,
        can_start=starter.can_start,
    )


class Starter:
    """Has agents started, or says once that nobody can."""

    def __init__(self, keepers: Keepers) -> None:
        self._keepers, self._told = keepers, False

    def can_start(self) -> bool:
        """A server that stays root has a keeper like itself."""
        return self._keepers.privileged or os.geteuid() == 0

    def spawn(self, uid: int, gid: int, spool: str) -> Deferred[int]:
        """See Spawn; fails with MailboxUnreachable where nobody may start any."""
        if self.can_start():
            try:
                return self._keepers.keeper().spawn(uid, gid, spool=spool)
            except SourceDown:
                log.error("no store agent for uid {uid}: there is no keeper", uid=uid)
        elif not self._told:
            self._told = True
            log.error(
                "accounts with a uid of their own cannot be reached, such as those of"
                " uid {uid}: that takes a server that is started as root",
                uid=uid,
            )
        return fail(MailboxUnreachable())


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
