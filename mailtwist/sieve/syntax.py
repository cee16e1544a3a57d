"""A script as it was written: commands, tests, arguments, and back to text.

The text of `printed` is canonical: read and printed again it is the same.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from .faults import Place

_NOWHERE = Place(0, 0)
_SPECIAL = re.compile(r'(["\\])')
_DOT = re.compile(r"^\.", re.M)


def _place() -> Place:
    place: Place = field(default=_NOWHERE, eq=False, repr=False)
    return place


@frozen
class Number:
    value: int
    place: Place = _place()


@frozen
class Text:
    """A string; line ends in it are CRLF."""

    value: str
    place: Place = _place()


@frozen
class TextList:
    """[...]; a single string stands for a list of one (RFC 5228 §2.4.2.1)."""

    items: tuple[Text, ...]
    place: Place = _place()


@frozen
class Tag:
    """A tagged argument, lower case without the colon."""

    name: str
    place: Place = _place()


Argument = Number | Text | TextList | Tag


@frozen
class Test:
    """A test; `listed` if its tests stand in parentheses."""

    name: str
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    listed: bool = False
    place: Place = _place()


@frozen
class Command:
    """A command; `block` None if it ends in a semicolon."""

    name: str
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    listed: bool = False
    block: tuple[Command, ...] | None = None
    place: Place = _place()


Script = tuple[Command, ...]


def printed(script: Script) -> str:
    """The script as text, lines ending in LF."""
    lines: list[str] = []
    _block(script, "", lines)
    return "".join(lines)


def _block(commands: Script, indent: str, lines: list[str]) -> None:
    for command in commands:
        head = indent + _call(command)
        if command.block is None:
            lines.append(head + ";\n")
            continue
        lines.append(head + " {\n")
        _block(command.block, indent + "    ", lines)
        lines.append(indent + "}\n")


def _call(node: Command | Test) -> str:
    words = [node.name, *map(_argument, node.arguments)]
    tests = list(map(_call, node.tests))
    if node.listed:
        words.append(f"({', '.join(tests)})")
    else:
        words += tests
    return " ".join(words)


def _argument(argument: Argument) -> str:
    match argument:
        case Number(value):
            return _number(value)
        case Text(value):
            return quoted(value)
        case TextList(items):
            return f"[{', '.join(_in_list(item.value) for item in items)}]"
        case Tag(name):
            return f":{name}"


def _number(value: int) -> str:
    for unit, factor in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def _in_list(value: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", value.replace("\r\n", "\n"))
    return f'"{escaped}"'


def quoted(value: str) -> str:
    """A string in quotes, or as text: if it is whole lines."""
    if not value.endswith("\r\n"):
        return _in_list(value)
    return f"text:\n{_DOT.sub('..', value.replace(chr(13), ''))}.\n"
