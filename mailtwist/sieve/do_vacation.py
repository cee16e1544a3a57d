"""vacation (RFC 5230, RFC 6131): that an answer is wanted.

Whether one goes out is for whoever knows what was answered before (RFC 3834).
"""

from __future__ import annotations

from hashlib import blake2b

from .actions import Copy, Reject, Vacation
from .check_values import address_of
from .compiled import Call
from .do_flags import flags_of
from .do_sort import target
from .state import Run

DAY_S = 86_400
DAYS = 7  # if the script says nothing; §4.1 asks for 7 or more to be possible
MOST_ADDRESSES = 100


def vacation(run: Run, call: Call) -> None:
    run.need_delivery("vacation")
    for other in run.actions:
        if isinstance(other, Vacation):
            raise run.budget.fail('"vacation" twice')  # §4.7
        if isinstance(other, Reject):
            raise run.budget.fail('"vacation" beside "reject"')
    sender = run.one(call, "from") or None
    if sender is not None and address_of(sender) is None:
        raise run.budget.fail(f'"{sender[:80]}" is not an address')
    seconds = call.numbers.get("seconds")
    if seconds is None:
        seconds = max(1, call.numbers.get("days", DAYS)) * DAY_S
    subject = run.one(call, "subject") if "subject" in call.tags else None
    reason, mime = run.one(call, "reason"), "mime" in call.tags
    handle = run.one(call, "handle")
    if "handle" not in call.tags:  # §4.2: what is said makes it another answer
        said = repr((reason, subject, sender, mime)).encode("utf-8", "replace")
        handle = "\0" + blake2b(said, digest_size=16).hexdigest()
    made = Vacation(
        reason,
        min(max(seconds, run.limits.vacation_least_s), run.limits.vacation_most_s),
        handle,
        subject,
        sender,
        tuple(run.some(call, "addresses")[:MOST_ADDRESSES]),
        mime,
        fcc(run, call),
        call.place,
    )
    run.act(made)
    run.note(call.place, lambda: f"vacation, once in {made.seconds} seconds")


def fcc(run: Run, call: Call) -> Copy | None:
    """Where the message is filed too (RFC 8580 §3)."""
    if "fcc" not in call.tags:
        return None
    return Copy(target(run, call, "fcc"), flags_of(run.some(call, "flags")))


COMMANDS = {"vacation": vacation}
