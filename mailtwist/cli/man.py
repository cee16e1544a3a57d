"""`mailtwist man`: the manual page, printed from the parser itself."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from .. import __version__

SECTION = 8


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "man",
        help="print the manual page",
        description="To read it: mailtwist man | man -l -.  To install it: "
        f"mailtwist man > /usr/local/share/man/man{SECTION}/mailtwist.{SECTION}",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from .main import parser

    print(page(parser()), end="")
    return 0


def page(parser: argparse.ArgumentParser) -> str:
    """The page as man(7) has it."""
    lines = [
        f'.TH MAILTWIST {SECTION} "" "mailtwist {__version__}"',
        ".SH NAME",
        f"mailtwist \\- {text(parser.description or '')}",
        ".SH SYNOPSIS",
        ".B mailtwist",
        "[OPTIONS] COMMAND [ARGUMENTS]",
        ".SH OPTIONS",
        *_arguments(parser),
        ".SH COMMANDS",
    ]
    for path, command, told in commands(parser):
        if not any(map(is_choice, command._actions)):
            lines += _command(path, command, told)
    lines += [
        ".SH SEE ALSO",
        "The pages under docs/ tell what the commands do, docs/config.md all options.",
    ]
    return "\n".join(lines) + "\n"


def commands(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser, str]]:
    """(words that lead to it, command, what it is for), parents first."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        told = {one.dest: one.help or "" for one in action._choices_actions}
        for name, command in action.choices.items():
            help_ = told.get(name, "")
            yield (*path, name), command, command.description or help_
            yield from commands(command, (*path, name))


def is_choice(action: argparse.Action) -> bool:
    """True for what holds commands."""
    return isinstance(action, argparse._SubParsersAction)


def _command(
    path: tuple[str, ...], command: argparse.ArgumentParser, told: str
) -> list[str]:
    words = " ".join(path)
    positional = [
        _shown(action) for action in command._actions if not action.option_strings
    ]
    lines = [f'.SS "{text(" ".join(["mailtwist", words, *positional]))}"']
    if told:
        lines.append(text(told[0].upper() + told[1:]))
    return [*lines, *_arguments(command)]


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if is_choice(action) or action.help == argparse.SUPPRESS:
            continue
        if "--help" in action.option_strings:
            continue
        help_ = text((action.help or "").replace("%%", "%"))
        if not action.option_strings and not help_:
            continue
        yield ".TP"
        yield f".B {text(_shown(action))}"
        yield help_ or "\\&"


def _shown(action: argparse.Action) -> str:
    """An argument as it is written."""
    if not action.option_strings:
        name = _placeholder(action)
        if action.nargs in ("*", "?"):
            return f"[{name}{'...' if action.nargs == '*' else ''}]"
        return f"{name}..." if action.nargs == "+" else name
    value = "" if action.nargs == 0 else f" {_placeholder(action)}"
    return ", ".join(action.option_strings) + value


def _placeholder(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()


def text(words: str) -> str:
    """Plain text for roff: one line, in which nothing is a request."""
    line = re.sub(r"\s+", " ", words).strip()
    line = line.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{line}" if line[:1] in (".", "'") else line
