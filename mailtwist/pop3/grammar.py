"""The commands of POP3 as values, and how they are written (RFC 2449 §3)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from attrs import field, frozen

from ..errors import LineTooLong, SyntaxFault, UnknownCommand
from ..secret import Secret

MOST_COMMAND = 1024  # octets; RFC 2449 §4 asks for 255
MOST_AUTH = 12288  # octets of a SASL response in base64 (RFC 5034 §4)


@frozen
class User:
    name: str


@frozen
class Pass:
    password: Secret


@frozen
class Apop:
    name: str
    digest: bytes = field(repr=False)  # 32 lower-case hexadecimal digits


@frozen
class Auth:
    """`mechanism` None asks for the list of them; `initial` is decoded."""

    mechanism: str | None
    initial: bytes | None = field(default=None, repr=False)


@frozen
class Capa:
    pass


@frozen
class Stls:
    pass


@frozen
class Stat:
    pass


@frozen
class ListSizes:
    """LIST of one message or of all."""

    number: int | None


@frozen
class Uidl:
    number: int | None


@frozen
class Retr:
    number: int


@frozen
class Top:
    number: int
    lines: int


@frozen
class Dele:
    number: int


@frozen
class Rset:
    pass


@frozen
class Noop:
    pass


@frozen
class Quit:
    pass


@frozen
class Lang:
    """LANG (RFC 6856 §3); None asks for the list, "*" for the server's choice."""

    tag: str | None


@frozen
class Utf8:
    pass


Command = (
    User
    | Pass
    | Apop
    | Auth
    | Capa
    | Stls
    | Stat
    | ListSizes
    | Uidl
    | Retr
    | Top
    | Dele
    | Rset
    | Noop
    | Quit
    | Lang
    | Utf8
)

_COMMAND = re.compile(rb"([A-Za-z0-9]+)(?: (.*))?\Z", re.S)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NUMBER = re.compile(rb"[0-9]{1,10}\Z")
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}\Z")  # RFC 4422 §3.1
_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?\Z"
)
_TAG = re.compile(rb"(?:\*|[A-Za-z0-9-]{1,64})\Z")
_DIGEST = re.compile(rb"[0-9A-Fa-f]{32}\Z")


def parse(line: bytes) -> Command:
    """The command on one line without its end.

    Keywords in any case; blanks at the end of a line are not part of it, but of a
    password.  Raises UnknownCommand, SyntaxFault, LineTooLong.
    """
    found = _COMMAND.match(line)
    if not found:
        raise UnknownCommand()
    verb = found[1].upper()
    reader = _READERS.get(verb)
    if reader is None:
        raise UnknownCommand()
    if len(line) > MOST_COMMAND and verb != b"AUTH":
        raise LineTooLong()
    bad = _CONTROL.search(line)
    if bad:
        raise SyntaxFault("no control characters", bad.start())
    at = min(len(found[1]) + 1, len(line))
    argument = found[2]
    if argument is not None and verb != b"PASS":
        argument = argument.strip(b" ") or None
    return reader(argument, at)


def response(line: bytes) -> bytes | None:
    """A client's line in a SASL exchange, decoded; None for "*" (RFC 5034 §4)."""
    return None if line == b"*" else _base64(line, 0)


def _base64(text: bytes, at: int) -> bytes:
    if not _BASE64.match(text):
        raise SyntaxFault("base64", at)
    return binascii.a2b_base64(text)


def _user(argument: bytes | None, at: int) -> User:
    return User(_text(argument, at))


def _pass(argument: bytes | None, at: int) -> Pass:
    _text(argument, at)
    return Pass(Secret(argument or b""))


def _apop(argument: bytes | None, at: int) -> Apop:
    name, _, digest = (argument or b"").rpartition(b" ")
    if not _DIGEST.match(digest):
        raise SyntaxFault("name and digest", at)
    return Apop(_text(name.rstrip(b" "), at), digest.lower())


def _auth(argument: bytes | None, at: int) -> Auth:
    if argument is None:
        return Auth(None)
    name, blank, initial = argument.partition(b" ")
    if not _MECHANISM.match(name):
        raise SyntaxFault("mechanism", at)
    mechanism = name.decode().upper()
    if not blank:
        return Auth(mechanism)
    if initial == b"=":  # an empty response that is there (RFC 5034 §4)
        return Auth(mechanism, b"")
    return Auth(mechanism, _base64(initial, at + len(name) + 1))


def _top(argument: bytes | None, at: int) -> Top:
    words = (argument or b"").split()
    if len(words) != 2 or not all(map(_NUMBER.match, words)):
        raise SyntaxFault("message number and number of lines", at)
    return Top(int(words[0]), int(words[1]))


def _lang(argument: bytes | None, at: int) -> Lang:
    if argument is None:
        return Lang(None)
    if not _TAG.match(argument):
        raise SyntaxFault("language tag", at)
    return Lang(argument.decode())


def _text(argument: bytes | None, at: int) -> str:
    if not argument:
        raise SyntaxFault("argument", at)
    try:
        return argument.decode()
    except UnicodeDecodeError as bad:
        raise SyntaxFault("UTF-8", at + bad.start) from None


def _number(argument: bytes | None, at: int) -> int:
    if argument is None or not _NUMBER.match(argument):
        raise SyntaxFault("message number", at)
    return int(argument)


_Reader = Callable[[bytes | None, int], Command]


def _alone(command: Command) -> _Reader:
    def reader(argument: bytes | None, at: int) -> Command:
        if argument is not None:
            raise SyntaxFault("no argument", at)
        return command

    return reader


def _one(make: Callable[[int], Command]) -> _Reader:
    return lambda argument, at: make(_number(argument, at))


def _one_or_all(make: Callable[[int | None], Command]) -> _Reader:
    return lambda argument, at: make(
        None if argument is None else _number(argument, at)
    )


_READERS: dict[bytes, _Reader] = {
    b"USER": _user,
    b"PASS": _pass,
    b"APOP": _apop,
    b"AUTH": _auth,
    b"CAPA": _alone(Capa()),
    b"STLS": _alone(Stls()),
    b"STAT": _alone(Stat()),
    b"LIST": _one_or_all(ListSizes),
    b"UIDL": _one_or_all(Uidl),
    b"RETR": _one(Retr),
    b"TOP": _top,
    b"DELE": _one(Dele),
    b"RSET": _alone(Rset()),
    b"NOOP": _alone(Noop()),
    b"QUIT": _alone(Quit()),
    b"LANG": _lang,
    b"UTF8": _alone(Utf8()),
}
