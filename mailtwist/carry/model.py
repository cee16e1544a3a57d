"""What an end of the way is, and the values that cross between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen
from zope.interface import Attribute, Interface

from ..errors import MailError
from ..flags import Flags
from ..mailbox.model import Path
from ..mailbox.rights import Rights


@frozen
class Folder:
    """A mailbox of an end; `rights` where another server left a list of them."""

    path: Path
    special_uses: frozenset[str] = frozenset()
    subscribed: bool = False
    rights: Mapping[str, Rights] = field(factory=dict)  # by identifier, "" the owner's


@frozen
class Item:
    """A message of a folder; `key` stays the same while `Listed.validity` does.

    `octets` is with CRLF line ends, None if that is not known without reading it;
    `internal_date` is seconds since 1970 UTC."""

    key: str
    flags: Flags
    internal_date: int
    octets: int | None = None


@frozen
class Listed:
    """All messages of a folder, in the order of their arrival."""

    validity: str
    items: list[Item] = field(factory=list)


@frozen
class Letter:
    """A message to add, with CRLF line ends."""

    octets: bytes = field(repr=False)
    flags: Flags = frozenset()
    internal_date: int = 0


class IEnd(Interface):
    """Where mail is taken from, or brought to.

    Paths are mailbox paths.  Methods that change something return when it is durable.
    Every method may raise MailError.
    """

    name: str = Attribute("For people and the journal; the same for the same place.")

    async def folders() -> list[Folder]:
        """Every folder that may hold messages, parents before children."""

    async def make(folder: Folder) -> None:
        """Make it if it is missing, and subscribe to it if that is wanted."""

    async def listed(path: Path) -> Listed:
        """What is in it."""

    async def read(path: Path, keys: Sequence[str]) -> list[bytes | None]:
        """Whole messages, None for one that is gone; the caller bounds the sum."""

    async def add(path: Path, letters: Sequence[Letter]) -> list[str | MailError]:
        """Put them in; the key that each got, or why it was refused.

        Where one fault is raised, all were refused."""

    async def set_flags(path: Path, changes: Sequence[tuple[str, Flags]]) -> None:
        """Give messages exactly these flags; those that are gone are left out."""

    async def remove(path: Path, keys: Sequence[str]) -> None:
        """Remove messages."""

    async def close() -> None:
        """Nothing more is asked."""
