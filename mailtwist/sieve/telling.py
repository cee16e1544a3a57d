"""Actions in words, for those who try their scripts out."""

from __future__ import annotations

from collections.abc import Iterable

from . import actions
from .faults import Place


def said(action: actions.Action) -> str:
    """What an action does, in a line."""
    match action:
        case actions.Keep(flags):
            return "keep" + _with(flags)
        case actions.FileInto(target, flags):
            return f"file into {_place(target)}{_with(flags)}"
        case actions.Redirect(address, members):
            return f"send on to {address or f'the members of {members}'}"
        case actions.Discard():
            return "discard"
        case actions.Reject(reason):
            return f"refuse: {reason.splitlines()[0] if reason else ''}"
        case actions.Vacation(reason, seconds):
            line = reason.splitlines()[0] if reason else ""
            return f"answer, once in {seconds} seconds to each sender: {line}"
        case actions.Notify(recipients, subject):
            return f"tell {', '.join(map(str, recipients))}: {subject}"
        case actions.Remember(_, seconds):
            return f"remember for {seconds} seconds that it came"


def lines_of(outcome: actions.Outcome, *, trace: bool) -> Iterable[str]:
    """An outcome for people: with `trace` each step before it."""
    if trace:
        for step in outcome.trace:
            yield f"{_where(step.place)}: {step.text}"
    for name, fault in outcome.failed:
        yield f"{name} failed: {fault}"
    for action in outcome.actions:
        edited = ""
        if isinstance(action, actions.Keep | actions.FileInto | actions.Redirect):
            edited = ", edited" if action.draft is not None else ""
        why = "implicit" if action.place is None else _where(action.place)
        yield f"=> {said(action)}{edited} ({why})"


def _where(place: Place) -> str:
    return f"line {place.line}, column {place.column}"


def _place(target: actions.Target) -> str:
    words = [f'"{target.name}"']
    if target.special_use:
        words.append(f"or the mailbox for {target.special_use}")
    if target.object_id:
        words.append(f"or the mailbox {target.object_id}")
    if target.create:
        words.append("made if it is missing")
    return ", ".join(words)


def _with(flags: frozenset[str]) -> str:
    return f" with {' '.join(sorted(flags))}" if flags else ""
