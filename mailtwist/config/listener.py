"""A listener's endpoint string, with `ssl:` and `haproxy:` turned into our own keys.

TLS is applied above the socket, so that certificates reload; that is why `ssl:PORT`
means the socket `tcp:PORT` with `tls = "implicit"`.
"""

from __future__ import annotations

import re

from attrs import evolve

from .model import Listener

SOCKETS = ("tcp", "tcp6", "unix", "systemd")
ALLOWED = "an endpoint string that starts with tcp:, tcp6:, unix: or systemd:"

_SEPARATOR = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)", re.DOTALL)


def translated(listener: Listener) -> Listener:
    """The listener with a plain socket endpoint; raises ValueError with what may be."""
    kind, _, rest = listener.endpoint.partition(":")
    if kind == "haproxy":
        inner = evolve(listener, endpoint=rest, proxy_protocol=True)
        return translated(inner)
    if kind == "ssl":
        socket = f"tcp:{without_certificates(rest)}"
        return translated(evolve(listener, endpoint=socket, tls="implicit"))
    if kind not in SOCKETS or not rest:
        raise ValueError(ALLOWED)
    if kind in ("tcp", "tcp6") and not port_is_valid(parts_of(rest)):
        raise ValueError(f"{kind}:PORT with a port from 0 to 65535")
    return listener


def without_certificates(rest: str) -> str:
    """The socket's part of an ssl: string; certificates come from [tls]."""
    named = (
        "privateKey=",
        "certKey=",
        "sslmethod=",
        "extraCertChain=",
        "dhParameters=",
    )
    return ":".join(part for part in parts_of(rest) if not part.startswith(named))


def parts_of(rest: str) -> list[str]:
    """Split at colons that are not escaped; the escapes stay."""
    return _SEPARATOR.findall(rest)[: rest.count(":") + 1 - rest.count("\\:")]


def port_is_valid(parts: list[str]) -> bool:
    text = next((p[5:] for p in parts if p.startswith("port=")), parts[0])
    return text.isdecimal() and int(text) < 65536
