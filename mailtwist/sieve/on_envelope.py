"""The envelope test (RFC 5228 §5.4, RFC 6009 §2 and §5)."""

from __future__ import annotations

from datetime import UTC, datetime

from .check_values import ENVELOPE_PARTS
from .compiled import Call
from .on_message import address_text
from .questions import Asking
from .state import Run


def envelope(run: Run, call: Call) -> bool | Asking[bool]:
    run.need_delivery("envelope")
    values: list[str] = []
    for part in run.some(call, "parts"):
        values += _values(run, call, part.lower())
    if call.match.kind == "count":
        values = [value for value in values if value]
    return run.matches(call, values)


def _values(run: Run, call: Call, part: str) -> list[str]:
    known = run.circumstances
    if part in ("from", "to"):
        address = known.reverse_path if part == "from" else known.recipient
        if address is None:  # the null path, whatever part is asked for
            return [""]
        return address_text(run, call, address.local_part, address.domain)
    if ENVELOPE_PARTS.get(part, "?") not in run.scope.extensions:
        raise run.budget.fail(f'"{part[:80]}" is not a part of an envelope')
    by = known.wishes.deliver_by
    match part:
        case "notify":
            return sorted(known.notify.when or ())
        case "orcpt":
            return [known.notify.orcpt] if known.notify.orcpt else []
        case "ret":
            return [known.wishes.ret] if known.wishes.ret else []
        case "envid":
            return [known.wishes.envid] if known.wishes.envid else []
        case "bytimeabsolute" if by:
            return [datetime.fromtimestamp(by.deadline_s, UTC).strftime(_MOMENT)]
        case "bytimerelative" if by:
            return [str(round(by.deadline_s - known.now.timestamp()))]
        case "bymode" if by:
            return [by.mode]
        case "bytrace" if by:
            return ["true"] if by.trace else []
    return []


_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
TESTS = {"envelope": envelope}
