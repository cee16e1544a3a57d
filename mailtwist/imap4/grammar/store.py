"""Commands that change messages: STORE, COPY, MOVE, EXPUNGE."""

from __future__ import annotations

import re

from ...errors import BadParameter
from ...mailbox.model import FlagAction, FlagChange
from ..types import Copy, Expunge, Move, Store
from .flag import flags
from .mailbox import mailbox
from .scanner import CommandScanner
from .sequence import sequence_set
from .strings import mod_sequence, sp, word

_ITEM = re.compile(rb"([+-]?)FLAGS(\.SILENT)?(?= )", re.I)
_ACTIONS = {
    b"": FlagAction.REPLACE,
    b"+": FlagAction.ADD,
    b"-": FlagAction.REMOVE,
}


def store(s: CommandScanner) -> Store:
    """sequence-set [SP store-modifiers] SP store-att-flags (RFC 7162 §3.1.3)."""
    sp(s)
    numbers = sequence_set(s)
    sp(s)
    unchanged_since = None
    if s.skip(b"("):
        if word(s) != "UNCHANGEDSINCE":
            raise BadParameter("Unknown modifier of STORE")
        sp(s)
        unchanged_since = mod_sequence(s)
        s.expect(b")", "a closing parenthesis")
        sp(s)
    item = s.match(_ITEM, "FLAGS, +FLAGS or -FLAGS")
    sp(s)
    change = FlagChange(_ACTIONS[item[1]], flags(s))
    return Store(numbers, change, bool(item[2]), unchanged_since, s.uid)


def copy(s: CommandScanner) -> Copy:
    sp(s)
    numbers = sequence_set(s)
    sp(s)
    return Copy(numbers, mailbox(s), s.uid)


def move(s: CommandScanner) -> Move:
    sp(s)
    numbers = sequence_set(s)
    sp(s)
    return Move(numbers, mailbox(s), s.uid)


def expunge(s: CommandScanner) -> Expunge:
    """EXPUNGE, or UID EXPUNGE with its set (RFC 4315 §2.1)."""
    if not s.uid:
        return Expunge()
    sp(s)
    return Expunge(sequence_set(s))
