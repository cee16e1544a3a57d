"""One worker and one for each processor, beside Postfix, in one run.

    python -m tests.bench.bench_workers [rounds, 3] [messages, 4000]

Messages a second over SMTP, the memory of the processes with nothing to do, and the
time from the end of a message to the EXISTS that an idle client in another worker sees.
"""

from __future__ import annotations

import imaplib
import smtplib
import statistics
import sys
import time

from tests.bench.__main__ import USERS, smtp
from tests.bench.bench_idle import pss_octets
from tests.bench.mail import PLAIN
from tests.bench.peers import Postfix
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon
from tests.integration.test_workers import peer_of

WORKERS: tuple[object, ...] = (1, '"auto"')
KINDS = ((100, 1), (1, 4))  # messages a connection, and a what part of them is sent
TOLD = 200  # deliveries that an idle client is told of


def daemon_with(workers: object) -> Daemon:
    daemon = Daemon(f"{PLAIN}[process]\nworkers = {workers}\n")
    for number in range(USERS):
        daemon.add_user(f"u{number}")
    daemon.start()
    until_all_serve(daemon)
    return daemon


def until_all_serve(daemon: Daemon) -> None:
    end = time.monotonic() + 30
    log = daemon.log.read_text
    while log().count("mailtwist serves") < max(1, len(daemon.workers())):
        if time.monotonic() > end:
            raise SystemExit("benchmark failed: not all workers serve")
        daemon.pause()


def told_after_ms(daemon: Daemon) -> list[float]:
    """From the end of a message that one worker takes to EXISTS in the other, or in
    the only one."""
    user = f"u0@{DOMAIN}"
    idle = imaplib.IMAP4("127.0.0.1", daemon.port("imap"))
    idle.login(user, PASSWORD)
    idle.select()
    workers, found = daemon.workers(), []
    idle.send(b"x IDLE\r\n")
    idle.readline()
    while True:
        sender = smtplib.SMTP("127.0.0.1", daemon.port("smtp"))
        sender.ehlo()
        ends = [one.sock.getsockname()[1] for one in (sender, idle)]
        if len(workers) < 2 or len({peer_of(end, workers) for end in ends}) == 2:
            break
    for _ in range(TOLD):
        sender.docmd("MAIL FROM:<a@client.test>")
        sender.docmd(f"RCPT TO:<{user}>")
        sender.docmd("DATA")
        sender.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        began = time.monotonic()
        sender.getreply()
        while b"EXISTS" not in idle.readline():
            pass
        found.append((time.monotonic() - began) * 1000)
        time.sleep(0.02)
    sender.close()
    idle.shutdown()
    return found


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    rounds, messages = given + [3, 4000][len(given) :]
    daemons = {workers: daemon_with(workers) for workers in WORKERS}
    postfix = Postfix([f"u{number}@{DOMAIN}" for number in range(USERS)])
    servers = {"postfix": (postfix.port, postfix.process.pid)}
    try:
        for workers, daemon in daemons.items():
            pid = daemon.process.pid if daemon.process else 0
            name = f"workers {workers}"
            servers[name] = daemon.port("smtp"), pid
            mib = pss_octets(pid) / 2**20
            print(f"{name}: {mib:.0f} MiB PSS of all processes at rest")
        for per_connection, part in KINDS:
            print(f"SMTP, {per_connection} messages a connection, median of {rounds}")
            rates: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(rounds):
                for name, (port, pid) in servers.items():
                    rate = smtp(name, port, pid, per_connection, messages // part)
                    rates[name].append(rate)
            peer = statistics.median(rates["postfix"])
            for name, found in rates.items():
                middle = statistics.median(found)
                print(f"  {name:16} {middle:8.0f} msg/s, ratio {middle / peer:.2f}")
        for workers, daemon in daemons.items():
            times = sorted(told_after_ms(daemon))
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            print(f"delivery to EXISTS, {workers}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    finally:
        postfix.stop()
        for daemon in daemons.values():
            daemon.remove()


if __name__ == "__main__":
    main()
