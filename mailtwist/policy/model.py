"""What checks are asked about, and what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from ..address import Address
from ..errors import MailError
from ..trust.model import Decision
from .orders import NO_ORDERS, Orders


class Phase(Enum):
    """When a check is asked; Postfix's smtpd_client_, helo_, sender_, recipient_ and
    data_restrictions."""

    CLIENT = "client"
    HELO = "helo"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


class Verdict(Enum):
    GO_ON = "the next check decides"
    ALLOW = "the rest of this list is left out"


@define
class Visit:
    """One connection as its checks see it.

    `address` is an IP address, "local" for a Unix socket or "unknown"; `name` what a
    trusted proxy told of its client's name ("" there is none), None to look it up.
    `trusted` if it comes from a trusted network; `login` the account's name, "" without
    a login.  `sender` None is the null path, or none yet; `recipient` the one that is
    asked about.
    """

    address: str
    role: str
    tls: bool = False
    trusted: bool = False
    name: str | None = None
    helo: str = ""
    extended: bool = False
    login: str = ""
    sender: Address | None = None
    recipient: Address | None = None
    size_octets: int | None = None
    impatient: bool = False  # it talked before it had an answer it must wait for
    session: str = ""  # its id in the log
    orders: Orders = NO_ORDERS  # for the message of this transaction
    points: int = 0  # of `[gate]`
    decisions: dict[str, Decision] = field(factory=dict)  # about this transaction
    depth: int = 0  # of tables that name restrictions, which ask tables
    _known: dict[str, Any] = field(factory=dict, repr=False)
    _asked: dict[str, Deferred[Any]] = field(factory=dict, repr=False)

    def order(self, orders: Orders) -> None:
        """To be done with the message too."""
        self.orders = self.orders.and_then(orders)

    def start(self, key: str, look_up: Callable[[], Awaitable[Any]]) -> None:
        """Begin a look-up whose answer `once` will want."""
        if key not in self._known and key not in self._asked:
            self._asked[key] = Deferred.fromCoroutine(_awaited(look_up))

    async def once(self, key: str, look_up: Callable[[], Awaitable[Any]]) -> Any:
        """What `look_up` gives, looked up once for the connection.  A temporary fault
        is raised and not kept."""
        if key not in self._known:
            self.start(key, look_up)
            try:
                self._known[key] = await self._asked.pop(key)
            except MailError as fault:
                if fault.temporary:
                    raise
                self._known[key] = fault
        found = self._known[key]
        if isinstance(found, MailError):
            raise found
        return found

    def end(self) -> None:
        """Nobody waits for look-ups that were begun."""
        asked, self._asked = self._asked, {}
        for one in asked.values():
            one.addErrback(lambda fault: None)
            one.cancel()


async def _awaited(look_up: Callable[[], Awaitable[Any]]) -> Any:
    return await look_up()
