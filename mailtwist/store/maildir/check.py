"""Does everything that is kept of an account agree, and what is done if not.

First each mailbox is looked at as any session would: what other programs did, or a
crash left, is taken in.  What differs then is a fault.  Files are the truth, so faults
are mended elsewhere: rows follow files, uidlists rows, and what is derived is dropped
and made anew.  A message whose octets are not those that clients were told of gets
another UID.  No message file is ever removed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ...errors import MailboxFault
from ...mailbox.model import Checked, Column, Finding, Path
from ...mailbox.search_text import MessageText, message_texts
from ...mailbox.turns import Turns
from .. import state_text
from ..derived import DerivedFile
from . import render, scan, uidlist
from .domain_sum import SUM_WRONG
from .indexing import text_name
from .live import Delta, Live

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox
    from .mailboxes import MaildirMailboxes

TRIES = 5  # to count what others change meanwhile
CHUNK = 128  # messages that are compared at a time
_ACCOUNT: Path = ()
_RENDERED = (
    Column.ENVELOPE,
    Column.BODY,
    Column.BODYSTRUCTURE,
    Column.FIELDS,
    Column.PARTS,
    Column.SURROGATE,
)


class Check:
    """One look at an account; see ICheckedMailboxes."""

    def __init__(self, tree: MaildirMailboxes, *, repair: bool, quick: bool) -> None:
        self._tree, self._files = tree, tree.files
        self._repair, self._quick = repair, quick
        self._found: list[Finding] = []
        self._mailboxes = self._messages = 0

    async def run(self) -> Checked:
        if await self._databases():
            await self._files.turn(self._text_beside)
            for info in await self._tree.listed():
                if info.selectable and info.exists:
                    try:
                        await self._mailbox(info.path)
                    except MailboxFault:
                        continue  # deleted meanwhile
                    self._mailboxes += 1
            await self._usage()
        return Checked(self._mailboxes, self._messages, self._found)

    def _note(
        self, path: Path, what: str, count: int = 1, *, repaired: bool = True
    ) -> None:
        if count:
            mended = self._repair and repaired
            self._found.append(Finding(path, what, count, mended))

    # -- the account ----------------------------------------------------------

    async def _databases(self) -> bool:
        """False if the state is of no use."""
        files = self._files

        async def state() -> list[str]:
            faults = await files.plain_thread(files.state.faults)
            if faults and self._repair:
                await files.salvage()
            return faults

        faults = await files.turn(state)
        self._note(_ACCOUNT, "state.sqlite is damaged", int(bool(faults)))
        kinds: list[tuple[str, Callable[..., Deferred[Any]], DerivedFile]] = [
            ("cache.sqlite", files.cache_turn, files.cache),
            ("search.sqlite", self._text_turn, files.text),
        ]
        for name, turn, kept in kinds:
            wrong = await turn(kept.faults)
            self._note(_ACCOUNT, f"{name} is damaged", int(bool(wrong)))
            if wrong and self._repair:
                await turn(kept.discard)
        return self._repair or not faults

    def _text_turn(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return self._files.text_turn(None, work, *arguments)

    async def _usage(self) -> None:
        """What is counted against what is there, while nothing is on its way."""
        files, counting = self._files, self._files.counting
        compared = partial(counting.sum_is_right, repair=self._repair)
        self._note(_ACCOUNT, SUM_WRONG, not await files.aside(compared))
        for _ in range(TRIES):
            page = await files.aside(counting.page)
            if page is None:
                return  # it was never asked for
            measured = await self._tree.measured()
            again = await files.aside(counting.page)
            if again is not None and again.amount("") == page.amount(""):
                wrong = measured != page.amount("")
                self._note(_ACCOUNT, "the counted usage is wrong", int(wrong))
                if wrong and self._repair:
                    await self._tree.recount()
                return

    async def _text_beside(self) -> None:
        files = self._files

        def compared() -> bool:
            return state_text.agrees(files.state.path, files.state.db)

        same = await files.thread(compared)
        self._note(_ACCOUNT, f"{state_text.FILE} is not what the state says", not same)
        if self._repair and not same:
            await files.thread(self._written_beside)

    def _written_beside(self) -> None:
        with self._files.state.transaction():
            self._files.state.retell()

    # -- a mailbox ------------------------------------------------------------

    async def _mailbox(self, path: Path) -> None:
        mailbox = await self._tree.open(path, read_only=True)
        try:
            live = mailbox.readable()
            await mailbox.look_closely(live)
            strange: list[int] = []
            if not self._quick:
                strange = await self._read(mailbox, live)
            await self._files.turn(lambda: self._compared(live, set(strange)))
            self._messages += len(live)
            if not self._quick:
                await self._text(mailbox)
        finally:
            await mailbox.close()

    async def _compared(self, live: Live, strange: set[int]) -> None:
        files = self._files
        await files.look(live, sure=True)
        delta = await files.thread(self._compare, live, strange)
        if delta is not None:
            files.applied(live, delta)
            await files.look(live, sure=True)  # what lost its row gets a new one
        await files.thread(self._strangers, live)

    def _strangers(self, live: Live) -> None:
        """In a thread: files of cur/ that no row has, so that nobody can read them."""
        if not self._files.place.is_folder(live.folder):
            return
        known, cur = live.filenames(), f"{live.folder}/cur"
        found = [
            name
            for name in os.listdir(cur)
            if name[0] != "."
            and name not in known
            and scan.split(name)[0] not in live.removed
            and scan.is_file(f"{cur}/{name}")
        ]
        self._note(live.path, "files have no UID", len(found), repaired=False)

    def _compare(self, live: Live, strange: set[int]) -> Delta | None:
        """In a thread: mend rows and the uidlist; what the mailbox becomes by it."""
        files, path = self._files, live.path
        with files.transaction(live):
            row, state = live.row, files.state
            rows = state.messages(row.id)
            held = [live.message(at) for at in range(len(live))]
            differ = sum(
                tuple(one)[:8] != tuple(message)[:8]
                for one, message in zip(rows, held, strict=False)
            ) + abs(len(rows) - len(held))
            self._note(path, "rows are not what sessions see", differ)
            uid_next, modseq = self._counters(live)
            gone = self._odd(live, strange)
            self._uidlist(live)
            same = (uid_next, modseq) == (row.uid_next, row.highest_modseq)
            if not self._repair or not (gone or differ or not same):
                return None
            delta = Delta(
                evolve(row, uid_next=uid_next, highest_modseq=modseq + 1),
                vanished=sorted(gone),
            )
            files.record(live, delta)
            state.set_counters(row.id, uid_next, modseq + 1)
        return delta

    def _counters(self, live: Live) -> tuple[int, int]:
        """(UIDNEXT, highest MODSEQ) as they have to be."""
        row, gone = live.row, self._files.state.vanished(live.row.id, 0)
        given = max((0, *live.uids[-1:], *gone[-1:]))
        uid_next = max(row.uid_next, given + 1)
        modseq = max(row.highest_modseq, max(live.modseqs, default=0))
        self._note(live.path, "the next UID was given before", uid_next != row.uid_next)
        self._note(
            live.path,
            "a message is newer than HIGHESTMODSEQ",
            modseq != row.highest_modseq,
        )
        return uid_next, modseq

    def _odd(self, live: Live, strange: set[int]) -> set[int]:
        """UIDs whose files are not what the rows say."""
        if not self._files.place.is_folder(live.folder):
            return strange
        missing, resized = set(), set(strange)
        for at, uid in enumerate(live.uids):
            try:
                seen = os.lstat(f"{live.folder}/cur/{live.filename(at)}")
            except FileNotFoundError:
                missing.add(uid)
                continue
            if seen.st_size != live.file_octets[at]:
                resized.add(uid)
        self._note(live.path, "messages have no file", len(missing))
        self._note(live.path, "messages are not as clients know them", len(resized))
        bases = len(live.bases) - len(set(live.bases))
        self._note(live.path, "messages share a file", bases, repaired=False)
        return missing | resized

    def _uidlist(self, live: Live) -> None:
        row, beside = live.row, self._files.place.beside(live.folder)
        pairs = list(zip(live.uids, live.bases, strict=True))
        kept = uidlist.read(beside)
        if kept is None:
            wrong = len(pairs)
        elif (kept.uid_validity, kept.object_id) != (row.uid_validity, row.object_id):
            wrong = len(pairs) or 1
        else:
            wrong = sum(kept.bases.get(uid) != base for uid, base in pairs)
            told = kept.keywords.items()
            wrong += sum(one not in told for one in live.names.letters.items())
            if self._files.place.is_folder(live.folder):  # an mbox has them itself
                words = kept.without_letter
                columns = zip(live.bases, live.keywords, strict=True)
                wrong += sum(words.get(base, "") != some for base, some in columns)
        self._note(live.path, "lines of the uidlist are missing or wrong", wrong)
        if wrong and self._repair:
            names = live.names.letters
            uidlist.rewrite(beside, row, pairs, names, live.words())

    # -- what is derived ------------------------------------------------------

    async def _read(self, mailbox: MaildirMailbox, live: Live) -> list[int]:
        """UIDs of messages whose octets are not as many as they were.  Cached columns
        that are not those of their message are forgotten."""
        files, object_id = self._files, live.row.object_id
        uids, stale, strange = list(live.uids), [], []
        for start in range(0, len(uids), CHUNK):
            some = uids[start : start + CHUNK]
            cached = await files.cache_turn(files.cache.get, object_id, some, _RENDERED)
            async for uid, octets, made in render.anew(mailbox, some):
                at = live.index(uid)
                if at is not None and live.octets[at] != octets:
                    strange.append(uid)
                row = tuple([made[column] for column in _RENDERED])
                if cached.get(uid, row) != row:
                    stale.append(uid)
        self._note(live.path, "cached columns are not the message's", len(stale))
        if stale and self._repair:
            await files.cache_turn(files.cache.forget, object_id, stale)
        return strange

    async def _text(self, mailbox: MaildirMailbox) -> None:
        """Messages that the text index says it has, and has not."""
        text, name = self._files.text, text_name(mailbox)
        covered = await self._text_turn(text.covered, name)
        pairs = list(zip(covered[::2], covered[1::2], strict=True))
        uids = [
            uid
            for uid in (await mailbox.rows()).uids
            if any(low <= uid <= high for low, high in pairs)
        ]
        lacking: list[int] = []
        for start in range(0, len(uids), CHUNK):
            some = uids[start : start + CHUNK]
            texts = [one async for one in self._texts(mailbox, some)]
            lacking += await self._text_turn(text.lacking, name, texts)
        self._note(mailbox.path, "messages are not in the text index", len(lacking))
        if lacking and self._repair:
            await self._text_turn(text.forget, name, lacking)

    def _texts(
        self, mailbox: MaildirMailbox, uids: Sequence[int]
    ) -> AsyncIterator[MessageText]:
        most, reactor = self._tree.indexer.most_octets, self._files.reactor
        turns = Turns(lambda: deferLater(reactor, 0, lambda: None))
        return message_texts(mailbox, uids, most=most, turns=turns)
