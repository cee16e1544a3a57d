"""NOTIFY (RFC 5465 §8)."""

from __future__ import annotations

from ...errors import BadMailboxName, BadParameter, UnknownEvent
from ...mailbox.model import Path
from ..types import FetchAttribute
from ..types_events import (
    MESSAGE_EVENTS,
    SELECTED_FILTERS,
    EventGroup,
    MailboxFilter,
    Notify,
    NotifyEvent,
)
from .fetch import fetch_att
from .mailbox import mailbox
from .scanner import CommandScanner
from .strings import atom, parenthesized, sp, word

MOST_GROUPS = 100
MOST_PATHS = 1000  # in a group

_EVENTS = {event.value.upper(): event for event in NotifyEvent}


def notify(s: CommandScanner) -> Notify:
    """ "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")."""
    sp(s)
    name = word(s, "SET or NONE")
    if name == "NONE":
        return Notify()
    if name != "SET":
        raise BadParameter("SET or NONE is wanted")
    sp(s)
    status = not s.text.startswith(b"(", s.at)
    if status:
        if word(s, "STATUS or a group of events") != "STATUS":
            raise BadParameter("STATUS or a group of events is wanted")
        sp(s)
    groups: list[EventGroup] = []
    unknown = False
    while not groups or (s.skip(b" ") and not s.done):
        group, known = _event_group(s)
        groups.append(group)
        unknown = unknown or not known
        if len(groups) > MOST_GROUPS:
            raise BadParameter(f"At most {MOST_GROUPS} groups of events")
    if sum(group.which in SELECTED_FILTERS for group in groups) > 1:
        raise BadParameter("SELECTED stands there twice")
    if unknown:  # a fault of syntax is told first
        raise UnknownEvent()
    return Notify(tuple(groups), status)


def _event_group(s: CommandScanner) -> tuple[EventGroup, bool]:
    """event-group, and False if it has an event that cannot be told."""
    s.expect(b"(", "a group of events")
    name = word(s, "which mailboxes")
    try:
        which = MailboxFilter(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown mailboxes {name[:40]}") from fault
    paths: tuple[Path, ...] = ()
    if which in (MailboxFilter.SUBTREE, MailboxFilter.MAILBOXES):
        sp(s)
        paths = one_or_more(s)
    sp(s)
    events, attributes, known = _events(s)
    s.expect(b")", "a closing parenthesis")
    _check(which, events, attributes)
    return EventGroup(which, events, paths, attributes), known


def one_or_more(s: CommandScanner) -> tuple[Path, ...]:
    """one-or-more-mailbox, without names that no mailbox can have (§3.1)."""
    several = s.text.startswith(b"(", s.at)
    found = parenthesized(s, _path) if several else [_path(s)]
    if len(found) > MOST_PATHS:
        raise BadParameter(f"At most {MOST_PATHS} mailboxes")
    return tuple(dict.fromkeys(path for path in found if path))


def _path(s: CommandScanner) -> Path:
    try:
        return mailbox(s)
    except BadMailboxName:
        return ()


def _events(
    s: CommandScanner,
) -> tuple[frozenset[NotifyEvent], tuple[FetchAttribute, ...], bool]:
    """ "NONE" / "(" event *(SP event) ")".

    Quirk: events without parentheses, as in examples of §3.1.
    """
    found: list[NotifyEvent | None] = []
    attributes: dict[FetchAttribute, None] = {}

    def event(s: CommandScanner) -> None:
        one = _EVENTS.get(atom(s, "an event").decode("ascii", "replace").upper())
        found.append(one)
        if one is NotifyEvent.MESSAGE_NEW and s.text.startswith(b" (", s.at):
            s.at += 1
            attributes.update(dict.fromkeys(parenthesized(s, fetch_att)))

    at = s.at
    if s.text.startswith(b"(", at):
        parenthesized(s, event)
    elif s.text[at : at + 5].upper() == b"NONE)":
        s.at += 4
    else:
        event(s)
        while s.skip(b" "):
            event(s)
    events = frozenset(one for one in found if one is not None)
    return events, tuple(attributes), None not in found


def _check(
    which: MailboxFilter,
    events: frozenset[NotifyEvent],
    attributes: tuple[FetchAttribute, ...],
) -> None:
    """What §5 and §6.1 ask of events that stand together."""
    both = {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE}
    if events & MESSAGE_EVENTS and not both <= events:
        raise BadParameter("MessageNew and MessageExpunge belong together")
    if which in SELECTED_FILTERS:
        if events - MESSAGE_EVENTS:
            raise BadParameter("Events of messages alone for the selected mailbox")
    elif attributes:
        raise BadParameter("Attributes are for the selected mailbox")
