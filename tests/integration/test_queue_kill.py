"""kill -9 of the daemon, fifty times, while it takes and relays mail.

Every message that was acknowledged reaches the next host; twice only if the kill fell
between that host's last reply and our record of it (RFC 5321 §4.5.4.1, RFC 1047).
"""

import collections
import random
import smtplib
import socketserver
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.queue.admin import QueueAdmin

from .daemon import DOMAIN, Daemon, free_port

KILLS = 50
SENDERS = 4
LARGE_OCTETS = 300_000
ATTEMPTS = 20  # at once; more than these cannot be doubled by one kill
EMPTY_S = 120.0
END = b"\r\n-- the end --\r\n"

CONFIG = """
[[route]]
action = "smtp:[127.0.0.1]:{port}"
[queue]
first_retry_s = 0.2
most_retry_s = 1.0
concurrency = {attempts}
[relay]
loopback_hosts = true
"""


class Taker(socketserver.StreamRequestHandler):
    """The next host: takes everything, and remembers it as it answers.

    A connection belongs to the life in which it was made: what a daemon sent just
    before its end may be read here when the next one lives."""

    def handle(self):
        self.life = self.server.life
        self.reply("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.reply("250-sink\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"DATA":
                self.reply("354 Go on")
                self.take()
            else:
                self.reply("221 Bye" if verb == b"QUIT" else "250 Ok")

    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def take(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return  # killed in the middle: nothing was taken
            lines.append(line)
        octets = b"".join(lines)
        name = octets.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
        self.server.taken.append((name, self.life, octets))
        self.reply("250 Taken")


class NextHost(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Taker)
        self.taken, self.life = [], 0

    def handle_error(self, request, client_address):
        """The peer was killed: that is what happens here."""


class Sender(threading.Thread):
    """Sends until the connection breaks; knows what was answered."""

    def __init__(self, port, life, number):
        super().__init__(daemon=True)
        self.port, self.name_ = port, f"{life}-{number}"
        self.answered = {}

    def run(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
                for at in range(10_000):
                    self.send(client, f"{self.name_}-{at}", at)
        except (OSError, smtplib.SMTPException):
            return  # the daemon was killed

    def send(self, client, name, at):
        size = LARGE_OCTETS if at % 10 == 7 else 2000
        body = b"x" * 76 + b"\r\n"
        message = b"Subject: %s\r\n\r\n" % name.encode() + body * (size // 78) + END
        client.sendmail(f"ann@{DOMAIN}", [f"u{at % 5}@else.test"], message)
        self.answered[name] = message


class KillTests(SynchronousTestCase):
    timeout = 600

    def setUp(self):
        port = free_port()
        self.next_host = NextHost(port)
        thread = threading.Thread(target=self.next_host.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.next_host.server_close)
        self.addCleanup(self.next_host.shutdown)
        self.daemon = Daemon(
            CONFIG.format(port=port, attempts=ATTEMPTS),
            'trusted_networks = ["127.0.0.0/8"]',
        )
        self.addCleanup(self.daemon.remove)

    def life(self, seconds):
        """What was answered in one life of the daemon."""
        self.next_host.life += 1
        self.daemon.start()
        senders = [
            Sender(self.daemon.port("smtp"), self.next_host.life, number)
            for number in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.daemon.pause()
        self.daemon.kill()
        answered = {}
        for sender in senders:
            sender.join(30)
            self.assertFalse(sender.is_alive())
            answered |= sender.answered
        return answered

    def wait_empty(self):
        """The daemon lives on until it has sent everything."""
        self.next_host.life += 1
        self.daemon.start()
        admin = QueueAdmin(str(self.daemon.folder / "data" / "queue"), time.time)
        self.addCleanup(admin.close)
        end = time.monotonic() + EMPTY_S
        while admin.count():
            self.assertLess(time.monotonic(), end, self.daemon.log.read_text()[-4000:])
            self.daemon.pause()

    def test_every_acknowledged_message_arrives(self):
        chance = random.Random(11)
        answered = {}
        for _ in range(KILLS):
            answered |= self.life(chance.uniform(0.05, 0.4))
        self.wait_empty()
        self.assertGreater(len(answered), KILLS * SENDERS)
        copies = collections.defaultdict(list)
        for name, life, octets in self.next_host.taken:
            copies[name].append(life)
            if name in answered:
                self.assertTrue(octets.endswith(answered[name]), name)
            self.assertTrue(octets.endswith(END), name)
        self.assertEqual(set(answered) - set(copies), set(), "lost")
        again = collections.Counter()
        for name, lives in copies.items():
            self.assertEqual(len(set(lives)), len(lives), f"{name} twice in one life")
            again.update(sorted(lives)[:-1])
        for life, doubled in again.items():
            self.assertLessEqual(doubled, ATTEMPTS, f"life {life}")
        self.assertNotIn("Traceback", self.daemon.log.read_text())
