"""What scripts cost a delivery: without Sieve, without a script, with scripts.

    python -m tests.bench.bench_sieve [messages, default 4000] [rounds, default 3]

A daemon for each kind; they take turns, and the best of all rounds counts.
"""

from __future__ import annotations

import sys

from tests.bench.__main__ import SENDERS, USERS, smtp
from tests.bench.mail import PLAIN
from tests.integration.daemon import Daemon

PER_CONNECTION = 100
RULES = "".join(
    f'elsif header :contains "list-id" "list{at}." {{ fileinto "List{at}"; }}\n'
    for at in range(20)
)
FILES = f'require ["fileinto"];\nif false {{}}\n{RULES}else {{ keep; }}\n'


def started(extra: str, script: str) -> Daemon:
    daemon = Daemon(PLAIN + extra)
    for number in range(USERS):
        user = daemon.add_user(f"u{number}")
        if script:
            daemon.command("sieve", "put", user, "a", "-", "--activate", said=script)
    daemon.start()
    return daemon


def main() -> None:
    words = [int(word) for word in sys.argv[1:]]
    messages, rounds = (*words, *(4000, 3)[len(words) :])
    daemons = {
        "switched off": started("[sieve]\nenabled = false\n", ""),
        "no script": started("", ""),
        "20 rules, kept": started("", FILES),
    }
    best = dict.fromkeys(daemons, 0.0)
    try:
        for _ in range(rounds):
            for name, daemon in daemons.items():
                assert daemon.process is not None  # noqa: S101 - for the type
                port, pid = daemon.port("smtp"), daemon.process.pid
                rate = smtp(
                    name, port, pid, PER_CONNECTION, messages // SENDERS * SENDERS
                )
                best[name] = max(best[name], rate)
    finally:
        for daemon in daemons.values():
            daemon.remove()
    for name, rate in best.items():
        print(f"{name:16} {rate:8.0f} msg/s")


if __name__ == "__main__":
    main()
