"""A script held against the table of extensions: errors, or the compiled form.

All mistakes are found in one go, up to a limit.  In a script that requires "ihave" a
mistake fails the script only when it is reached (RFC 5463 §4), so it is compiled as an
error of its own.
"""

from __future__ import annotations

from attrs import evolve

from ..mime.slices import Sliced, in_one_go
from .bind import Binder, Wrong
from .compiled import Call, Program
from .extensions import BUILT_IN, EXTENSIONS, OF_DELIVERY, SIGNATURES
from .faults import Fault, ScriptError
from .parser import MOST_OCTETS, SLICE, parsing
from .signature import Signature, Tests
from .syntax import Command, Script, Test

MOST_FAULTS = 20  # told of one script


def compiled(
    script: bytes,
    known: frozenset[str] = frozenset(EXTENSIONS),
    most_octets: int = MOST_OCTETS,
) -> Program:
    """The program of a script that may use the extensions `known`.  Raises
    ScriptError, and nothing else on any octets."""
    return in_one_go(compiling(script, known, most_octets))


def compiling(
    script: bytes, known: frozenset[str], most_octets: int
) -> Sliced[Program]:
    """The same in slices."""
    commands = yield from parsing(script, most_octets)
    return (yield from _checking(commands, known))


def check(script: Script, known: frozenset[str] = frozenset(EXTENSIONS)) -> Program:
    """The program of a script that was parsed.  Raises ScriptError."""
    return in_one_go(_checking(script, known))


def _checking(script: Script, known: frozenset[str]) -> Sliced[Program]:
    checker = _Checker(known)
    calls = yield from checker.script(script)
    if checker.faults:
        raise ScriptError(*sorted(checker.faults))
    return Program(calls, frozenset(checker.enabled), checker.required)


class _Checker:
    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.enabled: set[str] = set()
        self.required: frozenset[str] = frozenset()
        self.faults: list[Fault] = []
        self._binder = Binder(self.enabled)
        self._checked = 0
        self._loops: list[str] = []  # names of the foreverypart around

    # -- commands -------------------------------------------------------------------

    def script(self, commands: Script) -> Sliced[tuple[Call, ...]]:
        at = 0
        while at < len(commands) and commands[at].name == "require":
            try:
                self._require(commands[at])
            except Wrong as wrong:
                self.faults.append(wrong.fault)
            at += 1
        self.required = frozenset(self.enabled)
        return (yield from self._block(commands[at:]))

    def _block(self, commands: Script) -> Sliced[tuple[Call, ...]]:
        calls: list[Call] = []
        open_if = False
        for command in commands:
            continued = command.name in ("elsif", "else")
            try:
                if continued and not open_if:
                    raise Wrong(command.place, f'"{command.name}" without an "if"')
                call = yield from self._command(command)
            except Wrong as wrong:
                call = self._failing(wrong)
            if len(self.faults) >= MOST_FAULTS:
                break
            self._checked += 1
            if not self._checked % SLICE:
                yield
            if continued and call.branches and calls and calls[-1].branches:
                joined = calls[-1].branches + call.branches
                calls[-1] = evolve(calls[-1], branches=joined)
            else:
                calls.append(call)
            open_if = command.name in ("if", "elsif")
        return tuple(calls)

    def _failing(self, wrong: Wrong) -> Call:
        """What stands for a command with a mistake."""
        if "ihave" not in self.enabled:
            self.faults.append(wrong.fault)
        texts = {"message": (wrong.fault.text,)}
        return Call("error", wrong.fault.place, texts=texts)

    def _require(self, command: Command) -> None:
        self._shape(command, SIGNATURES["require"][0])
        call = self._binder.bind(command, SIGNATURES["require"][0])
        for name in call.texts["extensions"]:
            if name not in self.known and name not in BUILT_IN:
                raise Wrong(command.place, f'extension "{name}" is not known here')
            self.enabled.add(str(name))
        wrong = sorted(self.enabled & OF_DELIVERY)
        if wrong and "imapsieve" in self.enabled:
            raise Wrong(command.place, f'"{wrong[0]}" cannot go with "imapsieve"')

    def _command(self, command: Command) -> Sliced[Call]:
        signature = self._known(command, "command")
        if command.name == "require":
            raise Wrong(command.place, '"require" behind other commands')
        self._shape(command, signature)
        call = self._binder.bind(command, signature)
        tests = tuple(self._test(test) for test in command.tests)
        match command.name:
            case "if" | "elsif" | "else":
                block = yield from self._block(command.block or ())
                return evolve(call, branches=((tests[0] if tests else None, block),))
            case "foreverypart":
                self._loops.append(str(call.texts.get("name", ("",))[0]))
                try:
                    block = yield from self._block(command.block or ())
                    return evolve(call, block=block)
                finally:
                    self._loops.pop()
            case "break":
                self._break(call)
            case "global" if "variables" not in self.enabled:
                raise Wrong(command.place, '"global" needs require "variables"')
        return call

    def _break(self, call: Call) -> None:
        name = call.texts.get("name")
        if not self._loops:
            raise Wrong(call.place, '"break" outside of a "foreverypart"')
        if name and name[0] not in self._loops:
            raise Wrong(call.place, f'no "foreverypart" around is named "{name[0]}"')

    # -- tests ----------------------------------------------------------------------

    def _test(self, test: Test) -> Call:
        signature = self._known(test, "test")
        self._shape(test, signature)
        call = self._binder.bind(test, signature)
        if test.name == "ihave":
            wanted = {str(name) for name in call.texts["extensions"]}
            if wanted <= self.known | BUILT_IN:
                self.enabled |= wanted
        return evolve(call, tests=tuple(self._test(inner) for inner in test.tests))

    # -- both -----------------------------------------------------------------------

    def _known(self, node: Command | Test, what: str) -> Signature:
        found = SIGNATURES.get(node.name)
        if found is None or found[0].test != isinstance(node, Test):
            raise Wrong(node.place, f'unknown {what} "{node.name}"')
        signature, extensions = found
        if "" in extensions or extensions & self.enabled:
            return signature
        if not extensions & self.known:
            raise Wrong(node.place, f'unknown {what} "{node.name}"')
        needed = " or ".join(f'"{name}"' for name in sorted(extensions & self.known))
        raise Wrong(node.place, f'"{node.name}" needs require {needed}')

    def _shape(self, node: Command | Test, signature: Signature) -> None:
        """Tests and block where they belong."""
        if signature.tests is Tests.NONE and (node.tests or node.listed):
            raise Wrong(node.tests[0].place, f'"{node.name}" takes no test')
        if signature.tests is Tests.ONE and (len(node.tests) != 1 or node.listed):
            raise Wrong(node.place, f'"{node.name}" takes one test')
        if signature.tests is Tests.LIST and not node.listed:
            raise Wrong(node.place, f'"{node.name}" takes tests in parentheses')
        if isinstance(node, Command) and signature.block != (node.block is not None):
            wrong = "needs a block" if signature.block else "takes no block"
            raise Wrong(node.place, f'"{node.name}" {wrong}')
