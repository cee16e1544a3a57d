"""LIST and LSUB (§6.3.8, §6.3.9, RFC 5258, RFC 5819, RFC 6154)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from ...errors import BadParameter, MailError
from ...mailbox.model import MailboxInfo, Path
from ...mailbox.rights import ALL, Rights
from ..names import Matcher
from ..response import Answer, ok, parenthesized, string, untagged
from ..session import Session
from ..types import List, ListReturn, ListSelect, Lsub
from . import acl, metadata
from .mailboxes import name_of, status_line
from .permitted import rights_of_all

_OFFERED_AS = {
    ListReturn.MYRIGHTS: "LIST-MYRIGHTS",
    ListReturn.METADATA: "LIST-METADATA",
}


async def list_(session: Session, command: List) -> Answer:
    for option, capability in _OFFERED_AS.items():
        if option in command.returns and not session.offers(capability):
            raise BadParameter(f"Unknown return option {option.value}")
    if command.patterns == ("",) and not command.select:  # delimiter and root
        session.put(_line(session, b"LIST", [b"\\Noselect"], b'""'))
        return ok("LIST completed")
    held = await rights_of_all(session)
    tree = Tree.of(await _visible(session, held))
    matcher = Matcher(command.reference, command.patterns, session.config.delimiter)
    annotated = None
    if ListReturn.METADATA in command.returns:
        annotated = await metadata.listed(session, command.metadata)
    for info in tree.infos:
        if not matcher.matches(info.path):
            continue
        recursive = (
            ListSelect.RECURSIVEMATCH in command.select
            and info.path in tree.above_subscribed
        )
        if not _wanted(info, command) and not recursive:
            continue
        child_info = b' ("CHILDINFO" ("SUBSCRIBED"))' if recursive else b""
        session.put(
            _line(
                session,
                b"LIST",
                _attributes(info, command, info.path in tree.parents),
                name_of(session, info.path),
                child_info,
            )
        )
        here = info.selectable and info.exists
        mine = held.get(info.path, ALL)
        if ListReturn.MYRIGHTS in command.returns and here:
            session.put(acl.line(session, info.path, mine))
        if ListReturn.STATUS in command.returns and here and "r" in mine:
            await _list_status(session, command, info.path)
        if annotated is not None and here and "r" in mine:
            session.put(annotated.line(session, info.path))
        await session.flow()
    return ok("LIST completed")


async def _visible(session: Session, held: Mapping[Path, Rights]) -> list[MailboxInfo]:
    """What may be looked up (RFC 4314 §4)."""
    listed = await session.mailboxes.listed()
    return [info for info in listed if "l" in held.get(info.path, ALL)]


async def mailbox_line(session: Session, path: Path, supplied: Path | None) -> bytes:
    """LIST of one mailbox that exists, with all that it is (RFC 9051 §6.3.2).

    `supplied` is the name that the client wrote, if it means this one: OLDNAME.
    """
    tree = Tree.of(await session.mailboxes.listed())
    # It may be just deleted, or of a store that lists less than it opens.
    info = tree.by_path.get(path) or MailboxInfo(path, "")
    return _line_of(session, tree, info, supplied)


def changed_line(session: Session, tree: Tree, path: Path, old: Path | None) -> bytes:
    """LIST of a name that was changed, as it is now (RFC 5465 §5.4, §5.5)."""
    gone = MailboxInfo(path, "", selectable=False, exists=False)
    return _line_of(session, tree, tree.by_path.get(path) or gone, old)


def _line_of(
    session: Session, tree: Tree, info: MailboxInfo, old: Path | None
) -> bytes:
    attributes = _attributes(info, _FULL, info.path in tree.parents)
    name = name_of(session, info.path) + _old_name(session, old)
    return _line(session, b"LIST", attributes, name)


async def oldname_line(
    session: Session, path: Path, supplied: Path, *, gone: bool
) -> bytes:
    """LIST of the mailbox that `supplied` meant; `gone`: until it was deleted."""
    if not gone:
        return await mailbox_line(session, path, supplied)
    name = name_of(session, path) + _old_name(session, supplied)
    return _line(session, b"LIST", [b"\\NonExistent"], name)


def _old_name(session: Session, supplied: Path | None) -> bytes:
    """The extended data item of RFC 9051 §6.3.9.7."""
    if supplied is None:
        return b""
    return b' ("OLDNAME" (%b))' % name_of(session, supplied)


_FULL = List("", (), returns=frozenset({ListReturn.SUBSCRIBED}))


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
    def of(cls, infos: Iterable[MailboxInfo]) -> Tree:
        listed = {info.path: info for info in infos}
        above = _ancestors(info.path for info in listed.values() if info.subscribed)
        for path in sorted(above - listed.keys()):
            listed[path] = MailboxInfo(path, "", selectable=False, exists=False)
        return cls(
            tuple(listed.values()),
            listed,
            _ancestors(info.path for info in listed.values() if info.exists),
            above,
        )


def _ancestors(paths: Iterable[Path]) -> frozenset[Path]:
    return frozenset(path[:depth] for path in paths for depth in range(1, len(path)))


def _wanted(info: MailboxInfo, command: List) -> bool:
    """The selection options; a name that does not exist is there by SUBSCRIBED only."""
    if ListSelect.SUBSCRIBED in command.select:
        if not info.subscribed:
            return False
    elif not info.exists:
        return False
    return ListSelect.SPECIAL_USE not in command.select or bool(info.special_uses)


def _attributes(info: MailboxInfo, command: List, has_children: bool) -> list[bytes]:
    found = []
    if not info.exists:
        found.append(b"\\NonExistent")  # implies \Noselect (RFC 5258 §3)
    elif not info.selectable:
        found.append(b"\\Noselect")
    found.append(b"\\HasChildren" if has_children else b"\\HasNoChildren")
    if info.subscribed and ListReturn.SUBSCRIBED in command.returns:
        found.append(b"\\Subscribed")
    if info.marked and info.selectable:
        found.append(b"\\Marked")
    return found + sorted(use.encode() for use in info.special_uses)


async def _list_status(session: Session, command: List, path: Path) -> None:
    try:
        found = await session.mailboxes.status(path)
    except MailError:  # LIST says nothing of what cannot be said (RFC 5819 §2)
        return
    session.put(status_line(session, path, command.status, found))


async def lsub(session: Session, command: Lsub) -> Answer:
    """Subscribed names, and as \\\\Noselect names above subscribed ones which the
    pattern itself does not reach (§6.3.9, the "%" rule)."""
    tree = Tree.of(await _visible(session, await rights_of_all(session)))
    matcher = Matcher(command.reference, (command.pattern,), session.config.delimiter)
    hidden = _ancestors(
        info.path
        for info in tree.infos
        if info.subscribed and not matcher.matches(info.path)
    )
    for info in tree.infos:
        if not matcher.matches(info.path):
            continue
        if info.subscribed:
            flags = [] if info.selectable and info.exists else [b"\\Noselect"]
        elif info.path in hidden:
            flags = [b"\\Noselect"]
        else:
            continue
        session.put(_line(session, b"LSUB", flags, name_of(session, info.path)))
    return ok("LSUB completed")


def _line(
    session: Session,
    word: bytes,
    attributes: list[bytes],
    name: bytes,
    extra: bytes = b"",
) -> bytes:
    delimiter = string(session.config.delimiter.encode())
    return untagged(word, parenthesized(attributes), delimiter, name + extra)
