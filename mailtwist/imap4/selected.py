"""The selected mailbox as one session sees it (RFC 3501 §2.3.1.2, §5.2, §7.4.1).

The view is the list of UIDs the client has been told of by EXISTS, in order; message n
is the n-th of them.  What happens in the mailbox is learned at once and told later, by
`flush`, when the command table allows it.  All of it is bisect on a list of int, so
100,000 messages and thousands of changes at a time cost milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from ..errors import BadParameter
from ..flags import Flags
from ..mailbox.model import Changes, MessageRows
from ..seqset import STAR, SequenceSet
from .response import flag_list

_NOBODY: frozenset[int] = frozenset()  # one for all, as each would take 216 octets


class Selected:
    """One session's view.

    `uids`: what the client knows, ascending; message number n is uids[n - 1].
    `highest_modseq`: everything up to it was learned; ask the mailbox for changes after
    it.  `read_only`: opened by EXAMINE.  `uid_only`: the client is told no message
    number (RFC 9586).
    """

    __slots__ = (  # as there are thousands of idle sessions
        "_changed",
        "_last_uid",
        "_new",
        "_recent",
        "_told",
        "_told_recent",
        "_vanished",
        "highest_modseq",
        "own",
        "read_only",
        "saved",
        "touched",
        "uid_only",
        "uids",
    )

    def __init__(
        self,
        uids: Iterable[int],
        highest_modseq: int,
        *,
        recent_from: int | None = None,
        read_only: bool = False,
        uid_only: bool = False,
    ) -> None:
        """`recent_from`: UIDs from here on are \\\\Recent to this session."""
        self.uids, self.uid_only = list(uids), uid_only
        self.highest_modseq, self.read_only = highest_modseq, read_only
        self._last_uid = self.uids[-1] if self.uids else 0  # highest ever learned
        self._new: list[int] = []  # beyond the view, not yet told by EXISTS
        self._vanished = _NOBODY  # in the view, not yet told by EXPUNGE
        self._changed: dict[int, tuple[Flags, int]] = {}  # not yet told by FETCH
        self._told: dict[int, int] = {}  # UID: MODSEQ the client has the flags of
        self._recent: list[tuple[int, int]] = []  # disjoint ranges, ascending
        if recent_from is not None:
            self._add_recent(recent_from)
        self._told_recent = self.recent
        # Made by this session, and not yet told where NOTIFY or a context would.
        self.own = _NOBODY
        self.touched: set[int] | None = None  # new or changed, if somebody asks
        self.saved: list[int] = []  # UIDs of the last SEARCH with SAVE (RFC 5182 §2.1)

    # -- numbers --------------------------------------------------------------------

    @property
    def exists(self) -> int:
        """Messages the client knows of, those not yet told as expunged among them."""
        return len(self.uids)

    def uids_of(self, sequence_set: SequenceSet, *, uid: bool = False) -> list[int]:
        """UIDs in the view that the set names, ascending.

        `uid`: the set holds UIDs; those unknown are left out (§6.4.8).  Otherwise it
        holds message numbers, and one beyond the mailbox raises BadParameter
        (RFC 3501 §9, seq-number).  Quirk: "n:*" beyond the mailbox is its last message,
        and nothing if it is empty, as many clients ask for 1:* whatever EXISTS said.
        """
        if sequence_set.saved:
            return [uid for uid in self.saved if self.number_of(uid)]
        if uid:
            return sequence_set.pick(self.uids)
        picked: list[int] = []
        for low, high in self.ranges_of(sequence_set):
            picked += self.uids[low - 1 : high]
        return picked

    def ranges_of(self, numbers: SequenceSet) -> tuple[tuple[int, int], ...]:
        """Message numbers as disjoint ascending ranges; raises as `uids_of`."""
        count = len(self.uids)
        ranges: list[tuple[int, int]] = []
        for low, high in numbers.ranges:
            if high == STAR:
                low, high = min(low, count), count
            if high > count:
                raise BadParameter(f"There are {count} messages only")
            if high:
                ranges.append((low, high))
        return SequenceSet.of(ranges).ranges

    def number_of(self, uid: int) -> int | None:
        """The message number of `uid` now, None if it is not in the view."""
        at = bisect_left(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else None

    def label_of(self, uid: int) -> bytes | None:
        """What a FETCH response about `uid` begins with, None if it is not in the
        view: "7 FETCH", or "4711 UIDFETCH" where no numbers are used (RFC 9586)."""
        number = self.number_of(uid)
        if number is None:
            return None
        return b"%d UIDFETCH" % uid if self.uid_only else b"%d FETCH" % number

    def numbers_of(self, uids: Sequence[int]) -> list[int]:
        """Their message numbers, in that order, without those not in the view."""
        if len(uids) * 10 < len(self.uids):
            found = map(self.number_of, uids)
            return [number for number in found if number is not None]
        if uids == self.uids:
            return list(range(1, len(uids) + 1))
        numbers = dict(zip(self.uids, range(1, len(self.uids) + 1), strict=True))
        return [numbers[uid] for uid in uids if uid in numbers]

    def is_recent(self, uid: int) -> bool:
        """True if the message is \\\\Recent to this session."""
        at = bisect_right(self._recent, (uid, STAR)) - 1
        return at >= 0 and uid <= self._recent[at][1]

    @property
    def recent(self) -> int:
        """How many messages of the view are \\\\Recent."""
        return sum(
            bisect_right(self.uids, high) - bisect_left(self.uids, low)
            for low, high in self._recent
        )

    @property
    def recent_ranges(self) -> Sequence[tuple[int, int]]:
        """Inclusive ranges of the UIDs that are \\Recent, ascending."""
        return self._recent

    def track(self) -> None:
        """Remember in `touched` from now on what is new or changed."""
        if self.touched is None:
            self.touched = set(self._new)

    @property
    def vanished(self) -> frozenset[int]:
        """UIDs of the view that are gone, while EXPUNGE could not be told yet."""
        return self._vanished

    # -- what happens ---------------------------------------------------------------

    def learn(self, changes: Changes, *, recent_from: int | None = None) -> None:
        """Take in what the mailbox says happened after `highest_modseq`.

        The same change twice, or one already told, does nothing.  `recent_from`: the
        answer of `IMailbox.take_recent`, if this session asked for it.
        """
        rows = changes.rows
        if self.touched is not None:
            self.touched.update(rows.uids)
        for uid, modseq, flags in zip(rows.uids, rows.modseqs, rows.flags, strict=True):
            if uid > self._last_uid:
                self._new.append(uid)
                self._last_uid = uid
            elif modseq > self._told.get(uid, 0) and uid not in self._vanished:
                known = self._changed.get(uid)
                if (known is None or modseq > known[1]) and self.number_of(uid):
                    self._changed[uid] = flags, modseq
        self.vanish(changes.vanished)
        if changes.vanished:  # what came and went is not new if it is told again
            self._last_uid = max(self._last_uid, changes.vanished[-1])
        if recent_from is not None:
            self._add_recent(recent_from)
        if changes.highest_modseq > self.highest_modseq:
            self.highest_modseq = changes.highest_modseq
            self._told = {
                u: m for u, m in self._told.items() if m > self.highest_modseq
            }

    def vanish(self, uids: Sequence[int]) -> None:
        """These UIDs are gone (`Expunged.uids` of this session, or learned).

        UIDs beyond what was learned say nothing of those below them.
        """
        if not uids:
            return
        gone = set(uids)
        if self._new:
            self._new = [uid for uid in self._new if uid not in gone]
        gone = {uid for uid in gone if self.number_of(uid)}
        self._vanished |= gone
        for uid in gone:
            self._changed.pop(uid, None)
            self._told.pop(uid, None)

    def told(self, rows: MessageRows, *, silent: bool = False) -> None:
        """The client was told the flags in `rows` (by the answers of STORE, FETCH).

        `silent`: it was not told but knows what it stored (.SILENT).  A change of
        someone else that was waiting is then told with the flags as they are now
        (§6.4.6).  Learn `IMailbox.changes` before STORE, so that it is known.
        """
        for uid, modseq, flags in zip(rows.uids, rows.modseqs, rows.flags, strict=True):
            waiting = self._changed.get(uid)
            if waiting is not None and silent:
                if modseq > waiting[1]:
                    self._changed[uid] = flags, modseq
            elif waiting is not None and waiting[1] <= modseq:
                del self._changed[uid]
            if modseq > self.highest_modseq:
                self._told[uid] = max(modseq, self._told.get(uid, 0))

    def forget_recent(self) -> None:
        """No message is \\Recent any more, as IMAP4rev2 knows no such flag."""
        self._recent.clear()
        self._told_recent = 0

    def _add_recent(self, low: int) -> None:
        if self._recent:
            low = max(low, self._recent[-1][1] + 1)
        if low <= self._last_uid:
            self._recent.append((low, self._last_uid))

    # -- what is told ---------------------------------------------------------------

    def waits(
        self, *, expunge: bool = True, new: bool = True, flags: bool = True
    ) -> bool:
        """True if `flush` with these would say something."""
        return bool(
            (expunge and self._vanished)
            or (new and self._new)
            or (flags and self._changed)
        )

    def flush(
        self,
        *,
        expunge: bool,
        new: bool = True,
        flags: bool = True,
        uid: bool = False,
        modseq: bool = False,
        vanished: bool = False,
    ) -> list[bytes]:
        """The untagged lines that tell what is waiting, and the view moves with them.

        `expunge`: EXPUNGE may be told now, see `CommandRow.keeps_numbers`.  `new`,
        `flags`: so may EXISTS and FETCH; what may not waits (RFC 5465 §3.1).  `uid`:
        FETCH carries UID, as in answers to UID commands and always in IMAP4rev2
        (RFC 9051 §7.5.2).  `modseq`: CONDSTORE is
        enabled, so FETCH carries UID and MODSEQ (RFC 7162 §3.1).  `vanished`: QRESYNC
        is, so VANISHED stands for EXPUNGE (RFC 7162 §3.2.10), as it does with UIDONLY.
        """
        lines: list[bytes] = []
        if expunge and self._vanished:
            lines += self._tell_expunged(vanished or self.uid_only)
        if new and self._new:
            self.uids += self._new
            self._new = []
            lines.append(b"* %d EXISTS\r\n" % len(self.uids))
        recent = self.recent if self._recent else 0
        if recent != self._told_recent:
            self._told_recent = recent
            lines.append(b"* %d RECENT\r\n" % recent)
        if flags and self._changed:
            changed, self._changed = self._changed, {}
            for one in sorted(changed):
                now, mod = changed[one]
                lines.append(self._fetch(one, now, mod, uid=uid, modseq=modseq))
        return lines

    def _tell_expunged(self, vanished: bool) -> list[bytes]:
        """From the highest number down, so that no line moves the number of another."""
        gone, self._vanished = self._vanished, _NOBODY
        if vanished:
            self.uids = [uid for uid in self.uids if uid not in gone]
            return [b"* VANISHED %b\r\n" % SequenceSet.of_numbers(gone).encode()]
        numbers = [
            bisect_left(self.uids, uid) + 1 for uid in sorted(gone, reverse=True)
        ]
        self.uids = [uid for uid in self.uids if uid not in gone]
        return [b"* %d EXPUNGE\r\n" % number for number in numbers]

    def _fetch(
        self, one: int, flags: Flags, mod: int, *, uid: bool, modseq: bool
    ) -> bytes:
        items = b"FLAGS " + flag_list(flags, recent=self.is_recent(one))
        if (uid or modseq) and not self.uid_only:
            items = b"UID %d " % one + items
        if modseq:
            items += b" MODSEQ (%d)" % mod
        return b"* %b (%b)\r\n" % (self.label_of(one) or b"", items)
