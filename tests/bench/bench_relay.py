"""What relaying costs: `python -m tests.bench.bench_relay [messages, default 4000]`.

Messages of 2 KB come in from 20 senders and go out to Postfix's smtp-sink, through
Postfix and through mailtwist in one run: messages a second from the first MAIL to the
last message at the sink, and CPU milliseconds a message of the relay's process tree.
Everything is queued durably before its 250 and relayed from there.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.__main__ import PLAIN, SENDERS, send
from tests.bench.peers import Postfix, SmtpSink
from tests.bench.spent import cpu_s
from tests.integration.daemon import Daemon

TO = "someone@elsewhere.test"
MOST_S = 300.0  # a relay that is slower has lost something
LOOK_S = 0.02  # between two looks at the sink
PER_CONNECTION = 100


def arrived(sink: SmtpSink, count: int) -> None:
    end = time.monotonic() + MOST_S
    while sink.taken() < count:
        if time.monotonic() > end:
            raise SystemExit(f"benchmark failed: {sink.taken()} of {count} arrived")
        time.sleep(LOOK_S)


def relay(name: str, port: int, pid: int, sink: SmtpSink, messages: int) -> float:
    """Prints the figures; messages a second."""
    warm = sink.taken() + 20
    send(port, TO, 20, 20)
    arrived(sink, warm)
    before, began = cpu_s(pid), time.monotonic()
    each = messages // SENDERS
    with ThreadPoolExecutor(SENDERS) as pool:
        jobs = [
            pool.submit(send, port, TO, each, PER_CONNECTION) for _ in range(SENDERS)
        ]
        for job in jobs:
            job.result()
    taken_s = time.monotonic() - began
    arrived(sink, warm + each * SENDERS)
    took = time.monotonic() - began
    spent = (cpu_s(pid) - before) * 1000 / messages
    rate = messages / took
    print(
        f"  {name:10} {rate:8.0f} msg/s {spent:7.2f} CPU ms/msg; all were accepted"
        f" after {taken_s:.1f} s, sent after {took:.1f} s"
    )
    return rate


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    sink = SmtpSink()
    place = f"[127.0.0.1]:{sink.port}"
    postfix = Postfix(
        [],
        f"default_transport = smtp:{place}\nmaximal_queue_lifetime = 1h\n"
        "smtp_tls_security_level = none\n",
        "smtp unix - - n - - smtp\nscache unix - - n - 1 scache\n",
    )
    daemon = Daemon(
        f'{PLAIN}\n[[route]]\naction = "smtp:{place}"\n[relay]\ntls = "none"\n',
        top='trusted_networks = ["127.0.0.0/8"]',
    )
    try:
        daemon.start()
        print(f"{messages} messages of 2 KB relayed, {SENDERS} senders")
        theirs = relay("postfix", postfix.port, postfix.process.pid, sink, messages)
        ours = relay(
            "mailtwist", daemon.port("smtp"), daemon.process.pid, sink, messages
        )
        print(f"  ratio      {ours / theirs:8.2f}")
    finally:
        postfix.stop()
        daemon.remove()
        sink.stop()


if __name__ == "__main__":
    main()
