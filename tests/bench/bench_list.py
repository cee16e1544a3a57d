"""LIST of accounts with many mailboxes: mailtwist beside Dovecot.

    python -m tests.bench.bench_list [mailboxes, default 1000 10000]

Both start with Maildirs of the same folders, one message in each, subscribed to every
second, and without any index; the best of TIMES counts for what is not said to be the
first.  "lag" is the longest that a NOOP of another session waited meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.bench.bench_mailboxes import USER, Imap
from tests.bench.mail import MAIL, PLAIN
from tests.bench.peers import Dovecot
from tests.bench.spent import cpu_s
from tests.integration.daemon import DOMAIN, Daemon

TIMES = 5
CREATED = 50
GROUP = 100  # mailboxes below one
STATUS = b'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))'
ALL = b'LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)'
WHOLE = (
    b'LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE'
    b" STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ))"
)


def names(mailboxes: int) -> list[str]:
    return [
        f"Group {number // GROUP}" + (f".Box {number}" if number % GROUP else "")
        for number in range(mailboxes)
    ]


def populate(maildir: Path, mailboxes: int) -> None:
    for number, name in enumerate(["", *(f".{name}" for name in names(mailboxes))]):
        for part in ("cur", "new", "tmp"):
            (maildir / name / part).mkdir(parents=True)
        mail = MAIL % number
        file = f"1700000000.M{number}P1.mx,S={len(mail)}:2,S"
        (maildir / name / "cur" / file).write_bytes(mail)
    subscribed = "".join(f"{name}\n" for name in names(mailboxes)[::2])
    (maildir / "subscriptions").write_text(subscribed)


class Run:
    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.took: dict[str, tuple[float, float, float]] = {}

    def timed(self, what: str, imap: Imap, *commands: bytes, times: int = 1) -> None:
        """ms, CPU ms and lag in ms of the best of so many times."""
        other = Imap(self.port)
        for _ in range(times):
            lag = Lag(other)
            before, began = cpu_s(self.pid), time.perf_counter()
            imap.run(*commands)
            took = time.perf_counter() - began
            spent = cpu_s(self.pid) - before
            found = 1000 * took, 1000 * spent, 1000 * lag.stopped()
            self.took[what] = min(found, self.took.get(what, found))
        other.close()

    def all(self, mailboxes: int) -> None:
        imap = Imap(self.port)
        self.timed("LIST, first ever", imap, b'LIST "" "*"')
        for what, command in (
            ("LIST", b'LIST "" "*"'),
            ("LIST of the upper level", b'LIST "" "%"'),
            ("LIST of what holds a word", b'LIST "" "*77*"'),
            ("LIST (SUBSCRIBED)", b'LIST (SUBSCRIBED) "" "*"'),
            ("LSUB", b'LSUB "" "*"'),
            ("LIST RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)", ALL),
        ):
            self.timed(what, imap, command, times=TIMES)
        self.timed("LIST RETURN (STATUS), first ever", imap, STATUS)
        self.timed("LIST RETURN (STATUS)", imap, STATUS, times=TIMES)
        self.timed("LIST RETURN (all of it)", imap, WHOLE, times=TIMES)
        made = [b'CREATE "Made %d"' % number for number in range(CREATED)]
        self.timed(f"CREATE of {CREATED} more", imap, *made)
        self.timed("LIST after that", imap, b'LIST "" "*"')
        gone = [b'DELETE "Made %d"' % number for number in range(CREATED)]
        self.timed(f"DELETE of {CREATED}", imap, *gone)
        imap.close()
        print(f"# {self.port}: {memory_kib(self.pid):,} KiB", file=sys.stderr)


class Lag(threading.Thread):
    """NOOP again and again until it is stopped."""

    def __init__(self, imap: Imap) -> None:
        super().__init__()
        self.imap, self.on, self.longest = imap, True, 0.0
        self.start()

    def run(self) -> None:
        while self.on:
            began = time.perf_counter()
            self.imap.run(b"NOOP")
            self.longest = max(self.longest, time.perf_counter() - began)
            time.sleep(0.002)

    def stopped(self) -> float:
        self.on = False
        self.join()
        return self.longest


def memory_kib(pid: int) -> int:
    """What the process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def dovecot(mailboxes: int) -> Run:
    mail = Path(f"/tmp/mailtwist-bench-{time.time_ns()}")
    populate(mail / "big/Maildir", mailboxes)
    subprocess.run(["chown", "-R", "nobody:nogroup", mail], check=True)
    peer = Dovecot(mail, [USER])
    try:
        run = Run(peer.port, peer.process.pid)
        run.all(mailboxes)
    finally:
        peer.stop()
        subprocess.run(["rm", "-rf", mail], check=True)
    return run


def mailtwist(mailboxes: int) -> Run:
    daemon = Daemon(PLAIN)
    try:
        daemon.add_user("big")
        populate(daemon.folder / f"data/mail/{DOMAIN}/big/Maildir", mailboxes)
        daemon.start()
        run = Run(daemon.port("imap"), daemon.process.pid)
        run.all(mailboxes)
    finally:
        daemon.remove()
    return run


def compare(*counts: int) -> None:
    each = "ms | CPU ms | lag ms"
    for mailboxes in counts or (1000, 10_000):
        theirs, ours = dovecot(mailboxes).took, mailtwist(mailboxes).took
        print(
            f"| {mailboxes:,} mailboxes | Dovecot {each} | mailtwist {each} | times |"
        )
        print("| --- " * 8 + "|")
        for what, their in theirs.items():
            told = " | ".join(f"{v:.1f}" for v in (*their, *ours[what]))
            print(f"| {what} | {told} | {their[0] / ours[what][0]:.1f} |")


if __name__ == "__main__":
    compare(*map(int, sys.argv[1:]))
