"""The command table as data: every command, where it is allowed, what it may tell."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from attrs import frozen

from .types import Command


class State(Enum):
    """RFC 3501 §3."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


ANY = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
NOT_AUTHENTICATED = frozenset({State.NOT_AUTHENTICATED})
AUTHENTICATED = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED = frozenset({State.SELECTED})


@frozen(kw_only=True)
class CommandRow:
    """One command.

    `name` is as the client says it, "UID FETCH" for the UID form.  `rfc` cites its
    section.  `keeps_numbers`: EXPUNGE must not be told while it is answered, as message
    numbers are under way (RFC 3501 §7.4.1).  `try_create`: a missing target mailbox is
    answered with [TRYCREATE].  `secret`: its arguments never stand in a log.
    """

    name: str
    rfc: str
    states: frozenset[State]
    grammar: Callable[[Any], Command]
    keeps_numbers: bool = False
    try_create: bool = False
    secret: bool = False

    @property
    def uid(self) -> bool:
        """True for the forms that begin with UID."""
        return self.name.startswith("UID ")
