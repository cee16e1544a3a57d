"""THREAD of one large mailbox: mailtwist beside Dovecot.

    python -m tests.bench.bench_thread [messages, default 10000]

Conversations of four messages on average; neither server has seen them before.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from tests.bench.bench_mailboxes import DovecotServer, Imap, MailtwistServer

THREAD = b"UID THREAD REFERENCES UTF-8 ALL"


def fill(maildir: Path, messages: int) -> None:
    """In place of what is there."""
    for path in (maildir / "cur").iterdir():
        path.unlink()
    chosen = random.Random(3)  # noqa: S311 - the same each time
    answered: dict[int, list[str]] = {}
    for number in range(messages):
        about = chosen.randrange(max(1, messages // 4))
        before = answered.setdefault(about, [])
        own = f"<{number}.{about}@client.test>"
        head = f"From: <p{about % 999}@client.test>\r\nMessage-ID: {own}\r\n"
        head += f"Subject: {'Re: ' if before else ''}About matter {about}\r\n"
        head += f"Date: {1 + number % 28} Nov 2026 10:{number % 60:02}:00 +0000\r\n"
        if before:
            head += "References: " + "\r\n ".join(before[-8:]) + "\r\n"
        before.append(own)
        mail = f"{head}\r\nAs before.\r\n".encode()
        name = f"17000{number:06d}.M{number}P1.h,S={len(mail)},W={len(mail)}:2,S"
        (maildir / "cur" / name).write_bytes(mail)


def timed(imap: Imap, *commands: bytes) -> float:
    began = time.perf_counter()
    imap.run(*commands)
    return 1000 * (time.perf_counter() - began)


def measured(server: DovecotServer | MailtwistServer, maildir: Path) -> list[float]:
    messages = len(list((maildir / "cur").iterdir()))
    took = []
    try:
        _, port, _ = server.start()
        imap = Imap(port)
        imap.run(b"SELECT INBOX")
        took += [timed(imap, THREAD) for _ in range(3)]
        mail = (
            b"Message-ID: <new@x>\r\nReferences: <1@x>\r\nSubject: new\r\n\r\nNew.\r\n"
        )
        imap.run(b"APPEND INBOX {%d+}\r\n%s" % (len(mail), mail), b"NOOP")
        took.append(timed(imap, THREAD))
        imap.close()
        imap = Imap(port)
        imap.run(b"SELECT INBOX")
        took.append(timed(imap, THREAD))
        imap.close()
        server.stop()
        _, port, _ = server.start()
        imap = Imap(port)
        imap.run(b"SELECT INBOX")
        took.append(timed(imap, THREAD))
        imap.close()
        server.stop()
    finally:
        server.remove()
    print(f"{type(server).__name__}, {messages} messages", flush=True)
    rows = ("first ever", "again", "again", "after an APPEND", "new session", "restart")
    for what, ms in zip(rows, took, strict=True):
        print(f"  {what:16} {ms:9.1f} ms", flush=True)
    return took


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    peer = DovecotServer(1)
    fill(peer.mail / "big/Maildir", messages)
    measured(peer, peer.mail / "big/Maildir")
    ours = MailtwistServer(1)
    fill(ours.home / "Maildir", messages)
    measured(ours, ours.home / "Maildir")


if __name__ == "__main__":
    main()
