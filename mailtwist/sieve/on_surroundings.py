"""Tests on what is around the message: the server, verdicts, lists, what came before.

RFC 5183, RFC 5235, RFC 5463, RFC 6134, RFC 7352.
"""

from __future__ import annotations

from hashlib import blake2b

from .actions import Remember
from .compiled import Call
from .extensions import BUILT_IN
from .on_message import name_of
from .questions import Asking, ListKnown, Seen
from .state import Run

DUPLICATE_S = 7 * 86_400  # RFC 7352 §3.3 leaves it to the site
MOST_DUPLICATE_S = 30 * 86_400


def environment(run: Run, call: Call) -> bool | Asking[bool]:
    """RFC 5183 §4: an item that is not known fits nothing."""
    value = run.circumstances.environment.get(run.one(call, "name").lower())
    return run.matches(call, [] if value is None else [value])


def ihave(run: Run, call: Call) -> bool:
    return all(name in run.known | BUILT_IN for name in run.some(call, "extensions"))


def spamtest(run: Run, call: Call) -> bool | Asking[bool]:
    """RFC 5235 §2: 0 is not tested, 1 is clean, 10 is spam; or percent."""
    percent = run.circumstances.spam_percent
    if "percent" in call.tags:
        value = 0 if percent is None else percent
    else:
        value = 0 if percent is None else 1 + percent * 9 // 100
    return run.matches(call, [str(value)], keys=[run.one(call, "key")])


def virustest(run: Run, call: Call) -> bool | Asking[bool]:
    """RFC 5235 §3: 0 is not tested, 1 is clean, 5 is a virus."""
    value = str(run.circumstances.virus_level or 0)
    return run.matches(call, [value], keys=[run.one(call, "key")])


def duplicate(run: Run, call: Call) -> Asking[bool]:
    """RFC 7352 §3: true if it was seen; it is remembered when all went well."""
    if "uniqueid" in call.tags:
        unique = run.one(call, "uniqueid")
    else:
        name = name_of(run.one(call, "header", "Message-ID"))
        values = run.message.header.texts(name)
        if not values:
            return False
        unique = values[0]
    if not unique:
        return False
    handle = run.one(call, "handle")
    said = f"{handle}\0{unique}".encode("utf-8", "surrogatepass")
    key = blake2b(said, digest_size=16).digest()
    run.budget.spend(50)
    seen = bool((yield Seen(key)))
    seconds = call.numbers.get("seconds", DUPLICATE_S)
    if seconds and (not seen or "last" in call.tags):
        remember = Remember(key, min(seconds, MOST_DUPLICATE_S), call.place, seen)
        if all(remember != other for other in run.actions):
            run.act(remember)
    return seen


def valid_ext_list(run: Run, call: Call) -> Asking[bool]:
    for name in run.some(call, "lists"):
        run.budget.spend(50)
        if not (yield ListKnown(name)):
            return False
    return True


TESTS = {
    "duplicate": duplicate,
    "environment": environment,
    "ihave": ihave,
    "spamtest": spamtest,
    "valid_ext_list": valid_ext_list,
    "virustest": virustest,
}
