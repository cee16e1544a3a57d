"""IMAP and POP3 on one large mailbox: mailtwist beside Dovecot.

    python -m tests.bench.bench_mailboxes [messages, default 10000] [rounds, default 3]

Both start with Maildirs of the same files and without any index, in turns; the best of
all rounds counts.  Each server has four lives: the first one makes its index; then it
is restarted; then restarted with the system's caches dropped (as root); then so again
with the index deleted, but not what it needs to keep UIDs.  Neither has an index of
texts.  The client speaks raw, so that it is not what is measured.  "times" is Dovecot's
time divided by ours.  CPU is that of the server's whole process tree, in ticks of
10 ms, so that a short row may show none; its ratio depends less on what else runs.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tests.bench.mail import MAIL, PLAIN, populate
from tests.bench.peers import Dovecot
from tests.bench.spent import cpu_s
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon

USER = f"big@{DOMAIN}"
SOME = 1000  # messages of what is not done to all
NO_TEXT_INDEX = '[search]\nindex = "off"\n'  # as Dovecot; see bench_search
LEAST_CPU_S = 0.03  # of both that are compared; the system counts in 10 ms
TAIL = 4096  # octets that are looked at for the end of an answer


class Line:
    """A connection that is read as fast as it comes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.first_at = 0.0  # when an answer began, in the clock of perf_counter
        self.read(re.compile(rb"\r\n\Z"))

    def read(self, end: re.Pattern[bytes]) -> int:
        """Octets read until they end like this."""
        tail, octets = b"", 0
        while not end.search(tail):
            chunk = self.socket.recv(1 << 18)
            if not octets:
                self.first_at = time.perf_counter()
            if not chunk:
                raise SystemExit(f"benchmark failed: closed after {tail!r}")
            octets += len(chunk)
            tail = (tail + chunk)[-TAIL:]
        return octets

    def close(self) -> None:
        self.socket.close()


class Imap(Line):
    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.tag = 0
        self.run(f'LOGIN "{USER}" "{PASSWORD}"'.encode())

    def run(self, *commands: bytes) -> None:
        """Send all of them, read all answers."""
        sent = b""
        for command in commands:
            self.tag += 1
            sent += b"a%d %s\r\n" % (self.tag, command)
        self.socket.sendall(sent)
        self.read(re.compile(rb"(?:\A|\n)a%d OK[^\r\n]*\r\n\Z" % self.tag))


class Pop3(Line):
    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.socket.sendall(f"USER {USER}\r\n".encode())
        self.read(re.compile(rb"\+OK[^\r\n]*\r\n\Z"))
        self.socket.sendall(f"PASS {PASSWORD}\r\n".encode())
        self.read(re.compile(rb"\+OK[^\r\n]*\r\n\Z"))

    def run(self, *commands: bytes) -> None:
        """Send all of them and NOOP; read until that is answered."""
        self.socket.sendall(b"".join(c + b"\r\n" for c in (*commands, b"NOOP")))
        self.read(re.compile(rb"\r\n\.\r\n\+OK[^\r\n]*\r\n\Z"))

    def one_by_one(self, *commands: bytes) -> None:
        for command in commands:
            self.socket.sendall(command + b"\r\n")
            self.read(re.compile(rb"\r\n\.\r\n\Z"))


class Took(NamedTuple):
    """What one row of the table costs: `messages` are those that it was done to."""

    seconds: float
    cpu_s: float
    messages: int

    def columns(self) -> str:
        rate = self.messages / self.seconds
        cpu_ms = 1000 * self.cpu_s / self.messages
        return f"{1000 * self.seconds:,.1f} | {rate:,.0f} | {cpu_ms:.3f}"


class Run:
    """What was done, in order, to a mailbox of `messages`; `pid` is the server's."""

    def __init__(self, messages: int) -> None:
        self.messages, self.pid = messages, 0
        self.took: dict[str, Took] = {}

    def timed(
        self,
        what: str,
        work: Callable[..., object],
        *arguments: bytes,
        messages: int = 0,
    ) -> None:
        before, began = cpu_s(self.pid), time.perf_counter()
        work(*arguments)
        took = time.perf_counter() - began
        spent = cpu_s(self.pid) - before
        self.took[what] = Took(took, spent, messages or self.messages)

    def streamed(self, what: str, imap: Imap, command: bytes) -> None:
        """Also when the answer began."""
        began = time.perf_counter()
        self.timed(what, imap.run, command)
        first = imap.first_at - began
        self.took[f"{what}: the first answer"] = Took(first, 0.0, 1)


