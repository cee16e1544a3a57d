"""Memory of idle IMAP connections, and LIST of many mailboxes, beside Dovecot.

    python -m tests.bench.bench_idle [connections, 2000] [mailboxes, 10000]

Each connection is logged in, has INBOX selected and waits in IDLE.  Memory is the
proportional share (PSS) of the server's whole process tree, before and after.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.bench.bench_mailboxes import USER, Imap
from tests.bench.mail import populate
from tests.bench.peers import Dovecot
from tests.integration.daemon import DOMAIN, Daemon

MESSAGES = 200  # in the INBOX that all of them have selected
ROUNDS = 3  # of LIST; the best counts
LIMITS = (
    "[auth]\nplaintext_without_tls = true\n"
    "[limits]\nconnections = 10000\nconnections_per_network = 10000\n"
)
MANY_PROCESSES = """
default_process_limit = 10000
default_client_limit = 20000
mail_max_userip_connections = 10000
service imap {
  process_limit = 10000
  vsz_limit = 0
}
service imap-login {
  service_count = 0
  client_limit = 10000
}
"""


def pss_octets(pid: int) -> int:
    """Of a process and all that it started."""
    root = psutil.Process(pid)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)
        total += int(found[1]) * 1024 if found else 0
    return total


@contextmanager
def dovecot() -> Iterator[tuple[int, int]]:
    """(port, pid)"""
    mail = Path(tempfile.mkdtemp(prefix="mailtwist-bench-"))
    mail.chmod(0o755)
    populate(mail / "big/Maildir", MESSAGES)
    subprocess.run(["chown", "-R", "nobody:nogroup", mail / "big"], check=True)
    peer = Dovecot(mail, [USER], MANY_PROCESSES)
    try:
        yield peer.port, peer.process.pid
    finally:
        peer.stop()
        shutil.rmtree(mail)


@contextmanager
def mailtwist() -> Iterator[tuple[int, int]]:
    """(port, pid)"""
    daemon = Daemon(LIMITS)
    try:
        daemon.add_user("big")
        populate(daemon.folder / f"data/mail/{DOMAIN}/big/Maildir", MESSAGES)
        daemon.start()
        if daemon.process is None:
            raise SystemExit("benchmark failed: no daemon")
        yield daemon.port("imap"), daemon.process.pid
    finally:
        daemon.remove()


class Memory(NamedTuple):
    """KiB of the whole process tree, and what each connection adds to it."""

    before: float
    after: float
    each: float


def idle(port: int, pid: int, connections: int) -> Memory:
    """With one connection, and with so many more that wait in IDLE."""
    first = Imap(port)
    first.run(b"SELECT INBOX")
    before = pss_octets(pid)
    waiting = []
    for _ in range(connections):
        one = Imap(port)
        one.run(b"SELECT INBOX")
        one.socket.sendall(b"i IDLE\r\n")
        one.read(re.compile(rb"(?:\A|\n)\+ [^\r\n]*\r\n\Z"))
        waiting.append(one)
    after = pss_octets(pid)
    for one in (first, *waiting):
        one.close()
    return Memory(before / 1024, after / 1024, (after - before) / connections / 1024)


def lists(port: int, mailboxes: int) -> dict[str, float]:
    """Seconds of each way to list them."""
    imap = Imap(port)
    for start in range(0, mailboxes, 500):
        imap.run(*(b"CREATE m%d" % n for n in range(start, start + 500)))
    took: dict[str, float] = {}
    for command in (b'LIST "" *', b'LIST "" m12*', b'LSUB "" *'):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            imap.run(command)
            spent = time.perf_counter() - began
            name = command.decode()
            took[name] = min(spent, took.get(name, spent))
    imap.close()
    fresh = Imap(port)
    began = time.perf_counter()
    fresh.run(b'LIST "" *')
    took['LIST "" *, new session'] = time.perf_counter() - began
    fresh.close()
    return took


def main(connections: int = 2_000, mailboxes: int = 10_000) -> None:
    memory, listed = [], []
    for server in (dovecot, mailtwist):
        with server() as (port, pid):
            memory.append(idle(port, pid, connections))
        with server() as (port, _):
            listed.append(lists(port, mailboxes))
    print("| | Dovecot | mailtwist | times |\n| --- | --- | --- | --- |")
    theirs, ours = memory
    for what, there, here in (
        ("KiB of all processes, one connection", theirs.before, ours.before),
        (f"the same, {connections:,} idle ones more", theirs.after, ours.after),
        ("KiB for each of these", theirs.each, ours.each),
    ):
        print(f"| {what} | {there:,.1f} | {here:,.1f} | {there / here:.1f} |")
    for name, there in listed[0].items():
        here = listed[1][name]
        print(
            f"| `{name}` of {mailboxes:,}, ms | {1000 * there:,.1f} "
            f"| {1000 * here:,.1f} | {there / here:.1f} |"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
