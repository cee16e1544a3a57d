"""SEARCH in the texts of one large mailbox, with and without its index, and Dovecot.

    python -m tests.bench.bench_search [messages, default 10000]

Messages of 250 words of Python's library; what is looked for is in none, in one of a
thousand, in one of ten, and in many.  Each search twice; Dovecot has no index of text.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from tests.bench.bench_mailboxes import USER, Imap
from tests.bench.mail import PLAIN
from tests.bench.peers import Dovecot
from tests.integration.daemon import Daemon

NEEDLES = (b"nowhere-to-be-found", b"quadrivium of", b"particular phrase", b"self")
MANUAL = f'{PLAIN}[search]\nindex = "manual"\n'


def words() -> list[str]:
    library = Path(sysconfig.get_path("stdlib"))
    text = " ".join(
        path.read_text(errors="replace") for path in sorted(library.glob("*.py"))[:150]
    )
    return [word for word in text.split() if word.isascii()]


def fill(maildir: Path, messages: int) -> int:
    """Octets of a Maildir with so many messages, the same each time."""
    known, chosen, octets = words(), random.Random(1), 0
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number in range(messages):
        at = chosen.randrange(len(known) - 250)
        some = known[at : at + 250]
        lines = [" ".join(some[i : i + 10]) for i in range(0, 250, 10)]
        lines += ["quadrivium of needles"] * (number % 1000 == 0)
        lines += ["particular phrase"] * (number % 10 == 0)
        head = f"From: <a@client.test>\r\nSubject: bench {number}\r\n\r\n"
        mail = (head + "\r\n".join(lines) + "\r\n").encode()
        octets += len(mail)
        name = f"17000{number:06d}.M{number}P1.h,S={len(mail)},W={len(mail)}:2,S"
        (maildir / "cur" / name).write_bytes(mail)
    return octets


def searches(who: str, port: int) -> None:
    imap = Imap(port)
    imap.run(b"SELECT INBOX")
    commands = [
        b'%s "%s"' % (key, one) for key in (b"BODY", b"TEXT") for one in NEEDLES
    ]
    for command in (*commands, b"SUBJECT nowhere"):
        took = []
        for _ in range(2):
            began = time.perf_counter()
            imap.run(b"SEARCH " + command)
            took.append(1000 * (time.perf_counter() - began))
        print(f"  {who:10} {command.decode():28} {took[0]:8.0f} {took[1]:8.0f} ms")
    imap.close()


def dovecot(messages: int) -> None:
    mail = Path(f"/tmp/mailtwist-bench-{time.time_ns()}")
    fill(mail / "big/Maildir", messages)
    subprocess.run(["chown", "-R", "nobody:nogroup", mail], check=True)
    try:
        peer = Dovecot(mail, [USER])
        try:
            searches("dovecot", peer.port)
        finally:
            peer.stop()
    finally:
        shutil.rmtree(mail)


def mailtwist(messages: int) -> None:
    daemon = Daemon(MANUAL)
    try:
        daemon.add_user("big")
        daemon.start()
        imap = Imap(daemon.port("imap"))
        imap.run(b"SELECT INBOX")
        imap.close()
        daemon.stop()
        (maildir,) = daemon.folder.glob("data/**/Maildir")
        octets = fill(maildir, messages)
        daemon.start()
        searches("no index", daemon.port("imap"))
        daemon.stop()
        began = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-m", "mailtwist.cli", "-c", daemon.config, "index"],
            env=daemon.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        took = time.perf_counter() - began
        print(f"  {told.strip()} of {octets / 1e6:.1f}: {messages / took:.0f} a second")
        daemon.start()
        searches("index", daemon.port("imap"))
    finally:
        daemon.remove()


def main(messages: int = 10_000) -> None:
    print(f"{messages} messages")
    dovecot(messages)
    mailtwist(messages)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