METADATA = b"FETCH 1:* (ENVELOPE RFC822.SIZE INTERNALDATE BODYSTRUCTURE)"
FIELDS = b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]"


def first_life(run: Run, port: int, pop3_port: int) -> None:
    imap = Imap(port)
    run.timed("SELECT, first ever", imap.run, b"SELECT INBOX")
    imap.close()
    imap = Imap(port)
    run.timed("SELECT, new session", imap.run, b"SELECT INBOX")
    run.timed("FETCH 1:* (UID FLAGS)", imap.run, b"FETCH 1:* (UID FLAGS)")
    run.streamed("FETCH 1:* of metadata, cache empty", imap, METADATA)
    run.timed("FETCH 1:* of metadata, warm", imap.run, METADATA)
    run.timed("FETCH 1:* of header fields, 1st time", imap.run, FIELDS)
    run.timed("FETCH 1:* of header fields, 2nd time", imap.run, FIELDS)
    some = b"1:%d" % SOME
    run.timed(
        f"FETCH 1:{SOME} BODY.PEEK[]",
        imap.run,
        b"FETCH %s BODY.PEEK[]" % some,
        messages=SOME,
    )
    single = [b"FETCH %d BODY.PEEK[]" % n for n in range(1, SOME + 1)]

    def one_by_one(*commands: bytes) -> None:
        for command in commands:
            imap.run(command)

    run.timed(f"{SOME} single FETCH BODY.PEEK[]", one_by_one, *single, messages=SOME)
    run.timed("SEARCH SUBJECT", imap.run, b"SEARCH SUBJECT nowhere")
    run.timed("SEARCH FROM", imap.run, b"SEARCH FROM nowhere")
    run.timed("SEARCH BODY", imap.run, b"SEARCH BODY nowhere")
    run.timed("SEARCH UNSEEN", imap.run, b"SEARCH UNSEEN")
    run.timed("SORT (SUBJECT)", imap.run, b"SORT (SUBJECT) UTF-8 ALL")
    run.timed("SORT (REVERSE DATE)", imap.run, b"SORT (REVERSE DATE) UTF-8 ALL")
    run.timed("THREAD REFERENCES", imap.run, b"THREAD REFERENCES UTF-8 ALL")
    store = b"STORE %s +FLAGS (\\Flagged)" % some
    run.timed(f"STORE 1:{SOME} +FLAGS", imap.run, store, messages=SOME)
    imap.run(b"CREATE Other")
    mail = MAIL % 1
    append = b"APPEND Other {%d+}\r\n%s" % (len(mail), mail)
    run.timed(f"{SOME} APPEND, one by one", one_by_one, *[append] * SOME, messages=SOME)
    run.timed(f"COPY 1:{SOME}", imap.run, b"COPY %s Other" % some, messages=SOME)
    imap.run(b"SELECT Other")
    gone = b"STORE %s +FLAGS.SILENT (\\Deleted)" % some
    imap.run(gone)
    run.timed(f"EXPUNGE of {SOME}", imap.run, b"EXPUNGE", messages=SOME)
    imap.close()


def second_life(run: Run, port: int, pop3_port: int) -> None:
    imap = Imap(port)
    run.timed("SELECT, after a restart", imap.run, b"SELECT INBOX")
    run.timed("FETCH 1:* of metadata, after a restart", imap.run, METADATA)
    imap.close()
    pop3 = Pop3(pop3_port)
    pop3.run(b"STAT", b"LIST", b"UIDL")
    retr = [b"RETR %d" % number for number in range(1, SOME + 1)]
    pop3.run(*retr[:100])
    run.timed("POP3 STAT, LIST and UIDL", pop3.run, b"STAT", b"LIST", b"UIDL")
    run.timed(f"POP3 RETR of {SOME}, one by one", pop3.one_by_one, *retr, messages=SOME)
    run.timed(f"POP3 RETR of {SOME}, pipelined", pop3.run, *retr, messages=SOME)
    pop3.close()


