"""Transcripts: conversations written down, run against a protocol in memory or a port.

A transcript is a text file (UTF-8).  Its first comment line is its title.  Lines before
the first step say what it is about, and what the server must be like for it:

    shows: BINARY MOVE        names of capabilities
    with: slow_copy limit=3   settings; what they mean is for the test to know

One step a line; connections are numbered, a step without a number belongs to
connection 1:

    # a comment, also behind blank lines
    C: EHLO client.test       the client sends this line and CRLF; consecutive C: and
                              C| steps of one connection travel in one segment
    C| half a li\\x00ne\\r\\n    octets without CRLF; escapes \\r \\n \\t \\0 \\xHH \\\\
    S: 250 2.1.0 ...          the next line the server says; "..." matches anything
    S: * OK [UIDVALIDITY $v]  "$name" binds one word at first sight; later, in C: and S:
                              steps of any connection, it stands for that word
    S~ * FLAGS ...            consecutive S~ steps match the next lines in any order
    S> 250 ...                lines are skipped until one matches (this one is eaten)
    S-                        the server has nothing more to say now
    S.                        the server closed; a line not yet read is a fault
    TLS                       the TLS handshake happens here
    DEFLATE                   both directions are compressed from here on
    OFF                       the client closes
    2 C: A1 NOOP              the same on connection 2, opened at its first step

"$$" is a dollar sign.  A line without step mark is a fault of the transcript.

In memory:      play(read(path), lambda: MemoryWire(factory.buildProtocol(None)))
Over a socket:  await transcript_socket.play_on(factory, read(path))
"""

from __future__ import annotations

import re
import socket
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen, mutable
from twisted.internet.testing import StringTransportWithDisconnection

FOLDER = Path(__file__).parent / "transcripts"
STEP = re.compile(
    r"(?:(\d+) )?(C:|C\||S:|S~|S>|S-|S\.|TLS|DEFLATE|OFF)(?: (.*))?\Z", re.S
)
HEAD = re.compile(r"(shows|with): (.*)\Z")
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([rnt0\\]))")
PIECE = re.compile(r"\.\.\.|\$\$|\$\w+|[^.$]+|[.$]")
NAMED = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


@frozen
class Step:
    at: int  # line number
    wire: int
    mark: str
    text: str


@frozen
class Transcript:
    title: str
    steps: tuple[Step, ...]
    shows: tuple[str, ...] = ()
    settings: dict[str, str] = field(factory=dict)  # "" for those without a value

    @property
    def clients(self) -> int:
        """How many connections say something."""
        return len({step.wire for step in self.steps if step.mark in ("C:", "C|")})

    @property
    def starts_tls(self) -> bool:
        return any(step.mark == "TLS" for step in self.steps)


class Wire(Protocol):
    """One connection as the client sees it."""

    def send(self, octets: bytes) -> None: ...
    def line(self) -> bytes | None: ...  # without CRLF; None: nothing more comes
    def is_closed(self) -> bool: ...
    def start_tls(self) -> None: ...
    def start_deflate(self) -> None: ...
    def close(self) -> None: ...


def read(path: Path | str) -> Transcript:
    """The transcript in a file of tests/transcripts (or at an absolute path)."""
    return parse((FOLDER / path).read_text(encoding="utf-8"))


def parse(text: str) -> Transcript:
    title, steps = "", []
    heads: dict[str, list[str]] = {"shows": [], "with": []}
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if line.startswith("#"):
            title = title or line[1:].strip()
            continue
        if not steps and (head := HEAD.match(line)):
            heads[head[1]] += head[2].split()
            continue
        found = STEP.match(line)
        if not found:
            raise AssertionError(f"line {at} is no step: {line!r}")
        steps.append(Step(at, int(found[1] or 1), found[2], found[3] or ""))
    settings = {
        name: value for name, _, value in (s.partition("=") for s in heads["with"])
    }
    return Transcript(title, tuple(steps), tuple(heads["shows"]), settings)


def play(transcript: Transcript, connect: Callable[[], Wire]) -> dict[str, str]:
    """Run it; the bound names.  Raises AssertionError naming the line that failed."""
    player = _Player(connect)
    steps = list(transcript.steps)
    try:
        while steps:
            step = steps.pop(0)
            group = [step]
            if step.mark in ("C:", "C|", "S~"):
                alike = ("S~",) if step.mark == "S~" else ("C:", "C|")
                while steps and steps[0].mark in alike and steps[0].wire == step.wire:
                    group.append(steps.pop(0))
            player.do(group)
    finally:
        for wire in player.wires.values():
            wire.close()
    return player.names


