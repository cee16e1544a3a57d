"""The maildrop of one POP3 session: its numbers, and what is marked for deletion."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import MessageGone, NoSuchMessage
from ..interfaces import IMailbox
from ..mailbox.model import Range

SLICE = 2000  # rows rendered before the reactor gets a turn


class Maildrop:
    """Messages numbered from 1 as they were at login (RFC 1939 §4)."""

    def __init__(self, mailbox: IMailbox, uids: list[int], octets: list[int]) -> None:
        self.mailbox, self.uids, self.octets = mailbox, uids, octets
        self.deleted: set[int] = set()  # message numbers

    @classmethod
    async def opened(cls, mailbox: IMailbox) -> Maildrop:
        rows = await mailbox.rows()
        return cls(mailbox, rows.uids, rows.octets)

    def stat(self) -> tuple[int, int]:
        """(messages, octets) without those marked as deleted."""
        gone = sum(self.octets[number - 1] for number in self.deleted)
        return len(self.uids) - len(self.deleted), sum(self.octets) - gone

    def index(self, number: int) -> int:
        """The place of a message; raises NoSuchMessage."""
        if not 0 < number <= len(self.uids) or number in self.deleted:
            raise NoSuchMessage()
        return number - 1

    def uidl(self, at: int) -> str:
        """unique-id: the same over sessions and restarts (RFC 1939 §7)."""
        return f"{self.mailbox.uid_validity:08x}{self.uids[at]:08x}"

    def sizes(self) -> Iterator[bytes]:
        """LIST of all, in slices."""
        for start in range(0, len(self.uids), SLICE):
            yield b"".join(
                b"%d %d\r\n" % (at + 1, self.octets[at])
                for at in self._slice(start)
                if at + 1 not in self.deleted
            )

    def unique_ids(self) -> Iterator[bytes]:
        """UIDL of all, in slices."""
        for start in range(0, len(self.uids), SLICE):
            yield b"".join(
                f"{at + 1} {self.uidl(at)}\r\n".encode()
                for at in self._slice(start)
                if at + 1 not in self.deleted
            )

    def _slice(self, start: int) -> range:
        return range(start, min(start + SLICE, len(self.uids)))

    async def octets_of(self, at: int, start: int, count: int) -> bytes:
        """A piece of a message; raises MessageGone."""
        (found,) = await self.mailbox.octets([Range(self.uids[at], start, count)])
        if found is None:
            raise MessageGone()
        return found

    async def octets_from(self, at: int, most: int) -> dict[int, bytes]:
        """Whole small messages from `at` on, as many as fit into `most` octets."""
        places, size = [], 0
        for place in range(at, len(self.uids)):
            size += self.octets[place]
            if size > most:
                break
            places.append(place)
        found = await self.mailbox.octets([Range(self.uids[p]) for p in places])
        return {
            place: octets
            for place, octets in zip(places, found, strict=True)
            if octets is not None
        }

    async def update(self) -> None:
        """The UPDATE state: what is marked goes (RFC 1939 §6)."""
        if self.deleted:
            uids = sorted(self.uids[number - 1] for number in self.deleted)
            await self.mailbox.expunge(uids)
