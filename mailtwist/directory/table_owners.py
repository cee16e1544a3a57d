"""Whose files the mailboxes of tables are: virtual_uid_maps and virtual_gid_maps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import frozen
from zope.interface import implementer

from ..address import Address
from ..config.routing import Mailboxes, static_number
from ..delivery.keys import catch_all_key, spelled
from ..delivery.router_places import first_value
from ..interfaces import ITable

MOST = 2**32 - 2  # (uid_t)-1 says "leave it" to chown


@implementer(ITable)
class StaticTable:
    """See ITable: `number` for every key."""

    whole_keys = False

    def __init__(self, number: int) -> None:
        self.name, self._text = f"static:{number}", str(number)

    async def keys(self) -> Collection[str] | None:
        return None

    async def find(self, key: str) -> str | None:
        return self._text


class BadOwner(ValueError):
    """A table has no owner for a mailbox, or none that may be one."""


@frozen
class Owners:
    """uid and gid of each mailbox; of none where `becomes()` is false, as all then
    belong to the server's user."""

    uids: Sequence[ITable] = ()
    gids: Sequence[ITable] = ()
    least_uid: int = 1
    becomes: Callable[[], bool] = lambda: True

    @classmethod
    def of_config(
        cls,
        config: Mailboxes,
        by_name: Mapping[str, ITable],
        becomes: Callable[[], bool],
    ) -> Owners:
        def tables(names: Sequence[str]) -> list[ITable]:
            numbers = [(name, static_number(name)) for name in names]
            return [
                by_name[name] if number is None else StaticTable(number)
                for name, number in numbers
            ]

        return cls(tables(config.uids), tables(config.gids), config.least_uid, becomes)

    async def of(self, address: Address) -> tuple[int, int] | tuple[None, None]:
        """(uid, gid), None for the server's own.

        Raises BadOwner, and what the tables raise."""
        if not self.uids or not self.becomes():
            return None, None
        uid = await _number(self.uids, address, self.least_uid, "uid")
        return uid, await _number(self.gids, address, 1, "gid")


async def _number(
    tables: Sequence[ITable], address: Address, least: int, what: str
) -> int:
    keys = spelled(address.local_part, address.domain), catch_all_key(address.domain)
    for key in keys:
        found = await first_value(tables, key)
        if found is None:
            continue
        table, text = found
        if not text.isascii() or not text.isdigit():
            raise BadOwner(f"table {table.name}: {key} has {text!r}: expected a {what}")
        if not least <= int(text) <= MOST:
            raise BadOwner(
                f"table {table.name}: {key} has the {what} {text}: expected"
                f" {least} to {MOST}"
            )
        return int(text)
    raise BadOwner(f"no table of mailboxes has a {what} for {keys[0]}")
