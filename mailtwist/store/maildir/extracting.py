"""The text of attachments, made by commands that the administrator named.

One command at a time for a process, with the rights of that process: in a store agent
those of the account's user.  A fault is told once for a message, whose other text
counts all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from ...config.searching import Search
from ...errors import BadMessage
from ...mailbox.model import Column, Range
from ...mailbox.search_text import joined, normalized
from ...mailbox.turns import Turns
from ...mime.part import Part
from ...mime.text import TransferDecoder
from .command import Bounds, Command, Made

if TYPE_CHECKING:
    from .mailbox import MaildirMailbox

log = Logger("mailtwist")

MOST_PARTS = 8  # of one message
PIECE = 1 << 18  # octets decoded at once


class Extractor:
    """Runs the commands of `[search] extract`."""

    def __init__(self, reactor: Any, config: Search) -> None:
        self._reactor, self._config = reactor, config
        self._lock = DeferredLock()
        self._running: Command | None = None
        self._closed = False

    @property
    def asked(self) -> bool:
        return bool(self._config.extract)

    async def parts(
        self, mailbox: MaildirMailbox, uids: Sequence[int]
    ) -> list[tuple[int, list[Part]]]:
        """Those of the messages that have parts for a command, with these."""
        found: list[tuple[int, list[Part]]] = []
        rows = await mailbox.rendered(uids, (Column.PARTS,))
        for uid, row in zip(uids, rows, strict=True):
            if row is None:
                continue
            try:
                parts = list(self._wanted(Part.decode(row[0])))
            except BadMessage:
                continue
            if parts:
                found.append((uid, parts[:MOST_PARTS]))
        return found

    def _wanted(self, message: Part) -> Iterator[Part]:
        waiting = [message]
        while waiting:
            part = waiting.pop()
            waiting.extend(reversed(part.children))
            size = part.body[1]
            if part.children or not 0 < size <= self._config.extract_part_octets:
                continue
            if f"{part.media_type}/{part.subtype}" in self._config.extract:
                yield part

    async def text(
        self, mailbox: MaildirMailbox, uid: int, parts: Sequence[Part], turns: Turns
    ) -> str:
        """What the commands make of these parts, normalized; empty for nothing."""
        texts: list[str] = []
        left, faults = self._config.extract_octets, 0
        for part in parts:
            if self._closed or left <= 0:
                break
            (octets,) = await mailbox.octets([Range(uid, *part.body)])
            if octets is None:
                break  # it is gone
            kind = f"{part.media_type}/{part.subtype}"
            made = await self._run(kind, await _decoded(part, octets, turns), left)
            if made.fault and not faults and not self._closed:
                log.warn(
                    "{home}: UID {uid}: no text of {kind}: {why}",
                    home=mailbox.files.account.home,
                    uid=uid,
                    kind=kind,
                    why=made.fault,
                )
            if made.late:
                break  # the others may be such as well
            if made.fault:
                faults += 1
                continue
            left -= len(made.output)
            texts.append(
                await normalized(made.output.decode("utf-8", "replace"), turns)
            )
        return joined(texts)

    async def _run(self, kind: str, octets: bytes, most: int) -> Made:
        config = self._config
        bounds = Bounds(
            config.extract_timeout_s,
            config.extract_cpu_s,
            config.extract_memory_octets,
            most,
        )
        await self._lock.acquire()
        try:
            if self._closed:
                return Made(b"", "the server stops")
            self._running = Command(self._reactor, bounds)
            self._running.start(config.extract[kind], octets)
            return await self._running.ended
        finally:
            self._running = None
            self._lock.release()

    def close(self) -> None:
        """End what runs; what it said is not to be taken for its message's text."""
        self._closed = True
        if self._running is not None:
            self._running.kill("the server stops")


async def _decoded(part: Part, octets: bytes, turns: Turns) -> bytes:
    decoder = TransferDecoder(part.encoding)
    pieces: list[bytes] = []
    for at in range(0, len(octets), PIECE):
        final = at + PIECE >= len(octets)
        pieces.append(decoder.feed(octets[at : at + PIECE], final=final))
        await turns.spent(PIECE / 300)
    return b"".join(pieces)
