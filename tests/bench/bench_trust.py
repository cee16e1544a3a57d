"""`python -m tests.bench.bench_trust`: what the checks of origin and signatures cost.

SMTP into Maildirs with the checks off, on for mail without any record in DNS, and on
for mail with SPF, DMARC and a DKIM signature; then the CPU of one signature.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mailtwist.mime.header import fields
from mailtwist.trust.dkim_sign import Signer
from mailtwist.trust.keys import PrivateKey, new_key, private_key
from tests.bench import __main__ as bench
from tests.bench.mail import MAIL, PLAIN
from tests.bench.spent import cpu_s
from tests.integration.daemon import DOMAIN, Daemon
from tests.integration.world import Dns

MESSAGES, SENDERS, USERS = 2000, 20, 4
ROUNDS = 2
NOW_S = 1_700_000_000
ED25519 = private_key("client.test", "e", new_key("ed25519"))
RSA = private_key("client.test", "r", new_key("rsa"))


def signed(octets: bytes, *keys: PrivateKey) -> bytes:
    header, _, body = octets.partition(b"\r\n\r\n")
    signer = Signer(fields(header), keys)
    signer.feed(body)
    return signer.signatures(NOW_S) + octets


def mail(number: int) -> bytes:
    return b"From: a@client.test\r\n" + MAIL % number


def send(port: int, user: str, octets: Callable[[int], bytes]) -> None:
    envelope = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user.encode()
    each = MESSAGES // SENDERS
    with socket.create_connection(("127.0.0.1", port)) as client:
        replies = client.makefile("rb")
        replies.readline()
        client.sendall(b"EHLO client.test\r\n")
        while replies.readline()[3:4] == b"-":
            pass
        for number in range(each):
            client.sendall(envelope)
            for expected in (b"250", b"250", b"354"):
                bench.check(replies.readline(), expected)
            client.sendall(octets(number) + b".\r\n")
            bench.check(replies.readline(), b"250")


def measure(title: str, daemon: Daemon, octets: Callable[[int], bytes]) -> None:
    best_rate, least_ms = 0.0, float("inf")
    port = daemon.port("smtp")
    users = [f"u{number % USERS}@{DOMAIN}" for number in range(SENDERS)]
    if daemon.process is None:
        raise SystemExit("the daemon is not there")
    for _ in range(ROUNDS):
        before, began = cpu_s(daemon.process.pid), time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            for job in [pool.submit(send, port, user, octets) for user in users]:
                job.result()
        took = time.monotonic() - began
        spent = (cpu_s(daemon.process.pid) - before) * 1000 / MESSAGES
        best_rate, least_ms = max(best_rate, MESSAGES / took), min(least_ms, spent)
    print(f"  {title:40} {best_rate:6.0f} msg/s {least_ms:6.2f} CPU ms/msg")


def configured(dns: str, more: str) -> Daemon:
    daemon = Daemon(f'{PLAIN}[dns]\nservers = ["{dns}"]\n[trust]\n{more}')
    for number in range(USERS):
        daemon.add_user(f"u{number}")
    daemon.start()
    return daemon


def signatures() -> None:
    octets = mail(1)
    for name, keys in (
        ("RSA, 2048 bits", (RSA,)),
        ("Ed25519", (ED25519,)),
        ("both", (RSA, ED25519)),
    ):
        began = time.process_time()
        for _ in range(1000):
            signed(octets, *keys)
        print(f"  {name:40} {time.process_time() - began:6.2f} CPU ms/signature")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="mailtwist-bench-"))
    dns = Dns(folder)
    ready = signed(mail(1), RSA)
    known = {
        "TXT client.test": ["v=spf1 ip4:127.0.0.1 -all"],
        "TXT _dmarc.client.test": ["v=DMARC1; p=reject"],
        "TXT r._domainkey.client.test": [RSA.record],
    }
    print("SMTP, 100 messages a connection, 20 senders")
    try:
        for title, more, zone, octets in (
            ("checks off", "enabled = false\n", {}, mail),
            ("loopback exempt", "", {}, mail),
            ("checks on, nothing in DNS", "exempt_networks = []\n", {}, mail),
            (
                "checks on, SPF, DMARC and DKIM pass",
                "exempt_networks = []\n",
                known,
                lambda number: ready,
            ),
        ):
            dns.set(zone)
            daemon = configured(dns.address, more)
            try:
                measure(title, daemon, octets)
            finally:
                daemon.remove()
    finally:
        dns.stop()
        shutil.rmtree(folder)
    print("Signatures of a message of 2 KB")
    signatures()


if __name__ == "__main__":
    main()
