"""A process of one user that serves his mailboxes on its socket, and then ends."""

from __future__ import annotations

import hashlib
import os
import socket
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    globalLogBeginner,
)
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

from ...config.model import Config
from ...delivery.agent_process import Program
from ...delivery.lists import first_list
from ...directory.home import MOST_NAME, encoded
from ...directory.model import INBOX_IS, MAILDIR, MBOX, Account
from ...errors import MailboxUnreachable
from ...keeper.packets import SPOOL_VARIABLE
from ..local import LocalStore
from ..maildir.folders import PARTS
from .program import RunningProgram
from .served import StoreServer
from .spool import SpoolRights
from .start import SOCKET

log = Logger("mailtwist")

MOST_TOLD = 4000  # characters of one line for the server's log


class Homes:
    """Where the store finds the accounts of this user: mail in his home or in a
    spool, state and cache in our folder, apart for each Maildir or mbox."""

    def __init__(self, folder: str, uid: int) -> None:
        self._folder, self._uid = folder, uid
        self._made: set[str] = set()

    def place(self, account: Account) -> Account:
        """Raises MailboxUnreachable while there is no home, or no mailbox of his own:
        mail waits until there is."""
        path = account.mailbox_path
        try:
            os.stat(account.home + "/")
            if account.is_mbox:
                return self._place_mbox(account)
            for part in ("", *PARTS):
                self._check(os.path.join(path, part))
            return evolve(account, home=self._state(path), mailbox=path)
        except OSError as fault:
            log.error(
                "the mailbox of {name} cannot be used: {path}: {why}",
                name=account.name,
                path=fault.filename,
                why=fault.strerror,
            )
            raise MailboxUnreachable() from fault

    def _place_mbox(self, account: Account) -> Account:
        inbox, folders = account.mailbox_path, account.folders_path
        mixed = account.has_maildir_folders
        below = [os.path.join(folders, part) for part in PARTS] if mixed else []
        for path in (inbox, folders, *below):
            self._check(path)
        where = f"{MAILDIR if mixed else MBOX}{folders}{INBOX_IS}{inbox}"
        return evolve(account, home=self._state(where), mailbox=where)

    def _check(self, path: str) -> None:
        """A link may lead to another folder of his, and never to another's."""
        try:
            owner = os.stat(path).st_uid
        except FileNotFoundError:
            return  # the store makes it
        if owner != self._uid:
            raise PermissionError(1, f"it belongs to uid {owner}", path)

    def _state(self, path: str) -> str:
        name = encoded(path)
        if len(name) > MOST_NAME:
            name = hashlib.sha256(path.encode()).hexdigest()
        folder = os.path.join(self._folder, name)
        if folder not in self._made:
            os.makedirs(folder, 0o700, exist_ok=True)
            self._made.add(folder)
        return folder


@implementer(ILogObserver)
class Teller:
    """A log observer that tells the server, while it is there."""

    def __init__(self, reactor: Any, server: StoreServer) -> None:
        self._reactor, self._server = reactor, server

    def __call__(self, event: dict[str, Any]) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = event.get("log_level", LogLevel.info).name
        if isInIOThread():
            self._tell(level, text)
        else:
            self._reactor.callFromThread(self._tell, level, text)

    def _tell(self, level: str, text: str) -> None:
        transport = self._server.transport
        if transport is not None and transport.connected:
            self._server.send([0, "log", [level, text[:MOST_TOLD]]])


def serve(hostname: str, folder: str, level: str, config: Config) -> None:
    """Until the socket closes or SIGTERM comes; what was begun is finished."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    spool, _, locked = os.environ.get(SPOOL_VARIABLE, "").partition(":")
    store = LocalStore(
        reactor=reactor,
        config=config,
        hostname=hostname,
        lock_files=SpoolRights(int(spool), locked) if spool else None,
    )
    uid = os.geteuid()
    homes = Homes(folder, uid)

    async def forward(account: Account, names: list[str]) -> tuple[str, str] | None:
        found: tuple[str, str] | None = await store.defer(
            first_list, account.home, names, {uid}
        )
        return found

    running: set[RunningProgram] = set()

    def ended() -> None:
        for one in list(running):
            one.abort()
        if reactor.running:
            reactor.stop()

    def program(*values: Any) -> RunningProgram:
        *described, octets = values
        return RunningProgram(reactor, Program.of(*described), octets, running)

    server = StoreServer(
        store, place=homes.place, forward=forward, program=program, ended=ended
    )
    observer = FilteringLogObserver(
        Teller(reactor, server), [LogLevelFilterPredicate(LogLevel.lookupByName(level))]
    )
    globalLogBeginner.beginLoggingTo(
        [observer], discardBuffer=True, redirectStandardIO=False
    )
    factory = Factory.forProtocol(lambda: server)
    factory.noisy = False
    reactor.callWhenRunning(
        reactor.adoptStreamConnection, SOCKET, socket.AF_UNIX, factory
    )
    reactor.callWhenRunning(os.close, SOCKET)
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(store.close())
    )
    reactor.run()
