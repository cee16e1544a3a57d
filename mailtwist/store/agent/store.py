"""The store of a server whose accounts may have uids of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...delivery.model import Envelope, LocalRecipient, Verdict
from ...delivery.sinks import put, verdicts_of, write_to_all
from ...directory.model import Account
from ...errors import MailError, NoRoute
from ...interfaces import IDelivery, IMessageSink
from ...mailbox.interfaces import IMailboxes, IStore
from ...mailbox.linked import ILinkedStore, Link
from .remote import Reaches, RemoteMailboxes
from .remote_writer import RemoteSink
from .shared_limit import LimitedSink, SharedLimits

log = Logger("mailtwist")

SCRIPT_S = 5.0  # for which an account's script is taken for what it was
MOST_SCRIPTS = 1_000  # that are kept in mind for so long
LINKS_S = 5.0  # for which an account without links is taken for one
MOST_LINKLESS = 10_000
LIMITS_S = 10.0  # for which an account without limits is taken for one
NOT_ASKED = "not asked"  # the stamp of a script that may be there


@implementer(IStore, ILinkedStore)
class AgentStore:
    """Accounts without a uid, or with ours, in `local`; others by agents.

    `own_uid` gives ours: root's until its rights are given up; `shared` keeps the
    limits that others' accounts have together."""

    def __init__(
        self,
        local: IStore,
        agents: Reaches,
        own_uid: Callable[[], int] = os.geteuid,
        shared: SharedLimits | None = None,
    ) -> None:
        self._local, self._agents, self._own_uid = local, agents, own_uid
        self._trees: WeakValueDictionary[tuple[str, str, bool], RemoteMailboxes]
        self._trees = WeakValueDictionary()
        self.keeps: Callable[[Account], None] | None = None  # see MaildirStore
        self._delivery, self._shared = AgentDelivery(self), shared
        # (until when, the active script) by home
        self._scripts: dict[str, tuple[float, bytes | None]] = {}
        self._unlimited: dict[str, float] = {}  # until when, by home
        self._linkless: dict[str, float] = {}  # until when, by path of the Maildir

    def uid_of(self, account: Account) -> int | None:
        """None for an account whose mail is here."""
        uid = account.uid
        return None if uid is None or uid == self._own_uid() else uid

    def mailboxes(self, account: Account) -> IMailboxes:
        """See IStore."""
        if self.uid_of(account) is None:
            return self._local.mailboxes(account)
        key = account.name, account.mailbox_path, account.deleted
        tree = self._trees.get(key)
        if tree is None:
            tree = self._trees[key] = RemoteMailboxes(
                self._agents, account, self._shared, self._is_unlimited
            )
        tree.account, tree.keeps = account, self.keeps  # its limits may be newer
        return tree

    def delivery(self) -> IDelivery:
        """See IStore."""
        return self._delivery

    def forward(
        self, account: Account, names: list[str]
    ) -> Awaitable[tuple[str, str] | None] | None:
        """The first of these lists in its home, as its user reads it; None for an
        account whose files are ours.  Raises MailboxUnreachable, LookupFailed."""
        if self.uid_of(account) is None:
            return None
        return self._forward(account, names)

    async def _forward(
        self, account: Account, names: list[str]
    ) -> tuple[str, str] | None:
        connection = self._agents.connection(account)
        found = await connection.call("forward", account, names)
        match found:
            case (str(path), str(text)):
                return path, text
            case None:
                return None
        raise MailError()

    # -- links ------------------------------------------------------------------

    def linked(self, account: Account) -> Awaitable[list[Link]] | None:
        """See ILinkedStore; that there are none is remembered for LINKS_S."""
        if self.uid_of(account) is None:
            if not ILinkedStore.providedBy(self._local):
                return None
            local: Any = self._local
            there: Awaitable[list[Link]] | None = local.linked(account)
            return there
        if time.monotonic() < self._linkless.get(account.mailbox_path, 0.0):
            return None
        return self._linked(account)

    async def _linked(self, account: Account) -> list[Link]:
        found = await self._agents.connection(account).call("linked", account)
        links: list[Link] = [
            (str(name), str(home), dict(folders)) for name, home, folders in found or ()
        ]
        if found is None:
            if len(self._linkless) >= MOST_LINKLESS:
                self._linkless.clear()
            self._linkless[account.mailbox_path] = time.monotonic() + LINKS_S
        return links

    # -- limits ---------------------------------------------------------------

    def may_be_full(self, account: Account) -> bool:
        """See IStore; that an agent knows of no limits is remembered for LIMITS_S."""
        if self.uid_of(account) is None:
            return self._local.may_be_full(account)
        until = self._unlimited.get(account.home, 0.0)
        return account.is_limited or time.monotonic() >= until

    def _is_unlimited(self, account: Account) -> None:
        if len(self._unlimited) >= MOST_LINKLESS:
            self._unlimited.clear()
        self._unlimited[account.home] = time.monotonic() + LIMITS_S

    # -- scripts --------------------------------------------------------------

    def script_stamp(self, account: Account) -> Hashable | None:
        """See IStore; an agent's answer is good for SCRIPT_S."""
        if self.uid_of(account) is None:
            return self._local.script_stamp(account)
        known = self._scripts.get(account.home)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        return NOT_ASKED

    async def active_script(self, account: Account) -> bytes | None:
        """See IStore."""
        if self.uid_of(account) is None:
            return await self._local.active_script(account)
        connection = self._agents.connection(account)
        octets: bytes | None = await connection.call("active_script", account)
        if len(self._scripts) >= MOST_SCRIPTS:
            self._scripts.clear()
        self._scripts[account.home] = time.monotonic() + SCRIPT_S, octets
        return octets

    def shares(self, account: Account) -> bool:
        """True if what comes to it counts towards what it shares with others."""
        here = self._shared is None or self.uid_of(account) is None
        return not here and account.summed is not None

    def sink(self, envelope: Envelope) -> IMessageSink:
        """For recipients that are all here, or all of one uid; of one account if that
        `shares`."""
        account = _local(envelope)[0].account
        if self.uid_of(account) is None:
            return self._local.delivery().begin(envelope)
        sink = RemoteSink(lambda: self._agents.connection(account), envelope)
        if self._shared is None or not self.shares(account):
            return sink
        usage = self.mailboxes(account).usage
        return LimitedSink(self._shared, account, envelope, usage, sink)


