"""Listening sockets: bound once, and then taken from by one process or by several.

A master binds and takes no connection; each worker gets the same sockets as descriptors
and takes one connection at a time, so that none has more to do than the others.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from ..config.listener import parameters, translated
from ..config.model import Listener
from ..errors import ConfigError

BACKLOG = 511
TAKEN_S = 3.0  # workers of a server that was killed let their sockets go by then
AGAIN_S = 0.05
LEFT_S = 0.001  # for a worker with fewer connections to take one first


def with_backlog(endpoint: str) -> str:
    kind = endpoint.partition(":")[0]
    if kind in ("tcp", "tcp6", "unix") and ":backlog=" not in endpoint:
        return f"{endpoint}:backlog={BACKLOG}"
    return endpoint


def endpoint_of(reactor: Any, text: str) -> Any:
    """The endpoint of a listener.  Raises ConfigError."""
    try:
        return serverFromString(reactor, with_backlog(text))
    except (LookupError, ValueError) as fault:  # systemd passed no such socket
        raise ConfigError(
            f"cannot listen on {text}: there is no such socket"
        ) from fault


def not_listening(text: str, fault: Exception) -> ConfigError:
    """Why a socket could not be had."""
    cause = getattr(fault, "socketError", fault)
    why = getattr(cause, "strerror", None) or cause
    return ConfigError(f"cannot listen on {text}: {why}")


# -- the master's end ---------------------------------------------------------------


class Bound:
    """Sockets by endpoint string, bound; the first worker that takes one listens."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._sockets: dict[str, socket.socket] = {}

    def bind(self, listeners: Sequence[Listener], taken_s: float = TAKEN_S) -> None:
        """Have a socket for each, those that are there stay.  Raises ConfigError, and
        then all is as before.

        An address that is in use is waited for, `taken_s` in all."""
        before, until_s = set(self._sockets), time.monotonic() + taken_s
        try:
            for listener in listeners:
                text = translated(listener).endpoint
                while text not in self._sockets:
                    try:
                        self._sockets[text] = self._bound(text)
                    except OSError as fault:
                        in_use = fault.errno == errno.EADDRINUSE
                        if not in_use or time.monotonic() > until_s:
                            raise not_listening(text, fault) from fault
                        time.sleep(AGAIN_S)
        except ConfigError:
            for text in self._sockets.keys() - before:
                self._close(text)
            raise

    def _bound(self, text: str) -> socket.socket:
        """Raises OSError, ConfigError."""
        if text.startswith("systemd:"):
            endpoint = endpoint_of(self._reactor, text)
            return socket.socket(fileno=os.dup(endpoint.fileno))
        given = parameters(text)
        if "address" in given:
            return bound_unix(given["address"], int(given.get("mode", "666"), 8))
        host = given.get("interface", "::" if text.startswith("tcp6:") else "")
        return bound_tcp(host, int(given["port"]))

    def descriptors(self, listeners: Sequence[Listener]) -> list[int]:
        """Of the sockets of these, in their order."""
        return [self._sockets[translated(one).endpoint].fileno() for one in listeners]

    def keep(self, listeners: Sequence[Listener]) -> None:
        """Close all others."""
        wanted = {translated(one).endpoint for one in listeners}
        for text in self._sockets.keys() - wanted:
            self._close(text)

    def _close(self, text: str) -> None:
        found = self._sockets.pop(text)
        if text.startswith("unix:"):
            with suppress(OSError):
                os.unlink(parameters(text)["address"])
        found.close()


def bound_tcp(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def bound_unix(path: str, mode: int) -> socket.socket:
    """A name that a server before us left is taken over; raises OSError."""
    made = socket.socket(socket.AF_UNIX)
    try:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX) as probe:
                if not probe.connect_ex(path):
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            os.unlink(path)
        made.bind(path)
        os.chmod(path, mode)
    except BaseException:
        made.close()
        raise
    return made


# -- a worker's end -----------------------------------------------------------------


class Shares:
    """Of a port: takes one connection, then lets others have a look.

    While we have the most connections, the others have a moment to take it first."""

    reactor: Any
    has_most: Callable[[], bool]
    _left: Any = None

    def doRead(self) -> None:
        port: Any = self
        if self.has_most():
            port.stopReading()
            self._left = self.reactor.callLater(LEFT_S, self._look_again)
        else:
            self._take()

    def _look_again(self) -> None:
        port: Any = self
        self._left = None
        port.startReading()
        self._take()

    def _take(self) -> None:
        port: Any = self
        port.numberAccepts = 1
        tcp.Port.doRead(port)

    def connectionLost(self, reason: Any) -> None:
        port: Any = self
        if self._left is not None:
            self._left.cancel()
            self._left = None
        tcp.Port.connectionLost(port, reason)


class SharedPort(Shares, tcp.Port):
    """Of TCP."""


class SharedUnixPort(Shares, unix.Port):
    """The name in the file system, with its mode, is the master's."""

    _shouldShutdown = False  # that would end it for all

    def startListening(self) -> None:
        shared: Any = self
        shared.factory.doStart()
        shared.socket, shared._preexistingSocket = self._preexistingSocket, None
        shared.fileno = shared.socket.fileno
        self.connected = True
        self.startReading()


@implementer(IStreamServerEndpoint)
class Inherited:
    """A socket that another process listens with."""

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        has_most: Callable[[], bool],
        backlog: int = BACKLOG,
    ) -> None:
        self._reactor, self._descriptor = reactor, descriptor
        self._has_most, self._backlog = has_most, backlog

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Once; the descriptor is closed, and the port has its own."""
        os.set_blocking(self._descriptor, False)
        with socket.socket(fileno=os.dup(self._descriptor)) as found:
            family = found.family
            found.listen(self._backlog)
        port: Any
        if family == socket.AF_UNIX:
            port = SharedUnixPort._fromListeningDescriptor(
                self._reactor, self._descriptor, protocolFactory
            )
        else:
            port = SharedPort._fromListeningDescriptor(
                self._reactor, self._descriptor, family, protocolFactory
            )
        with suppress(OSError):
            os.close(self._descriptor)
        port.has_most = self._has_most
        port.startListening()
        return succeed(port)
