"""`[[route]]`: which way out a recipient takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen
from twisted.logger import Logger

from ..address import Address
from ..config import routing
from ..config.model import Config
from ..errors import LookupFailed
from ..interfaces import ITable
from .keys import address_keys, catch_all_key, domain_keys
from .model import TO_MX, Route
from .routes import check_match, check_sender, matches, parsed_action

log = Logger("mailtwist")

SMARTHOST = Route("smarthost")
EVERYTHING = "*"


@frozen
class Way:
    """A route of the configuration, its texts parsed."""

    told: str
    match: str
    sender: str
    route: Route | None
    table: ITable | None
    by_sender: bool

    @property
    def explicit(self) -> bool:
        """True if it may speak of local domains too."""
        return bool(self.match) or (self.table is not None and not self.by_sender)


class Ways:
    """The routes in their order; the first that matches counts."""

    def __init__(self, config: Config, tables: Mapping[str, ITable]) -> None:
        self._separator = config.delivery.subaddress_separator
        self._ways = [
            made(number, one, tables) for number, one in enumerate(config.route, 1)
        ]
        self._smarthosts = [
            check_sender(one.sender) if one.sender else "" for one in config.smarthost
        ]

    async def explicit(
        self, address: Address, sender: Address | None
    ) -> tuple[str, Route] | None:
        """(what said so, the route) that names this address or its domain."""
        if not self._ways:
            return None
        return await self._first(address, sender, everything=False)

    async def out(
        self, address: Address, sender: Address | None, final: Address | None
    ) -> tuple[str, Route]:
        """The way of an address that is not here; `final` is the sender the next host
        will be told, by which smarthosts are chosen."""
        found = await self._first(address, sender, everything=True)
        if found is not None:
            return found
        for number, said in enumerate(self._smarthosts, 1):
            if not said or (final is not None and matches(said, final)):
                return f"smarthost[{number}]", SMARTHOST
        return "no route", TO_MX

    async def _first(
        self, address: Address, sender: Address | None, *, everything: bool
    ) -> tuple[str, Route] | None:
        for way in self._ways:
            if not everything and not way.explicit:
                continue
            if not matches(way.match, address, self._separator):
                continue
            if way.sender and (sender is None or not matches(way.sender, sender)):
                continue
            if way.route is not None:
                return way.told, way.route
            found = await self._looked_up(way, address, sender, everything)
            if found is not None:
                return found
        return None

    async def _looked_up(
        self, way: Way, address: Address, sender: Address | None, everything: bool
    ) -> tuple[str, Route] | None:
        table, subject = way.table, sender if way.by_sender else address
        if table is None or subject is None:
            return None
        for key in self._keys(subject, way.by_sender, everything):
            action = await table.find(key)
            if action is None:
                if table.whole_keys:
                    break
                continue
            try:
                return f"{way.told} {table.name} {key}", parsed_action(action)
            except ValueError as fault:
                log.error(
                    "table {table}: {key} has {action!r}, which is no action: give "
                    "{allowed}",
                    table=table.name,
                    key=key,
                    action=action,
                    allowed=str(fault),
                )
                raise LookupFailed() from fault
        return None

    def _keys(
        self, subject: Address, by_sender: bool, everything: bool
    ) -> Iterator[str]:
        for key, _ in address_keys(subject, self._separator):
            yield key
        if by_sender:
            yield catch_all_key(subject.domain)
            return
        yield from domain_keys(subject.domain)
        if everything:
            yield EVERYTHING


def made(number: int, one: routing.Route, tables: Mapping[str, ITable]) -> Way:
    return Way(
        f"route[{number}]",
        check_match(one.match) if one.match else "",
        check_sender(one.sender) if one.sender else "",
        parsed_action(one.action) if one.action else None,
        tables[one.table] if one.table else None,
        one.by == "sender",
    )