@implementer(IDelivery)
class AgentDelivery:
    """The octets once to each uid, or to each account whose domain is limited."""

    def __init__(self, store: AgentStore) -> None:
        self._store = store

    def begin(self, envelope: Envelope) -> IMessageSink:
        """See IDelivery; recipients elsewhere get NoRoute."""
        places: dict[tuple[int | None, str], list[int]] = {}
        for at, each in enumerate(envelope.recipients):
            if isinstance(each, LocalRecipient):
                uid, account = self._store.uid_of(each.account), each.account
                alone = account.name if self._store.shares(account) else ""
                places.setdefault((uid, alone), []).append(at)
        if len(places) == 1 and len(_local(envelope)) == len(envelope.recipients):
            return self._store.sink(envelope)
        return SharedSink(self._store, envelope, list(places.values()))


@implementer(IMessageSink)
class SharedSink:
    """One message to several uids; each has its own fate."""

    def __init__(
        self, store: AgentStore, envelope: Envelope, places: Sequence[list[int]]
    ) -> None:
        self.octets = 0
        self._envelope, self._places, self._sinks = envelope, places, []
        for some in places:
            recipients = tuple(envelope.recipients[at] for at in some)
            self._sinks.append(store.sink(evolve(envelope, recipients=recipients)))

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """The slowest sets the pace."""
        self.octets += len(octets)
        return write_to_all([sink.write for sink in self._sinks], octets)

    def abort(self) -> None:
        for sink in self._sinks:
            sink.abort()

    async def commit(self) -> list[Verdict]:
        """All at once: a slow one holds nobody else."""
        verdicts: list[Verdict] = [NoRoute() for _ in self._envelope.recipients]
        begun = [
            Deferred.fromCoroutine(verdicts_of(sink, len(some)))
            for sink, some in zip(self._sinks, self._places, strict=True)
        ]
        for some, done in zip(self._places, begun, strict=True):
            put(verdicts, some, await done)
        return verdicts


def _local(envelope: Envelope) -> list[LocalRecipient]:
    return [each for each in envelope.recipients if isinstance(each, LocalRecipient)]
