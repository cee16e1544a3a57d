"""Fields added and deleted (RFC 5293)."""

from __future__ import annotations

from ..mime.compose import field_of
from ..mime.header import unfold
from ..mime.text import decoded_words
from .check_values import ROLES
from .compiled import Call
from .matching import found
from .message import Field
from .state import Run

# §6: a message must not lose what stops loops; nor may a script forge its way here.
PROTECTED = frozenset({b"received", b"auto-submitted"})


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
