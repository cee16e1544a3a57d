"""Sieve: scripts in front of local delivery, from the configuration."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from twisted.internet.task import deferLater

from .. import __version__
from ..config.model import Config
from ..directory.model import Account
from ..errors import ConfigError, MailError
from ..interfaces import IDelivery, IMailAccount, IRouter, ISpool, ITable
from ..mailbox.events import Cause
from ..mailbox.interfaces import IScripts, IStore
from ..manage_sieve.session import Offer
from ..sieve.delivery import Setting, SieveDelivery
from ..sieve.events import Rule, ScriptedEvents
from ..sieve.extensions import EXTENSIONS
from ..sieve.kept import FOLDER, Keeper, pieces_of
from ..sieve.limits import Limits
from ..sieve.plan import Rooms
from ..sieve.programs import Library, Programs, ScriptFile
from .queue import new_id
from .trust import authserv_id_of

DEFAULT_PORT = "4190"
_PORT = re.compile(r"tcp6?:(?:port=)?([0-9]+)")


def known_of(config: Config) -> frozenset[str]:
    """The extensions that scripts may use; raises ConfigError for names of none."""
    wrong = sorted(set(config.sieve.without) - EXTENSIONS.keys())
    if wrong:
        raise ConfigError(f"sieve.without: there is no extension {wrong[0]}")
    return frozenset(EXTENSIONS) - frozenset(config.sieve.without)


def programs_of(config: Config, reactor: Any) -> Programs:
    """Raises ConfigError."""
    return Programs(
        known_of(config), config.sieve.script_octets, lambda: deferLater(reactor, 0)
    )


def scripts_in(store: IStore) -> Callable[[IMailAccount], IScripts]:
    """Finds the scripts of a login that has its mail there."""

    def scripts(login: IMailAccount) -> IScripts:
        found = store.mailboxes(login.account)
        if not IScripts.providedBy(found):
            raise MailError("This mail has no place for scripts", status="5.5.1")
        return IScripts(found)

    return scripts


def offer_of(
    config: Config, reactor: Any, scripts: Callable[[IMailAccount], IScripts]
) -> Offer:
    """What ManageSieve serves.  Raises ConfigError."""
    programs, sieve = programs_of(config, reactor), config.sieve
    return Offer(
        extensions=tuple(sorted(programs.known)),
        redirects=sieve.redirects,
        most_scripts=sieve.scripts,
        most_octets=sieve.script_octets,
        check=programs.program,
        scripts=scripts,
    )


def limits_of(config: Config) -> Limits:
    sieve = config.sieve
    return Limits(
        work=sieve.work,
        actions=sieve.actions,
        redirects=sieve.redirects,
        vacation_least_s=round(sieve.vacation_least_s),
        vacation_most_s=round(sieve.vacation_most_s),
    )


def setting_of(
    reactor: Any,
    config: Config,
    hostname: str,
    *,
    store: IStore,
    spool: ISpool,
    router: IRouter,
    tables: Mapping[str, ITable],
    keeper: Keeper,
) -> Setting:
    """What deliveries through scripts share.  Raises ConfigError."""
    sieve = config.sieve
    programs = programs_of(config, reactor)
    missing = [name for name in sieve.lists if name not in tables]
    if missing:
        raise ConfigError(f"sieve.lists: there is no table {missing[0]}")
    domain = next((one.name for one in config.domain), hostname)
    return Setting(
        rooms=Rooms(router, spool, hostname, new_id, time.time, sieve.list_members),
        store=store,
        programs=programs,
        includes=Library(store, programs, sieve.shared),
        lists={name: tables[name] for name in sieve.lists},
        limits=limits_of(config),
        environment={
            "domain": domain,
            "host": hostname,
            "location": "MDA",
            "imap.user": "",  # these five, RFC 6785 §4
            "imap.email": "",
            "imap.cause": "",
            "imap.mailbox": "",
            "imap.changedflags": "",
            "name": "mailtwist",
            "phase": "during",
            "version": __version__,
        },
        separator=config.delivery.subaddress_separator,
        delimiter=config.imap4.delimiter,
        before=tuple(ScriptFile(path, programs) for path in sieve.before),
        after=tuple(ScriptFile(path, programs) for path in sieve.after),
        default=ScriptFile(sieve.default, programs) if sieve.default else None,
        kept=keeper.kept,
        pieces=pieces_of,
        pause=lambda: deferLater(reactor, 0),
        today=lambda: datetime.now().astimezone(),
        authserv_id=authserv_id_of(config, hostname),
    )


def url_of(config: Config, hostname: str) -> str:
    """Where scripts for IMAP events are managed (RFC 5804 §3); "" if there are none."""
    sieve = config.sieve
    if not (sieve.enabled and sieve.events):
        return ""
    if sieve.url:
        return sieve.url
    for listener in config.listener:
        if listener.protocol == "manage_sieve":
            found = _PORT.match(listener.endpoint)
            other = found is not None and found[1] not in ("0", DEFAULT_PORT)
            return f"sieve://{hostname}" + (f":{found[1]}" if other and found else "")
    return ""


class Sieving:
    """`delivery` is the way into mailboxes; `close` when the server stops."""

    def __init__(self, reactor: Any, config: Config) -> None:
        folder = os.path.join(config.server.data, FOLDER)
        self.keeper = Keeper(reactor, folder, config.delivery.memory_octets)
        self._reactor, self._config = reactor, config
        self.scripted: SieveDelivery | None = None  # with `sieve.enabled`
        self._events: ScriptedEvents | None = None

    def delivery(self, local: IDelivery, hostname: str, **rooms: Any) -> IDelivery:
        """`local` behind the scripts of recipients; `rooms` as `setting_of` wants."""
        if not self._config.sieve.enabled:
            return local
        setting = setting_of(
            self._reactor, self._config, hostname, keeper=self.keeper, **rooms
        )
        self.scripted = SieveDelivery(local, setting)
        return self.scripted

    def events(
        self, accounts: Callable[[str], Awaitable[Account | None]], url: str
    ) -> ScriptedEvents | None:
        """What acts on what IMAP clients do; None if nothing does.

        `accounts` finds the account of a name; scripts of users do if `url` says where
        they are managed."""
        config = self._config
        if self.scripted is None or not (url or config.imap_event):
            return None
        programs = self.scripted.setting.programs
        rules = tuple(
            Rule(
                one.mailbox,
                one.source,
                frozenset(map(Cause, one.causes)),
                tuple(ScriptFile(path, programs) for path in one.before),
                tuple(ScriptFile(path, programs) for path in one.after),
            )
            for one in config.imap_event
        )
        expunges = config.sieve.expunge_discarded
        self._events = ScriptedEvents(
            self.scripted, accounts, rules, bool(url), expunges
        )
        return self._events

    def start(self, *, alone: bool = True) -> None:
        """What a crash left is removed, if nobody else uses the folder."""
        if alone:
            self.keeper.start()

    async def close(self) -> None:
        if self._events is not None:
            await self._events.close()
        await self.keeper.close()
