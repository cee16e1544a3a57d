"""A listener's endpoint string, checked, with `ssl:` and `haproxy:` made our own keys.

TLS is applied above the socket, so that certificates reload; that is why `ssl:PORT`
means the socket `tcp:PORT` with `tls = "implicit"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import evolve

from .model import Listener

ALLOWED = "an endpoint string that starts with tcp:, tcp6:, unix: or systemd:"
PARAMETERS = {  # in the order in which Twisted takes them without a name
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
    "ssl": (
        *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
        *("extraCertChain", "dhParameters"),
    ),
}
SOCKET_ONLY = ("port", "interface", "backlog")

_PIECE = re.compile(r"((?:[^:\\]|\\.)*)(:|\Z)", re.DOTALL)
_NAMED = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)
_MODE = re.compile("[0-7]{3,4}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def translated(listener: Listener) -> Listener:
    """The listener with a plain socket endpoint; raises ValueError with what may be."""
    kind, _, rest = listener.endpoint.partition(":")
    if kind == "haproxy":
        inner = evolve(listener, endpoint=rest, proxy_protocol=True)
        return translated(inner)
    given = parameters(listener.endpoint)
    if kind == "ssl":
        socket = [
            f"{name}={_escaped(given[name])}" for name in SOCKET_ONLY if name in given
        ]
        endpoint = ":".join(["tcp", *socket])
        return translated(evolve(listener, endpoint=endpoint, tls="implicit"))
    for name, value in given.items():
        allowed, holds = CHECKS.get(name, ("", bool))
        if not holds(value):
            raise ValueError(f"{kind}: with {name} {allowed or 'not empty'}")
    if kind == "systemd" and ("index" in given) == ("name" in given):
        raise ValueError("systemd:domain=INET:name=NAME, or index=NUMBER for the name")
    return listener


def parameters(endpoint: str) -> dict[str, str]:
    """The parameters of an endpoint string by name, without escapes.

    Raises ValueError with what may be.
    """
    kind, _, rest = endpoint.partition(":")
    names = PARAMETERS.get(kind)
    if names is None or not rest:
        raise ValueError(ALLOWED)
    given: dict[str, str] = {}
    for place, piece in enumerate(_pieces(rest)):
        named = _NAMED.fullmatch(piece)
        if named is None and place >= len(names):
            raise ValueError(f"{kind}: with at most {', '.join(names)}")
        name, value = (named[1], named[2]) if named else (names[place], piece)
        if name not in names or name in given:
            raise ValueError(f"{kind}: with {', '.join(names)}, each at most once")
        given[name] = _ESCAPED.sub(r"\1", value)
    if names[0] not in given:
        raise ValueError(f"{kind}: with {names[0]}")
    return given


def place_of(endpoint: str) -> Mapping[str, str]:
    """What makes two listeners want the same socket: kind and place."""
    kind = endpoint.partition(":")[0]
    given = parameters(endpoint)
    place = {name: value for name, value in given.items() if name not in _MANNERS}
    return {"kind": kind, **place}


def _pieces(rest: str) -> list[str]:
    """Split at colons that are not escaped; the escapes stay."""
    found, at, more = [], 0, True
    while more:
        piece = _PIECE.match(rest, at)
        if piece is None:
            raise ValueError("no lone backslash at the end")
        found.append(piece[1])
        at, more = piece.end(), piece[2] == ":"
    return found


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


def _is_number(most: int) -> Callable[[str], bool]:
    return lambda value: value.isascii() and value.isdigit() and int(value) <= most


CHECKS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "port": ("from 0 to 65535", _is_number(65535)),
    "backlog": ("a number", _is_number(65535)),
    "index": ("a number", _is_number(65535)),
    "lockfile": ("0 or 1", _is_number(1)),
    "mode": ("in octal, like 660", lambda value: bool(_MODE.fullmatch(value))),
    "domain": ("INET, INET6 or UNIX", ("INET", "INET6", "UNIX").__contains__),
}
_MANNERS = ("backlog", "mode", "lockfile")
