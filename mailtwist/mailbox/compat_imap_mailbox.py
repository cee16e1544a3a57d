"""IMailboxIMAP over an IMailbox."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.mail.imap4 import MailboxException, MessageSet, ReadOnlyMailbox
from twisted.mail.interfaces import (
    ICloseableMailboxIMAP,
    IMailboxIMAP,
    IMessageIMAPCopier,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import MailError
from ..flags import RECENT, SEEN, SYSTEM, Flags
from ..seqset import SequenceSet
from .compat_imap_message import CompatMessage
from .model import FlagAction, FlagChange, MailboxStatus, MessageRows, Range

log = Logger()

DELIMITER = "/"
CHUNK = 64 * 1024
MOST_FETCHED = 32 * 1024 * 1024  # octets of whole messages loaded for one FETCH
MOST_HEADERS = 8 * 1024 * 1024  # octets of headers of those that are more
HEADER = 16 * 1024  # octets taken for a header
BATCH = 4 * 1024 * 1024  # octets asked of the store at once

_ACTIONS = {-1: FlagAction.REMOVE, 0: FlagAction.REPLACE, 1: FlagAction.ADD}


@implementer(IMailboxIMAP, ICloseableMailboxIMAP, IMessageIMAPCopier)
class CompatMailbox:
    """A selected mailbox: the messages by sequence number, kept up to date.

    Twisted's IMAP4Server cannot tell that another session expunged a message, so such a
    message keeps its number, and FETCH leaves it out, until this session's EXPUNGE.
    """

    def __init__(
        self, mailboxes: Any, mailbox: Any, status: MailboxStatus, recent_from: int
    ) -> None:
        self._mailboxes, self._mailbox = mailboxes, mailbox
        self._status, self._recent_from = status, recent_from
        self._modseq = 0
        self._uids: list[int] = []  # index + 1 is the sequence number
        self._flags: dict[int, Flags] = {}
        self._sizes: dict[int, int] = {}
        self._dates: dict[int, int] = {}
        self._listeners: list[Any] = []
        self._looking: Deferred[None] | None = None
        me = weakref.ref(self)  # a server that lost its client never closes us

        def changed(modseq: int) -> None:
            if (mailbox := me()) is not None:
                mailbox._changed(modseq)

        self._end_watch: Callable[[], None] = self._mailbox.watch(changed)
        weakref.finalize(self, self._end_watch)

    @classmethod
    async def load(cls, mailboxes: Any, mailbox: Any) -> CompatMailbox:
        made = cls(
            mailboxes, mailbox, await mailbox.status(), await mailbox.take_recent()
        )
        await made._look()
        return made

    # -- figures ----------------------------------------------------------------

    def getFlags(self) -> list[str]:
        return [*SYSTEM, RECENT]

    def getHierarchicalDelimiter(self) -> str:
        return DELIMITER

    def getUIDValidity(self) -> int:
        return int(self._mailbox.uid_validity)

    def getUIDNext(self) -> int:
        return self._status.uid_next

    def getUID(self, message: int) -> int:
        return self._uids[message - 1]

    def getMessageCount(self) -> int:
        return len(self._uids)

    def getRecentCount(self) -> int:
        return sum(uid >= self._recent_from for uid in self._flags)

    def getUnseenCount(self) -> int:
        return sum(SEEN not in flags for flags in self._flags.values())

    def isWriteable(self) -> bool:
        return not self._mailbox.read_only

    def requestStatus(self, names: Iterable[str]) -> Deferred[dict[str, int]]:
        return Deferred.fromCoroutine(self._figures([n.upper() for n in names]))

    async def _figures(self, names: list[str]) -> dict[str, int]:
        await self._look()
        status = self._status
        known = {
            "MESSAGES": status.messages,
            "RECENT": status.recent,
            "UIDNEXT": status.uid_next,
            "UIDVALIDITY": status.uid_validity,
            "UNSEEN": status.unseen,
        }
        return {name: known[name] for name in names if name in known}

    def destroy(self) -> Deferred[None]:
        return self._asked(self._mailboxes.delete(self._mailbox.path))

    # -- what happens elsewhere -------------------------------------------------

    def addListener(self, listener: Any) -> None:
        self._listeners.append(listener)

    def removeListener(self, listener: Any) -> None:
        self._listeners.remove(listener)

    def close(self) -> Deferred[None]:
        self._listeners.clear()
        self._end_watch()
        return Deferred.fromCoroutine(self._mailbox.close())

    def _changed(self, modseq: int) -> None:
        if self._looking is None and modseq > self._modseq:
            self._looking = looking = Deferred.fromCoroutine(self._look())
            looking.addBoth(self._looked)

    def _looked(self, result: object) -> None:
        self._looking = None
        if isinstance(result, Failure):
            log.failure("looking at a mailbox", result)

    async def _look(self) -> None:
        """Take in what happened and tell the listeners."""
        known, recent = len(self._uids), self.getRecentCount()
        changes = await self._mailbox.changes(self._modseq)
        self._status = await self._mailbox.status()
        self._modseq = max(self._modseq, changes.highest_modseq)
        for uid in changes.vanished:
            self._flags.pop(uid, None)
        told = self._take(changes.rows)
        for listener in list(self._listeners):
            if told:
                listener.flagsChanged(told)
            if len(self._uids) != known:
                new_recent = self.getRecentCount()
                listener.newMessages(
                    len(self._uids), new_recent if new_recent != recent else None
                )

    def _take(self, rows: MessageRows) -> dict[int, list[str]]:
        """New and changed rows; the flags that changed, by sequence number."""
        told = {}
        last = self._uids[-1] if self._uids else 0
        for uid, flags, size, date in zip(
            rows.uids, rows.flags, rows.octets, rows.internal_dates, strict=True
        ):
            if uid > last:
                self._uids.append(uid)
                self._sizes[uid], self._dates[uid] = size, date
            elif self._flags.get(uid) != flags:
                told[uid] = self._shown(uid, flags)
            self._flags[uid] = flags
        if not told:
            return {}
        return {n: told[uid] for n, uid in enumerate(self._uids, 1) if uid in told}

    def _shown(self, uid: int, flags: Flags) -> list[str]:
        return sorted(flags | {RECENT} if uid >= self._recent_from else flags)

    # -- messages ---------------------------------------------------------------

    def _picked(self, messages: MessageSet, uid: bool) -> Iterator[tuple[int, int]]:
        """(sequence number, UID) of those in the set that are here; never expanded."""
        last = self._uids[-1] if self._uids else 0
        messages.last = last if uid else len(self._uids)
        wanted = SequenceSet.of(messages.ranges)
        for number, one in enumerate(self._uids, 1):
            if one in self._flags and (one if uid else number) in wanted:
                yield number, one

    def fetch(
        self, messages: MessageSet, uid: bool
    ) -> Deferred[list[tuple[int, CompatMessage]]]:
        return self._asked(self._fetch(list(self._picked(messages, uid))))

    async def _fetch(
        self, picked: list[tuple[int, int]]
    ) -> list[tuple[int, CompatMessage]]:
        left, headers = MOST_FETCHED, MOST_HEADERS
        wanted: list[tuple[Range, int]] = []
        for _, uid in picked:
            size = self._sizes[uid]
            if size <= left:
                left -= size
                wanted.append((Range(uid), size))
            elif headers >= HEADER:
                headers -= HEADER
                wanted.append((Range(uid, 0, HEADER), HEADER))
        found: dict[int, tuple[bytes, bool]] = {}
        async for part, octets in self._octets(wanted):
            if octets is not None:
                found[part.uid] = octets, part.count is None
        return [
            (number, self._message(uid, *found.get(uid, (None, False))))
            for number, uid in picked
        ]

    async def _octets(self, wanted: list[tuple[Range, int]]) -> Any:
        """(range, octets) for each, asked in bounded batches."""
        at = 0
        while at < len(wanted):
            batch: list[Range] = []
            total = 0
            while at < len(wanted) and (not batch or total + wanted[at][1] <= BATCH):
                batch.append(wanted[at][0])
                total += wanted[at][1]
                at += 1
            for part, octets in zip(
                batch, await self._mailbox.octets(batch), strict=True
            ):
                yield part, octets

    def _message(self, uid: int, octets: bytes | None, whole: bool) -> CompatMessage:
        flags = self._flags.get(uid, frozenset())
        return CompatMessage(
            uid,
            frozenset(self._shown(uid, flags)),
            self._sizes[uid],
            self._dates[uid],
            octets,
            whole,
            self,
        )

    def store(
        self, messages: MessageSet, flags: Iterable[str], mode: int, uid: bool
    ) -> Deferred[dict[int, list[str]]]:
        self._need_writeable()
        change = FlagChange(_ACTIONS[mode], frozenset(flags))
        return self._asked(self._store(list(self._picked(messages, uid)), change))

    async def _store(
        self, picked: list[tuple[int, int]], change: FlagChange
    ) -> dict[int, list[str]]:
        uids = [uid for _, uid in picked]
        rows = (await self._mailbox.store_flags(uids, change)).rows
        self._take(rows)
        now = dict(zip(rows.uids, rows.flags, strict=True))
        return {n: self._shown(uid, now[uid]) for n, uid in picked if uid in now}

    def expunge(self) -> Deferred[list[int]]:
        """Sequence numbers from the last down, so that each holds when it is told."""
        self._need_writeable()
        return self._asked(self._expunge())

    async def _expunge(self) -> list[int]:
        gone = await self._mailbox.expunge()
        await self._look()
        for uid in gone.uids:
            self._flags.pop(uid, None)
        numbers = [n for n, uid in enumerate(self._uids, 1) if uid not in self._flags]
        for number in reversed(numbers):
            uid = self._uids.pop(number - 1)
            del self._sizes[uid], self._dates[uid]
        return numbers[::-1]

    def addMessage(
        self,
        message: IO[bytes] | bytes,
        flags: Iterable[str] = (),
        date: str | bytes | None = None,
    ) -> Deferred[int]:
        """Append; fires with the UID."""
        self._need_writeable()
        file = BytesIO(message) if isinstance(message, bytes) else message
        return self._asked(self._append(file, frozenset(flags), seconds_of(date)))

    async def _append(self, file: IO[bytes], flags: Flags, date: int | None) -> int:
        upload = self._mailboxes.upload()
        try:
            while octets := file.read(CHUNK):
                wait = upload.write(octets)
                if wait is not None:
                    await wait
            appended = await self._mailboxes.append(
                self._mailbox.path, [(upload, flags, date)]
            )
        except BaseException:
            upload.abort()
            raise
        await self._look()
        return int(appended.uids[0])

    def copy(self, message: Any) -> Deferred[int]:
        """Copy a message of `fetch` here, by the store itself; fires with the UID."""
        self._need_writeable()
        return self._asked(self._copy(message))

    async def _copy(self, message: CompatMessage) -> int:
        source: Any = message.mailbox
        copied = await source._mailbox.copy([message.uid], self._mailbox.path)
        if not copied.target_uids:
            raise MailboxException("Message is gone")
        await self._look()
        return int(copied.target_uids[0])

    def _need_writeable(self) -> None:
        if self._mailbox.read_only:
            raise ReadOnlyMailbox("Mailbox is read-only here")

    def _asked(self, work: Any) -> Deferred[Any]:
        """The result of `work`; a fault as MailboxException."""

        async def asked() -> Any:
            try:
                return await work
            except MailError as fault:
                raise MailboxException(fault.public) from fault

        return Deferred.fromCoroutine(asked())


def seconds_of(date: str | bytes | None) -> int | None:
    """Seconds since 1970 of a date-time (RFC 3501 §9) or an RFC 5322 date."""
    if not date:
        return None
    text = (date.decode() if isinstance(date, bytes) else date).strip().strip('"')
    try:
        return int(datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").timestamp())
    except ValueError:
        pass
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError as bad:
        raise MailboxException("Bad date") from bad
