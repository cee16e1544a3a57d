"""NOTIFY (RFC 5465), and what it lets a session be told of other mailboxes."""

from __future__ import annotations

from twisted.logger import Logger

from ...errors import MailboxFault, MailError, NotPermitted, UnknownCommand
from ...foreign import missing
from ...mailbox.held_rights import namespaces, need
from ...mailbox.metadata import ACCOUNT
from ...mailbox.model import Annotation, MailboxStatus, Path
from ..notice import Names, Notice
from ..response import Answer, ok
from ..session import Session
from ..types import FetchModSeq, StatusItem
from ..types_events import MESSAGE_EVENTS, Notify, NotifyEvent
from .list import changed_line
from .listing import Tree
from .mailboxes import status_line
from .metadata import changed_annotations

log = Logger()


async def notify(session: Session, command: Notify) -> Answer:
    """The new NOTIFY stands when all that belongs to it is there."""
    if session.login is None or "NOTIFY" in missing(session.login.account):
        raise UnknownCommand()
    notice = Notice(command.groups, namespaces(session.mailboxes))

    def hint(path: Path | None) -> None:
        notice.hint(path)
        session.connection.changed(0)

    def lost() -> None:
        notice.lost()
        session.connection.changed(0)

    if FetchModSeq() in notice.attributes:
        session.enable_condstore()
    if notice.watches:
        notice.end = await session.mailboxes.watch(hint, lost)
    try:
        if notice.watches:
            await _begin(session, notice, told=command.status)
        if session.selected is not None:
            await session.look()  # what came meanwhile is told at once (§3.1)
    except BaseException:
        notice.end()
        raise
    session.end_notice()
    session.notice = notice
    return ok("NOTIFY completed")


async def _begin(session: Session, notice: Notice, *, told: bool) -> None:
    """Know the names, and tell the figures of all that is watched if asked to."""
    infos = await session.mailboxes.listed()
    notice.names = Names.of(infos)
    if notice.annotated:
        notice.renew_annotations(await _annotations(session))
    if not told:
        return
    for info in infos:
        events = notice.events(info.path) & MESSAGE_EVENTS
        if not events or not info.selectable or _is_selected(session, info.path):
            continue
        try:
            await need(session.mailboxes, info.path, "r")
            found = await session.mailboxes.status(info.path)
        except MailError:  # gone meanwhile, or not to be had: it is ignored
            continue
        notice.remember(info.path, found)
        items = [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
        if NotifyEvent.FLAG_CHANGE in events:
            items.append(StatusItem.HIGHESTMODSEQ)
        session.put(status_line(session, info.path, tuple(items), found))
        await session.flow()


def _is_selected(session: Session, path: Path) -> bool:
    return session.mailbox is not None and session.mailbox.path == path


# -- telling ----------------------------------------------------------------------


async def tell_others(session: Session) -> None:
    """What became of names and of mailboxes that are not selected."""
    notice = session.notice
    if notice is None or not notice.pending:
        return
    try:
        if notice.names_stale:
            await _tell_names(session, notice)
        if notice.annotations_stale:
            await _tell_annotations(session, notice)
        while notice.stale and not notice.overflowed:
            path = next(iter(notice.stale))
            del notice.stale[path]
            await _tell_figures(session, notice, path)
            await session.flow()
    except MailError as fault:  # the store cannot tell now, and may later
        log.warn("imap4 {s} notifying: {f}", s=session.peer.session, f=fault.public)
        notice.lost()
    if notice.overflowed:
        session.put(b"* OK [NOTIFICATIONOVERFLOW] Ask again for what you want\r\n")
        session.end_notice()
        session.notice = Notice()


async def _tell_names(session: Session, notice: Notice) -> None:
    notice.names_stale = False
    infos = await session.mailboxes.listed()
    changes = notice.renew(Names.of(infos))
    if not changes:
        return
    tree = Tree.of(infos)
    for change in changes:
        session.put(changed_line(session, tree, change.path, change.old))
        if change.old is not None:
            notice.figures.pop(change.old, None)
        await session.flow()


async def _tell_annotations(session: Session, notice: Notice) -> None:
    """METADATA with the names of what changed (§5.6, §5.7)."""
    notice.annotations_stale = False
    changed = notice.renew_annotations(await _annotations(session))
    for path, names in changed.items():
        session.put(changed_annotations(session, path, names))
        await session.flow()


async def _annotations(session: Session) -> list[Annotation]:
    """All that the client may read: those of the account, and of its mailboxes."""
    of_account = await session.mailboxes.metadata(ACCOUNT)
    return [*of_account, *await session.mailboxes.metadata(None)]


async def _tell_figures(session: Session, notice: Notice, path: Path) -> None:
    """STATUS with what changed of it (§5.1 to §5.3)."""
    events = notice.events(path) & MESSAGE_EVENTS
    if not events or _is_selected(session, path):
        return
    try:
        await need(session.mailboxes, path, "r")
        found = await session.mailboxes.status(path)
    except (MailboxFault, NotPermitted):  # it is gone, of which its name tells
        notice.figures.pop(path, None)
        return
    known = notice.figures.get(path)
    items = _items(session, events, known, found)
    notice.remember(path, found)
    if items and (known is not None or found.uid_next > 1):  # its name is all its news
        session.put(status_line(session, path, tuple(items), found))


def _items(
    session: Session,
    events: frozenset[NotifyEvent],
    known: MailboxStatus | None,
    found: MailboxStatus,
) -> list[StatusItem]:
    """What of the figures is to be told; nothing if the client knows it."""
    flags = NotifyEvent.FLAG_CHANGE in events
    items: list[StatusItem] = []
    if known is None or (known.messages, known.uid_next, known.uid_validity) != (
        found.messages,
        found.uid_next,
        found.uid_validity,
    ):
        items = [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if flags and (known is None or known.unseen != found.unseen):
        items.append(StatusItem.UNSEEN)
    newer = known is None or known.highest_modseq != found.highest_modseq
    if session.condstore and newer and (items or flags):
        items.append(StatusItem.HIGHESTMODSEQ)
    if items and StatusItem.UIDVALIDITY not in items:
        items.append(StatusItem.UIDVALIDITY)
    return items
