"""Mailing lists, from the configuration: their database, desk, archives and clock."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from base64 import b32encode
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import fields
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from ..address import Address
from ..config.listing import ListOfConfig, ListOptions, list_address, person_address
from ..config.model import Config
from ..config.sharing import PublicFolder as PublicConfig
from ..directory.model import Account
from ..errors import MailError
from ..interfaces import IResolver, IRouter, ISpool
from ..lists import statements
from ..lists.archive import Archive
from ..lists.clerk import Clerk
from ..lists.desk import Desk
from ..lists.model import MODERATOR, OWNER
from ..lists.names import ListNames
from ..lists.outbox import Outbox
from ..lists.policies import Policies
from ..lists.store import ListStore
from ..lists.transport import ListTransport
from ..lists.writer import Writer
from ..mailbox.interfaces import IStore
from ..mailbox.sharing import Sharing
from .sharing import account_of, archive_folder

log = Logger("mailtwist")

POLL_S = 1.0  # how often what commands changed is looked for


class Lists(Service):
    """All that mailing lists are.  Nothing is opened while there is no list.

    `names` tells the router which addresses are theirs; `transport` is the way out of
    the queue to them.  Of several processes the one that runs the queue does what is
    due by the clock (`lead`)."""

    def __init__(self, reactor: Any, config: Config) -> None:
        self.setName("lists")
        self._reactor, self._config = reactor, config
        path = os.path.join(os.path.abspath(config.server.data), statements.FILE)
        self.store = ListStore(reactor, path)
        self.names = ListNames(self.store, path)
        self.writer = Writer(time.time, new_token, config.lists.url)
        self.clerk = Clerk(self.store, self.writer)
        self.folder = archive_folder(config)
        self._polling = LoopingCall(self._poll)
        self._polling.clock = reactor
        self._leads = False
        self._configured = False
        self._looked_s = 0.0
        self._looking: Deferred[Any] | None = None
        self._shown: Callable[[], None] = lambda: None

    def join(
        self,
        *,
        router: IRouter,
        spool: ISpool,
        mail: IStore,
        resolver: IResolver,
        hostname: str,
        sharing: Sharing | None,
        show: Callable[[Sharing, PublicConfig], None],
    ) -> None:
        """The rooms that need the router; `show` puts the archives' public folder among
        those of `sharing`."""
        self.desk = Desk(self.store, self.writer, Policies(resolver))
        self.archive = Archive(self.store, mail, account_of(self._config, self.folder))
        self.transport = ListTransport(self.desk, self.archive)
        self.outbox = Outbox(
            self.store, spool, router, hostname, lambda: deferLater(self._reactor, 0)
        )
        if sharing is not None:
            self._shown = lambda: show(sharing, self.folder)

    def startService(self) -> None:
        super().startService()
        if self._config.lists.enabled:
            self._looking = self._polling.start(POLL_S)

    def lead(self) -> None:
        """This process runs the queue."""
        if not self._config.lists.enabled:
            return
        self._leads = True
        self.store.applied = self.outbox.wake

    def stopService(self) -> Deferred[None]:
        """Returns when nothing of it is under way."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._leads = False
        if self._polling.running:
            self._polling.stop()
        if self._looking is not None:
            await self._looking
        if self._config.lists.enabled:
            await self.outbox.stop()

    async def close(self) -> None:
        """End the threads."""
        await self.store.close()

    async def groups_of(self, account: Account) -> frozenset[str]:
        """Groups of a login because of lists; see Archive."""
        if not self._config.lists.enabled or not await self._some():
            return frozenset()
        return await self.archive.groups_of(account)

    async def _some(self) -> bool:
        try:
            return await self.names.any()
        except MailError:
            return False

    async def _poll(self) -> None:
        """What changed, and what is due."""
        try:
            due = time.time() - self._looked_s >= self._config.lists.look_s
            if self._leads and not self._configured:
                await self._configure()
                self._configured = True
            if not (self.names.changed() or due):
                return
            if due:
                self.names.forget()
                self._looked_s = time.time()
            if not await self.names.any():
                return
            os.makedirs(self.archive.account.home, mode=0o700, exist_ok=True)
            self._shown()
            if self._leads:
                await self.archive.give_rights()
                if due:
                    await self.clerk.look()
                self.outbox.wake()
        except MailError as fault:
            log.error("mailing lists: {public}", public=fault.public)
        except Exception:  # the next look tries again
            log.failure("looking after mailing lists")

    async def _configure(self) -> None:
        """The lists of the configuration are as it says."""
        wanted = self._config.mailing_list
        if wanted or await self.names.any():
            await self.store.write(partial(configure, wanted=wanted))


def configure(connection: sqlite3.Connection, wanted: tuple[ListOfConfig, ...]) -> None:
    """Make the lists that are not there, set the options of those that are; a list that
    the file does not name any more stays, and is free to be set again."""
    named = {list_address(one.address): one for one in wanted}
    there = {one.address: one for one in statements.lists(connection)}
    for address, mailing_list in there.items():
        if mailing_list.configured and address not in named:
            statements.set_options(connection, mailing_list, mailing_list.options)
    for address, one in named.items():
        options = ListOptions(
            **{each.name: getattr(one, each.name) for each in fields(ListOptions)}
        )
        found = there.get(address)
        if found is None:
            found = statements.add(
                connection, address, options, time.time(), configured=True
            )
        elif found.options != options or not found.configured:
            statements.set_options(connection, found, options, configured=True)
        for role, people in ((OWNER, one.owners), (MODERATOR, one.moderators)):
            for text in people:
                statements.give_role(
                    connection, found.number, role, person_address(text)
                )


def new_token() -> str:
    """24 letters and digits that nobody can guess, unique for ever."""
    return b32encode(secrets.token_bytes(15)).decode().lower()


def local_list(config: Config, text: str) -> Address:
    """The address of a list, in no domain that stands for another; raises MailError."""
    try:
        address = list_address(text)
    except ValueError as fault:
        raise MailError(f"{text}: give {fault}") from fault
    for one in config.domain:
        if one.name == address.domain and one.alias_of:
            raise MailError(f"{text}: {one.name} stands for {one.alias_of}; name that")
    return address
