"""One mailbox in memory: its messages, its UIDs and MODSEQs, what left it.

Every change is made whole under one new MODSEQ and then told to the watchers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from ..flags import DELETED, RECENT, SEEN, Flags, canonical
from ..mailbox.model import (
    Changes,
    Column,
    FlagAction,
    FlagChange,
    MailboxStatus,
    MessageRows,
    Path,
    Stored,
)
from ..mailbox.rights import Rights
from ..mailbox.watchers import Watchers

_BARE_LF = re.compile(rb"(?<!\r)\n")


def with_crlf(octets: bytes) -> bytes:
    """`octets` with every line end as CRLF, as clients are shown messages."""
    return _BARE_LF.sub(b"\r\n", octets)


@frozen
class NewMessage:
    """A message on its way in; `octets` has CRLF line ends."""

    octets: bytes = field(repr=False)
    flags: Flags
    internal_date: int
    saved_at: int = 0
    email_id: str = ""
    thread_id: int = 0


@define
class StoredMessage:
    """A message that has its UID."""

    octets: bytes = field(repr=False)
    flags: Flags
    internal_date: int
    modseq: int
    saved_at: int = 0
    email_id: str = ""  # of the message that it is a copy of
    thread_id: int = 0
    columns: dict[Column, bytes] | None = field(default=None, repr=False)


@define
class Folder:
    """The truth about one mailbox, shared by all sessions that have it open.

    `messages` is in ascending UID order, as UIDs only grow.  `recent_from` is the
    lowest UID that no session was told as \\Recent.  `vanished` holds (MODSEQ, UID) in
    the order it happened.  `changed` is called behind the watchers.
    """

    object_id: str
    uid_validity: int
    path: Path = ()  # where it is now
    special_uses: frozenset[str] = frozenset()
    messages: dict[int, StoredMessage] = field(factory=dict, repr=False)
    uid_next: int = 1
    highest_modseq: int = 1
    recent_from: int = 1
    octets: int = 0
    deleted: bool = False
    metadata: dict[str, bytes] = field(factory=dict, repr=False)
    rights: dict[str, Rights] = field(factory=dict, repr=False)  # none: the default
    seen: dict[str, set[int]] = field(factory=dict, repr=False)  # by reader
    _vanished: list[tuple[int, int]] = field(factory=list, repr=False)
    _vanished_from: int = 0
    _keywords: dict[str, str] = field(factory=dict, repr=False)
    changed: Callable[[], None] = field(default=lambda: None, repr=False)
    _watchers: Watchers[int] = field(factory=Watchers, repr=False)

    # -- looking ----------------------------------------------------------------

    def present(self, uids: Iterable[int]) -> list[int]:
        """Those of `uids` that are here, in their order."""
        return [uid for uid in uids if uid in self.messages]

    def rows(self, uids: Sequence[int] | None = None) -> MessageRows:
        uids = list(self.messages) if uids is None else self.present(uids)
        messages = [self.messages[uid] for uid in uids]
        return MessageRows(
            uids,
            [m.modseq for m in messages],
            [m.flags for m in messages],
            [len(m.octets) for m in messages],
            [m.internal_date for m in messages],
        )

    def status(self) -> MailboxStatus:
        messages = self.messages.values()
        return MailboxStatus(
            messages=len(messages),
            recent=sum(uid >= self.recent_from for uid in self.messages),
            unseen=sum(SEEN not in m.flags for m in messages),
            deleted=sum(DELETED in m.flags for m in messages),
            deleted_octets=sum(len(m.octets) for m in messages if DELETED in m.flags),
            octets=self.octets,
            uid_next=self.uid_next,
            uid_validity=self.uid_validity,
            highest_modseq=self.highest_modseq,
            object_id=self.object_id,
        )

    def changes(self, modseq: int) -> Changes:
        changed = [u for u, m in self.messages.items() if m.modseq > modseq]
        start = bisect_right(self._vanished, modseq, key=lambda gone: gone[0])
        vanished = sorted(uid for _, uid in self._vanished[start:])
        complete = modseq >= self._vanished_from
        return Changes(self.highest_modseq, self.rows(changed), vanished, complete)

    def forget_vanished(self) -> None:
        """As a store whose state was rebuilt: nobody knows what went before."""
        self._vanished.clear()
        self._vanished_from = self.highest_modseq

    # -- changing ---------------------------------------------------------------

    def add(self, messages: Sequence[NewMessage]) -> list[int]:
        """Take the messages in; their UIDs."""
        if not messages:
            return []
        modseq = self._next_modseq()
        uids = list(range(self.uid_next, self.uid_next + len(messages)))
        self.uid_next += len(messages)
        for uid, new in zip(uids, messages, strict=True):
            self.messages[uid] = StoredMessage(
                new.octets,
                self.spelled(new.flags),
                new.internal_date,
                modseq,
                new.saved_at,
                new.email_id,
                new.thread_id,
            )
            self.octets += len(new.octets)
        self.publish()
        return uids

    def remove(self, uids: Sequence[int]) -> list[int]:
        """Expunge those of `uids` that are here; which they were."""
        gone = self.present(uids)
        if not gone:
            return []
        modseq = self._next_modseq()
        for uid in gone:
            self.octets -= len(self.messages.pop(uid).octets)
            self._vanished.append((modseq, uid))
        self.publish()
        return gone

    def store_flags(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None
    ) -> Stored:
        removing = change.action is FlagAction.REMOVE
        named = self.known(change.flags) if removing else self.spelled(change.flags)
        told, modified, touched = [], [], []
        for uid in self.present(uids):
            message = self.messages[uid]
            if unchanged_since is not None and message.modseq > unchanged_since:
                modified.append(uid)
                continue
            told.append(uid)
            flags = _changed(message.flags, change.action, named)
            if flags != message.flags:
                message.flags = flags
                touched.append(message)
        if touched:
            modseq = self._next_modseq()
            for message in touched:
                message.modseq = modseq
            self.publish()
        return Stored(self.rows(told), modified, self.highest_modseq)

    def see(
        self, reader: str, uids: Sequence[int], seen: bool, unchanged_since: int | None
    ) -> Stored:
        """See IReadByMany."""
        held = self.seen.setdefault(reader, set())
        told, modified, touched = [], [], []
        for uid in self.present(uids):
            if (
                unchanged_since is not None
                and self.messages[uid].modseq > unchanged_since
            ):
                modified.append(uid)
                continue
            told.append(uid)
            if (uid in held) is not seen:
                touched.append(uid)
        if touched:
            held.symmetric_difference_update(touched)
            modseq = self._next_modseq()
            for uid in touched:
                self.messages[uid].modseq = modseq
            self.publish()
        return Stored(self.rows(told), modified, self.highest_modseq)

    def take_recent(self, *, read_only: bool) -> int:
        first = self.recent_from
        if not read_only:
            self.recent_from = self.uid_next
        return first

    def spelled(self, flags: Flags) -> Flags:
        """`flags` as spelled here: keywords as first written, no \\Recent."""
        spelled = frozenset(
            self._keywords.setdefault(flag.lower(), canonical(flag)) for flag in flags
        )
        return spelled - {RECENT}

    def known(self, flags: Flags) -> Flags:
        """As `spelled`, without those that no message here ever had."""
        return frozenset(
            self._keywords[flag.lower()]
            for flag in flags
            if flag.lower() in self._keywords
        )

    def _next_modseq(self) -> int:
        self.highest_modseq += 1
        return self.highest_modseq

    # -- telling ----------------------------------------------------------------

    def publish(self) -> None:
        self._watchers.tell(self.highest_modseq)
        self.changed()

    def watch(self, changed: Callable[[int], None]) -> Callable[[], None]:
        """As IMailbox.watch; the returned callable may be called again."""
        return self._watchers.add(changed)


def _changed(flags: Flags, action: FlagAction, named: Flags) -> Flags:
    if action is FlagAction.ADD:
        return flags | named
    if action is FlagAction.REMOVE:
        return flags - named
    return named
