"""From a configuration to one service: the only place that constructs across rooms.

    application = Application("mine")
    build(load("mailtwist.toml"), reactor=reactor).setServiceParent(application)

Nothing is opened before the service starts, so it may be built before a fork.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..config.model import Config
from ..config.restricting import Restrictions
from ..delivery.dispatch import Dispatch
from ..directory.model import Account
from ..directory.reread import open_here
from ..directory.userdb import UserDb
from ..errors import ConfigError
from ..imap4.factory import IMAP4Factory
from ..mailbox.events import MailEvents
from ..manage_sieve.server import ManageSieveFactory
from ..policy.junk import Junk
from ..policy.rate import Rates
from ..policy.restrictions import pipeline
from ..pop3.maildrop import Maildrops
from ..pop3.server import POP3Factory
from ..smtp.factory import SMTPFactory
from ..store.agent.shared_limit import SharedLimits
from ..store.agent.store import AgentStore
from ..store.local import LocalStore
from ..tables.access import bad_actions
from .agents import build_agents
from .auth import build_auth
from .domain_sums import DomainSums
from .domain_warnings import DomainWarnings
from .gate import Gate
from .gating import Gating
from .hints import MailboxHints
from .listeners import count_sessions, listener_services
from .lists import Lists
from .place import Place
from .privileges import Privileges
from .purging import FOLDER, Keeps, Purging
from .queue import QueueService, build_spool, local_transports, reading_lines
from .relay import Relaying
from .routing import build_routing
from .shares_rebuild import SharesKeeper
from .sharing import (
    build_send_as,
    build_shares,
    build_sharing,
    make_homes,
    public_accounts,
    show_public,
    tree_of,
)
from .sieve import Sieving, offer_of, scripts_in, url_of
from .tls import AskingTls, renewal_watch, server_tls
from .trust import Trusting, content_checks, signing_of
from .urls import url_access

log = Logger("mailtwist")

LAST_WORDS_S = 0.5  # for a peer that was told the end to close its side too
STOP_LOOK_S = 0.05  # how often a stopping server looks whether sessions are done


def build(
    config: Config,
    *,
    reactor: Any,
    embedded: bool = True,
    place: Place | None = None,
) -> MailService:
    """The service of a whole mail server, in this one process.

    One that is `embedded` in an application leaves that application's rights alone;
    otherwise root is given up as `[process]` says.  `place` is given to workers."""
    return MailService(config, reactor, embedded=embedded, place=place or Place())


class MailService(MultiService):
    """Every part of the server; a child of the application or of another service.

    `portal`, `store`, `router` and `delivery` are there for applications that drop the
    server in and want to log in or deliver by themselves, `events` for those that act
    on what IMAP clients do.
    """

    def __init__(
        self, config: Config, reactor: Any, *, embedded: bool, place: Place
    ) -> None:
        super().__init__()
        self.place = place
        self.setName("mailtwist")
        self.config, self._reactor = config, reactor
        self.hostname = config.server.hostname or socket.getfqdn()
        shared = place.memory
        self.gate = Gate(config.limits, shared.tally if shared else None)
        self.tls = server_tls(config, self.hostname)
        self.privileges = Privileges(reactor, config, self.hostname, embedded=embedded)
        keepers = self.privileges.keepers
        self.agents = build_agents(reactor, config, keepers)
        self._local = LocalStore(reactor=reactor, config=config, hostname=self.hostname)
        MailboxHints(reactor, self._local, place.bus)
        self.store = AgentStore(
            self._local,
            self.agents,
            shared=SharedLimits(self._local.defer, config.quota.full_status),
        )
        keeps = Keeps(os.path.join(os.path.abspath(config.server.data), FOLDER))
        self.auth = build_auth(
            reactor=reactor,
            config=config,
            store=self.store,
            keepers=keepers,
            open_=self.privileges.open,
            memory=place.memory,
        )
        self.portal = self.auth.portal
        if config.deleted.keep_s:
            self._local.keeps = self.store.keeps = keeps.note
            Purging(
                reactor,
                keeps,
                self.store,
                self._account,
                config.deleted.keep_s,
            ).setServiceParent(self)
        self.shares = build_shares(reactor, config)
        self.shares.hint = partial(place.bus.tell, "shares")
        place.bus.on("shares", self.shares.others_changed)
        if config.sharing.enabled:
            self.auth.realm.sharing = build_sharing(
                reactor, config, self.auth.directory, self.store, self.shares
            )
            SharesKeeper(
                self.shares,
                partial(tree_of, self.auth.directory, self.store),
                self.account_names,
            ).setServiceParent(self)
        if place.number == 0:
            DomainSums(
                reactor, config, self.auth.directory, self.store, self.account_names
            ).setServiceParent(self)
        self.spool = build_spool(reactor, config)
        self.spool.signing = signing_of(config, self.hostname, reactor.seconds)
        self.lists = Lists(reactor, config)
        self.routing = build_routing(
            reactor=reactor,
            config=config,
            directory=self.auth.directory,
            store=self.store,
            agents=self.agents,
            queue=self.spool,
            derived=self.auth.thread.key_file.derived,
            open_=self.privileges.open,
            mailing=self.lists.names if config.lists.enabled else None,
        )
        self.router = self.routing.router
        self.sieving = Sieving(reactor, config)
        local = self.sieving.delivery(
            self.store.delivery(),
            self.hostname,
            store=self.store,
            spool=self.spool,
            router=self.router,
            tables=self.routing.tables.by_name,
        )
        self.delivery = Dispatch(local, self.spool)
        if place.number == 0:
            DomainWarnings(
                reactor,
                config,
                self.hostname,
                router=self.router,
                delivery=self.delivery,
                defer=self._local.defer,
            ).setServiceParent(self)
        self.sieve_url = url_of(config, self.hostname)
        self.events = MailEvents()
        scripted = self.sieving.events(self.auth.directory.account, self.sieve_url)
        if scripted is not None:
            self.events.add(scripted)
        self.relaying = Relaying(
            reactor,
            config,
            self.hostname,
            self.router,
            self.delivery,
            self.privileges.open,
        )
        self.relaying.setServiceParent(self)
        self.gating = Gating(config, self.hostname, self.relaying.resolver, reactor)
        self.trusting = Trusting(
            reactor,
            config,
            self.hostname,
            resolver=self.relaying.resolver,
            router=self.router,
            delivery=self.delivery,
        )
        self.trusting.setServiceParent(self)
        self.lists.join(
            router=self.router,
            spool=self.spool,
            mail=self.store,
            resolver=self.relaying.resolver,
            hostname=self.hostname,
            sharing=self.auth.realm.sharing,
            show=partial(show_public, config, self.store),
        )
        self.queue = QueueService(
            reactor,
            config,
            self.hostname,
            self.spool,
            self.router,
            reading_lines(
                reactor,
                local_transports(self.router, local)
                | self.relaying.transports
                | self.routing.transports
                | {"list": self.lists.transport},
            ),
            place,
        )
        self.queue.when_leading += [
            self.relaying.lead,
            self.trusting.lead,
            self.lists.lead,
        ]
        self.queue.setServiceParent(self)
        self.lists.setServiceParent(self)
        self.auth.realm.groups_of = self.lists.groups_of
        self.auth.realm.senders = build_send_as(
            config,
            self.router,
            self.routing.tables.by_name,
            self.shares if config.sharing.enabled else None,
        )
        self.auth.give_avatars(self.router, self.delivery)
        self.auth.give_tables(self.routing.tables.by_name)
        self.factories = self._factories()
        listeners = config.listener
        for listener in listener_services(
            reactor, listeners, self.factories, self.gate, self.tls, place
        ):
            listener.setServiceParent(self)
        open_ = self.privileges.open if config.tls.certificate else open_here
        watch = renewal_watch(self.tls, config.tls, reactor, open_)
        watch.setServiceParent(self)

    def state(self) -> dict[str, Any]:
        """What an administrator may want to know of this process, for JSON."""
        sessions: Counter[str] = Counter()
        for (protocol, _), factory in self.factories.items():
            sessions[protocol] += len(factory.sessions)
        return {
            "queue": self.queue.leads,
            "sessions": {name: count for name, count in sessions.items() if count},
        }

    async def account_names(self) -> list[str]:
        """Of all accounts in the user database; raises MailError."""

        def listed(db: UserDb) -> list[str]:
            return [row.account.name for row in db.accounts()]

        found: list[str] = await self.auth.thread.run(listed)
        return found

    async def _account(self, name: str) -> Account | None:
        """Public folders are accounts as well."""
        for public in public_accounts(self.config):
            if public.name == name:
                return public
        found: Account | None = await self.auth.directory.account(name)
        return found

    def _factories(self) -> dict[tuple[str, str], Any]:
        """A factory for each (protocol, tls) that a listener may ask for."""
        config = self.config
        made: dict[tuple[str, str], Any] = {}
        maildrops = maildrops_of(config, self.place)  # one lock for all listeners
        wrong = list(bad_actions(config))
        if wrong:
            raise ConfigError("\n".join(wrong))
        policy = pipeline(
            config.restrictions,
            resolver=self.relaying.resolver,
            router=self.router,
            tables=self.routing.tables.by_name,
            classes=config.restriction_class,
            behind=self.gating.checks(),
        )
        content = content_checks(
            config,
            self.hostname,
            self.trusting.checks(),
            keeper=self.sieving.keeper,
            junk=Junk(self.store, self.router),
        )
        restrictions = config.restrictions
        if not restrictions.etrn_domains:
            kept = tuple(domain.name.lstrip(".") for domain in config.relay_domain)
            restrictions = evolve(restrictions, etrn_domains=kept)
        rates = rates_of(restrictions, self._reactor, self.place)
        urls = url_access(
            config,
            self.hostname,
            self.auth.directory,
            self.store,
            self._reactor.seconds,
        )
        offer = offer_of(config, self._reactor, scripts_in(self.store))
        for mode in ("starttls", "implicit", "none"):
            shared: dict[str, Any] = {
                "reactor": self._reactor,
                "hostname": self.hostname,
                "authenticator": self.auth.authenticator,
                "tls": AskingTls(self.tls) if mode == "starttls" else None,
            }
            stranger = shared | {"tls": self.tls if mode == "starttls" else None}
            mail: dict[str, Any] = {
                "config": config.smtp,
                "router": self.router,
                "delivery": self.delivery,
                "trusted_networks": config.trusted_networks,
                "restrictions": restrictions,
                "policy": policy,
                "rates": rates,
                "flush": self.queue.flush,
                "content": content,
            }
            made["smtp", mode] = SMTPFactory(role="smtp", **mail, **stranger)
            made["lmtp", mode] = SMTPFactory(role="lmtp", **mail, **stranger)
            made["submission", mode] = SMTPFactory(
                role="submission", urls=urls, **mail, **shared
            )
            made["pop3", mode] = POP3Factory(
                config=config.pop3, maildrops=maildrops, **shared
            )
            made["manage_sieve", mode] = ManageSieveFactory(
                config=config.sieve, offer=offer, **shared
            )
            made["imap4", mode] = IMAP4Factory(
                config=config.imap4,
                urls=urls,
                events=self.events,
                sieve_url=self.sieve_url,
                **shared,
            )
        for factory in made.values():
            count_sessions(factory, self.gate)
        return made

    def privilegedStartService(self) -> None:
        """Keys are read and ports bound before an unprivileged user takes over."""
        check_folder(self.config.server.data)
        self.privileges.prepare()
        if self.config.tls.certificate:
            self.tls.load()
        super().privilegedStartService()

    def startService(self) -> None:
        self.privileges.give_up()
        make_folder(self.config.server.data)
        make_homes(self.config)
        if not self.tls.loaded:
            self.tls.load()
        self.sieving.start(alone=self.place.first)
        super().startService()
        self.place.serve(True)
        log.info(
            "mailtwist serves {domains} as {hostname}",
            domains=", ".join(domain.name for domain in self.config.domain),
            hostname=self.hostname,
        )

    def stopService(self) -> Deferred[None]:
        """Stop listening, let sessions end their command, then close the stores."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.place.serve(False)
        await super().stopService()
        for factory in self.factories.values():
            factory.stop()
        waited = 0.0
        while self.gate.connections and waited < self.config.limits.stop_grace_s:
            await deferLater(self._reactor, STOP_LOOK_S)
            waited += STOP_LOOK_S
            if waited >= LAST_WORDS_S:
                self._cut_off(lambda session: session.said_all)
        self._cut_off(lambda session: True)
        await self.close()

    def _cut_off(self, which: Callable[[Any], bool]) -> None:
        for factory in self.factories.values():
            for session in list(factory.sessions):
                if which(session):
                    session.transport.abortConnection()

    async def close(self) -> None:
        """End the threads of all rooms; enough for a service that was never started."""
        await self.trusting.close()
        await self.gating.close()
        await self.relaying.close()
        await self.routing.close()
        await self.lists.close()
        await self.sieving.close()
        await self.spool.close()
        await self._local.close()
        await self.agents.close()
        await self.shares.close()
        await self.auth.close()
        await self.privileges.close()


def rates_of(restrictions: Restrictions, reactor: Any, place: Place) -> Rates:
    memory = place.memory
    if memory is None:
        return Rates(restrictions, reactor.seconds)
    return Rates(restrictions, time.time, memory.rate, memory.tally)


def maildrops_of(config: Config, place: Place) -> Maildrops:
    pop3, memory = config.pop3, place.memory
    if memory is None:
        return Maildrops(pop3)
    logins = memory.rate("login_delay_s", 1, pop3.login_delay_s or 1.0)
    return Maildrops(pop3, memory.locks, logins)


def check_folder(data: str) -> None:
    """Raises ConfigError if the data folder is there or could be made by nobody who
    starts the server: what is wrong is told before any port opens."""
    place = os.path.abspath(data)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise ConfigError(f'server.data = "{data}": {place} is not a folder')
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(
            f'server.data = "{data}": uid {os.geteuid()} may not write in {place}'
        )


def make_folder(data: str) -> None:
    """The data folder, for its owner only; raises ConfigError."""
    try:
        os.makedirs(data, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise ConfigError(
            f'server.data = "{data}": cannot be made: {fault.strerror}'
        ) from fault
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigError(f'server.data = "{data}": uid {os.geteuid()} may not write')
