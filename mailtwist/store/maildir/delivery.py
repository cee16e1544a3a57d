"""Local delivery: one message, many mailboxes, a verdict for each."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...config.model import Delivery
from ...delivery.model import Envelope, LocalRecipient, Verdict
from ...delivery.trace import delivery_fields
from ...directory.model import Account
from ...errors import MailError, OverQuota
from ...interfaces import IDelivery, IMessageSink
from ...log import mail_log
from ...mailbox.model import Path, Usage
from . import durable
from .names import UniqueNames
from .spool import Spool, Spooler
from .writer import MaildirWriter, NewFile


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
    """Puts messages into new/ of its recipients' folders."""

    def __init__(
        self,
        store: Folders,
        writer: MaildirWriter,
        spooler: Spooler,
        names: UniqueNames,
        config: Delivery,
        reactor: Any,
    ) -> None:
        self.store, self.writer, self.spooler = store, writer, spooler
        self.names, self.config, self.reactor = names, config, reactor

    def begin(self, envelope: Envelope) -> MaildirSink:
        return MaildirSink(self, envelope)


@implementer(IMessageSink)
class MaildirSink:
    """The octets of one message; see IMessageSink."""

    def __init__(self, delivery: MaildirDelivery, envelope: Envelope) -> None:
        self._delivery, self._envelope = delivery, envelope
        self._spool: Spool | None = None
        self._early: list[bytes] = []
        self.octets = 0
        now = delivery.reactor.seconds()
        self._recipients = [
            r for r in envelope.recipients if isinstance(r, LocalRecipient)
        ]
        self._prefixes = [
            delivery_fields(envelope, recipient, delivery.config, now) + envelope.trace
            for recipient in self._recipients
        ]

    def write(self, octets: bytes) -> Awaitable[None] | None:
        self.octets += len(octets)
        if self._spool is not None:
            return self._spool.write(octets)
        self._early.append(octets)
        if self.octets <= self._delivery.spooler.memory_octets:
            return None
        return Deferred.fromCoroutine(self._begin_spool())

    async def _begin_spool(self) -> None:
        """The message is large: its file grows in the first recipient's tmp/."""
        first = self._recipients[0]
        folder = await self._folder(first)
        path = f"{folder}/tmp/{self._delivery.names.draft()}"
        self._spool = self._delivery.spooler.spool(path, self._prefixes[0])
        early, self._early = self._early, []
        for octets in early:
            waited = self._spool.write(octets)
            if waited is not None:
                await waited

    async def _folder(self, recipient: LocalRecipient) -> str:
        folder = self._delivery.store.folder(recipient.account, recipient.path)
        return folder if isinstance(folder, str) else await folder

    def abort(self) -> None:
        self._early.clear()
        if self._spool is not None:
            self._spool.abort()

    async def commit(self) -> list[Verdict]:
        try:
            return await self._commit()
        finally:
            if self._spool is not None:
                self._spool.abort()

    async def _commit(self) -> list[Verdict]:
        verdicts: list[Verdict] = [None] * len(self._recipients)
        content: tuple[bytes, ...] | Spool = tuple(self._early)
        if self._spool is not None:
            await self._spool.settled()
            if self._spool.fault is not None:
                fault = durable.fault_of(self._spool.fault)
                return [fault] * len(self._recipients)
            content = self._spool
        files: list[NewFile] = []
        places: list[int] = []
        for at, recipient in enumerate(self._recipients):
            try:
                await self._check_quota(recipient)
                folder = await self._folder(recipient)
            except MailError as fault:
                verdicts[at] = fault
                continue
            prefix = self._prefixes[at]
            name = self._delivery.names.base(len(prefix) + self.octets)
            files.append(NewFile(folder, name, "new", content, prefix))
            places.append(at)
        if files:
            outcomes = await self._delivery.writer.commit(files)
            for at, outcome in zip(places, outcomes, strict=True):
                verdicts[at] = outcome
        self._tell(verdicts)
        return verdicts

    async def _check_quota(self, recipient: LocalRecipient) -> None:
        limit = recipient.account.storage_limit_octets
        if limit is None:
            return
        store = self._delivery.store
        usage = store.usage_now(recipient.account)
        if usage is None:
            usage = await store.mailboxes(recipient.account).usage()
        if usage.octets + self.octets > limit:
            raise OverQuota()

    def _tell(self, verdicts: list[Verdict]) -> None:
        message = self._envelope.message_id
        for at, recipient in enumerate(self._recipients):
            fault = verdicts[at]
            if fault is not None:
                mail_log.not_delivered(message, str(recipient.address), fault)
                continue
            octets = len(self._prefixes[at]) + self.octets
            self._delivery.store.arrived(recipient.account, recipient.path, octets, 1)
        done = [
            r for r, fault in zip(self._recipients, verdicts, strict=True) if not fault
        ]
        if done:
            mail_log.delivered(message, [str(r.address) for r in done])
