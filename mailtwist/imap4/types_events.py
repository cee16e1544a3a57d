"""What an IMAP client wants to hear of without asking again, and batches of UIDs."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

from ..mailbox.model import Path

if TYPE_CHECKING:
    from .types import FetchAttribute


@frozen
class CancelUpdate:
    """CANCELUPDATE (RFC 5267 §4.3.5): tags of searches whose updates may stop."""

    tags: tuple[bytes, ...]


@frozen
class UidBatches:
    """UIDBATCHES (RFC 10022): the mailbox in batches of `size` messages, the newest
    first; `batches` None is all of them, else the first and the last wanted."""

    size: int
    batches: tuple[int, int] | None = None


# -- NOTIFY -----------------------------------------------------------------------


class NotifyEvent(Enum):
    """event-name (RFC 5465 §8): those that can be told."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


MESSAGE_EVENTS = frozenset(
    {NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE, NotifyEvent.FLAG_CHANGE}
)


class MailboxFilter(Enum):
    """filter-mailboxes (RFC 5465 §6)."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    MAILBOXES = "MAILBOXES"


SELECTED_FILTERS = (MailboxFilter.SELECTED, MailboxFilter.SELECTED_DELAYED)


@frozen
class EventGroup:
    """event-group: `events` of the mailboxes of `which`; `paths` for SUBTREE and
    MAILBOXES; `attributes` of new messages in the selected mailbox."""

    which: MailboxFilter
    events: frozenset[NotifyEvent]
    paths: tuple[Path, ...] = ()
    attributes: tuple[FetchAttribute, ...] = ()


@frozen
class Notify:
    """NOTIFY (RFC 5465 §3.1): `groups` is empty for NONE; `status`: figures of the
    mailboxes are told first."""

    groups: tuple[EventGroup, ...] = ()
    status: bool = False
