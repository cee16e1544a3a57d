"""What the text index costs deliveries that arrive while it is built.

    python -m tests.bench.bench_indexing [messages, default 4000] [rounds, default 3]

Two daemons take turns, one without an index, one that keeps it up in the background
while mail comes in; the best of all rounds counts.  In the end all that is there is
indexed by `mailtwist index --rebuild`.
"""

from __future__ import annotations

import imaplib
import sys
import time

from tests.bench.__main__ import SENDERS, USERS, smtp
from tests.bench.mail import PLAIN
from tests.integration.daemon import PASSWORD, Daemon

PER_CONNECTION = 100


def started(how: str) -> tuple[Daemon, list[str]]:
    daemon = Daemon(f'{PLAIN}[search]\nindex = "{how}"\n')
    users = [daemon.add_user(f"u{number}") for number in range(USERS)]
    daemon.start()
    return daemon, users


def opened(daemon: Daemon, users: list[str]) -> list[imaplib.IMAP4]:
    """A session in each INBOX: what arrived is taken in, and indexed from now on."""
    sessions = []
    for user in users:
        session = imaplib.IMAP4("127.0.0.1", daemon.port("imap"))
        session.login(user, PASSWORD)
        session.select("INBOX")
        sessions.append(session)
    return sessions


def main() -> None:
    words = [int(word) for word in sys.argv[1:]]
    messages, rounds = (*words, *(4000, 3)[len(words) :])
    messages = messages // SENDERS * SENDERS
    daemons = {how: started(how) for how in ("off", "background")}
    best = dict.fromkeys(daemons, 0.0)
    try:
        for _ in range(rounds):
            for how, (daemon, users) in daemons.items():
                assert daemon.process is not None  # noqa: S101 - for the type
                sessions = opened(daemon, users)
                port, pid = daemon.port("smtp"), daemon.process.pid
                rate = smtp(how, port, pid, PER_CONNECTION, messages)
                best[how] = max(best[how], rate)
                for session in sessions:
                    session.logout()
        daemon, users = daemons["background"]
        daemon.stop()
        began = time.perf_counter()
        told = daemon.command("index", "--rebuild")
        took = time.perf_counter() - began
    finally:
        for daemon, _ in daemons.values():
            daemon.remove()
    for how, rate in best.items():
        print(f"index {how:12} {rate:8.0f} msg/s")
    print(f"rebuilt: {rounds * messages / took:.0f} messages/s\n{told}")


if __name__ == "__main__":
    main()
