"""Commands of aliases and `pipe:` routes as text: their words, what their exit means.

No shell runs.  A command is split as a shell would split plain words; what only a shell
could do is told as a fault of the configuration: put it into a script.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ..errors import MailError

_META = frozenset("();<>|&")
_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_STATUS = re.compile(r"([45]\.\d{1,3}\.\d{1,3})\s+(.*)", re.DOTALL)
_ODD = re.compile(r"[^\x20-\x7e]+")
MOST_TOLD = 400  # characters of a command's output in a reply

# sysexits(3), with the status codes that Postfix gives them.
EXITS = {
    64: ("5.3.0", "Command line usage error"),
    65: ("5.6.0", "Data format error"),
    66: ("5.3.0", "Cannot open input"),
    67: ("5.1.1", "User unknown"),
    68: ("5.1.2", "Host name unknown"),
    69: ("5.3.0", "Service unavailable"),
    70: ("5.3.0", "Internal software error"),
    71: ("4.3.0", "System resource problem"),
    72: ("5.3.0", "Critical system file missing"),
    73: ("5.2.0", "Cannot create user output file"),
    74: ("5.3.0", "Input/output error"),
    75: ("4.3.0", "Temporary failure"),
    76: ("5.5.0", "Remote error in protocol"),
    77: ("5.7.0", "Permission denied"),
    78: ("5.3.5", "Local configuration error"),
}


def words(command: str, values: Mapping[str, str]) -> list[str]:
    """The program and its arguments, `$NAME` and `${name}` filled in.

    One word stays one, whatever a value holds.  Raises ValueError with the reason."""
    if not command.isprintable():
        raise ValueError("it has control characters")
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    marked = list(lexer)
    if any(_META.issuperset(word) for word in marked) or "`" in command:
        raise ValueError("it needs a shell, and none is run: put it into a script")
    listed = shlex.split(command)
    if listed and listed[0] == "exec":
        del listed[0]
    if not listed or not listed[0].startswith("/"):
        raise ValueError("it does not start with an absolute path")
    return [listed[0], *(_filled(word, values) for word in listed[1:])]


def _filled(word: str, values: Mapping[str, str]) -> str:
    def value(name: re.Match[str]) -> str:
        key = (name[1] or name[2] or name[3]).upper()
        if key not in values:
            raise ValueError(f"${key} is not known")
        return values[key]

    filled = _NAME.sub(value, word)
    if filled.startswith("-") and not word.startswith("-"):
        raise ValueError("an address that looks like an option is not given to it")
    return filled


def exit_fault(status: int | None, output: bytes) -> MailError | None:
    """None for status 0; status None: the command was killed.

    Output like "5.7.1 text" says the status code itself."""
    if status == 0:
        return None
    text = _ODD.sub(" ", output.decode("ascii", "replace")).strip()[:MOST_TOLD]
    said = _STATUS.fullmatch(text)
    if said is not None and status is not None:
        return MailError(said[2], status=said[1])
    if status is None:
        code, told = "4.3.0", "Command was killed"
    else:
        code, told = EXITS.get(
            status, ("5.3.0", f"Command failed with status {status}")
        )
    return MailError(f"{told}: {text}" if text else told, status=code)
