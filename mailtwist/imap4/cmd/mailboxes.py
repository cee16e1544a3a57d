"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, NAMESPACE."""

from __future__ import annotations

from ...errors import NoSuchMailbox, NotPermitted
from ...mailbox.held_rights import namespaces
from ...mailbox.identifiers import mailbox_id
from ...mailbox.metadata import annotation_of_uses
from ...mailbox.model import INBOX, MailboxStatus, Path
from ..names import check_limits, wire_of
from ..response import Answer, astring, ok, parenthesized, string, untagged
from ..session import Session
from ..types import (
    Create,
    Delete,
    Namespace,
    Rename,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)


async def create(session: Session, command: Create) -> Answer:
    """CREATE (§6.3.3).  A name for children only is made as a mailbox that takes
    messages too, as mail programs expect."""
    _check_limits(session, command.path)
    session.own_names(*_with_parents(command.path))
    object_id = await session.mailboxes.create(command.path, command.special_uses)
    if session.notice is not None and command.special_uses:
        uses = annotation_of_uses(command.path, command.special_uses)
        session.notice.know(command.path, [(one.name, one.value) for one in uses])
    if not session.offers("OBJECTID"):
        return ok("CREATE completed")
    return ok("CREATE completed", b"MAILBOXID (%b)" % mailbox_id(object_id))


def _with_parents(path: Path) -> list[Path]:
    """Those that are made with a name, if they are missing."""
    return [path[:depth] for depth in range(1, len(path) + 1)]


async def delete(session: Session, command: Delete) -> Answer:
    """DELETE (§6.3.4).  The selected mailbox is left first: its session goes on and
    may select another."""
    if command.path == INBOX:
        raise NotPermitted("INBOX cannot be deleted")
    if await _is_selected(session, command.path):
        await session.mailboxes.status(command.path)  # raises if it is not there
        await session.leave()
        session.put(b"* OK [CLOSED] The selected mailbox is deleted\r\n")
    session.own_names(command.path)
    await session.mailboxes.delete(command.path)
    session.appended_to = None
    return ok("DELETE completed")


async def _is_selected(session: Session, path: Path) -> bool:
    """True if the selected mailbox has this name now; it may have been renamed."""
    mailbox = session.mailbox
    try:
        return mailbox is not None and bool(await mailbox.where() == path)
    except NoSuchMailbox:  # another one has the name now, or none
        return False


def _check_limits(session: Session, path: Path) -> None:
    config = session.config
    check_limits(
        path, config.delimiter, levels=config.most_levels, octets=config.name_octets
    )


async def rename(session: Session, command: Rename) -> Answer:
    """RENAME (§6.3.5); it fails as a whole if the name of an inferior cannot be."""
    _check_limits(session, command.new)
    if command.old != INBOX:  # whose inferiors stay
        for below in await _below(session, command.old):
            _check_limits(session, command.new + below)
    session.own_names(*_with_parents(command.new), command.old)
    await session.mailboxes.rename(command.old, command.new)
    session.appended_to = None
    return ok("RENAME completed")


async def _below(session: Session, top: Path) -> list[Path]:
    """What follows `top` in the names of its inferiors."""
    depth = len(top)
    infos = await session.mailboxes.listed()
    return [
        info.path[depth:]
        for info in infos
        if len(info.path) > depth and info.path[:depth] == top and info.exists
    ]


async def subscribe(session: Session, command: Subscribe) -> Answer:
    session.own_names(command.path)
    await session.mailboxes.subscribe(command.path)
    return ok("SUBSCRIBE completed")


async def unsubscribe(session: Session, command: Unsubscribe) -> Answer:
    session.own_names(command.path)
    await session.mailboxes.unsubscribe(command.path)
    return ok("UNSUBSCRIBE completed")


async def namespace(session: Session, command: Namespace) -> Answer:
    """NAMESPACE (RFC 2342): one's own, those of other users, public ones."""
    names = namespaces(session.mailboxes)
    others = () if names is None else (names.others, names.shared)
    own = ("", names.deleted) if names is not None and names.deleted else ("",)
    told = [_namespaces(session, name) for name in others] or [b"NIL", b"NIL"]
    session.put(untagged(b"NAMESPACE", _namespaces(session, *own), *told))
    return ok("NAMESPACE completed")


def _namespaces(session: Session, *names: str) -> bytes:
    delimiter, utf8 = session.config.delimiter, session.engine.utf8
    mark = delimiter.encode()
    prefixes = [
        wire_of((name,), delimiter, utf8=utf8) + mark if name else b"" for name in names
    ]
    each = [b"(%b %b)" % (string(prefix), string(mark)) for prefix in prefixes]
    return b"(%b)" % b"".join(each)


async def status(session: Session, command: Status) -> Answer:
    if StatusItem.HIGHESTMODSEQ in command.items:
        session.enable_condstore()  # RFC 7162 §3.1
    found = await session.mailboxes.status(command.path)
    session.put(status_line(session, command.path, command.items, found))
    return ok("STATUS completed")


def status_line(
    session: Session,
    path: Path,
    items: tuple[StatusItem, ...],
    found: MailboxStatus,
    name: bytes | None = None,
) -> bytes:
    """The untagged STATUS (§7.2.4); `name` is the mailbox as the client is shown it."""
    told = []
    for item in items:
        figure = _FIGURES.get(item)
        if figure is not None:
            value = b"%d" % getattr(found, figure)
        elif item is StatusItem.APPENDLIMIT:
            value = b"%d" % session.config.message_octets
        else:
            value = _status_id(session, found)
        told.append(b"%b %b" % (_WORDS[item], value))
    shown = name_of(session, path) if name is None else name
    return untagged(b"STATUS", shown, parenthesized(told))


_WORDS = {item: item.value.encode() for item in StatusItem}
_FIGURES = {
    StatusItem.MESSAGES: "messages",
    StatusItem.DELETED: "deleted",
    StatusItem.DELETED_STORAGE: "deleted_octets",
    StatusItem.SIZE: "octets",
    StatusItem.RECENT: "recent",
    StatusItem.UIDNEXT: "uid_next",
    StatusItem.UIDVALIDITY: "uid_validity",
    StatusItem.UNSEEN: "unseen",
    StatusItem.HIGHESTMODSEQ: "highest_modseq",
}


def _status_id(session: Session, found: MailboxStatus) -> bytes:
    """RFC 8474 §4.3."""
    if not session.offers("OBJECTID"):
        return b"NIL"
    return b"(%b)" % mailbox_id(found.object_id)


def name_of(session: Session, path: Path) -> bytes:
    """A mailbox as the client is shown it."""
    utf8 = session.engine.utf8
    return astring(wire_of(path, session.config.delimiter, utf8=utf8), utf8=utf8)
