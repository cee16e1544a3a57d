"""ManageSieve by hand, and by sieve-connect."""

import socket
from base64 import b64decode, b64encode

from mailtwist.sasl.client_mechanisms import Conversation

from .daemon import PASSWORD
from .programs import run
from .ways_in import OPEN

HOST = "127.0.0.1"
WAIT_S = 20


def listener(port: int, *more: str) -> str:
    """TOML of a listener; `more` are lines of it."""
    lines = "\n".join(more)
    return (
        '[[listener]]\nprotocol = "manage_sieve"\n'
        f'endpoint = "tcp:{port}:interface={HOST}"\n{lines}\n'
    )


class Wire:
    """A connection."""

    def __init__(self, port: int, before: bytes = b"", tls: bool = False) -> None:
        self.socket = socket.create_connection((HOST, port), WAIT_S)
        self.socket.sendall(before)
        if tls:
            self.socket = OPEN.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.greeting = self.answer()

    def answer(self) -> bytes:
        """All lines up to the status line."""
        lines = []
        while True:
            line = self.file.readline()
            lines.append(line)
            if line.rstrip().endswith(b"}"):
                count = int(line.rstrip()[:-1].rpartition(b"{")[2])
                lines.append(self.file.read(count) + self.file.readline())
            if not line or line.startswith((b"OK", b"NO", b"BYE")):
                return b"".join(lines)

    def ask(self, octets: bytes) -> bytes:
        self.socket.sendall(octets)
        return self.answer()

    def put(self, name: str, octets: bytes) -> bytes:
        line = b'PUTSCRIPT "%b" {%d+}\r\n' % (name.encode(), len(octets))
        return self.ask(line + octets + b"\r\n")

    def start_tls(self) -> bytes:
        """The capabilities behind it."""
        if not self.ask(b"STARTTLS\r\n").startswith(b"OK"):
            raise AssertionError("no TLS")
        self.socket = OPEN.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        return self.answer()

    def log_in(self, user: str, password: str = PASSWORD) -> bytes:
        told = b64encode(f"\0{user}\0{password}".encode())
        return self.ask(b'AUTHENTICATE "PLAIN" "%b"\r\n' % told)

    def converse(self, mechanism: str, conversation: Conversation) -> bytes:
        """The last answer of an exchange; the server proved itself where it must."""
        words = [b'AUTHENTICATE "%b"' % mechanism.encode()]
        if conversation.initial is not None:
            words.append(b'"%b"' % b64encode(conversation.initial))
        self.socket.sendall(b" ".join(words) + b"\r\n")
        while True:
            line = self.file.readline()
            if not line.startswith(b'"'):
                break
            answer = conversation.respond(b64decode(line.strip(b'"\r\n')))
            self.socket.sendall(b'"%b"\r\n' % b64encode(answer))
        if line.startswith(b"OK"):
            conversation.done()
        return line

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def sieve_connect(port, user, *arguments, host=HOST, ok=True, env=None, said=PASSWORD):
    """(exit status, output) of the program."""
    return run(
        *("sieve-connect", "-s", host, "-p", port, "-u", user, "--notlsverify"),
        *("--passwordfd", "0", *arguments),
        said=said + "\n",
        ok=ok,
        env=env or {},
    )
