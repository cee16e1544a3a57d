"""Root's rights: what is done while there are some, and how they are given up.

    privilegedStartService: the data folder, the keeper, then ports and keys
    startService: `give_up`, before anything else; nothing of a client was read yet

An embedded service leaves all this to the application that it is part of.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from attrs import frozen
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from ..auth.checkers.system import service_at
from ..auth.credentials import Door
from ..config.load import load_section
from ..config.model import Config
from ..config.process import Process
from ..config.source import LOGIN_PROTOCOLS
from ..delivery.agent_user import gid_of
from ..directory.reread import open_here
from ..errors import ConfigError
from ..keeper.process import Keepers, Settings
from ..keeper.rights import NO_NEW_PRIVS, become, prctl
from ..store.agent.start import agent_environment, agent_pattern
from ..tables.settings import ACCOUNTS, TABLES

log = Logger("mailtwist")

LEAST_UID = 1000  # of mail, where no source says


@frozen
class Identity:
    """Whom we run as."""

    name: str
    uid: int
    gid: int


def identity(process: Process) -> Identity | None:
    """The user of the configuration, None if it names none.

    Raises ConfigError for one that is not there, or root."""
    if not process.user:
        return None
    try:
        user = pwd.getpwnam(process.user)
    except KeyError:
        raise ConfigError(
            f'process.user = "{process.user}": there is no such user; '
            f"useradd --system {process.user}"
        ) from None
    gid = user.pw_gid
    if process.group:
        try:
            gid = grp.getgrnam(process.group).gr_gid
        except KeyError:
            raise ConfigError(
                f'process.group = "{process.group}": there is no such group'
            ) from None
    if not user.pw_uid or not gid:
        raise ConfigError(f'process.user = "{process.user}": root is what it must end')
    return Identity(user.pw_name, user.pw_uid, gid)


def keeper_settings(config: Config, hostname: str) -> Settings:
    """All that a keeper of this configuration may do."""
    sources = [source for source in config.source if source.kind == "system"]
    least = [source.least_uid for source in config.source] or [LEAST_UID]
    tls = config.tls
    exits = [smarthost.credentials for smarthost in config.smarthost]
    files = [p for p in (tls.certificate, tls.key, tls.client_ca, *exits) if p]
    files += settings_files(config)
    others = []
    with suppress(KeyError):  # commands are refused then, each with its reason
        others.append(pwd.getpwnam(config.alias.command_user).pw_uid)
    spool_gid = gid_of(config.agents.spool_group)
    return Settings(
        least_uid=min(least),
        others=[uid for uid in others if uid],
        groups=[] if spool_gid is None else [spool_gid],
        spool_gid=spool_gid,
        agent=agent_pattern(config, hostname),
        environment=agent_environment(),
        data=os.path.abspath(config.server.data),
        services=sorted(
            {
                service_at(source.service, Door(protocol))
                for source in sources
                for protocol in ("", *LOGIN_PROTOCOLS)
            }
        ),
        files=[os.path.abspath(path) for path in files],
        checks=max(1, sum(source.threads for source in sources)),
    )


def settings_files(config: Config) -> Iterator[str]:
    """The settings files of servers, and the CAs that they name now.

    Of one that cannot be used only itself: who needs it tells why."""
    named = [(ACCOUNTS, one.kind, one.settings) for one in config.source]
    named += [(TABLES, one.kind, one.source) for one in config.table]
    for kinds, kind, path in named:
        if kind in kinds:
            yield path
            with suppress(ConfigError):
                ca = load_section(kinds[kind], path).ca
                if ca:
                    yield ca


class Privileges:
    """`keepers` are for whoever needs one; see there."""

    def __init__(
        self, reactor: Any, config: Config, hostname: str, *, embedded: bool
    ) -> None:
        self._reactor, self._config, self._embedded = reactor, config, embedded
        self.keepers = Keepers(reactor, keeper_settings(config, hostname))
        self._becomes: Identity | None = None

    def prepare(self) -> None:
        """While we may be root.  Raises ConfigError."""
        if self._embedded or os.geteuid() != 0:
            return
        self._becomes = identity(self._config.process)
        if self._becomes is not None:
            give_folder(self._config.server.data, self._becomes)
            self.keepers.start_as_root(self._keeper_lost)

    def give_up(self) -> None:
        """Root's rights, for good; raises OSError, and then nothing was served.

        Without `process.user` they are twistd's to give up."""
        if self._embedded:
            return
        if self._becomes is not None:
            become(self._becomes.uid, self._becomes.gid, self._becomes.name)
            prctl(NO_NEW_PRIVS, 1)  # programs of users are run by their agents
            log.info("runs as {user}", user=self._becomes.name)
        elif os.geteuid() == 0:
            log.warn("runs as root: name a user in process.user")

    async def open(self, path: str) -> int:
        """A descriptor for reading a file that the configuration names; raises
        OSError."""
        if self.keepers.privileged:
            return await self.keepers.keeper().open(os.path.abspath(path))
        return await open_here(path)

    def _keeper_lost(self) -> None:
        """It cannot be started again without root: whoever started us can."""
        log.critical("the keeper has ended: the server stops, to be started again")
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    async def close(self) -> None:
        await self.keepers.stop()


def give_folder(data: str, user: Identity) -> None:
    """Make the data folder, for the user; raises ConfigError if it is another's.

    Others may go through it to the folders that are theirs, and list nothing."""
    try:
        if not os.path.lexists(data):
            os.makedirs(os.path.dirname(data), mode=0o755, exist_ok=True)
            os.mkdir(data)
        seen = os.stat(data)
        if seen.st_uid == 0 and stat.S_ISDIR(seen.st_mode) and not os.listdir(data):
            os.chmod(data, 0o711)  # noqa: S103 - agents go through
            os.chown(data, user.uid, user.gid)
            seen = os.stat(data)
    except OSError as fault:
        raise ConfigError(
            f'server.data = "{data}": cannot be made: {fault.strerror}'
        ) from fault
    if seen.st_uid != user.uid or not stat.S_ISDIR(seen.st_mode):
        raise ConfigError(
            f'server.data = "{data}": belongs to uid {seen.st_uid}; '
            f"chown -R {user.name} {data}"
        )


@contextmanager
def acting_as(process: Process) -> Iterator[None]:
    """What is opened meanwhile belongs to the user that we shall be.

    Raises ConfigError."""
    user = identity(process) if os.geteuid() == 0 else None
    if user is None:
        yield
        return
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
