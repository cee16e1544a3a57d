"""Annotations and flags in mailboxes that several logins work in (RFC 5464 §3.3).

What is private to a reader lies beside what is the owner's, below a name that nobody
can ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from attrs import evolve

from ..flags import Flags
from .interfaces import IMailbox
from .metadata import PRIVATE, SHARED
from .model import Annotation, FlagAction, FlagChange, Path
from .rights import Rights, changeable
from .sharing import Beyond, Reader, Sharing

_READERS = "/readers/"


def owners(found: Iterable[Annotation]) -> list[Annotation]:
    """What the owner of the mailboxes sees."""
    return [one for one in found if not one.name.startswith(_READERS)]


def _kept(name: str, reader: Reader) -> str:
    """Where an annotation of a reader lies."""
    if name.startswith(PRIVATE):
        return f"{_READERS}{quote(reader.name, safe='@')}{name}"
    return name


async def read(
    beyond: Beyond, reader: Reader, path: Path | None, names: Sequence[str]
) -> list[Annotation]:
    """Of a mailbox of others, or of all in the tree, as the reader sees them."""
    kept = [_kept(name, reader) for name in names]
    mine = f"{_READERS}{quote(reader.name, safe='@')}"
    found = []
    for one in await beyond.tree.metadata(path, kept):
        if one.name.startswith(f"{mine}/"):
            name = one.name.removeprefix(mine)
        elif one.name.startswith(SHARED):
            name = one.name
        else:
            continue
        found.append(evolve(one, path=beyond.outer(one.path), name=name))
    return sorted(found, key=lambda one: (one.path, one.name))


async def of_all(
    sharing: Sharing, trees: Sequence[Beyond], reader: Reader, names: Sequence[str]
) -> list[Annotation]:
    """Of all mailboxes in these trees that the reader may look into."""

    async def of(beyond: Beyond) -> list[Annotation]:
        lists = await beyond.tree.known_lists()
        if not (lists or beyond.default):
            return []
        return [
            one
            for one in await read(beyond, reader, None, names)
            if beyond.held(lists, reader, beyond.inner(one.path)) >= {"l", "r"}
        ]

    return [one for some in await sharing.each(trees, of) for one in some]


async def write(
    beyond: Beyond,
    reader: Reader,
    path: Path,
    values: Sequence[tuple[str, bytes | None]],
    most: int,
) -> None:
    """See IMailboxes.set_metadata."""
    kept = [(_kept(name, reader), value) for name, value in values]
    await beyond.tree.set_metadata(path, kept, most)


async def drop_flags(mailbox: IMailbox, uids: Sequence[int], held: Rights) -> None:
    """Messages lose the flags that these rights do not let be set (RFC 4314 §4)."""
    rows = await mailbox.rows(uids)
    flags: Flags = frozenset().union(*rows.flags)
    if lost := flags - changeable(flags, held):
        await mailbox.store_flags(uids, FlagChange(FlagAction.REMOVE, lost))
