"""What a session is to be told of without asking (RFC 5465), and what it was told.

Hints come at any time and are kept, each mailbox once, until the client can take what
is to be said.  So a client that does not listen costs no more than names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field, frozen

from ..mailbox.metadata import ACCOUNT, SPECIAL_USE, uses_in
from ..mailbox.model import Annotation, MailboxInfo, MailboxStatus, Namespaces, Path
from .types import FetchAttribute
from .types_events import (
    SELECTED_FILTERS,
    EventGroup,
    MailboxFilter,
    NotifyEvent,
)

MOST_STALE = 10_000  # mailboxes that changed and were not told of yet
MOST_FIGURES = 10_000  # mailboxes whose figures are remembered

NOTHING: frozenset[NotifyEvent] = frozenset()
OF_METADATA = frozenset(
    {NotifyEvent.MAILBOX_METADATA_CHANGE, NotifyEvent.SERVER_METADATA_CHANGE}
)


@frozen
class Names:
    """The account's names: paths by object id, and what is subscribed."""

    by_id: dict[str, Path] = field(factory=dict)
    subscribed: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, infos: Iterable[MailboxInfo]) -> Names:
        infos = list(infos)
        return cls(
            {one.object_id: one.path for one in infos if one.exists and one.object_id},
            frozenset(one.path for one in infos if one.subscribed),
        )


@frozen
class NameChange:
    """One LIST to tell: `old` is the name until now of a renamed mailbox."""

    path: Path
    event: NotifyEvent
    old: Path | None = None


@define(eq=False)
class Notice:
    """The NOTIFY of a session; without groups NONE."""

    groups: tuple[EventGroup, ...] = ()
    namespaces: Namespaces | None = None  # of others, if any are shown
    stale: dict[Path, None] = field(factory=dict)
    names_stale: bool = False
    overflowed: bool = False
    figures: dict[Path, MailboxStatus] = field(factory=dict)
    names: Names = field(factory=Names)
    annotations_stale: bool = False
    annotations: dict[tuple[Path, str], int] = field(factory=dict)  # hashes of values
    own: set[Path] = field(factory=set)  # names that this session itself changed
    end: Callable[[], None] = lambda: None
    # of the selected mailbox
    selected: frozenset[NotifyEvent] = NOTHING
    delayed: bool = False
    attributes: tuple[FetchAttribute, ...] = ()

    def __attrs_post_init__(self) -> None:
        for group in self.groups:
            if group.which in SELECTED_FILTERS:
                self.selected, self.attributes = group.events, group.attributes
                self.delayed = group.which is MailboxFilter.SELECTED_DELAYED

    @property
    def watches(self) -> bool:
        """True if something of other mailboxes is wanted."""
        return any(g.events and g.which not in SELECTED_FILTERS for g in self.groups)

    @property
    def pending(self) -> bool:
        """True if there is something to look into."""
        return bool(
            self.overflowed or self.names_stale or self.annotations_stale or self.stale
        )

    @property
    def annotated(self) -> bool:
        """True if something of annotations is wanted."""
        return any(group.events & OF_METADATA for group in self.groups)

    def events(self, path: Path) -> frozenset[NotifyEvent]:
        """What is wanted of a mailbox that is not selected; of ACCOUNT whatever the
        mailboxes of the groups are (§5)."""
        found = NOTHING
        for group in self.groups:
            if path == ACCOUNT or self._named(group, path):
                found |= group.events
        return found

    def _named(self, group: EventGroup, path: Path) -> bool:
        match group.which:
            case MailboxFilter.PERSONAL | MailboxFilter.INBOXES:
                # any mailbox of one's own may be delivered to (§6.3)
                return self.namespaces is None or self.namespaces.personal(path)
            case MailboxFilter.SUBSCRIBED:
                return path in self.names.subscribed
            case MailboxFilter.SUBTREE:
                return any(path[: len(top)] == top for top in group.paths)
            case MailboxFilter.MAILBOXES:
                return path in group.paths
        return False

    def hint(self, path: Path | None) -> None:
        """As IMailboxes.watch tells."""
        if path is None:
            self.names_stale = True
        elif path == ACCOUNT:
            self.annotations_stale = self.annotated
        elif self.events(path):
            self.stale[path] = None
            if len(self.stale) > MOST_STALE:
                self.lost()

    def lost(self) -> None:
        """There is more than can be told (§5.8)."""
        self.overflowed = True
        self.stale.clear()

    def remember(self, path: Path, found: MailboxStatus) -> None:
        if len(self.figures) >= MOST_FIGURES:
            self.figures.clear()  # so that some may be told once more than needed
        self.figures[path] = found

    def renew(self, names: Names) -> list[NameChange]:
        """These are the names now; what of that is to be told."""
        old, self.names = self.names, names
        own, self.own = self.own, set()
        changes: dict[Path, NameChange] = {}
        self._move_annotations(old, names)
        for change in (*_names_changed(old, names, own), *_subscribed(old, names)):
            touched = {change.path, change.old} - {None}
            if touched & own:
                continue
            before = Notice(self.groups, self.namespaces, names=old)
            wanted = NOTHING
            for path in (one for one in (change.path, change.old) if one is not None):
                wanted |= self.events(path) | before.events(path)
            if change.event in wanted:
                changes.setdefault(change.path, change)
        return list(changes.values())

    def _move_annotations(self, old: Names, new: Names) -> None:
        """They go with their mailbox."""
        paths = {path: new.by_id.get(one) for one, path in old.by_id.items()}
        moved: dict[tuple[Path, str], int] = {}
        for (path, name), mark in self.annotations.items():
            target = paths.get(path, path)
            if target is not None:
                moved[target, name] = mark
        self.annotations = moved

    # -- annotations ----------------------------------------------------------

    def know(self, path: Path, values: Iterable[tuple[str, bytes | None]]) -> None:
        """The client itself gave these values, None for no annotation."""
        if not self.annotated:
            return
        for name, value in values:
            mark = _mark(name, value)
            if mark is None:
                self.annotations.pop((path, name), None)
            else:
                self.annotations[path, name] = mark

    def renew_annotations(self, held: Iterable[Annotation]) -> dict[Path, list[str]]:
        """All there are now; the names of those to tell of, by where they are."""
        old, new = self.annotations, {}
        for one in held:
            mark = _mark(one.name, one.value)
            if mark is not None:
                new[one.path, one.name] = mark
        self.annotations = new
        changed: dict[Path, list[str]] = {}
        for key in sorted(old.keys() | new.keys()):
            path, name = key
            if path == ACCOUNT:
                event = NotifyEvent.SERVER_METADATA_CHANGE
            else:
                event = NotifyEvent.MAILBOX_METADATA_CHANGE
            if old.get(key) != new.get(key) and event in self.events(path):
                changed.setdefault(path, []).append(name)
        return changed


