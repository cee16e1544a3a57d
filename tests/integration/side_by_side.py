"""One mailbox with the same files in Dovecot and in our daemon, asked the same.

The client speaks raw and reads whatever lists the servers give, so that what is odd in
them is compared and not tripped over.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.mail import PLAIN
from tests.bench.peers import Dovecot
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon

USER = f"odd@{DOMAIN}"
NOON = 1_768_219_200  # 2026-01-12 12:00:00 UTC, the INTERNALDATE of the first

_TOKEN = re.compile(
    rb'[()]|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n'
    rb"|[^\s()\"{}\[\]]+(?:\[[^\]]*\](?:<\d+>)?)?| ",
    re.S,
)
_ESCAPE = re.compile(rb"\\(.)", re.S)
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_FETCH = re.compile(rb"\* (\d+) FETCH ")


class Refused(Exception):
    """The server said NO or BAD; the line that says so."""


class Raw:
    """A logged-in client."""

    def __init__(self, port: int, user: str = USER) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file, self._tag = self.socket.makefile("rb"), 0
        self._line()
        self.ask(f'LOGIN "{user}" "{PASSWORD}"'.encode())

    def answered(self, command: bytes) -> list[bytes]:
        """The untagged lines, literals inside, and last the tagged one without tag."""
        self._tag += 1
        tag = b"t%d " % self._tag
        self.socket.sendall(tag + command + b"\r\n")
        lines = []
        while not (line := self._line()).startswith(tag):
            lines.append(line)
        return [*lines, line.removeprefix(tag)]

    def ask(self, command: bytes) -> list[bytes]:
        """The untagged lines of the answer; raises Refused."""
        *lines, answer = self.answered(command)
        if not answer.startswith(b"OK"):
            raise Refused(command, answer)
        return lines

    def fetch(self, items: bytes) -> dict[int, list[object]]:
        """The items of each message by its number, but for the flags told besides."""
        found: dict[int, list[object]] = {}
        for line in self.ask(b"FETCH 1:* " + items):
            if match := _FETCH.match(line):
                (values,) = read(line[match.end() :])
                found.setdefault(int(match[1]), []).extend(values)
        return found

    def fetched(self, command: bytes) -> list[list[object]]:
        """The items of each FETCH in the answer."""
        lines = self.ask(command)
        matches = ((_FETCH.match(line), line) for line in lines)
        found = [read(line[match.end() :])[0] for match, line in matches if match]
        return [values for values in found if isinstance(values, list)]

    def search(self, keys: bytes) -> set[int]:
        (line,) = (one for one in self.ask(b"SEARCH " + keys) if b"SEARCH" in one)
        return set(map(int, line.split()[2:]))

    def _line(self) -> bytes:
        pieces = [self._file.readline()]
        while literal := _LITERAL.search(pieces[-1]):
            pieces.append(self._file.read(int(literal[1])))
            pieces.append(self._file.readline())
        if not pieces[-1].endswith(b"\r\n"):
            raise ConnectionError(f"closed after {pieces[-1][-200:]!r}")
        return b"".join(pieces)[:-2]

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def read(octets: bytes) -> list[object]:
    """Nested lists of octets, None for NIL; strings in either form are the same."""
    stack: list[list[object]] = [[]]
    at = 0
    while at < len(octets):
        match = _TOKEN.match(octets, at)
        if match is None:
            raise ValueError(octets[at : at + 60])
        at = match.end()
        if match[0] == b"(":
            stack.append([])
        elif match[0] == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif match[1] is not None:
            stack[-1].append(_ESCAPE.sub(rb"\1", match[1]))
        elif match[2]:
            stack[-1].append(octets[at : at + int(match[2])])
            at += int(match[2])
        elif match[0] == b"NIL":
            stack[-1].append(None)
        elif match[0] != b" ":
            stack[-1].append(match[0])
    (whole,) = stack
    return whole


class SideBySide:
    """Both servers on Maildirs with these messages; number n is the n-th."""

    def __init__(
        self, messages: Iterable[bytes], cleanup: Callable[..., object]
    ) -> None:
        mail = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        cleanup(shutil.rmtree, mail)
        mail.chmod(0o755)
        maildir = mail / "odd/Maildir"
        for folder in ("cur", "new", "tmp"):
            (maildir / folder).mkdir(parents=True)
        for number, octets in enumerate(messages):
            at = NOON + number
            path = maildir / f"cur/{at}.M1P1.host:2,S"
            path.write_bytes(octets)
            os.utime(path, (at, at))
        daemon = Daemon(PLAIN)
        cleanup(daemon.remove)
        self.daemon = daemon
        daemon.add_user("odd")
        ours = daemon.folder / f"data/mail/{DOMAIN}/odd/Maildir"
        shutil.copytree(maildir, ours)
        subprocess.run(["chown", "-R", "nobody:nogroup", mail / "odd"], check=True)
        dovecot = Dovecot(mail, [USER])
        cleanup(dovecot.stop)
        daemon.start()
        self.dovecot = Raw(dovecot.port)
        self.ours = Raw(daemon.port("imap"))
        self.ours.ask(b"ENABLE UTF8=ACCEPT")  # others get surrogates (RFC 6857)
        self.plain = Raw(daemon.port("imap"))  # may name a charset in SEARCH
        for client in (self.dovecot, self.plain, self.ours):
            cleanup(client.close)
            client.ask(b"SELECT INBOX")
