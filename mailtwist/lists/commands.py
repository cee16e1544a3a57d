"""Commands in mail to dev-request, as Majordomo and its heirs have them.

    subscribe [LIST] [digest|plain|nomail] [address=ADDRESS]
    unsubscribe [LIST] [ADDRESS]
    confirm TOKEN
    accept|reject|discard TOKEN
    set digest|plain|each|nomail|vacation on|off|copies on|off
    which, who [LIST], lists, info [LIST], help, end

One command stands in a line; what is quoted or empty is passed over, `end` or a
signature ends them.  Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from ..address import Address
from ..errors import BadAddress
from .model import DIGEST, EACH, MODES, NOMAIL, PLAIN_DIGEST

MOST_LINES = 200  # of a text that are looked at
MOST_COMMANDS = 25  # that are done
MOST_FAULTS = 5  # words that are no command until the rest is taken for a letter
MOST_LINE = 1000  # characters
TOKEN = re.compile(r"[a-z2-7]{24}")


@frozen
class Subscribe:
    """`address` None for the sender's own; `list` "" for the list written to."""

    list: str = ""
    address: Address | None = None
    mode: str = EACH


@frozen
class Unsubscribe:
    list: str = ""
    address: Address | None = None


@frozen
class Confirm:
    """An answer with a token; `verdict` "" or what a moderator says: "accept",
    "reject" or "discard"."""

    token: str
    verdict: str = ""


@frozen
class Set:
    """A `mode`, or `option` ("vacation", "copies") switched `on`."""

    mode: str = ""
    option: str = ""
    on: bool = True


@frozen
class Ask:
    """`what` is "which", "who", "lists", "info" or "help"."""

    what: str
    list: str = ""


@frozen
class Bad:
    """A line that is no command, and why."""

    why: str


Order = Subscribe | Unsubscribe | Confirm | Set | Ask | Bad


@frozen
class Said:
    """A line as it was written, and what it asks for."""

    line: str
    order: Order


_MODES = {
    **{mode: mode for mode in MODES},
    **{"mime": DIGEST, "text": PLAIN_DIGEST, "mail": EACH, "postpone": NOMAIL},
}
_ON = {"on": True, "yes": True, "off": False, "no": False}
_ASKS = {
    **{name: name for name in ("which", "who", "lists", "info", "help")},
    **{"review": "who", "members": "who", "list": "lists", "index": "lists"},
}
_ENDS = ("end", "stop", "quit", "exit", "--", "__")
_PREFIX = re.compile(r"(?:(?:re|aw|sv|fwd?)\s*:\s*)+", re.I)


def orders(text: str) -> list[Said]:
    """The commands in a text, one a line."""
    found: list[Said] = []
    faults = 0
    for line in text.splitlines()[:MOST_LINES]:
        line = line.strip()[:MOST_LINE]
        word = line.partition(" ")[0].lower()
        if not line or line.startswith((">", "#", "|")):
            continue
        if word in _ENDS or line.startswith("-- "):
            break
        order = order_of(line)
        faults += isinstance(order, Bad)
        found.append(Said(line, order))
        if faults >= MOST_FAULTS or len(found) >= MOST_COMMANDS:
            break
    return found


def in_subject(subject: str) -> Said | None:
    """The command that a subject is; None for any other subject."""
    line = _PREFIX.sub("", subject.strip())[:MOST_LINE]
    order = order_of(line) if line else Bad("")
    return None if isinstance(order, Bad) else Said(line, order)


def order_of(line: str) -> Order:
    """What one line asks for."""
    word, *rest = line.split() or [""]
    verb = word.lower().rstrip(":.")
    if verb in _ASKS:
        return _ask(_ASKS[verb], rest)
    made = _VERBS.get(verb)
    if made is None:
        return Bad(f"{word[:40]} is not a command")
    return made(verb, rest)


def _ask(what: str, rest: list[str]) -> Order:
    if len(rest) > 1:
        return Bad(f"{what} takes the name of a list at most")
    return Ask(what, rest[0].lower() if rest else "")


def _subscribe(verb: str, rest: list[str]) -> Order:
    lists, address, mode = "", None, EACH
    for word in rest:
        lower = word.lower()
        if lower.startswith("digest="):
            lower = lower.removeprefix("digest=")
            lower = {"no": EACH, "yes": DIGEST}.get(lower, lower)
        if lower in _MODES:
            mode = _MODES[lower]
        elif lower.startswith("address=") or "@" in word:
            address = _address(word)
            if address is None:
                return Bad(f"{word[:100]} is not an address")
        elif not lists:
            lists = lower
        else:
            return Bad(f"{word[:100]} is too much")
    return Subscribe(lists, address, mode)


def _unsubscribe(verb: str, rest: list[str]) -> Order:
    made = _subscribe(verb, rest)
    if isinstance(made, Subscribe):
        return Unsubscribe(made.list, made.address)
    return made


def _address(word: str) -> Address | None:
    if word.lower().startswith("address="):
        word = word[len("address=") :]
    try:
        address = Address.parse(word.strip("<>"))
    except BadAddress:
        return None
    return address if address.domain else None


def _confirm(verb: str, rest: list[str]) -> Order:
    token = rest[0].lower() if rest else ""
    if len(rest) != 1 or not TOKEN.fullmatch(token):
        return Bad(f"{verb} takes the token of a message that asked for it")
    return Confirm(token, _VERDICTS.get(verb, ""))


def _set(verb: str, rest: list[str]) -> Order:
    words = [word.lower() for word in rest]
    if words and words[0] in ("mode", "delivery", "digest") and len(words) > 1:
        asked = words.pop(0)
        if asked == "digest" and words[0] in _ON:
            words = [DIGEST if _ON[words[0]] else EACH]
    if len(words) == 1 and words[0] in _MODES:
        return Set(mode=_MODES[words[0]])
    if len(words) == 2 and words[0] in ("vacation", "copies") and words[1] in _ON:
        return Set(option=words[0], on=_ON[words[1]])
    return Bad(
        "set takes each, digest, plain, nomail, vacation on|off or copies on|off"
    )


_VERDICTS = {
    **{"accept": "accept", "approve": "accept", "allow": "accept"},
    **{"reject": "reject", "deny": "reject", "discard": "discard"},
}
_VERBS: dict[str, Callable[[str, list[str]], Order]] = {
    **dict.fromkeys(("subscribe", "join"), _subscribe),
    **dict.fromkeys(("unsubscribe", "leave", "signoff", "remove"), _unsubscribe),
    **dict.fromkeys(("confirm", "auth", *_VERDICTS), _confirm),
    "set": _set,
}
