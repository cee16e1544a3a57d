"""The tests and actions by name, from the rooms that carry them out."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    do_flags,
    do_header,
    do_notify,
    do_parts,
    do_sort,
    do_vacation,
    do_variables,
    on_dates,
    on_envelope,
    on_mailboxes,
    on_message,
    on_surroundings,
)
from .compiled import Call
from .questions import Asking
from .state import Run

Command = Callable[[Run, Call], None]
Test = Callable[[Run, Call], "bool | Asking[bool]"]

COMMANDS: dict[str, Command] = {
    **do_sort.COMMANDS,
    **do_flags.COMMANDS,
    **do_header.COMMANDS,
    **do_notify.COMMANDS,
    **do_parts.COMMANDS,
    **do_vacation.COMMANDS,
    **do_variables.COMMANDS,
}
TESTS: dict[str, Test] = {
    **on_message.TESTS,
    **on_envelope.TESTS,
    **on_dates.TESTS,
    **on_mailboxes.TESTS,
    **on_surroundings.TESTS,
    **do_flags.TESTS,
    **do_notify.TESTS,
    **do_variables.TESTS,
}
