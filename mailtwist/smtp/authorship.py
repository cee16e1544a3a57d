"""Whether a submitted message is from whom it says (RFC 6409 §6.1, §8.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen

from ..address import Address
from ..errors import BadAddress, BadMessage, SenderRefused
from .authors import Authors, authors_of, with_ours, with_sender
from .header import MOST_HEADER

OFF, SENDER, OURS, REFUSE = "off", "sender", "x-header", "refuse"


class AuthorRefused(SenderRefused):
    """From or Sender names somebody else than the login (RFC 6409 §6.1)."""

    public = "From or Sender address does not belong to this login"


@frozen
class Authorship:
    """Judges the header of one message.

    `way` is what is done with one that is from somebody else; `owns` tells whether an
    address is the login's; `sender` is the reverse-path, `login` the account's name,
    one of which stands in what is added.  With `resent` a message that somebody sends
    on is judged by that person's fields.
    """

    way: str
    resent: bool
    owns: Callable[[Address], Awaitable[bool]]
    sender: Address | None
    login: str
    utf8: bool

    async def judged(self, octets: bytes, *, whole: bool) -> bytes:
        """The octets of a message, which have its header in them, as they go on.

        `whole` if nothing follows.  Raises AuthorRefused, BadMessage, and what the
        look-up raises."""
        end = octets.find(b"\r\n\r\n")
        if end < 0 and not whole and self.way == REFUSE:
            raise BadMessage(f"Header is larger than {MOST_HEADER} octets")
        stop = len(octets) if end < 0 else end + 2
        return await self._judged(octets[:stop]) + octets[stop:]

    async def _judged(self, header: bytes) -> bytes:
        found: Authors | None = None
        try:
            found = authors_of(header, resent=self.resent)
        except BadMessage:
            if self.way == REFUSE:
                raise
        own = found is not None and await self._all_own(found)
        if not own and self.way == REFUSE:
            raise AuthorRefused()
        if self.way == OURS:
            header = with_ours(header, None if own else self._marked())
        elif not own:
            header = with_sender(header, self._marked(), found)
        if found is None:
            return header
        if own and found.needs_sender and not found.missing:
            header = with_sender(header, self._marked(), found)
        if found.missing:
            header = b"From: %b\r\n%b" % (self._marked(), header)
        return header

    async def _all_own(self, found: Authors) -> bool:
        for address in dict.fromkeys(found.named):
            if address != self.sender and not await self.owns(address):
                return False
        return True

    def _marked(self) -> bytes:
        """Raises BadMessage if the login has no address that can stand there."""
        address = self.sender
        if address is None:
            try:
                address = Address.parse(self.login)
            except BadAddress as fault:
                raise BadMessage("Message needs a From field") from fault
        if not address.domain or not (self.utf8 or address.ascii):
            raise BadMessage("Message needs a From field")
        return address.encode(utf8=self.utf8 and not address.ascii)