@mutable
class _Player:
    connect: Callable[[], Wire]
    wires: dict[int, Wire] = field(factory=dict)
    names: dict[str, str] = field(factory=dict)

    def do(self, group: list[Step]) -> None:
        step = group[0]
        wire = self.wires.get(step.wire)
        if wire is None:
            wire = self.wires[step.wire] = self.connect()
        match step.mark:
            case "C:" | "C|":
                wire.send(b"".join(self.octets(s) for s in group))
            case "S:":
                self.expect(step, wire.line())
            case "S>":
                line = wire.line()
                while line is not None and not self.matches(step, line):
                    line = wire.line()
                self.expect(step, line)
            case "S~":
                self.expect_all(group, wire)
            case "S-":
                self.fault_if(line := wire.line(), step, f"the server says {line!r}")
            case "S.":
                self.fault_if(line := wire.line(), step, f"the server says {line!r}")
                self.fault_if(not wire.is_closed(), step, "the connection is open")
            case "TLS":
                wire.start_tls()
            case "DEFLATE":
                wire.start_deflate()
            case "OFF":
                wire.close()

    def octets(self, step: Step) -> bytes:
        text = re.sub(r"\$(\$|\w+)", self.named, step.text)
        if step.mark == "C:":
            return text.encode() + b"\r\n"
        parts = ESCAPE.split(text)
        out = parts[0].encode()
        for code, name, plain in zip(
            parts[1::3], parts[2::3], parts[3::3], strict=True
        ):
            out += bytes([int(code, 16)]) if code else NAMED[name].encode()
            out += plain.encode()
        return out

    def named(self, found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else self.names[found[1]]

    def expect_all(self, group: list[Step], wire: Wire) -> None:
        waiting = list(group)
        while waiting:
            line = wire.line()
            for step in waiting:
                if line is not None and self.matches(step, line):
                    waiting.remove(step)
                    break
            else:
                self.expect(waiting[0], line)

    def expect(self, step: Step, line: bytes | None) -> None:
        said = "nothing" if line is None else repr(line)
        self.fault_if(
            line is None or not self.matches(step, line),
            step,
            f"wanted {step.text!r}, the server says {said}",
        )

    def matches(self, step: Step, line: bytes) -> bool:
        pattern, fresh = "", []
        for piece in PIECE.findall(step.text):
            name = piece[1:]
            if piece == "...":
                pattern += ".*"
            elif piece == "$$" or len(piece) == 1 or piece[0] != "$":
                pattern += re.escape("$" if piece == "$$" else piece)
            elif name in self.names:
                pattern += re.escape(self.names[name])
            elif name in fresh:
                pattern += f"(?P={name})"
            else:
                fresh.append(name)
                pattern += rf"(?P<{name}>[^\s\]\)>]+)"
        found = re.fullmatch(pattern, line.decode("utf-8", "surrogateescape"), re.S)
        if found:
            self.names |= found.groupdict()
        return bool(found)

    @staticmethod
    def fault_if(bad: object, step: Step, what: str) -> None:
        if bad:
            raise AssertionError(f"line {step.at}, connection {step.wire}: {what}")


@mutable
class Lines:
    """What comes over a wire, line by line, and what goes; compressed from
    `start_deflate` on."""

    rest: bytes = b""
    _inflating: Any = None
    _deflating: Any = None

    def start_deflate(self) -> None:
        self._inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        rest, self.rest = self.rest, b""
        self.add(rest)

    def add(self, octets: bytes) -> None:
        """They came over the wire."""
        inflating = self._inflating
        self.rest += octets if inflating is None else inflating.decompress(octets)

    def sent(self, octets: bytes) -> bytes:
        """What goes over the wire for them."""
        stream = self._deflating
        if stream is None:
            return octets
        return bytes(stream.compress(octets) + stream.flush(zlib.Z_SYNC_FLUSH))

    def take(self) -> bytes | None:
        """The next line without its CRLF."""
        line, end, rest = self.rest.partition(b"\r\n")
        if not end:
            return None
        self.rest = rest
        return line


class MemoryTransport(StringTransportWithDisconnection):
    """A transport that notes TLS and what a server asks of a socket."""

    tls = False
    no_delay = False

    def startTLS(self, context: object) -> None:
        self.tls = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class MemoryWire:
    """A Twisted protocol whose answers need no reactor."""

    def __init__(
        self, protocol: object, transport: MemoryTransport | None = None
    ) -> None:
        self.protocol = protocol
        self.transport = transport or MemoryTransport()
        self.transport.protocol = protocol
        self.protocol.makeConnection(self.transport)
        self.lines, self.read = Lines(), 0

    def send(self, octets: bytes) -> None:
        if self.transport.connected:
            self.protocol.dataReceived(self.lines.sent(octets))

    def line(self) -> bytes | None:
        self._listen()
        return self.lines.take()

    def unread(self) -> bytes:
        """All that was said and not taken yet."""
        self._listen()
        rest, self.lines.rest = self.lines.rest, b""
        return rest

    def _listen(self) -> None:
        said = self.transport.value()[self.read :]
        self.read += len(said)
        self.lines.add(said)

    def is_closed(self) -> bool:
        return not self.transport.connected

    def start_tls(self) -> None:
        if not self.transport.tls:
            raise AssertionError("the server did not start TLS")

    def start_deflate(self) -> None:
        self.lines.start_deflate()

    def close(self) -> None:
        if self.transport.connected:
            self.transport.loseConnection()


class SocketWire:
    """A TCP connection, blocking: not for the reactor's thread."""

    def __init__(
        self, host: str, port: int, *, tls: bool = False, timeout_s: float = 10.0
    ) -> None:
        self.socket: socket.socket = socket.create_connection((host, port), timeout_s)
        self.host, self.timeout_s = host, timeout_s
        self.lines, self.ended = Lines(), False
        if tls:
            self.start_tls()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(self.lines.sent(octets))

    def line(self, wait_s: float | None = None) -> bytes | None:
        """The next line; None when the server closed or says nothing in time."""
        self.socket.settimeout(self.timeout_s if wait_s is None else wait_s)
        line = self.lines.take()
        while line is None and not self.ended:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                return None
            except OSError:
                more = b""
            self.ended = not more
            self.lines.add(more)
            line = self.lines.take()
        return line

    def is_closed(self) -> bool:
        return self.line() is None and self.ended

    def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=self.host)

    def start_deflate(self) -> None:
        self.lines.start_deflate()

    def close(self) -> None:
        self.socket.close()
