"""CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, NAMESPACE, LIST, LSUB."""

from __future__ import annotations

from ...errors import MailError
from ...mailbox.model import MailboxInfo, MailboxStatus, Path
from ..names import Matcher, wire_of
from ..response import Answer, astring, ok, parenthesized, string, untagged
from ..session import Session
from ..types import (
    Create,
    Delete,
    List,
    ListReturn,
    ListSelect,
    Lsub,
    Namespace,
    Rename,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)


async def create(session: Session, command: Create) -> Answer:
    await session.mailboxes.create(command.path, command.special_uses)
    return ok("Mailbox made")


async def delete(session: Session, command: Delete) -> Answer:
    await session.mailboxes.delete(command.path)
    return ok("Mailbox deleted")


async def rename(session: Session, command: Rename) -> Answer:
    await session.mailboxes.rename(command.old, command.new)
    return ok("Mailbox renamed")


async def subscribe(session: Session, command: Subscribe) -> Answer:
    await session.mailboxes.subscribe(command.path)
    return ok("Subscribed")


async def unsubscribe(session: Session, command: Unsubscribe) -> Answer:
    await session.mailboxes.unsubscribe(command.path)
    return ok("Unsubscribed")


async def namespace(session: Session, command: Namespace) -> Answer:
    delimiter = string(session.config.delimiter.encode())
    session.put(untagged(b"NAMESPACE", b'(("" %b))' % delimiter, b"NIL", b"NIL"))
    return ok("Namespaces told")


async def status(session: Session, command: Status) -> Answer:
    if StatusItem.HIGHESTMODSEQ in command.items:
        session.condstore = True
    found = await session.mailboxes.status(command.path)
    session.put(status_line(session, command.path, command.items, found))
    return ok("Status told")


def status_line(
    session: Session,
    path: Path,
    items: tuple[StatusItem, ...],
    found: MailboxStatus,
) -> bytes:
    values = {
        StatusItem.MESSAGES: found.messages,
        StatusItem.RECENT: found.recent,
        StatusItem.UIDNEXT: found.uid_next,
        StatusItem.UIDVALIDITY: found.uid_validity,
        StatusItem.UNSEEN: found.unseen,
        StatusItem.HIGHESTMODSEQ: found.highest_modseq,
    }
    told = [b"%b %d" % (item.value.encode(), values[item]) for item in items]
    return untagged(b"STATUS", name_of(session, path), parenthesized(told))


def name_of(session: Session, path: Path) -> bytes:
    return astring(wire_of(path, session.config.delimiter, utf8=session.engine.utf8))


# -- LIST -------------------------------------------------------------------------


async def list_(session: Session, command: List) -> Answer:
    delimiter = session.config.delimiter
    if command.patterns == ("",):  # §6.3.8: delimiter and root
        session.put(_line(session, b"LIST", [b"\\Noselect"], b'""'))
        return ok("Delimiter told")
    infos = await session.mailboxes.listed()
    paths = [info.path for info in infos if info.exists]
    parents = {path[:depth] for path in paths for depth in range(1, len(path))}
    subscribed = {info.path for info in infos if info.subscribed}
    matcher = Matcher(command.reference, command.patterns, delimiter)
    for info in infos:
        if not matcher.matches(info.path):
            continue
        below = any(
            len(path) > len(info.path) and path[: len(info.path)] == info.path
            for path in subscribed
        )
        recursive = ListSelect.RECURSIVEMATCH in command.select and below
        if not _selected(info, command, recursive):
            continue
        attributes = _attributes(info, command, info.path in parents)
        extra = b""
        if recursive:
            extra = b' ("CHILDINFO" ("SUBSCRIBED"))'
        session.put(
            _line(session, b"LIST", attributes, name_of(session, info.path), extra)
        )
        if ListReturn.STATUS in command.returns and info.selectable and info.exists:
            await _list_status(session, command, info.path)
    return ok("Mailboxes listed")


def _selected(info: MailboxInfo, command: List, recursive: bool) -> bool:
    if ListSelect.SUBSCRIBED in command.select:
        return info.subscribed or recursive
    if ListSelect.SPECIAL_USE in command.select:
        return bool(info.special_uses)
    return info.exists


def _attributes(info: MailboxInfo, command: List, has_children: bool) -> list[bytes]:
    found = []
    if not info.exists:
        found.append(b"\\NonExistent")
    elif not info.selectable:
        found.append(b"\\Noselect")
    found.append(b"\\HasChildren" if has_children else b"\\HasNoChildren")
    wants = ListReturn.SUBSCRIBED in command.returns
    if info.subscribed and (wants or ListSelect.SUBSCRIBED in command.select):
        found.append(b"\\Subscribed")
    if info.marked and info.selectable:
        found.append(b"\\Marked")
    return found + sorted(use.encode() for use in info.special_uses)


async def _list_status(session: Session, command: List, path: Path) -> None:
    try:
        found = await session.mailboxes.status(path)
    except MailError:  # gone meanwhile: LIST says nothing of it (RFC 5819 §2)
        return
    session.put(status_line(session, path, command.status, found))


async def lsub(session: Session, command: Lsub) -> Answer:
    """Subscribed names; with "%" also parents of such, as \\Noselect (§6.3.9)."""
    infos = {info.path: info for info in await session.mailboxes.listed()}
    matcher = Matcher(command.reference, (command.pattern,), session.config.delimiter)
    told: set[Path] = set()
    for path, info in infos.items():
        if info.subscribed and matcher.matches(path):
            told.add(path)
            flags = [] if info.selectable and info.exists else [b"\\Noselect"]
            session.put(_line(session, b"LSUB", flags, name_of(session, path)))
    if command.pattern.endswith("%"):
        for path, info in infos.items():
            if not info.subscribed:
                continue
            for depth in range(1, len(path)):
                parent = path[:depth]
                if parent not in told and matcher.matches(parent):
                    told.add(parent)
                    name = name_of(session, parent)
                    session.put(_line(session, b"LSUB", [b"\\Noselect"], name))
    return ok("Subscriptions listed")


def _line(
    session: Session,
    word: bytes,
    attributes: list[bytes],
    name: bytes,
    extra: bytes = b"",
) -> bytes:
    delimiter = string(session.config.delimiter.encode())
    return untagged(word, parenthesized(attributes), delimiter, name + extra)
