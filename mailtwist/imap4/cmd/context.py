"""CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4): what is told of searches later on."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from ...errors import BadParameter, MailError
from ...mailbox import sort as ordered
from ...mailbox.interfaces import IMailbox
from ...mailbox.search import search as find
from ...sort_key import SortCriterion
from ..commands import CommandRow
from ..context import Context, Move, fixed
from ..response import Answer, no, ok, string, uid_set, untagged
from ..selected import Selected
from ..session import Session
from ..types import CancelUpdate, FetchAttribute, FetchModSeq
from ..types_search import Search
from .fetch import tell_of
from .recent import Recent

log = Logger()

MOST_CONTEXTS = 8  # for a session
FEW = 50  # messages that are put in their places one by one


def check_tag(session: Session, command: Search) -> None:
    """Raises BadParameter if the tag stands for another search that goes on."""
    updates = command.returns is not None and command.returns.update is not None
    if updates and session.tag in session.contexts:
        raise BadParameter("Tag reuse")


def keep(
    session: Session,
    command: Search,
    found: list[int],
    criteria: tuple[SortCriterion, ...] | None = None,
) -> None:
    """Go on telling of this search, if that was asked for and is not too much."""
    if command.returns is None or command.returns.update is None:
        return
    _, selected = session.open
    if len(session.contexts) >= MOST_CONTEXTS:
        code = b"NOUPDATE " + string(session.tag)
        session.put(no("Too many contexts", code).encode())
        return
    selected.track()
    attributes = command.returns.update.attributes
    if FetchModSeq() in attributes:
        session.enable_condstore()
    key = fixed(command.key, selected.uids, selected.uids_of, selected.saved)
    session.contexts[session.tag] = Context(
        key, command.uid, criteria, attributes, found
    )


async def cancel_update(session: Session, command: CancelUpdate) -> Answer:
    for tag in command.tags:
        if tag not in session.contexts:
            raise BadParameter("No search with that tag is told of")
    for tag in command.tags:
        session.contexts.pop(tag, None)
    return ok("No further updates")


# -- telling ----------------------------------------------------------------------


async def tell(session: Session, row: CommandRow | None) -> None:
    """As Session.tell, with what becomes of searches (§4.3.2).

    What is gone is told before EXPUNGE moves its number, what came or changed behind
    EXISTS and FETCH.
    """
    if session.selected is None or not session.contexts:
        session.tell(row)
        return
    mailbox, selected = session.open
    gone = selected.vanished
    for tag, context in session.contexts.items():
        _put(session, tag, context, context.take_out(context.holds(gone)), [])
    last = selected.uids[-1] if selected.uids else 0
    session.tell(row)
    try:
        await _tell_touched(session, mailbox, selected, last)
    except MailError as fault:  # told with the next news
        log.warn("imap4 {s} updating: {f}", s=session.peer.session, f=fault.public)


async def _tell_touched(
    session: Session, mailbox: IMailbox, selected: Selected, last: int
) -> None:
    """`last`: messages up to this UID were there before."""
    touched = selected.touched
    if not touched:
        return
    gone = selected.vanished
    among = [uid for uid in sorted(touched) if selected.number_of(uid)]
    here = [uid for uid in among if uid not in gone]
    told: list[tuple[bytes, Context, list[Move], list[Move]]] = []
    wanted: dict[int, dict[FetchAttribute, None]] = {}
    for tag, context in list(session.contexts.items()):
        removed, added = await _changed(session, mailbox, selected, context, here)
        told.append((tag, context, removed, added))
        if context.attributes:
            for uid in [uid for _, uids in added for uid in uids if uid > last]:
                attributes = dict.fromkeys(context.attributes)
                wanted[uid] = wanted.get(uid, {}) | attributes
    touched.difference_update(among)
    alike: dict[tuple[FetchAttribute, ...], list[int]] = {}
    for uid, attributes in wanted.items():
        if uid not in selected.own:
            alike.setdefault(tuple(attributes), []).append(uid)
    selected.own.difference_update(among)
    for attributes_of, uids in alike.items():
        await tell_of(session, attributes_of, sorted(uids))
    for tag, context, removed, added in told:
        _put(session, tag, context, removed, added)
        await session.flow()


async def _changed(
    session: Session,
    mailbox: IMailbox,
    selected: Selected,
    context: Context,
    touched: Sequence[int],
) -> tuple[list[Move], list[Move]]:
    """What the touched messages move in the results."""
    had = context.holds(touched)
    if not context.volatile:
        touched = [uid for uid in touched if uid not in had]
    has = set(
        await find(
            mailbox,
            context.key,
            touched,
            recent=Recent(selected.is_recent),
            pause=session.connection.pause,
            now=session.connection.now(),
        )
    )
    removed = context.take_out(had - has if context.volatile else set())
    new = has - had
    if not new:
        return removed, []
    order = await _ordered(session, mailbox, context, new)
    return removed, context.put_in(order, new & set(order))


async def _ordered(
    session: Session, mailbox: IMailbox, context: Context, new: set[int]
) -> list[int]:
    """The results with `new` at their places."""
    if context.criteria is None:
        return sorted([*context.found, *new])
    pause = session.connection.pause
    if len(new) > FEW:
        everything = sorted([*context.found, *new])
        return await ordered.sort(mailbox, context.criteria, everything, pause=pause)
    order = list(context.found)
    for uid in sorted(new):
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            pair = sorted((uid, order[middle]))
            found = await ordered.sort(mailbox, context.criteria, pair, pause=pause)
            if found and found[0] == uid:
                high = middle
            else:
                low = middle + 1
        order.insert(low, uid)
    return order


def _put(
    session: Session,
    tag: bytes,
    context: Context,
    removed: list[Move],
    added: list[Move],
) -> None:
    """ESEARCH with REMOVEFROM and ADDTO (RFC 5267 §4.3.3, §4.3.4)."""
    if not removed and not added:
        return
    words = [b"ESEARCH", b"(TAG %b)" % string(tag)]
    if context.uid:
        words.append(b"UID")
    for name, moves in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
        if moves:
            told = b" ".join(_move(session, context, *move) for move in moves)
            words.append(b"%b (%b)" % (name, told))
    session.put(untagged(*words))


def _move(session: Session, context: Context, position: int, uids: list[int]) -> bytes:
    """Ranges run upwards alone, as results are sorted (RFC 5267 §3.2)."""
    _, selected = session.open
    told = uids if context.uid else selected.numbers_of(uids)
    return b"%d %b" % (position, uid_set(told))
