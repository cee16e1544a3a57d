"""Where the events go: standard output, a file or syslog; for people or as JSON.

One event is one line.  Octets that a client sent cannot start a line of their own or
move a terminal's cursor: control characters are written as escapes.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogLevel, formatEvent
from zope.interface import implementer

from ..config.model import Log
from ..errors import ConfigError

SYSLOG_SOCKET = "/dev/log"
FACILITY_MAIL = 2 << 3  # RFC 5424 §6.2.1
MOST_WAITING = 1000  # lines
MOST_DATAGRAM = 8192  # octets; syslog daemons cut longer lines anyway
SEVERITY = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Render = Callable[[dict[str, Any]], str]


def observer(config: Log) -> ILogObserver:
    """The log observer this configuration asks for; opens its file now.

    Raises ConfigError if that file cannot be written.
    """
    render = as_json if config.format == "json" else for_people
    sink: ILogObserver
    if config.to == "stdout":
        sink = LineObserver(sys.stdout, render)
    elif config.to.startswith("syslog"):
        _, _, path = config.to.partition(":")
        sink = SyslogObserver(path or SYSLOG_SOCKET, config.format == "json")
    else:
        try:
            sink = FileObserver(config.to, render)
        except OSError as fault:
            raise ConfigError(
                f'log.to = "{config.to}": cannot be written: {fault.strerror}'
            ) from fault
    return FromLevel(sink, LogLevel.lookupByName(config.level))


def text_of(event: dict[str, Any]) -> str:
    """The event as one line of text without time and level."""
    text = _formatted(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback()}".lstrip()
    text = text.rstrip()
    return text if text.isprintable() else _CONTROL.sub(_escaped, text)


def _formatted(event: dict[str, Any]) -> str:
    """As formatEvent, which is slow and needed only for what `format_map` cannot do:
    calls in a field, and values that cannot be shown."""
    try:
        text: str = event["log_format"].format_map(event)
    except Exception:
        return formatEvent(event) or ""
    return text


def _escaped(control: re.Match[str]) -> str:
    return "\\n" if control[0] == "\n" else f"\\x{ord(control[0]):02x}"


def for_people(event: dict[str, Any]) -> str:
    second, fraction = divmod(event["log_time"], 1)
    date, zone = _second(int(second))
    level = event["log_level"].name
    mark = "" if level == "info" else f"{level}: "
    return f"{date}.{int(fraction * 1e6):06d}{zone} {mark}{text_of(event)}\n"


@lru_cache(maxsize=2)
def _second(second: int) -> tuple[str, str]:
    """(local date and time, offset of its zone); the same for all of a second."""
    when = datetime.fromtimestamp(second).astimezone()
    return f"{when:%Y-%m-%dT%H:%M:%S}", f"{when:%z}"


def as_json(event: dict[str, Any]) -> str:
    """Time, level, text and the plain fields of the event."""
    when = datetime.fromtimestamp(event["log_time"]).astimezone()
    row = {
        "time": when.isoformat(),
        "level": event["log_level"].name,
        "text": text_of(event),
    }
    row.update(
        (key, value)
        for key, value in event.items()
        if not key.startswith("log_") and isinstance(value, str | int | float | bool)
    )
    return json.dumps(row, ensure_ascii=False) + "\n"


@implementer(ILogObserver)
class FromLevel:
    """Passes on what is as grave as `level` or graver.

    Twisted's FilteringLogObserver sorts the levels anew for each event."""

    def __init__(self, sink: ILogObserver, level: Any) -> None:
        self._sink = sink
        self._told = frozenset(
            each for each, severity in SEVERITY.items() if severity <= SEVERITY[level]
        )

    def __call__(self, event: dict[str, Any]) -> None:
        if event.get("log_level") in self._told:
            self._sink(event)


@implementer(ILogObserver)
class LineObserver:
    """Writes lines to an open text stream."""

    def __init__(self, stream: TextIO, render: Render) -> None:
        self._stream, self._render = stream, render

    def __call__(self, event: dict[str, Any]) -> None:
        self._stream.write(self._render(event))
        self._stream.flush()


@implementer(ILogObserver)
class FileObserver:
    """Appends to a file, readable by its owner and group.

    A file that was moved away (logrotate) is noticed and opened anew; while that
    cannot be done, lines go where they went before.
    """

    def __init__(self, path: str, render: Render) -> None:
        self._path, self._render = path, render
        self._second, self._descriptor = 0, self._opened()

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        opened = os.open(self._path, flags, 0o640)
        self._inode = os.fstat(opened).st_ino
        return opened

    def __call__(self, event: dict[str, Any]) -> None:
        if (second := int(event["log_time"])) != self._second:  # at most one look a s
            self._second = second
            self._follow()
        octets = self._render(event).encode("utf-8", "replace")
        # One call for one line: lines of several processes do not mix.
        while written := os.write(self._descriptor, octets):
            if written == len(octets):
                return
            octets = octets[written:]

    def _follow(self) -> None:
        try:
            if os.stat(self._path).st_ino == self._inode:
                return
        except OSError:  # moved away, or not to be looked at now
            pass
        try:
            opened = self._opened()
        except OSError:
            return
        os.close(self._descriptor)
        self._descriptor = opened


@implementer(ILogObserver)
class SyslogObserver:
    """Datagrams to the local syslog, facility mail (RFC 3164 form, as syslog(3)).

    It never stops the mail: lines for a syslog that is busy or away wait, MOST_WAITING
    at most, and go out before the next one.
    """

    def __init__(self, path: str, json_lines: bool) -> None:
        self._path, self._json = path, json_lines
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)

    def __call__(self, event: dict[str, Any]) -> None:
        text = as_json(event).rstrip() if self._json else text_of(event)
        priority = FACILITY_MAIL | SEVERITY[event["log_level"]]
        line = f"<{priority}>mailtwist[{os.getpid()}]: {text}".encode()
        self._waiting.append(line[:MOST_DATAGRAM])
        while self._waiting and self._sent(self._waiting[0]):
            self._waiting.popleft()

    def _sent(self, line: bytes) -> bool:
        for _ in range(2):  # once more when syslogd was restarted meanwhile
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    self._socket.setblocking(False)
                    self._socket.connect(self._path)
                self._socket.send(line)
            except BlockingIOError:
                return False
            except OSError:
                if self._socket is not None:
                    self._socket.close()
                self._socket = None
            else:
                return True
        return False
