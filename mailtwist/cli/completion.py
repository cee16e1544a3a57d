"""`mailtwist completion SHELL`: completion printed from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "completion",
        help="print completion for a shell",
        description='For bash: eval "$(mailtwist completion bash)" in ~/.bashrc.',
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from .main import parser

    writer = {"bash": bash, "zsh": zsh, "fish": fish}[options.shell]
    print(writer(parser()), end="")
    return 0


def words(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, str]]:
    """(path of subcommands, words that may follow it) for every parser."""
    options = [flag for action in parser._actions for flag in action.option_strings]
    choices: list[str] = []
    inner: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            inner.extend(action.choices.items())
        elif action.choices is not None:
            choices.extend(str(choice) for choice in action.choices)
    yield path, " ".join([*(name for name, _ in inner), *choices, *options])
    for name, child in inner:
        yield from words(child, f"{path} {name}".strip())


def bash(parser: argparse.ArgumentParser) -> str:
    cases = "".join(
        f'        "{path}") words="{follow}" ;;\n' for path, follow in words(parser)
    )
    return f"""_mailtwist() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" path="" skip="" word words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if [ -n "$skip" ]; then skip=""; continue; fi
        case "$word" in
        -c | --config) skip=1 ;;
        -*) ;;
        *) path="${{path:+$path }}$word" ;;
        esac
    done
    if [ -n "$skip" ]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
    case "$path" in
{cases}    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _mailtwist mailtwist
"""


def zsh(parser: argparse.ArgumentParser) -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + bash(parser)


def fish(parser: argparse.ArgumentParser) -> str:
    lines = []
    for path, follow in words(parser):
        seen = " ".join(path.split())
        test = (
            f"'__fish_seen_subcommand_from {path.split()[-1]}'"
            if seen
            else "__fish_use_subcommand"
        )
        lines.append(f"complete -c mailtwist -f -n {test} -a '{follow}'\n")
    return "".join(lines)
