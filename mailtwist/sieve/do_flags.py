"""Flags for what is kept (RFC 5232)."""

from __future__ import annotations

import re

from ..flags import RECENT, SYSTEM, Flags, canonical
from .compiled import Call
from .questions import Asking
from .state import Run

MOST_FLAGS = 100  # of one message
_KEYWORD = re.compile(r"[!#-'+-\[^-z|}~]{1,255}")  # an atom of IMAP


def listed(strings: list[str]) -> list[str]:
    """The flags in strings, each once; what is no flag is left out (RFC 5232 §2)."""
    found: dict[str, str] = {}
    for string in strings:
        for flag in string.split():
            name = canonical(flag)
            if name in SYSTEM or (name != RECENT and _KEYWORD.fullmatch(name)):
                found.setdefault(name.lower(), name)
    return list(found.values())[:MOST_FLAGS]


def flags_of(strings: list[str]) -> Flags:
    return frozenset(listed(strings))


def _held(run: Run, name: str) -> list[str]:
    """The flags in a variable; "" is the one of the message."""
    return listed([run.variable(name)]) if name else sorted(run.flags)


def change(run: Run, call: Call) -> None:
    """setflag, addflag, removeflag."""
    name = run.one(call, "variable").lower()
    given = listed(run.some(call, "flags"))
    if call.name == "addflag":
        given = listed([*_held(run, name), *given])
    elif call.name == "removeflag":
        gone = {flag.lower() for flag in given}
        given = [flag for flag in _held(run, name) if flag.lower() not in gone]
    if name:
        run.set(name, " ".join(given))
    else:
        run.flags = frozenset(given)
    run.note(call.place, lambda: f"{call.name}: {' '.join(given) or 'no flags'}")


def hasflag(run: Run, call: Call) -> bool | Asking[bool]:
    """§4: each flag against each key; :count counts flags."""
    names = run.some(call, "variables") or [""]
    held = [flag for name in names for flag in _held(run, name.lower())]
    keys = run.some(call, "keys")
    if call.match.kind not in ("count", "value"):
        keys = [key for string in keys for key in string.split()]
    return run.matches(call, held, keys=keys)


COMMANDS = {"setflag": change, "addflag": change, "removeflag": change}
TESTS = {"hasflag": hasflag}
