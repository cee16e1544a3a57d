"""`make bench`: mailtwist beside Postfix and Dovecot, in one run on one machine.

    python -m tests.bench [messages in the IMAP mailbox, default 10000]

Messages a second and CPU milliseconds a message (the server's whole process tree) for
SMTP into Maildirs; milliseconds for POP3 and IMAP.  Quote the ratios: absolute figures
belong to the machine and the moment.
"""

from __future__ import annotations

import imaplib
import poplib
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.bench.peers import Dovecot, Postfix
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon

SENDERS = 20
USERS = 20
BODY = b"The quick brown fox jumps over the lazy dog, again and again.\r\n" * 30
MAIL = (
    b"From: <a@client.test>\r\nSubject: bench\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000"
)
MAIL += b"\r\nMessage-ID: <%d@client.test>\r\n\r\n" + BODY
PLAIN = (
    "[auth]\nplaintext_without_tls = true\n[limits]\nconnections_per_network = 900\n"
)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children, those that ended among them."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it ended: its parent has its time now
            continue
        total += times.user + times.system
        total += times.children_user + times.children_system
    return total


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


def populate(maildir: Path, messages: int) -> None:
    """A Maildir whose files are older than any look at it."""
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number in range(messages):
        mail = MAIL % number
        name = f"17000{number:05d}.M{number * 7919 % 999983:06d}P1.h"
        size = len(mail)
        (maildir / f"cur/{name},S={size},W={size}:2,S").write_bytes(mail)


def timed(label: str, results: dict[str, list[float]], action) -> None:
    began = time.monotonic()
    action()
    results.setdefault(label, []).append((time.monotonic() - began) * 1000)


def imap_and_pop3(port: int, pop3_port: int, user: str) -> dict[str, list[float]]:
    """Milliseconds by operation: first time, then again in a new session."""
    results: dict[str, list[float]] = {}
    for _ in range(2):
        client = imaplib.IMAP4("127.0.0.1", port)
        client.login(user, PASSWORD)
        timed("IMAP SELECT", results, client.select)
        fetch = client.fetch
        timed("IMAP FETCH FLAGS", results, lambda: fetch("1:*", "(UID FLAGS)"))  # noqa: B023
        metadata = "(ENVELOPE RFC822.SIZE INTERNALDATE BODYSTRUCTURE)"
        timed("IMAP FETCH metadata", results, lambda: fetch("1:*", metadata))  # noqa: B023
        client.logout()
    for _ in range(2):
        pop3 = poplib.POP3("127.0.0.1", pop3_port)
        pop3.user(user)
        timed("POP3 login, UIDL", results, lambda: (pop3.pass_(PASSWORD), pop3.uidl()))  # noqa: B023
        timed(
            "POP3 RETR of 500",
            results,
            lambda: [pop3.retr(number + 1) for number in range(500)],  # noqa: B023
        )
        pop3.quit()
    return results


def bench_mailboxes(daemon: Daemon, messages: int) -> None:
    user = f"big@{DOMAIN}"
    populate(daemon.folder / f"data/mail/{DOMAIN}/big/Maildir", messages)
    mail = Path(str(daemon.folder) + "-dovecot")
    populate(mail / "big/Maildir", messages)
    subprocess.run(["chown", "-R", "nobody:nogroup", mail], check=True)
    dovecot = Dovecot(mail, [user])
    try:
        peer = imap_and_pop3(dovecot.port, dovecot.pop3_port, user)
        ours = imap_and_pop3(daemon.port("imap"), daemon.port("pop3"), user)
    finally:
        dovecot.stop()
        subprocess.run(["rm", "-rf", mail], check=True)
    print(f"{messages} messages: ms first / ms again, Dovecot and mailtwist")
    for label, theirs in peer.items():
        figures = " / ".join(f"{value:7.0f}" for value in theirs)
        mine = " / ".join(f"{value:7.0f}" for value in ours[label])
        ratio = theirs[1] / ours[label][1]
        print(f"  {label:20} {figures}   {mine}   {ratio:5.2f} times as fast")


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    daemon = Daemon(PLAIN)
    try:
        for name in [*(f"u{number}" for number in range(USERS)), "big"]:
            daemon.add_user(name)
        daemon.start()
        bench_smtp(daemon)
        bench_mailboxes(daemon, messages)
    finally:
        daemon.remove()


if __name__ == "__main__":
    main()
