"""Mail of users with their own uid, through their agents, beside the server's own.

    python -m tests.bench.bench_agents [messages, default 2000] [rounds, default 3]

One daemon, one source of accounts, the same messages; as root.  The two kinds take
turns, and the best of all rounds counts.  CPU is that of the whole process tree.
"""

from __future__ import annotations

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.__main__ import send
from tests.bench.bench_mailboxes import Line, Took
from tests.bench.spent import cpu_s
from tests.integration.daemon import PASSWORD
from tests.integration.system_daemon import SystemDaemon
from tests.integration.users import Users

SENDERS = 10
PER_CONNECTION = 50


class Session(Line):
    """An IMAP session."""

    def __init__(self, port: int, user: str) -> None:
        super().__init__(port)
        self.tag = 0
        self.run(f'LOGIN "{user}" "{PASSWORD}"'.encode())

    def run(self, command: bytes) -> None:
        self.tag += 1
        self.socket.sendall(b"a%d %s\r\n" % (self.tag, command))
        self.read(re.compile(rb"(?:\A|\n)a%d OK[^\r\n]*\r\n\Z" % self.tag))


def measured(daemon: SystemDaemon, users: list[str], messages: int) -> dict[str, Took]:
    """What each row of the table took; the mailboxes grow."""
    assert daemon.process is not None  # noqa: S101 - for the type
    pid, took = daemon.process.pid, {}

    def timed(what: str, count: int, work, *arguments) -> None:
        before, began = cpu_s(pid), time.perf_counter()
        work(*arguments)
        spent_s = time.perf_counter() - began
        took[what] = Took(spent_s, cpu_s(pid) - before, count)

    def deliver(some: list[str]) -> None:
        port, each = daemon.port("smtp"), messages // SENDERS
        with ThreadPoolExecutor(SENDERS) as pool:
            jobs = [
                pool.submit(send, port, some[at % len(some)], each, PER_CONNECTION)
                for at in range(SENDERS)
            ]
            for job in jobs:
                job.result()

    timed(f"SMTP to {len(users)} users", messages, deliver, users)
    timed("SMTP to one user", messages, deliver, users[:1])
    session = Session(daemon.port("imap"), users[0])
    timed("SELECT", messages, session.run, b"SELECT INBOX")
    whole = b"1:%d" % messages
    for what in (b"(UID FLAGS)", b"(ENVELOPE RFC822.SIZE)", b"BODY.PEEK[]"):
        for _ in range(2):
            command = b"FETCH " + whole + b" " + what
            timed(f"FETCH {what.decode()}", messages, session.run, command)
    timed("STORE +FLAGS", messages, session.run, b"STORE %s +FLAGS (\\Seen)" % whole)

    def one_by_one() -> None:
        for number in range(1, 501):
            session.run(b"FETCH %d BODY.PEEK[]" % number)

    timed("FETCH BODY.PEEK[], one by one", 500, one_by_one)
    session.close()
    return took


def main(messages: int, rounds: int) -> None:
    users = Users()
    daemon = SystemDaemon(users, cache_s=600)
    best: dict[str, dict[str, Took]] = {"in process": {}, "by agents": {}}
    try:
        text = daemon.config.read_text() + "[auth]\nplaintext_without_tls = true\n"
        daemon.config.write_text(text.replace("idle_s = 3", "idle_s = 60"))
        daemon.start()
        for turn in range(rounds):
            own = [daemon.add()[1] for _ in range(SENDERS)]
            plain = [daemon.add_plain(f"p{turn}x{n}") for n in range(SENDERS)]
            for kind, names in (("in process", plain), ("by agents", own)):
                send(daemon.port("smtp"), names[0], 20, 20)  # warm
                for name in names[1:]:
                    send(daemon.port("smtp"), name, 1, 1)
                for what, took in measured(daemon, names, messages).items():
                    known = best[kind].get(what)
                    if known is None or took.seconds < known.seconds:
                        best[kind][what] = took
    finally:
        daemon.remove()
        users.remove()
    print("| what | own: ms | /s | CPU ms | by agents: ms | /s | CPU ms | times |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | times |")
    for what, inside in best["in process"].items():
        beside = best["by agents"][what]
        times = inside.seconds / beside.seconds
        print(f"| {what} | {inside.columns()} | {beside.columns()} | {times:.2f} |")


if __name__ == "__main__":
    main(*(map(int, [*sys.argv[1:], "2000", "3"][:2])))
