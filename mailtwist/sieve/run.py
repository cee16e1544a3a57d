"""The interpreter: scripts carried out for one message (RFC 5228 §2.10).

`interpret` is a generator that yields questions and returns an Outcome.  It does no
I/O and never does more work between two questions than `limits.SLICE` allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from attrs import frozen

from .actions import Discard, Keep, Outcome
from .circumstances import Circumstances
from .compiled import Call, Program
from .extensions import EXTENSIONS, OF_DELIVERY
from .faults import Fault, ScriptError, ScriptFailed
from .limits import Limits
from .message import Message
from .questions import Asking, Included, Pause
from .state import Run, Scope
from .verbs import COMMANDS, TESTS

DEFAULT_LIMITS = Limits()


@frozen
class Script:
    """One of the scripts that a message goes through, and what people call it."""

    name: str
    program: Program


class _Stop(Exception):
    """stop: nothing more of this script."""


class _Return(Exception):
    """return: nothing more of this included script."""


class _Break(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def interpret(
    scripts: Sequence[Script],
    message: Message,
    circumstances: Circumstances,
    limits: Limits = DEFAULT_LIMITS,
    *,
    known: frozenset[str] = frozenset(EXTENSIONS),
    trace: bool = False,
) -> Asking[Outcome]:
    """What becomes of `message`.

    Each script sees the message if those before it kept it; the keep of the last is the
    one that counts.  A script that fails is a keep without any other action.
    """
    if circumstances.event:
        known -= OF_DELIVERY
    run = Run(message, circumstances, limits, known, trace=trace)
    failed: list[tuple[str, Fault]] = []
    keep: Keep | None = Keep(run.flags)
    for script in scripts:
        before = len(run.actions), message.saved(), run.flags
        run.implicit_keep = True
        run.scope = Scope(script.program)
        run.included.clear()
        try:
            yield from _Interpreter(run).script(script.program)
        except ScriptFailed as fault:
            failed.append((script.name, fault.fault))
            del run.actions[before[0] :]
            run.parts.clear()
            run.later.clear()
            run.running.clear()
            message.restore(before[1])
            run.flags, run.implicit_keep = before[2], True
            why = f"failed: {fault.fault.text}"
            run.note(fault.fault.place, partial(str, why))
        kept = [each for each in run.actions if isinstance(each, Keep)]
        keep = kept[-1] if kept else None
        if keep is None and not run.implicit_keep:
            break
        run.actions = [each for each in run.actions if not isinstance(each, Keep)]
        keep = keep or Keep(run.flags, message.draft)
    if keep is not None:
        run.actions.append(keep)
    if not run.actions:
        run.actions.append(Discard())
    return Outcome(tuple(run.actions), tuple(failed), tuple(run.trace or ()))


class _Interpreter:
    def __init__(self, run: Run) -> None:
        self._run = run

    def script(self, program: Program) -> Asking[None]:
        self._permit(program)
        try:
            yield from self._block(program.calls)
        except (_Stop, _Return):
            return

    def _permit(self, program: Program) -> None:
        for name in sorted(program.required & OF_DELIVERY):
            self._run.need_delivery(name)

    def _block(self, calls: tuple[Call, ...]) -> Asking[None]:
        run = self._run
        budget = run.budget
        for call in calls:
            budget.place = call.place
            budget.spend(4)
            if budget.pause:
                yield Pause()
            if call.branches:
                yield from self._if(call)
                continue
            match call.name:
                case "stop":
                    raise _Stop()
                case "return":
                    raise _Return()
                case "break":
                    raise _Break(run.one(call, "name"))
                case "include":
                    yield from self._include(call)
                case "foreverypart":
                    yield from self._every_part(call)
                case name:
                    COMMANDS[name](run, call)

    def _if(self, call: Call) -> Asking[None]:
        for test, block in call.branches:
            if test is None or (yield from self._test(test)):
                yield from self._block(block)
                return

    def _test(self, call: Call) -> Asking[bool]:
        run = self._run
        run.budget.place = call.place
        run.budget.spend(2)
        if run.budget.pause:
            yield Pause()
        match call.name:
            case "not":
                return not (yield from self._test(call.tests[0]))
            case "allof" | "anyof":
                wanted = call.name == "anyof"
                for test in call.tests:
                    if (yield from self._test(test)) is wanted:
                        return wanted
                return not wanted
            case name:
                answer = TESTS[name](run, call)
                if not isinstance(answer, bool):
                    answer = yield from answer
                truth = bool(answer)
                run.note(call.place, lambda: f"{name} is {str(truth).lower()}")
                return truth

    def _include(self, call: Call) -> Asking[None]:
        """RFC 6609 §3.2."""
        run = self._run
        what = run.one(call, "script"), "global" in call.tags
        if what in run.running:
            raise run.budget.fail(f'it includes "{what[0]}" in itself')
        if "once" in call.tags and what in run.included:
            return
        if len(run.running) >= run.limits.includes:
            raise run.budget.fail("scripts included too deeply")
        try:
            program = cast("Program | None", (yield Included(*what)))
        except ScriptError as bad:
            raise run.budget.fail(f'in "{what[0]}", {bad.faults[0]}') from None
        if program is None:
            if "optional" in call.tags:
                return
            raise run.budget.fail(f'there is no script "{what[0]}"')
        self._permit(program)
        run.note(call.place, lambda: f'include "{what[0]}"')
        run.included.add(what)
        run.running.append(what)
        outer, run.scope = run.scope, Scope(program)
        try:
            yield from self._block(program.calls)
        except _Return:
            return
        finally:
            run.scope = outer
            run.running.pop()

    def _every_part(self, call: Call) -> Asking[None]:
        """foreverypart (RFC 5703 §3): depth first, each part before those in it."""
        run = self._run
        name = run.one(call, "name")
        waiting = list(reversed(run.parts[-1].children)) if run.parts else []
        if not run.parts:
            waiting = [run.message.root]
        seen = 0
        while waiting:
            part = waiting.pop()
            seen += 1
            if seen > run.limits.parts:
                break
            run.parts.append(part)
            try:
                yield from self._block(call.block)
            except _Break as stopped:
                if stopped.name and stopped.name != name:
                    raise
                break
            finally:
                run.parts.pop()
            if not run.message.replaced(part):
                waiting.extend(reversed(part.children))
        if not run.parts:
            later, run.later = run.later, []
            for change in later:
                change()
