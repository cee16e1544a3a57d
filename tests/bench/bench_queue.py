"""What a long queue costs: `python -m tests.bench.bench_queue [MESSAGES, 100000]`.

Fills a queue, then prints, for a daemon on it: the time until it takes connections and
until the first message is on its way, resident memory, CPU while nothing is due, and
how fast it sends to Postfix's `smtp-sink`, which takes everything at once.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from twisted.internet import reactor

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import Envelope, RemoteRecipient, Route, Target
from mailtwist.queue.admin import QueueAdmin
from mailtwist.queue.spool import statements
from mailtwist.queue.spool.disk import DATABASE, DiskSpool
from mailtwist.queue.spool.thread import Work, batch, connect
from tests.bench.mail import BODY
from tests.bench.peers import SmtpSink
from tests.bench.spent import cpu_s
from tests.integration.daemon import Daemon

CONFIG = """
[dns]
servers = ["127.0.0.1:1"]
[relay]
loopback_hosts = true
[log]
level = "warn"
"""
FILL = 1000  # messages in one commit
IDLE_S, SENDING_S = 5.0, 20.0
DOMAINS, SENDERS = 500, 200


def fill(folder: Path, messages: int, port: int) -> float:
    """Seconds to put messages of 2 KB from many senders to many domains."""
    folder.mkdir(mode=0o700, parents=True)
    spool = DiskSpool(reactor, str(folder), Queue())
    connection = connect(str(folder / DATABASE))
    began = time.perf_counter()
    for start in range(0, messages, FILL):
        works = [
            insertion(spool, number, port) for number in range(start, start + FILL)
        ]
        batch(connection, works, True)
    connection.close()
    return time.perf_counter() - began


def insertion(spool: DiskSpool, number: int, port: int) -> Work[None]:
    address = Address("bob", f"d{number % DOMAINS}.test")
    way = Target(address, Route("smtp", f"[127.0.0.1]:{port}"))
    to = RemoteRecipient(address, (way,))
    sender = Address("ann", f"s{number % SENDERS}.test")
    envelope = Envelope(f"m{number}", "s", sender, (to,))
    message, recipients = spool.accepted(envelope, len(BODY))
    return lambda c: statements.insert(c, message, recipients, BODY)


def pid(daemon: Daemon) -> int:
    if daemon.process is None:
        raise AssertionError("the daemon does not run")
    return daemon.process.pid


def memory_mb(daemon: Daemon) -> float:
    return psutil.Process(pid(daemon)).memory_info().rss / 1e6


def started(daemon: Daemon) -> float:
    """Seconds until it greets."""
    began = time.perf_counter()
    daemon.start()
    with smtplib.SMTP("127.0.0.1", daemon.port("smtp")):
        return time.perf_counter() - began


def wait(what: Callable[[], bool], most_s: float = 60.0) -> float:
    """Seconds until `what()`."""
    began = time.perf_counter()
    while not what():
        if time.perf_counter() - began > most_s:
            raise AssertionError("it did not come to pass")
        Daemon.pause()
    return time.perf_counter() - began


def main(messages: int) -> None:
    sink, daemon = SmtpSink(), Daemon(CONFIG)
    folder = daemon.folder / "data" / "queue"
    ready = started(daemon)
    print(f"empty queue: ready in {ready:.2f} s, {memory_mb(daemon):.0f} MB")
    daemon.stop()
    shutil.rmtree(folder)
    filled, size = fill(folder, messages, sink.port), os.path.getsize(folder / DATABASE)
    print(f"filled with {messages} in {filled:.1f} s, {size / 1e6:.0f} MB")
    admin = QueueAdmin(str(folder), time.time)
    try:
        held(daemon, admin)
        due(daemon, admin, sink)
    finally:
        admin.close()
        daemon.remove()
        sink.stop()


def held(daemon: Daemon, admin: QueueAdmin) -> None:
    """A queue of which nothing is due."""
    admin.hold()
    ready = started(daemon)
    used = cpu_s(pid(daemon))
    time.sleep(IDLE_S)
    busy = 100 * (cpu_s(pid(daemon)) - used) / IDLE_S
    memory = memory_mb(daemon)
    print(f"all held: ready in {ready:.2f} s, {memory:.0f} MB, {busy:.1f} % CPU")
    began = time.perf_counter()
    count = sum(1 for _ in admin.listed())
    print(f"{count} listed in {time.perf_counter() - began:.1f} s")
    daemon.stop()
    admin.release()


def due(daemon: Daemon, admin: QueueAdmin, sink: SmtpSink) -> None:
    """A queue of which everything is due."""
    ready = started(daemon)
    first = wait(lambda: sink.taken() > 0)
    sent, used = sink.taken(), cpu_s(pid(daemon))
    peak, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < SENDING_S and admin.count():
        peak = max(peak, memory_mb(daemon))
        time.sleep(0.5)
    sent, used = sink.taken() - sent, cpu_s(pid(daemon)) - used
    rate = sent / (time.perf_counter() - began)
    print(f"all due: ready in {ready:.2f} s, first sent {first:.2f} s later")
    print(f"{rate:.0f} sent a second, {1000 * used / max(sent, 1):.2f} ms of CPU each")
    print(f"{peak:.0f} MB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
