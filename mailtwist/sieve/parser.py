"""Tokens to the commands of a script (RFC 5228 §8.2)."""

from __future__ import annotations

from ..mime.slices import Sliced, in_one_go
from .faults import Fault, Place, ScriptError
from .lexer import Token, tokens
from .syntax import Argument, Command, Number, Script, Tag, Test, Text, TextList

MOST_OCTETS = 1 << 20  # of a script
SLICE = 40  # commands read or checked before others get a turn; some milliseconds
MOST_DEPTH = 32  # blocks in blocks, and tests in tests; RFC 5228 §2.10.5 asks for 15


def parse(script: bytes, most_octets: int = MOST_OCTETS) -> Script:
    """The commands of a script.  Raises ScriptError, and nothing else on any octets."""
    return in_one_go(parsing(script, most_octets))


def parsing(script: bytes, most_octets: int = MOST_OCTETS) -> Sliced[Script]:
    """The same in slices."""
    if len(script) > most_octets:
        fault = Fault(Place(1, 1), f"more than {most_octets} octets")
        raise ScriptError(fault)
    return (yield from _Reader(script).commands("end", 0))


class _Reader:
    """One token ahead."""

    def __init__(self, script: bytes) -> None:
        self._tokens = tokens(script)
        self.next = next(self._tokens)
        self._read = 0

    def _take(self) -> Token:
        taken = self.next
        if taken.kind != "end":
            self.next = next(self._tokens)
        return taken

    def _fail(self, expected: str) -> ScriptError:
        return ScriptError(
            Fault(self.next.place, f"expected {expected}, found {self.next}")
        )

    def _expect(self, kind: str, name: str) -> Token:
        if self.next.kind != kind:
            raise self._fail(name)
        return self._take()

    def commands(self, end: str, depth: int) -> Sliced[Script]:
        """commands, up to the token `end`, which is taken."""
        found = []
        while self.next.kind != end:
            found.append((yield from self._command(depth)))
            self._read += 1
            if not self._read % SLICE:
                yield
        self._take()
        return tuple(found)

    def _command(self, depth: int) -> Sliced[Command]:
        name = self._expect("name", "a command")
        arguments, tests, listed = self._arguments(0)
        if self.next.kind == "{":
            if depth >= MOST_DEPTH:
                raise ScriptError(Fault(self.next.place, "blocks nested too deeply"))
            self._take()
            block = yield from self.commands("}", depth + 1)
            return Command(name.text, arguments, tests, listed, block, name.place)
        self._expect(";", '";" or a block')
        return Command(name.text, arguments, tests, listed, None, name.place)

    def _arguments(
        self, depth: int
    ) -> tuple[tuple[Argument, ...], tuple[Test, ...], bool]:
        """arguments = *argument [ test / test-list ]"""
        arguments: list[Argument] = []
        while True:
            match self.next.kind:
                case "number":
                    token = self._take()
                    arguments.append(Number(token.number, token.place))
                case "tag":
                    token = self._take()
                    arguments.append(Tag(token.text, token.place))
                case "string":
                    arguments.append(self._text())
                case "[":
                    arguments.append(self._list())
                case "name":
                    return tuple(arguments), (self._test(depth),), False
                case "(":
                    return tuple(arguments), self._tests(depth), True
                case _:
                    return tuple(arguments), (), False

    def _text(self) -> Text:
        token = self._expect("string", "a string")
        return Text(token.text, token.place)

    def _list(self) -> TextList:
        start = self._take()
        items = [self._text()]
        while self.next.kind == ",":
            self._take()
            items.append(self._text())
        self._expect("]", '"," or "]"')
        return TextList(tuple(items), start.place)

    def _test(self, depth: int) -> Test:
        if depth >= MOST_DEPTH:
            raise ScriptError(Fault(self.next.place, "tests nested too deeply"))
        name = self._expect("name", "a test")
        arguments, tests, listed = self._arguments(depth + 1)
        return Test(name.text, arguments, tests, listed, name.place)

    def _tests(self, depth: int) -> tuple[Test, ...]:
        self._take()
        found = [self._test(depth)]
        while self.next.kind == ",":
            self._take()
            found.append(self._test(depth))
        self._expect(")", '"," or ")"')
        return tuple(found)
