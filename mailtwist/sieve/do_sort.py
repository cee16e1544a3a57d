"""keep, discard, fileinto, redirect, reject: where the message goes.

RFC 5228 §4, RFC 3894, RFC 5429, RFC 6009, and what adds to fileinto.
"""

from __future__ import annotations

import re
from datetime import timedelta

from .actions import (
    Action,
    Discard,
    Dsn,
    FileInto,
    Keep,
    Redirect,
    Reject,
    Target,
    Vacation,
)
from .check_values import ROLES, address_of, moment_of
from .compiled import Call
from .do_flags import flags_of
from .state import Run

_WORDS = re.compile(r"[ \t]*,[ \t]*")


def keep(run: Run, call: Call) -> None:
    _apart(run, "keep")
    flags = flags_of(run.some(call, "flags")) if "flags" in call.tags else run.flags
    run.implicit_keep = False
    run.act(Keep(flags, run.message.draft, call.place))
    run.note(call.place, lambda: f"keep{_with(flags)}")


def discard(run: Run, call: Call) -> None:
    run.implicit_keep = False
    run.act(Discard(call.place))
    run.note(call.place, lambda: "discard")


def target(run: Run, call: Call, name: str) -> Target:
    """Where fileinto and :fcc file; raises ScriptFailed for no name of a mailbox."""
    mailbox = run.one(call, name)
    if not ROLES["mailbox"][0](mailbox):
        raise run.budget.fail(f'"{mailbox[:80]}" is not the name of a mailbox')
    return Target(
        mailbox,
        "create" in call.tags,
        run.one(call, "mailboxid"),
        run.one(call, "specialuse"),
    )


def fileinto(run: Run, call: Call) -> None:
    _apart(run, "fileinto")
    flags = flags_of(run.some(call, "flags")) if "flags" in call.tags else run.flags
    where = target(run, call, "mailbox")
    if "copy" not in call.tags:
        run.implicit_keep = False
    made = FileInto(where, flags, run.message.draft, call.place)
    for at, other in enumerate(run.actions):  # RFC 5228 §2.10.3
        if isinstance(other, FileInto) and other.target == where:
            run.actions[at] = made
            return
    run.act(made)
    run.note(call.place, lambda: f'fileinto "{where.name}"{_with(flags)}')


def redirect(run: Run, call: Call) -> None:
    _apart(run, "redirect")
    said = run.one(call, "address")
    address = None if "list" in call.tags else address_of(said)
    if address is None and "list" not in call.tags:
        raise run.budget.fail(f'"{said[:80]}" is not an address')
    if "copy" not in call.tags:
        run.implicit_keep = False
    made = Redirect(
        address,
        "" if address else said,
        _dsn(run, call),
        run.message.draft,
        call.place,
    )
    same = (made.address, made.members_of)
    others = [each for each in run.actions if isinstance(each, Redirect)]
    if any((each.address, each.members_of) == same for each in others):
        return
    if len(others) >= run.limits.redirects:
        raise run.budget.fail("it has too many redirects")
    run.act(made)
    run.note(call.place, lambda: f'redirect "{said}"')


def _dsn(run: Run, call: Call) -> Dsn:
    """RFC 6009 §4 and §6; raises ScriptFailed."""
    for name, role in (
        ("notify", "dsn notify"),
        ("ret", "dsn ret"),
        ("bymode", "by mode"),
        ("bytimeabsolute", "moment"),
    ):
        value = run.one(call, name)
        if name in call.tags and not ROLES[role][0](value):
            raise run.budget.fail(f'"{value[:80]}" is not {ROLES[role][1]}')
    by_s = None
    if "bytimerelative" in call.numbers:
        seconds = min(call.numbers["bytimerelative"], 999_999_999)
        by_s = (run.circumstances.now + timedelta(seconds=seconds)).timestamp()
    elif moment := moment_of(run.one(call, "bytimeabsolute")):
        by_s = moment.timestamp()
    notify = None
    if "notify" in call.tags:
        notify = frozenset(_WORDS.split(run.one(call, "notify").upper()))
    mode = run.one(call, "bymode", "return").lower()
    return Dsn(
        notify,
        run.one(call, "ret").upper(),
        by_s,
        "N" if mode == "notify" else "R",
        "bytrace" in call.tags,
    )


def reject(run: Run, call: Call) -> None:
    """RFC 5429 §2: not beside anything that delivers or answers."""
    run.need_delivery(call.name)
    for other in run.actions:
        if isinstance(other, (Keep, FileInto, Redirect, Vacation, Reject)):
            raise run.budget.fail(f'"{call.name}" beside "{_NAMES[type(other)]}"')
    run.implicit_keep = False
    reason = run.one(call, "reason")
    run.act(Reject(reason, call.name == "ereject", call.place))
    run.note(call.place, lambda: call.name)


def _apart(run: Run, name: str) -> None:
    if any(isinstance(other, Reject) for other in run.actions):
        raise run.budget.fail(f'"{name}" beside "reject"')


def error(run: Run, call: Call) -> None:
    """RFC 5463 §5."""
    raise run.budget.fail(run.one(call, "message"))


def _with(flags: frozenset[str]) -> str:
    return f" with {' '.join(sorted(flags))}" if flags else ""


_NAMES: dict[type[Action], str] = {
    Keep: "keep",
    FileInto: "fileinto",
    Redirect: "redirect",
    Vacation: "vacation",
    Reject: "reject",
}
COMMANDS = {
    "keep": keep,
    "discard": discard,
    "fileinto": fileinto,
    "redirect": redirect,
    "reject": reject,
    "ereject": reject,
    "error": error,
}
