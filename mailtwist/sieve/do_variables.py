"""Variables (RFC 5229)."""

from __future__ import annotations

from urllib.parse import quote

from .compiled import Call
from .questions import Asking
from .state import Run

_WILDCARDS = str.maketrans({"*": r"\*", "?": r"\?", "\\": r"\\"})
_REGEX = str.maketrans({one: "\\" + one for one in r".[](){}*+?^$|\\"[:-1]})


def modified(value: str, tags: frozenset[str]) -> str:
    """`value` as the modifiers have it, the highest precedence first (§4.1)."""
    if "lower" in tags:
        value = value.lower()
    if "upper" in tags:
        value = value.upper()
    if "lowerfirst" in tags:
        value = value[:1].lower() + value[1:]
    if "upperfirst" in tags:
        value = value[:1].upper() + value[1:]
    if "quotewildcard" in tags:
        value = value.translate(_WILDCARDS)
    if "quoteregex" in tags:
        value = value.translate(_REGEX)
    if "encodeurl" in tags:  # RFC 5435 §6
        value = quote(value.encode("utf-8", "replace"), safe="-_.~")
    if "length" in tags:
        value = str(len(value))
    return value


def set_variable(run: Run, call: Call) -> None:
    name = run.one(call, "name")
    value = modified(run.one(call, "value"), call.tags)
    run.set(name, value)
    run.note(call.place, lambda: f'set {name} to "{value[:200]}"')


def global_variables(run: Run, call: Call) -> None:
    """RFC 6609 §3.4.1."""
    for name in run.some(call, "names"):
        name = name.lower().removeprefix("global.")
        run.scope.shared.add(name)
        run.shared.setdefault(name, "")


def string(run: Run, call: Call) -> bool | Asking[bool]:
    """§5; of empty strings :count knows nothing."""
    sources = run.some(call, "sources")
    if call.match.kind == "count":
        sources = [source for source in sources if source]
    return run.matches(call, sources)


COMMANDS = {"set": set_variable, "global": global_variables}
TESTS = {"string": string}
