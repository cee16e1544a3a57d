"""`make bench`: mailtwist beside Postfix and Dovecot, in one run on one machine.

    python -m tests.bench [messages in the mailboxes, default 10000 100000]

Messages a second and CPU milliseconds a message (the server's whole process tree) for
SMTP into Maildirs, POP3 and IMAP, then the memory of idle connections, how fast texts
are indexed and found, and mail is imported and exported.  Quote the
ratios: absolute figures belong to the machine and the moment.
"""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench import bench_carry, bench_idle, bench_list, bench_search
from tests.bench.bench_mailboxes import compare
from tests.bench.mail import MAIL, PLAIN
from tests.bench.peers import Postfix
from tests.bench.spent import cpu_s
from tests.integration.daemon import DOMAIN, Daemon

SENDERS = 20
USERS = 20
MANY = 10_000  # messages; a larger mailbox is measured once, not three times
CONNECTIONS, MAILBOXES = 2_000, 2_000  # that idle, and that are listed


def send(port: int, user: str, messages: int, per_connection: int) -> None:
    """Messages of 2 KB over one connection after the other, pipelined."""
    envelope = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user.encode()
    for start in range(0, messages, per_connection):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            replies = client.makefile("rb")
            replies.readline()
            client.sendall(b"EHLO client.test\r\n")
            while replies.readline()[3:4] == b"-":
                pass
            for number in range(start, min(start + per_connection, messages)):
                client.sendall(envelope)
                for expected in (b"250", b"250", b"354"):
                    check(replies.readline(), expected)
                client.sendall(MAIL % number + b".\r\n")
                check(replies.readline(), b"250")
            client.sendall(b"QUIT\r\n")
            replies.readline()


def check(reply: bytes, expected: bytes) -> None:
    if not reply.startswith(expected):
        raise SystemExit(f"benchmark failed: {reply!r} instead of {expected!r}")


def smtp(name: str, port: int, pid: int, per_connection: int, messages: int) -> float:
    """Prints the figures; messages a second."""
    users = [f"u{number}@{DOMAIN}" for number in range(USERS)]
    send(port, users[0], 20, 20)  # warm
    before, began = cpu_s(pid), time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        each = messages // SENDERS
        jobs = [
            pool.submit(send, port, users[n % USERS], each, per_connection)
            for n in range(SENDERS)
        ]
        for job in jobs:
            job.result()
    took = time.monotonic() - began
    spent = (cpu_s(pid) - before) * 1000 / messages
    rate = messages / took
    print(f"  {name:10} {rate:8.0f} msg/s {spent:7.2f} CPU ms/msg")
    return rate


def bench_smtp(daemon: Daemon) -> None:
    postfix = Postfix([f"u{number}@{DOMAIN}" for number in range(USERS)])
    try:
        for title, per_connection, messages in (
            ("SMTP, 100 messages a connection", 100, 4000),
            ("SMTP, one message a connection", 1, 1000),
        ):
            print(title)
            peer = smtp(
                "postfix", postfix.port, postfix.process.pid, per_connection, messages
            )
            ours = smtp(
                "mailtwist",
                daemon.port("smtp"),
                daemon.process.pid,
                per_connection,
                messages,
            )
            print(f"  ratio      {ours / peer:8.2f}")
    finally:
        postfix.stop()


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [10_000, 100_000]
    daemon = Daemon(PLAIN, workers="auto")
    try:
        for number in range(USERS):
            daemon.add_user(f"u{number}")
        daemon.start()
        bench_smtp(daemon)
    finally:
        daemon.remove()
    for messages in sizes:
        compare(messages, rounds=3 if messages <= MANY else 1)
    bench_idle.main(CONNECTIONS, MAILBOXES)
    bench_list.compare(1000)
    bench_search.main(max(sizes))
    bench_carry.main()


if __name__ == "__main__":
    main()
