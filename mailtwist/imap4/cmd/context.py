"""CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4): what is told of searches later on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from twisted.logger import Logger

from ...errors import BadParameter, MailError
from ...mailbox import sort as ordered
from ...mailbox.interfaces import IMailbox
from ...mailbox.search import search as find
from ...search_key import SearchKey
from ...sort_key import SortCriterion
from ..commands import CommandRow
from ..context import Context, Move, fixed
from ..response import Answer, no, ok, string, uid_set, untagged
from ..selected import Selected
from ..session import Session
from ..types import FetchAttribute, FetchModSeq
from ..types_events import CancelUpdate
from ..types_search import Search
from .fetch import tell_of
from .recent import Recent

log = Logger()

MOST_CONTEXTS = 8  # for a session
FEW = 50  # messages that are put in their places one by one

Told = tuple[bytes, Context, list[Move], list[Move]]


def wanted_key(session: Session, command: Search) -> SearchKey | None:
    """The search as it will be told of, read before it is done; None if it will not be.

    Raises BadParameter if the tag stands for another search that goes on."""
    if command.returns is None or command.returns.update is None:
        return None
    if session.tag in session.contexts:
        raise BadParameter("Tag reuse")
    _, selected = session.open
    return fixed(command.key, selected.uids, selected.uids_of, selected.saved)


def keep(
    session: Session,
    command: Search,
    key: SearchKey | None,
    found: list[int],
    criteria: tuple[SortCriterion, ...] | None = None,
) -> None:
    """Go on telling of this search, if that was asked for and is not too much."""
    if key is None or command.returns is None or command.returns.update is None:
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
    """As Session.tell, with what becomes of searches (§4.3.2), and with what NOTIFY
    wants of new messages (RFC 5465 §5.2).

    What is gone is told before EXPUNGE moves its number, what came or changed behind
    EXISTS and FETCH.
    """
    selected, notice = session.selected, session.notice
    attributes = notice.attributes if notice is not None else ()
    if selected is None or not (session.contexts or attributes):
        session.tell(row)
        return
    gone = selected.vanished
    for tag, context in session.contexts.items():
        _put(session, tag, context, context.take_out(context.holds(gone)), [])
    last = selected.uids[-1] if selected.uids else 0
    session.tell(row)
    wanted: dict[int, dict[FetchAttribute, None]] = {}
    if attributes:
        new = selected.uids[bisect_right(selected.uids, last) :]
        wanted = {uid: dict.fromkeys(attributes) for uid in new}
    told: list[Told] = []
    try:
        await _touched(session, selected, last, told, wanted)
        await _tell_new(session, selected, wanted)
    except MailError as fault:  # told with the next news
        log.warn("imap4 {s} updating: {f}", s=session.peer.session, f=fault.public)
    for tag, context, removed, added in told:
        _put(session, tag, context, removed, added)
        await session.flow()


async def _touched(
    session: Session,
    selected: Selected,
    last: int,
    told: list[Told],
    wanted: dict[int, dict[FetchAttribute, None]],
) -> None:
    """Put what is new or changed in searches into `told`, and into `wanted` what they
    ask of new messages, those with UIDs above `last`."""
    mailbox, _ = session.open
    touched = selected.touched
    if not touched:
        return
    gone = selected.vanished
    among = [uid for uid in sorted(touched) if selected.number_of(uid)]
    here = [uid for uid in among if uid not in gone]
    for tag, context in list(session.contexts.items()):
        removed, added = await _changed(session, mailbox, selected, context, here)
        told.append((tag, context, removed, added))
        if context.attributes:
            for uid in [uid for _, uids in added for uid in uids if uid > last]:
                attributes = dict.fromkeys(context.attributes)
                wanted[uid] = wanted.get(uid, {}) | attributes
    touched.difference_update(among)


async def _tell_new(
    session: Session,
    selected: Selected,
    wanted: dict[int, dict[FetchAttribute, None]],
) -> None:
    """One FETCH for each new message, but of those that the client made itself."""
    alike: dict[tuple[FetchAttribute, ...], list[int]] = {}
    for uid, attributes in wanted.items():
        if uid not in selected.own:
            alike.setdefault(tuple(attributes), []).append(uid)
    for attributes_of, uids in alike.items():
        await tell_of(session, attributes_of, sorted(uids))
    if selected.uids:
        last = selected.uids[-1]
        selected.own = frozenset(uid for uid in selected.own if uid > last)


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
    lost = had - has if context.volatile else set()
    left = [uid for uid in context.found if uid not in lost]
    new = has - had
    order = await _ordered(session, mailbox, context.criteria, left, new)
    lost |= set(left).difference(order)  # just gone
    # Nothing is waited for from here on: either all of it happens or nothing.
    return context.take_out(lost), context.put_in(order, new.intersection(order))


async def _ordered(
    session: Session,
    mailbox: IMailbox,
    criteria: tuple[SortCriterion, ...] | None,
    found: list[int],
    new: set[int],
) -> list[int]:
    """`found`, which is in order, with `new` at their places."""
    if not new:
        return found
    if criteria is None:
        return sorted([*found, *new])
    pause = session.connection.pause
    if len(new) > FEW:
        uids = sorted([*found, *new])
        return await ordered.sort(mailbox, criteria, uids, pause=pause)
    order = list(found)
    for uid in sorted(new):
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            pair = sorted((uid, order[middle]))
            first = await ordered.sort(mailbox, criteria, pair, pause=pause)
            if first and first[0] == uid:
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
