"""Foreign senders of forwarded mail, rewritten and found again (delivery.srs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from ..address import Address
from ..errors import NoSuchUser
from .srs import DAY_S, Srs


class LongSenders(Protocol):
    """Where senders are kept that are too long to be rewritten."""

    async def keep(self, token: str, address: str, day: int) -> bool:
        """Have the address under this token from here on; `day` of the epoch counts
        its age.  False if there is no room.  Raises LookupFailed."""

    async def find(self, token: str) -> str | None:
        """The address, None if it is not (or no more) there.  Raises LookupFailed."""


@frozen
class Senders:
    """`long` keeps what does not fit into a local part; without it such senders are
    left as they are.  `now` gives seconds of the epoch."""

    srs: Srs
    now: Callable[[], float]
    long: LongSenders | None = None

    @property
    def domain(self) -> str:
        """Under which senders are rewritten."""
        return self.srs.domain

    async def forward(self, sender: Address) -> Address | None:
        """The sender to forward with; None if there is no room for it anywhere.

        Raises LookupFailed."""
        now_s = self.now()
        rewritten = self.srs.forward(sender, now_s)
        if rewritten is not None or self.long is None:
            return rewritten
        token = self.srs.token(sender)
        kept = await self.long.keep(token, str(sender), int(now_s // DAY_S))
        return self.srs.short(token, now_s) if kept else None

    async def reverse(self, local_part: str) -> Address:
        """Where a bounce to it goes; raises NoSuchUser, LookupFailed."""
        now_s = self.now()
        token = self.srs.token_of(local_part, now_s)
        if token is None:
            return self.srs.reverse(local_part, now_s)
        address = None if self.long is None else await self.long.find(token)
        if address is None:
            raise NoSuchUser("Not a forwarding address of this host")
        return Address.parse(address)
