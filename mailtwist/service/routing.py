"""The router and everything it asks, from the configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..config.model import Config
from ..delivery.agent_pipe import FileTransport, PipeTransport
from ..delivery.agent_user import Identities
from ..delivery.lists import ListFiles
from ..delivery.router import Router
from ..delivery.senders import Senders
from ..delivery.srs import Srs
from ..delivery.srs_store import FILE, SenderStore
from ..directory.mailbox_tables import Directories, MailboxTables
from ..directory.reread import Open, open_here
from ..directory.table_owners import Owners
from ..errors import ConfigError, LookupFailed
from ..interfaces import IDelivery, IDirectory, IMailingLists, ITransport
from ..secret import Secret
from ..store.agent.agents import Agents
from ..store.agent.store import AgentStore
from ..tables.build import Tables
from .agents import Runner
from .sharing import build_posting, public_addresses

log = Logger("mailtwist")


@frozen
class Routing:
    """`transports` are the ways out into commands and files; `close` when the server
    stops, look-ups after it fail for now."""

    router: Router
    tables: Tables
    directory: IDirectory

    transports: dict[str, ITransport]
    senders: SenderStore | None = None

    async def close(self) -> None:
        await self.tables.close()
        if self.senders is not None:
            await self.senders.close()


def build_routing(
    *,
    reactor: Any,
    config: Config,
    directory: IDirectory,
    store: AgentStore,
    agents: Agents,
    queue: IDelivery | None,
    derived: Callable[[bytes], Secret],
    open_: Open = open_here,
    mailing: IMailingLists | None = None,
) -> Routing:
    """`derived` gives a secret for a purpose; raises ConfigError for settings of a
    table that cannot be used."""
    tables = Tables(reactor, config, open_)
    mailboxes = config.mailboxes
    if mailboxes.tables or mailboxes.domains:
        named = MailboxTables(
            mailboxes.folder,
            [tables.by_name[name] for name in mailboxes.tables],
            [tables.by_name[name] for name in mailboxes.domains],
            Owners.of_config(mailboxes, tables.by_name, agents.can_start),
        )
        directory = Directories([directory, named])
    if any(one.address for one in config.public_folder):
        directory = Directories([directory, public_addresses(config)])
    srs, store_of_senders = build_srs(config, derived), None
    senders = None
    if srs is not None:
        path = os.path.join(config.server.data, FILE)
        store_of_senders = SenderStore(reactor, path, srs.valid_days)
        senders = Senders(srs, time.time, store_of_senders)
    router = Router(
        directory,
        store,
        config,
        queue,
        tables=tables.by_name,
        alias_files=tables.alias_files,
        lists=ListFiles(
            tables.in_thread, config.delivery.subaddress_separator, store.forward
        ),
        senders=senders,
        mailing=mailing,
        pause=lambda: deferLater(reactor, 0),
        posting=build_posting(config, store),
    )
    runner = Runner(reactor, agents)
    identities = Identities(
        directory,
        config.alias.command_user,
        tables.in_thread,
        agents.can_start,
        config.agents.spool_group,
    )
    transports: dict[str, ITransport] = {
        "pipe": PipeTransport(config, identities, runner.run),
        "file": FileTransport(config, identities, runner.run),
    }
    return Routing(router, tables, directory, transports, store_of_senders)


def build_srs(config: Config, derived: Callable[[bytes], Secret]) -> Srs | None:
    """None if it is switched off, or there is no domain for it."""
    own = [one.name for one in config.domain if not one.alias_of]
    local = (name for name in own if not name.startswith("["))
    domain = config.srs.domain or next(local, "")
    if not config.srs.enabled or not domain:
        return None

    def secret() -> Secret:
        try:
            return derived(b"srs")
        except (OSError, ConfigError) as fault:
            log.error("the key for rewritten senders: {why}", why=str(fault))
            raise LookupFailed() from fault

    return Srs(secret, domain, config.srs.hash_length, config.srs.valid_days)
