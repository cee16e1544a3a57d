"""The socket at which a running server is asked what it does, and told to reload.

A line of JSON, {"do": NAME}, is answered with one, {"done": ...} or {"fault": TEXT}.
Only who owns the socket, and root, may connect.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ..errors import MailError

log = Logger("mailtwist")

NAME = "control"  # in the data folder
MOST_LINE = 4096
MOST_ANSWER = 1024 * 1024
ASK_S = 5.0  # for a question to come
ANSWER_S = 120.0  # that a client waits

Deed = Callable[[], Awaitable[Any]]


def path_in(data: str) -> str:
    return os.path.join(os.path.abspath(data), NAME)


class Control(Service):
    """`deeds` are what may be asked for, by name.

    A server whose socket cannot be had serves all the same, and says so in the log."""

    def __init__(self, reactor: Any, data: str, deeds: Mapping[str, Deed]) -> None:
        self.setName("control")
        self._reactor, self._path, self.deeds = reactor, path_in(data), deeds
        self._port: Any = None

    def startService(self) -> None:
        super().startService()
        factory = Factory.forProtocol(lambda: Asked(self._reactor, self.deeds))
        factory.noisy = False
        try:
            remove_socket(self._path)
            before = os.umask(0o177)
            try:
                self._port = self._reactor.listenUNIX(self._path, factory, mode=0o600)
            finally:
                os.umask(before)
        except Exception as fault:  # Twisted has many kinds for it
            log.warn("no control socket: {fault}", fault=fault)

    def stopService(self) -> Any:
        super().stopService()
        port, self._port = self._port, None
        if port is None:
            return None
        with suppress(OSError):
            return port.stopListening()
        return None


def remove_socket(path: str) -> None:
    """What a server before us left; nothing else is removed.  Raises OSError."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass


class Asked(LineOnlyReceiver):
    """One question, one answer."""

    delimiter = b"\n"
    MAX_LENGTH = MOST_LINE
    transport: Any

    def __init__(self, reactor: Any, deeds: Mapping[str, Deed]) -> None:
        self._reactor, self._deeds = reactor, deeds
        self._heard = False

    def connectionMade(self) -> None:
        self._late = self._reactor.callLater(ASK_S, self.transport.abortConnection)

    def lineReceived(self, line: bytes) -> None:
        if self._heard:
            return
        self._heard = True
        self._late.cancel()
        try:
            deed = self._deeds.get(json.loads(line)["do"])
        except (ValueError, KeyError, TypeError):
            deed = None
        if deed is None:
            self._say({"fault": "this server cannot do that"})
            return
        doing = Deferred.fromCoroutine(self._do(deed))
        doing.addCallbacks(self._say, self._failed)

    @staticmethod
    async def _do(deed: Deed) -> dict[str, Any]:
        try:
            return {"done": await deed()}
        except MailError as fault:
            return {"fault": fault.public}

    def _failed(self, failure: Failure) -> None:
        log.failure("a command", failure)
        self._say({"fault": "it failed, see the log"})

    def _say(self, answer: dict[str, Any]) -> None:
        if self.connected:
            self.transport.write(json.dumps(answer).encode() + b"\n")
            self.transport.loseConnection()

    def connectionLost(self, reason: object = None) -> None:
        if self._late.active():
            self._late.cancel()


def ask(data: str, what: str) -> Any:
    """The other end, for commands, without a reactor: what came of it.

    Raises MailError if no server runs on this data folder, or it cannot."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_S)
            line.connect(path_in(data))
            line.sendall(json.dumps({"do": what}).encode() + b"\n")
            while not answer.endswith(b"\n") and len(answer) < MOST_ANSWER:
                piece = line.recv(65536)
                if not piece:
                    break
                answer += piece
        told = json.loads(answer)
    except (ConnectionRefusedError, FileNotFoundError) as fault:
        raise MailError("No server runs with this configuration") from fault
    except PermissionError as fault:
        raise MailError("You may not ask this server: be root, or its user") from fault
    except (OSError, ValueError) as fault:
        raise MailError("The server gives no answer") from fault
    if "fault" in told:
        raise MailError(str(told["fault"]))
    return told.get("done")
