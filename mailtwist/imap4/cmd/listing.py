"""An account's names as LIST and LSUB tell them, made once for each listing.

An account may have ten thousand names and a client ask for them every minute: what does
not depend on the pattern is kept with the store's listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import and_

from attrs import define, field, frozen

from ...mailbox.model import Listing, MailboxInfo, Path
from ..names import comparable
from ..response import parenthesized, string, untagged
from ..session import Session
from .mailboxes import name_of

SLICE = 100  # names between looks at the clock


@frozen
class Tree:
    """The account's names, with every ancestor of a name among them.

    `parents` have a child that exists; `above_subscribed` have a subscribed name
    somewhere below.
    """

    infos: tuple[MailboxInfo, ...]
    by_path: dict[Path, MailboxInfo]
    parents: frozenset[Path]
    above_subscribed: frozenset[Path]

    @classmethod
    def of(cls, infos: Sequence[MailboxInfo]) -> Tree:
        kept = infos.derived if isinstance(infos, Listing) else {}
        tree = kept.get(cls)
        if tree is None:
            tree = kept[cls] = cls._made(infos)
        return tree

    @classmethod
    def _made(cls, infos: Iterable[MailboxInfo]) -> Tree:
        listed = {info.path: info for info in infos}
        above = ancestors(info.path for info in listed.values() if info.subscribed)
        for path in sorted(above - listed.keys()):
            listed[path] = MailboxInfo(path, "", selectable=False, exists=False)
        return cls(
            tuple(listed.values()),
            listed,
            ancestors(info.path for info in listed.values() if info.exists),
            above,
        )


def ancestors(paths: Iterable[Path]) -> frozenset[Path]:
    found: set[Path] = set()
    for path in paths:
        for depth in range(len(path) - 1, 0, -1):
            above = path[:depth]
            if above in found:  # and so are those above it
                break
            found.add(above)
    return frozenset(found)


@define(eq=False)
class Shown:
    """The names of a tree as clients of one delimiter and one encoding see them; all
    columns are in its order."""

    tree: Tree
    texts: list[str] = field(factory=list)  # for a Matcher
    names: list[bytes] = field(factory=list)
    lines: list[bytes] = field(factory=list)  # of a LIST without return options
    marked: list[bytes] = field(factory=list)  # of one that returns SUBSCRIBED
    lsub: list[bytes] = field(factory=list)  # of LSUB; b"" if it is not subscribed
    exists: list[bool] = field(factory=list)
    subscribed: list[bool] = field(factory=list)
    special: list[bool] = field(factory=list)


async def shown(session: Session, infos: Sequence[MailboxInfo]) -> Shown:
    """As this session's client sees them; made in slices."""
    key = Shown, session.config.delimiter, session.engine.utf8
    kept = infos.derived if isinstance(infos, Listing) else {}
    found: Shown | None = kept.get(key)
    if found is None:
        found = Shown(Tree.of(infos))
        for at, info in enumerate(found.tree.infos):
            _add(session, found, info)
            if at % SLICE == 0:
                await session.connection.pause()
        kept[key] = found
    return found


def _add(session: Session, found: Shown, info: MailboxInfo) -> None:
    has_children = info.path in found.tree.parents
    name = name_of(session, info.path)
    found.texts.append(comparable(info.path, session.config.delimiter))
    found.names.append(name)
    plain = line(session, b"LIST", attributes(info, has_children), name)
    found.lines.append(plain)
    if info.subscribed:
        told = attributes(info, has_children, subscribed=True)
        found.marked.append(line(session, b"LIST", told, name))
        told = [] if info.selectable and info.exists else [b"\\Noselect"]
        found.lsub.append(line(session, b"LSUB", told, name))
    else:
        found.marked.append(plain)
        found.lsub.append(b"")
    found.exists.append(info.exists)
    found.subscribed.append(info.subscribed)
    found.special.append(bool(info.special_uses))


def wanted(found: Shown, *, subscribed: bool, special: bool) -> list[bool]:
    """Those that the selection options take; a name that does not exist is there by
    SUBSCRIBED only."""
    which = found.subscribed if subscribed else found.exists
    return list(map(and_, which, found.special)) if special else which


def attributes(
    info: MailboxInfo, has_children: bool, *, subscribed: bool = False
) -> list[bytes]:
    """`subscribed`: that is told too."""
    found = []
    if not info.exists:
        found.append(b"\\NonExistent")  # implies \Noselect (RFC 5258 §3)
    elif not info.selectable:
        found.append(b"\\Noselect")
    found.append(b"\\HasChildren" if has_children else b"\\HasNoChildren")
    if info.subscribed and subscribed:
        found.append(b"\\Subscribed")
    if info.marked and info.selectable:
        found.append(b"\\Marked")
    return found + sorted(use.encode() for use in info.special_uses)


def line(
    session: Session,
    word: bytes,
    told: list[bytes],
    name: bytes,
    extra: bytes = b"",
) -> bytes:
    """`* LIST` or `* LSUB`."""
    delimiter = string(session.config.delimiter.encode())
    return untagged(word, parenthesized(told), delimiter, name + extra)
