"""Local delivery: one message, many mailboxes, a verdict for each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from ...config.model import Delivery
from ...delivery.model import Envelope, LocalRecipient, Verdict
from ...delivery.trace import delivery_prefixes
from ...directory.model import Account
from ...errors import MailboxFault, MailError, NoRoute, OverQuota
from ...interfaces import IDelivery, IMessageSink
from ...log import mail_log
from ...mailbox.model import INBOX, Path, Usage
from . import durable
from .account import shielded
from .flagged import Copy, append, letters_of
from .names import UniqueNames
from .spool import Spool, Spooler
from .writer import MaildirWriter, NewFile

log = Logger()


class Folders(Protocol):
    """What delivery needs of the store."""

    def folder(self, account: Account, path: Path) -> str | Awaitable[str]:
        """The Maildir folder of a mailbox, made if the account is new; a plain str
        when it is known already."""

    def arrived(self, account: Account, path: Path, octets: int, messages: int) -> None:
        """Files were renamed into new/ of the mailbox."""

    def usage_now(self, account: Account) -> Usage | None:
        """The account's usage if it is known without a look at the disk."""

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
    ) -> None:
        self.store, self.writer, self.spooler = store, writer, spooler
        self.names, self.config, self.reactor = names, config, reactor
        self._now = now
        # (octets, messages) on their way, by account's home
        self._promised: dict[str, tuple[int, int]] = {}

    def begin(self, envelope: Envelope) -> MaildirSink:
        """See IDelivery; recipients elsewhere get NoRoute."""
        local = [r for r in envelope.recipients if isinstance(r, LocalRecipient)]
        prefixes = delivery_prefixes(envelope, local, self.config, self._now())
        copies = [Copy(*each) for each in zip(local, prefixes, strict=True)]
        return MaildirSink(self, envelope, copies)

    # -- room ---------------------------------------------------------------------

    async def promise(self, account: Account, octets: int) -> None:
        """Count a message as on its way to the account; raises OverQuota."""
        if not account.is_limited:
            return
        usage = self.store.usage_now(account)
        if usage is None:
            usage = await self.store.mailboxes(account).usage()
        before = self._promised.get(account.home, (0, 0))
        promised = before[0] + octets, before[1] + 1
        if not usage.has_room(*promised):
            raise OverQuota()
        self._promised[account.home] = promised

    def give_back(self, account: Account, octets: int) -> None:
        """The message that was promised is there, or will not come."""
        if account.is_limited:
            before = self._promised.get(account.home, (0, 0))
            if before[1] > 1:
                self._promised[account.home] = before[0] - octets, before[1] - 1
            else:
                self._promised.pop(account.home, None)


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
        if self._spool is not None:
            self._spool.abort()

    # -- the end of data ----------------------------------------------------------

    async def commit(self) -> list[Verdict]:
        if self._spent:
            raise MailError("The message was given up")
        try:
            content = await self._content()
            files = await self._files(content)
            await append(self._delivery, self._keyworded(), content)
            if self._spent:  # given up while a folder was looked for
                raise MailError("The message was given up")
        except BaseException:
            self._give_back()
            self.abort()
            raise
        try:
            done = self._delivery.writer.commit(files)
            appended = [
                Deferred.fromCoroutine(self._append(copy, content))
                for copy in self._copies
                if copy.fault is None and _in_mbox(copy)
            ]
            all_done = gatherResults([done.addCallback(self._committed), *appended])
            # The recipients learn of it even if the sender is gone by then.
            await shielded(all_done.addCallback(self._told))
        finally:
            self.abort()
        return self._verdicts()

    async def _content(self) -> tuple[bytes, ...] | Spool:
        """Everything taken; a fault of storage is every copy's."""
        if self._spooling is not None:
            await self._begun()
            await self._spooling  # raises what went wrong
        if self._spool is None:
            return tuple(self._parts)
        await self._spool.settled()
        if self._spool.fault is not None:
            self._fault = durable.fault_of(self._spool.fault)
        return self._spool

    async def _files(self, content: tuple[bytes, ...] | Spool) -> list[NewFile]:
        files = []
        for copy in self._copies:
            octets = len(copy.prefix) + self.octets
            account = copy.recipient.account
            try:
                if self._fault is not None:
                    raise self._fault
                folder = await self._folder(copy)
                await self._delivery.promise(account, octets)
            except MailError as fault:
                copy.fault = fault
                continue
            copy.octets = octets
            flags = copy.recipient.flags
            if copy.has_file:
                name, into = self._delivery.names.base(octets), "new"
                if flags:
                    name, into = f"{name}:2,{letters_of(flags)}", "cur"
                files.append(NewFile(folder, name, into, content, copy.prefix))
        return files

    def _keyworded(self) -> list[Copy]:
        """Copies with flags that a file name has no place for by itself."""
        return [
            copy
            for copy in self._copies
            if copy.fault is None and not copy.has_file and not _in_mbox(copy)
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
            self._delivery.store.arrived(to.account, to.path, copy.octets, 1)

    def _told(self, _: object) -> None:
        self._give_back()
        self._tell()

    def _give_back(self) -> None:
        """The room that was promised is taken now, or not needed."""
        for copy in self._copies:
            if copy.octets:
                self._delivery.give_back(copy.recipient.account, copy.octets)
                copy.octets = 0

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


def _in_mbox(copy: Copy) -> bool:
    return copy.recipient.account.is_mbox
