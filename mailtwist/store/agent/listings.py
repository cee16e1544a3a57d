"""Listings of accounts over an agent's socket: in parts, and only when they changed.

The server end remembers what it sent by number; the other end says the number of what
it has, and then asks for the rest of a new one part by part, so that neither works long
at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count

from attrs import field, frozen

from ...directory.model import Account
from ...errors import MailboxUnreachable
from ...mailbox.model import Listing, MailboxInfo
from .connection import Connection

PART = 500  # names sent at a time
MOST_HELD = 64  # accounts of one connection whose listing is remembered

Part = tuple[int, int, list[MailboxInfo]]  # number, names in all, some of them


class Sent:
    """What was sent over one connection."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[int, list[MailboxInfo]]] = OrderedDict()
        self._numbers = count(1)

    def begun(self, home: str, listing: list[MailboxInfo], number: int) -> Part:
        """The first part of it, or nothing if the other end has it as `number`."""
        held = self._held.get(home)
        if held is None or held[1] is not listing:
            held = self._held[home] = next(self._numbers), listing
            if len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(home)
        if held[0] == number:
            return number, len(listing), []
        return held[0], len(listing), listing[:PART]

    def part(self, home: str, number: int, start: int) -> Part:
        """Names from `start` on.  Raises MailboxUnreachable if it is not remembered."""
        held = self._held.get(home)
        if held is None or held[0] != number:
            raise MailboxUnreachable()
        return number, len(held[1]), held[1][start : start + PART]


@frozen
class Got:
    """What the agent behind `connection` calls `number`."""

    connection: Connection | None = None
    number: int = 0
    listing: Listing = field(factory=Listing)

    async def renewed(self, connection: Connection, account: Account) -> Got:
        """As it is now; this one if it is so still."""
        known = self.number if connection is self.connection else 0
        number, names, infos = await connection.call("listed", account, known)
        if number == known:
            return self
        while len(infos) < names:
            part = await connection.call("listed_part", account, number, len(infos))
            infos += part[2]
        return Got(connection, number, Listing(infos))