def _mark(name: str, value: bytes | None) -> int | None:
    """What changes with the value; special uses have no order."""
    if name == SPECIAL_USE:
        return hash(uses_in({name: value})) if value else None
    return None if value is None else hash(value)


def _names_changed(old: Names, new: Names, own: set[Path]) -> list[NameChange]:
    event = NotifyEvent.MAILBOX_NAME
    moved = {
        path: new.by_id[one]
        for one, path in old.by_id.items()
        if one in new.by_id and new.by_id[one] != path
    }
    changes = [
        NameChange(path, event, before)
        for before, path in moved.items()
        if not _moved_with_parent(before, path, moved)
    ]
    made = [path for one, path in new.by_id.items() if one not in old.by_id]
    gone = [path for one, path in old.by_id.items() if one not in new.by_id]
    changes += [NameChange(path, event) for path in (*made, *gone)]
    affected = {path[:-1]: None for path in (*made, *gone) if path[:-1]}
    touched = own.union(change.path for change in changes)
    parents = {path[:-1] for path in own}
    changes += [
        NameChange(path, event)
        for path in affected
        if path not in touched and path not in parents
    ]
    return changes


def _moved_with_parent(old: Path, new: Path, moved: dict[Path, Path]) -> bool:
    """§5.4: children are renamed without a word of their own."""
    return any(
        moved.get(old[:depth]) == new[: len(new) - (len(old) - depth)]
        and new[len(new) - (len(old) - depth) :] == old[depth:]
        for depth in range(1, len(old))
    )


def _subscribed(old: Names, new: Names) -> list[NameChange]:
    event = NotifyEvent.SUBSCRIPTION_CHANGE
    changed = old.subscribed ^ new.subscribed
    return [NameChange(path, event) for path in sorted(changed)]
