"""Which function answers which command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..response import Answer
from ..session import Session
from ..types import (
    Close,
    Copy,
    Create,
    Delete,
    Examine,
    Expunge,
    Fetch,
    List,
    Lsub,
    Move,
    Namespace,
    Rename,
    Search,
    Select,
    Status,
    Store,
    Subscribe,
    Unselect,
    Unsubscribe,
)
from . import fetch, mailboxes, select

HANDLERS: dict[type[Any], Callable[[Session, Any], Awaitable[Answer]]] = {
    Create: mailboxes.create,
    Delete: mailboxes.delete,
    Rename: mailboxes.rename,
    Subscribe: mailboxes.subscribe,
    Unsubscribe: mailboxes.unsubscribe,
    Status: mailboxes.status,
    Namespace: mailboxes.namespace,
    List: mailboxes.list_,
    Lsub: mailboxes.lsub,
    Select: select.select,
    Examine: select.select,
    Close: select.close,
    Unselect: select.unselect,
    Expunge: select.expunge,
    Search: select.search,
    Store: select.store,
    Copy: select.copy,
    Move: select.move,
    Fetch: fetch.fetch,
}
