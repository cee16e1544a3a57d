"""Which class a domain is of: ours, taken for another host, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from ..address import ascii_domain
from ..config.model import Config
from ..interfaces import IDirectory, ITable
from .routes import check_domain

LOCAL, ALIASES, RELAY, ELSEWHERE = "local", "aliases only", "relay", "elsewhere"


@frozen
class Place:
    """A domain's class, and what holds in it.

    `alias_of` names the domain that it stands for; `recipients` are the tables of a
    relay domain, empty if all addresses are taken."""

    kind: str
    alias_of: str = ""
    alias_files: bool = False
    recipients: tuple[ITable, ...] = ()


HERE, NOT_HERE = Place(LOCAL), Place(ELSEWHERE)


class Places:
    """Precedence: [[domain]], domains of the directory and of mailbox tables, domains
    of aliases alone, relay domains (whole names before parents), everything else."""

    def __init__(
        self, directory: IDirectory, config: Config, tables: Mapping[str, ITable]
    ) -> None:
        self._directory = directory
        self._alias_domains = [tables[name] for name in config.alias.domains]
        self._domains = {
            one.name: Place(
                LOCAL if one.accounts else ALIASES, one.alias_of, one.alias_files
            )
            for one in config.domain
        }
        self._relayed = {
            check_domain(one.name): Place(
                RELAY, recipients=tuple(tables[name] for name in one.recipients)
            )
            for one in config.relay_domain
        }

    async def of(self, domain: str) -> Place:
        """Raises what the directory raises, and LookupFailed."""
        if not domain or await self._directory.has_domain(domain):
            return self._domains.get(domain, HERE)
        if await any_has(self._alias_domains, ascii_domain(domain)):
            return Place(ALIASES)
        return self._relay(domain) or NOT_HERE

    def _relay(self, domain: str) -> Place | None:
        if not self._relayed:
            return None
        found, name = self._relayed.get(domain), domain
        while found is None and "." in name and not name.startswith("["):
            name = name.partition(".")[2]
            found = self._relayed.get("." + name)
        return found


async def first_value(tables: Sequence[ITable], key: str) -> tuple[ITable, str] | None:
    """(table, value) of the first table that has the key."""
    for table in tables:
        value = await table.find(key)
        if value is not None:
            return table, value
    return None


async def any_has(tables: Sequence[ITable], key: str) -> bool:
    return bool(tables) and await first_value(tables, key) is not None
