"""The text of aliases(5) files, `.forward` files and `:include:` lists, without I/O.

The form is that of sendmail and Postfix: `name: value, value`, a line that starts with
white space goes on with the one before, `#` at the start of a line is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from attrs import frozen

from ..address import Address, normal_domain
from ..errors import BadAddress, SyntaxFault

MOST_VALUES = 100_000  # in one list
INCLUDE = ":include:"


@frozen
class Mailbox:
    """An address; without a domain it is one of the domain that asked.

    `exact` if a backslash stood before it: its mailbox, whatever aliases say.
    """

    address: Address
    exact: bool = False

    def __str__(self) -> str:
        return f"\\{self.address}" if self.exact else str(self.address)


@frozen
class Command:
    """`|command`: a program that gets the message on standard input."""

    command: str

    def __str__(self) -> str:
        return quoted(f"|{self.command}")


@frozen
class File:
    """`/path`: an mbox file, or a Maildir if it ends in "/"."""

    path: str

    def __str__(self) -> str:
        return quoted(self.path)


@frozen
class Include:
    """`:include:/path`: a file with more values."""

    path: str

    def __str__(self) -> str:
        return quoted(INCLUDE + self.path)


@frozen
class AtDomain:
    """`@domain`: the same local part there; only in virtual aliases."""

    domain: str

    def __str__(self) -> str:
        return f"@{self.domain}"


Value = Mailbox | AtDomain | Command | File | Include


@frozen
class Entry:
    """One alias: the number of its first line, its name (lower case), its list."""

    line: int
    name: str
    text: str


@frozen
class Mistake:
    """A line that cannot be used, and what was expected there.

    `harmless` if nothing is missing without it, as of a second line for one key."""

    line: int
    expected: str
    harmless: bool = False


_QUOTED = r'"(?:[^"\\]|\\.)*"'
# name: quoted, or anything without the characters that would need it
_NAME = re.compile(rf'({_QUOTED}|[^\s:#"][^:"]*?)\s*:', re.DOTALL)
_PART = re.compile(
    rf"""(?P<quoted>{_QUOTED})
    |(?P<comment>\()
    |(?P<comma>,)
    |(?P<space>\s+)
    |(?P<text>(?:[^"(),\s\\]|\\.)+)""",
    re.VERBOSE | re.DOTALL,
)
_WHOLE_QUOTED = re.compile(_QUOTED, re.DOTALL)
_ITEM_QUOTED = re.compile(rf"({_QUOTED})(@[^\s,]+)?", re.DOTALL)
_ANGLE = re.compile(r"<([^<>]*)>")
_PAIR = re.compile(r"\\(.)", re.DOTALL)


def quoted(text: str) -> str:
    """A value in quotes, as it can always be written."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquoted(text: str) -> str:
    return _PAIR.sub(r"\1", text[1:-1])


def entries(text: str) -> Iterator[Entry | Mistake]:
    """What stands in an aliases file, in its order; the lists are not parsed yet."""
    for line, logical in logical_lines(text):
        found = _NAME.match(logical)
        if found is None:
            yield Mistake(line, '"name: value, value"')
            continue
        name = found[1]
        if not name.startswith('"') and "@" in name:  # Postfix ignores it as well
            expected = "a name without a domain (that is a virtual alias)"
            yield Mistake(line, expected, harmless=True)
            continue
        name = unquoted(name) if name.startswith('"') else _PAIR.sub(r"\1", name)
        listed = logical[found.end() :].strip()
        if not listed or not name.strip():
            yield Mistake(line, "a name, a colon and at least one value")
            continue
        yield Entry(line, name.strip().lower(), listed)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line, text with its continuations joined).

    Comments and empty lines neither start nor end a logical line.
    """
    first, parts = 0, [""]
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line[0].isspace() and first:
            parts.append(stripped)
            continue
        if first:
            yield first, " ".join(parts)
        first, parts = number, [stripped]
    if first:
        yield first, " ".join(parts)


def list_lines(text: str) -> str:
    """The list in a `.forward` or `:include:` file: line ends separate values too."""
    kept = [
        line.rstrip().rstrip(",")
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return ", ".join(kept)


@lru_cache(maxsize=1024)
def values(text: str) -> tuple[Value, ...]:
    """The values of a list, empty ones left out.  Raises SyntaxFault."""
    return tuple(each_value(text))


def each_value(text: str) -> Iterator[Value]:
    """The same one by one, for long lists; a fault comes when it is reached."""
    for at, item in _items(text):
        yield _value(item, at)


def _items(text: str) -> Iterator[tuple[int, str]]:
    """(offset, text) of each value, comments in parentheses taken out."""
    at = start = count = 0
    item: list[str] = []
    while at <= len(text):
        if at == len(text) or text[at] == ",":
            whole = "".join(item).strip()
            if whole:
                count += 1
                if count > MOST_VALUES:
                    raise SyntaxFault(f"no more than {MOST_VALUES} values", start)
                yield start, whole
            item, start = [], at + 1
            at += 1
            continue
        if text[at] == "|" and not "".join(item).strip():
            # An unquoted command: everything up to the comma is part of it.
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            body = _ITEM_QUOTED.match(text, at + 1)
            if body is not None:
                end = body.end()
            item.append(text[at:end])
            at = end
            continue
        found = _PART.match(text, at)
        if found is None:
            raise SyntaxFault("a closing quote or parenthesis", at)
        if found["comment"]:
            at = _after_comment(text, at)
            continue
        item.append(" " if found["space"] else found[0])
        at = found.end()


def _after_comment(text: str, at: int) -> int:
    """The offset behind a comment, which may hold others (RFC 5322 §3.2.2)."""
    begun, depth = at, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise SyntaxFault("a closing parenthesis", begun)


def _value(item: str, at: int) -> Value:
    whole = _ITEM_QUOTED.fullmatch(item)
    if whole is not None and not whole[2]:
        inner = unquoted(item)
        special = _special(inner, at)
        if special is not None:
            return special
        if inner.startswith("\\"):
            return _mailbox(inner[1:], at, exact=True)
        if "@" in inner or not inner.strip():
            return _mailbox(inner, at)
        return Mailbox(Address(inner))
    special = _special(item, at)
    if special is not None:
        return special
    angle = _ANGLE.search(item)
    if angle is not None:
        if item[angle.end() :].strip():
            raise SyntaxFault("a comma between two values", at)
        return _mailbox(angle[1].strip(), at)
    if item.startswith("\\"):
        return _mailbox(item[1:], at, exact=True)
    if item.startswith("@"):
        return _at_domain(item[1:], at)
    return _mailbox(item, at)


def _at_domain(text: str, at: int) -> AtDomain:
    try:
        return AtDomain(normal_domain(text))
    except BadAddress as fault:
        raise SyntaxFault(f"a domain instead of {text!r}", at) from fault


def _special(item: str, at: int) -> Value | None:
    """A command, file or list; None for what is an address."""
    if item.startswith("|"):
        command = item[1:].strip()
        if _WHOLE_QUOTED.fullmatch(command):
            command = unquoted(command).strip()
        if not command:
            raise SyntaxFault("a command behind |", at)
        return Command(_one_line(command, at))
    if item.startswith("/"):
        return File(_one_line(item, at))
    if item[: len(INCLUDE)].lower() == INCLUDE:
        path = item[len(INCLUDE) :].strip()
        if _WHOLE_QUOTED.fullmatch(path):
            path = unquoted(path)
        if not path.startswith("/"):
            raise SyntaxFault("an absolute path behind :include:", at)
        return Include(_one_line(path, at))
    return None


def _one_line(text: str, at: int) -> str:
    if any(c in text for c in "\0\r\n"):
        raise SyntaxFault("a value without control characters", at)
    return text


def _mailbox(text: str, at: int, *, exact: bool = False) -> Mailbox:
    try:
        return Mailbox(Address.parse(text), exact)
    except BadAddress as fault:
        raise SyntaxFault(f"an address instead of {text!r}", at) from fault
