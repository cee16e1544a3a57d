"""Fields added and deleted (RFC 5293)."""

from __future__ import annotations

import re

from ..mime.ascii_header import unstructured
from ..mime.header import unfold
from ..mime.text import decoded_words
from .check_values import ROLES
from .compiled import Call
from .matching import found
from .message import Field
from .pattern import octets_of
from .state import Run

# §6: a message must not lose what stops loops; nor may a script forge its way here.
PROTECTED = frozenset({b"received", b"auto-submitted"})
MOST_LINE = 78  # characters, where there is room to fold

_LINE_ENDS = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def field_of(name: str, value: str) -> bytes:
    """A raw field: one line or folded, in ASCII."""
    value = _CONTROL.sub("", _LINE_ENDS.sub(" ", value)).strip()
    octets = octets_of(value)
    try:
        encoded = unstructured(octets)
    except UnicodeDecodeError:
        encoded = octets.decode("ascii", "replace").encode("ascii", "replace")
    head = name.encode("ascii") + b": "
    if len(head) + len(encoded) <= MOST_LINE or b"\r\n" in encoded:
        return head + encoded + b"\r\n"
    lines, line = [], head.rstrip()
    for word in encoded.split(b" "):
        if len(line) + 1 + len(word) > MOST_LINE and line != head.rstrip():
            lines.append(line)
            line = b""
        line += b" " + word
    return b"\r\n".join([*lines, line]) + b"\r\n"


def addheader(run: Run, call: Call) -> None:
    name, value = run.one(call, "field"), run.one(call, "value")
    if not ROLES["field"][0](name):
        raise run.budget.fail(f'"{name[:80]}" is not the name of a header field')
    if name.lower().encode() in PROTECTED:
        raise run.budget.fail(f"{name} may not be added")
    run.need_whole_header()
    run.added_fields += 1
    if run.added_fields > run.limits.fields:
        raise run.budget.fail("it adds too many fields")
    made = (name.lower().encode(), field_of(name, value))
    fields = run.message.header.fields
    last = "last" in call.tags
    run.message.edit([*fields, made] if last else [made, *fields])
    run.note(call.place, lambda: f"addheader {name}: {value[:200]}")


def deleteheader(run: Run, call: Call) -> None:
    name = run.one(call, "field").lower().encode("utf-8", "replace")
    if not name or name in PROTECTED:
        return
    run.need_whole_header()
    fields = run.message.header.fields
    places = [at for at, field in enumerate(fields) if field[0] == name]
    index = call.numbers.get("index")
    if index is not None:
        from_end = "last" in call.tags
        places = (
            places[::-1][index - 1 : index] if from_end else places[index - 1 : index]
        )
    if "keys" in call.texts:
        places = [at for at in places if _fits(run, call, fields[at])]
    if not places:
        return
    gone = set(places)
    run.message.edit([field for at, field in enumerate(fields) if at not in gone])
    run.note(call.place, lambda: f"deleteheader {name.decode()}: {len(gone)}")


def _fits(run: Run, call: Call, field: Field) -> bool:
    value = decoded_words(unfold(field[1][field[1].find(b":") + 1 :]))
    return found(call.match, [value], run.some(call, "keys"), run.budget) is not None


COMMANDS = {"addheader": addheader, "deleteheader": deleteheader}
