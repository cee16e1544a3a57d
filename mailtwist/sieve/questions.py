"""What the interpreter asks while it runs, and what it is told.

The interpreter is a generator: it yields a question and is sent the answer.  Whoever
drives it may wait for a disk or a network in between.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from attrs import frozen


@frozen
class Pause:
    """Nothing is asked: a slice of work is done, others may have a turn.  -> None"""


@frozen
class MailboxKnown:
    """Can the owner file into this mailbox?  -> bool"""

    name: str


@frozen
class MailboxIdKnown:
    """Can the owner file into a mailbox with this object id?  -> bool"""

    object_id: str


@frozen
class UseKnown:
    """Is there a mailbox for this special use, or has that mailbox it?  -> bool"""

    use: str
    mailbox: str | None = None


@frozen
class Annotations:
    """An annotation of a mailbox, of the server with None.  -> str | None"""

    mailbox: str | None
    name: str


@frozen
class Listed:
    """Which of `values` is in one of the lists?  -> str | None"""

    lists: tuple[str, ...]
    values: tuple[str, ...]


@frozen
class ListKnown:
    """Is there such a list?  -> bool"""

    name: str


@frozen
class Seen:
    """Was this remembered, and is it not forgotten yet?  -> bool"""

    key: bytes


@frozen
class Included:
    """The script of that name, the owner's or the server's.  -> Program | None

    Raises ScriptError for one that cannot be used."""

    name: str
    shared: bool = False


Question = (
    Pause
    | MailboxKnown
    | MailboxIdKnown
    | UseKnown
    | Annotations
    | Listed
    | ListKnown
    | Seen
    | Included
)
Result = TypeVar("Result")
Asking = Generator[Question, Any, Result]