def third_life(run: Run, port: int, pop3_port: int) -> None:
    imap = Imap(port)
    run.timed("SELECT, caches dropped", imap.run, b"SELECT INBOX")
    run.timed(
        "FETCH 1:* (UID FLAGS), caches dropped", imap.run, b"FETCH 1:* (UID FLAGS)"
    )
    run.streamed("FETCH 1:* of metadata, caches dropped", imap, METADATA)
    run.timed("FETCH 1:* of header fields, caches dropped", imap.run, FIELDS)
    run.timed("SEARCH SUBJECT, caches dropped", imap.run, b"SEARCH SUBJECT nowhere")
    imap.close()


def fourth_life(run: Run, port: int, pop3_port: int) -> None:
    imap = Imap(port)
    run.timed("SELECT, index deleted", imap.run, b"SELECT INBOX")
    run.streamed("FETCH 1:* of metadata, index deleted", imap, METADATA)
    imap.close()


class DovecotServer:
    """On a Maildir of so many messages; `forget` deletes its index while it rests."""

    def __init__(self, messages: int) -> None:
        self.mail = Path(f"/tmp/mailtwist-bench-{time.time_ns()}")
        populate(self.mail / "big/Maildir", messages)
        subprocess.run(["chown", "-R", "nobody:nogroup", self.mail], check=True)
        self.peer: Dovecot | None = None

    def start(self) -> tuple[int, int, int]:
        """(pid, port of IMAP, port of POP3)"""
        self.peer = Dovecot(self.mail, [USER])
        return self.peer.process.pid, self.peer.port, self.peer.pop3_port

    def stop(self) -> None:
        if self.peer is not None:
            self.peer.stop()
            self.peer = None

    def forget(self) -> None:
        removed(self.mail.rglob("dovecot.index*"))

    def remove(self) -> None:
        self.stop()
        subprocess.run(["rm", "-rf", self.mail], check=True)


class MailtwistServer:
    """The same of ours."""

    def __init__(self, messages: int) -> None:
        self.daemon = Daemon(PLAIN + NO_TEXT_INDEX)
        self.daemon.add_user("big")
        self.home = self.daemon.folder / f"data/mail/{DOMAIN}/big"
        populate(self.home / "Maildir", messages)

    def start(self) -> tuple[int, int, int]:
        self.daemon.start()
        process = self.daemon.process
        if process is None:
            raise SystemExit("benchmark failed: no daemon")
        return process.pid, self.daemon.port("imap"), self.daemon.port("pop3")

    def stop(self) -> None:
        self.daemon.stop()

    def forget(self) -> None:
        removed([*self.home.glob("cache.sqlite*"), *self.home.glob("columns/*")])

    def remove(self) -> None:
        self.daemon.remove()


def removed(paths: Iterable[Path]) -> None:
    found = list(paths)
    if not found:
        raise SystemExit("benchmark failed: no index to delete")
    for path in found:
        path.unlink()


def drop_caches() -> None:
    """As after a boot of the machine."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def measured(server: DovecotServer | MailtwistServer, messages: int) -> dict[str, Took]:
    run = Run(messages)
    try:
        for number, life in enumerate(
            (first_life, second_life, third_life, fourth_life), 1
        ):
            if number == 4:
                server.forget()
            if number >= 3:
                drop_caches()
            run.pid, port, pop3_port = server.start()
            life(run, port, pop3_port)
            server.stop()
    finally:
        server.remove()
    return run.took


def compare(messages: int = 10_000, rounds: int = 3) -> None:
    """Print a table; of each row the round with the least time."""
    pairs = [
        (
            measured(DovecotServer(messages), messages),
            measured(MailtwistServer(messages), messages),
        )
        for _ in range(rounds)
    ]
    each = "ms | messages/s | CPU ms/message"
    columns = f"Dovecot {each} | mailtwist {each} | times | by CPU"
    print(f"| {messages:,} messages | {columns} |")
    print("| --- " * 9 + "|")
    for what in pairs[0][0]:
        theirs = min(took[what] for took, _ in pairs)
        ours = min(took[what] for _, took in pairs)
        times = theirs.seconds / ours.seconds
        by_cpu = "-"
        if min(theirs.cpu_s, ours.cpu_s) >= LEAST_CPU_S:
            by_cpu = f"{theirs.cpu_s / ours.cpu_s:.1f}"
        row = f"| {what} | {theirs.columns()} | {ours.columns()} | {times:.1f} |"
        print(f"{row} {by_cpu} |")


if __name__ == "__main__":
    compare(*map(int, sys.argv[1:]))
