"""Local delivery: one message, many mailboxes, a verdict for each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from ...config.limiting import QuotaLimits, percents
from ...config.model import Delivery
from ...delivery.model import Envelope, LocalRecipient, Verdict
from ...delivery.trace import delivery_prefixes
from ...directory.model import Account
from ...errors import MailboxFault, MailError, NoRoute, OverQuota
from ...interfaces import IDelivery, IMessageSink
from ...log import mail_log
from ...mailbox.model import INBOX, Path
from ...shielded import shielded
from . import durable
from .admission import Room
from .flagged import Copy, append, letters_of
from .ledger import Uncounted
from .names import UniqueNames
from .spool import Spool, Spooler
from .writer import MaildirWriter, NewFile

NO_QUOTA = QuotaLimits()
MOST_COUNTS = 5  # of an account for one message

log = Logger()


class Folders(Protocol):
    """What delivery needs of the store."""

    def folder(self, account: Account, path: Path) -> str | Awaitable[str]:
        """The Maildir folder of a mailbox, made if the account is new; a plain str
        when it is known already."""

    def arrived(self, account: Account, path: Path) -> None:
        """Files were renamed into new/ of the mailbox."""

    def expects(self, account: Account, octets: int) -> Callable[[], None] | None:
        """A message is begun that may have so many octets: RCPT counts it until what
        is returned is called; None if nobody counts for that account."""

    def mailboxes(self, account: Account) -> Any: ...


@implementer(IDelivery)
class MaildirDelivery:
    """Puts messages into new/ of its recipients' folders.

    `now` gives seconds since 1970 for Delivery-Date.
    """

    def __init__(
        self,
        store: Folders,
        writer: MaildirWriter,
        spooler: Spooler,
        names: UniqueNames,
        config: Delivery,
        reactor: Any,
        now: Callable[[], float] = time.time,
        quota: QuotaLimits = NO_QUOTA,
    ) -> None:
        self.thresholds = percents(quota.warn_at)
        self._full = quota.full_status
        self.store, self.writer, self.spooler = store, writer, spooler
        self.names, self.config, self.reactor = names, config, reactor
        self._now = now

    def begin(self, envelope: Envelope) -> MaildirSink:
        """See IDelivery; recipients elsewhere get NoRoute."""
        local = [r for r in envelope.recipients if isinstance(r, LocalRecipient)]
        prefixes = delivery_prefixes(envelope, local, self.config, self._now())
        copies = [Copy(*each) for each in zip(local, prefixes, strict=True)]
        return MaildirSink(self, envelope, copies)

    # -- room ---------------------------------------------------------------------

    def room(self, recipient: LocalRecipient) -> Room:
        """What a message for this recipient counts towards."""
        return Room(recipient.account, recipient.path, self.thresholds)

    async def warn(self, account: Account, octets: bytes) -> None:
        """A message of ours to the owner's INBOX, whether it fits or not."""
        if account.is_mbox:
            tree = self.store.mailboxes(account)
            await tree.deliver(INBOX, b"", (octets,), b"", frozenset())
        else:
            folder = self.store.folder(account, INBOX)
            folder = folder if isinstance(folder, str) else await folder
            room = Room(account, INBOX, self.thresholds, exempt=True)
            name, content = self.names.base(len(octets)), (octets,)
            file = NewFile(folder, name, "new", content, room=room)
            for fault in await self.write([(account, file)]):
                if fault is not None:
                    raise fault
        self.store.arrived(account, INBOX)

    def write(
        self, files: Sequence[tuple[Account, NewFile]]
    ) -> Deferred[Sequence[Verdict]]:
        """An outcome for each file; whose account is to be counted first waits."""
        written: Deferred[Any] = self.writer.commit([file for _, file in files])
        return written.addCallback(self._written, files)

    def _written(
        self, outcomes: list[Verdict], files: Sequence[tuple[Account, NewFile]]
    ) -> Sequence[Verdict] | Deferred[Sequence[Verdict]]:
        if not any(outcomes):
            return outcomes
        return Deferred.fromCoroutine(self._counted(outcomes, files))

    async def _counted(
        self, outcomes: list[Verdict], files: Sequence[tuple[Account, NewFile]]
    ) -> Sequence[Verdict]:
        """Those that nobody counted for are tried again behind a count."""
        for _ in range(MOST_COUNTS):
            again = [at for at, why in enumerate(outcomes) if _uncounted(why)]
            if not again:
                break
            accounts = {files[at][0].home: files[at][0] for at in again}
            for account in accounts.values():
                await self.store.mailboxes(account).recent()
            later = await self.writer.commit([files[at][1] for at in again])
            for at, outcome in zip(again, later, strict=True):
                outcomes[at] = outcome
        return [
            OverQuota(status=self._full) if isinstance(outcome, OverQuota) else outcome
            for outcome in outcomes
        ]


def _uncounted(outcome: Verdict) -> bool:
    return isinstance(outcome, Uncounted)


@implementer(IMessageSink)
class MaildirSink:
    """The octets of one message; see IMessageSink.

    They wait in memory until they are too many, then in a file in the tmp/ of the first
    recipient whose folder can be had, which becomes that recipient's copy.
    """

    def __init__(
        self, delivery: MaildirDelivery, envelope: Envelope, copies: list[Copy]
    ) -> None:
        self._delivery, self._envelope, self._copies = delivery, envelope, copies
        self._parts: list[bytes] = []
        self._spool: Spool | None = None
        self._spooling: Deferred[None] | None = None
        self._fault: MailError | None = None
        self._spent = False
        self.octets = 0
        size = envelope.size_octets or 0
        expected = [delivery.store.expects(c.recipient.account, size) for c in copies]
        self._expected = [ended for ended in expected if ended is not None]

    # -- octets come --------------------------------------------------------------

    def write(self, octets: bytes) -> Awaitable[None] | None:
        if self._spent:
            return None
        self.octets += len(octets)
        if self._spool is not None:
            return self._spool.write(octets)
        if self._fault is not None:
            return None
        self._parts.append(octets)
        if self.octets <= self._delivery.spooler.memory_octets:
            return None
        if self._spooling is None:
            self._spooling = Deferred.fromCoroutine(self._begin_spool())
            if self._spooling.called:
                return None
        return self._begun()

    async def _begin_spool(self) -> None:
        """The message is large: its file begins."""
        fault: MailError | None = None
        for copy in self._copies:
            try:
                folder = await self._folder(copy)
            except MailError as why:
                fault = fault or why
                continue
            if not self._spent:
                path = f"{folder}/tmp/{self._delivery.names.draft()}"
                self._spool = self._delivery.spooler.spool(path, copy.prefix)
                parts, self._parts = self._parts, []
                waits = [self._spool.write(octets) for octets in parts]
                for waited in waits:
                    if waited is not None:
                        await waited
            return
        self._fault = fault or NoRoute()
        self._parts.clear()

    def _begun(self) -> Awaitable[None]:
        """Fires when the spool has begun; giving up this wait does not stop it."""
        waiter: Deferred[None] = Deferred()

        def begun(result: Any) -> Any:
            if not waiter.called:
                waiter.callback(None)
            return result

        if self._spooling is None:
            waiter.callback(None)
        else:
            self._spooling.addBoth(begun)
        return waiter

    async def _folder(self, copy: Copy) -> str:
        """Mail is never lost for the name of a folder: INBOX takes its place."""
        store, to = self._delivery.store, copy.recipient
        try:
            folder = store.folder(to.account, to.path)
            return folder if isinstance(folder, str) else await folder
        except MailboxFault:
            if to.path == INBOX:
                raise
        copy.recipient = evolve(to, path=INBOX)
        return await self._folder(copy)

    def abort(self) -> None:
        self._spent = True
        self._parts.clear()
        while self._expected:
            self._expected.pop()()
        if self._spool is not None:
            self._spool.abort()

    # -- the end of data ----------------------------------------------------------

    async def commit(self) -> list[Verdict]:
        if self._spent:
            raise MailError("The message was given up")
        try:
            content: tuple[bytes, ...] | Spool = tuple(self._parts)
            if self._spooling is not None:
                content = await self._spooled(self._spooling)
            files = await self._files(content)
            if keyworded := self._keyworded():
                await append(self._delivery, keyworded, content)
            if self._spent:  # given up while a folder was looked for
                raise MailError("The message was given up")
        except BaseException:
            self.abort()
            raise
        try:
            written = self._delivery.write(files)
            appended = [
                Deferred.fromCoroutine(self._append(copy, content))
                for copy in self._copies
                if copy.fault is None and copy.in_mbox
            ]
            all_done: Deferred[Any] = written.addCallback(self._committed)
            if appended:
                all_done = gatherResults([all_done, *appended])
            # The recipients learn of it even if the sender is gone by then.
            await shielded(all_done.addCallback(self._told))
        finally:
            self.abort()
        return self._verdicts()

    async def _spooled(self, spooling: Deferred[None]) -> tuple[bytes, ...] | Spool:
        """Everything taken; a fault of storage is every copy's."""
        await self._begun()
        await spooling  # raises what went wrong
        if self._spool is None:
            return tuple(self._parts)
        await self._spool.settled()
        if self._spool.fault is not None:
            self._fault = durable.fault_of(self._spool.fault)
        return self._spool

    async def _files(
        self, content: tuple[bytes, ...] | Spool
    ) -> list[tuple[Account, NewFile]]:
        files = []
        for copy in self._copies:
            try:
                if self._fault is not None:
                    raise self._fault
                folder = await self._folder(copy)
            except MailError as fault:
                copy.fault = fault
                continue
            flags = copy.recipient.flags
            if copy.has_file:
                name = self._delivery.names.base(len(copy.prefix) + self.octets)
                into, room = "new", self._delivery.room(copy.recipient)
                if flags:
                    name, into = f"{name}:2,{letters_of(flags)}", "cur"
                file = NewFile(folder, name, into, content, copy.prefix, room=room)
                files.append((copy.recipient.account, file))
        return files

    def _keyworded(self) -> list[Copy]:
        """Copies with flags that a file name has no place for by itself."""
        return [
            copy
            for copy in self._copies
            if copy.fault is None and not copy.has_file and not copy.in_mbox
        ]

    def _committed(self, outcomes: Sequence[Verdict]) -> None:
        """In the order of the copies that had a file."""
        each = iter(outcomes)
        for copy in self._copies:
            if copy.fault is None and copy.has_file:
                copy.fault = next(each)
                self._arrived(copy)

    async def _append(self, copy: Copy, content: tuple[bytes, ...] | Spool) -> None:
        """To a mailbox that is one file."""
        to, sender = copy.recipient, self._envelope.reverse_path
        tree = self._delivery.store.mailboxes(to.account)
        if isinstance(content, Spool):
            content.hold()
        try:
            line = b"" if sender is None else sender.encode(utf8=True)
            await tree.deliver(to.path, copy.prefix, content, line, to.flags)
        except MailError as fault:
            copy.fault = fault
        except Exception:
            log.failure("delivering to {name}", name=to.account.name)
            copy.fault = MailError()
        finally:
            if isinstance(content, Spool):
                content.release()
        self._arrived(copy)

    def _arrived(self, copy: Copy) -> None:
        if copy.fault is None:
            to = copy.recipient
            self._delivery.store.arrived(to.account, to.path)

    def _told(self, _: object) -> None:
        self._tell()

    def _verdicts(self) -> list[Verdict]:
        faults = iter([copy.fault for copy in self._copies])
        return [
            next(faults) if isinstance(recipient, LocalRecipient) else NoRoute()
            for recipient in self._envelope.recipients
        ]

    def _tell(self) -> None:
        message, done = self._envelope.message_id, []
        for copy in self._copies:
            name = str(copy.recipient.address)
            if copy.fault is None:
                done.append(name)
            else:
                mail_log.not_delivered(message, name, copy.fault)
        if done:
            mail_log.delivered(message, done)
