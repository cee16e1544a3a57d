"""kill -9 of the daemon under load: what was answered is there, once and whole; what
was not is there once or not at all; nothing partial is ever seen."""

import collections
import poplib
import random
import smtplib
import ssl
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import imap_load
from tests.integration.daemon import DOMAIN, PASSWORD, Daemon

RUNS = 12
SENDERS = 6
RECIPIENTS = 3
IMAP_CLIENTS = 6
LARGE_OCTETS = 600_000
END = b"\r\n-- the end --\r\n"


class Sender(threading.Thread):
    """Sends messages until the connection breaks; knows which ones were answered."""

    def __init__(self, port, number, run, recipients):
        super().__init__(daemon=True)
        self.port, self.number, self.run_number = port, number, run
        self.recipients = recipients
        self.begun, self.answered = [], []

    def run(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
                for at in range(10_000):
                    self.send(client, at)
        except (OSError, smtplib.SMTPException):
            return  # the daemon was killed

    def send(self, client, at):
        name = f"{self.run_number}-{self.number}-{at}"
        size = LARGE_OCTETS if at % 15 == 7 else 2000
        line = b"x" * 76 + b"\r\n"
        message = b"Subject: %s\r\n\r\n" % name.encode() + line * (size // 78) + END
        to = self.recipients[: 1 + at % len(self.recipients)]
        self.begun.append((name, to, message))
        client.sendmail(f"sender@else.{DOMAIN}", to, message)
        self.answered.append(name)


class Reader(threading.Thread):
    """Logs in again and again, so that new mail is taken in while it comes."""

    def __init__(self, port, user):
        super().__init__(daemon=True)
        self.port, self.user, self.looks = port, user, 0

    def run(self):
        try:
            while True:
                client = poplib.POP3("127.0.0.1", self.port, timeout=20)
                client.stls(context=ssl._create_unverified_context())
                client.user(self.user)
                client.pass_(PASSWORD)
                client.stat()
                client.quit()
                self.looks += 1
        except (OSError, EOFError, poplib.error_proto):
            return  # the daemon was killed


class CrashTests(SynchronousTestCase):
    timeout = 300

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)
        self.recipients = [
            self.daemon.add_user(f"user{number}") for number in range(RECIPIENTS)
        ]

    def maildirs(self):
        """{recipient: its Maildir}."""
        found = {}
        for recipient in self.recipients:
            local_part = recipient.partition("@")[0]
            paths = list(self.daemon.folder.glob(f"data/**/{local_part}*/Maildir"))
            found[recipient] = paths[0] if paths else None
        return found

    def messages(self):
        """{(recipient, subject): [octets, ...]} of everything a reader could see."""
        found = collections.defaultdict(list)
        for recipient, maildir in self.maildirs().items():
            for part in ("new", "cur"):
                if maildir is None:
                    continue
                for path in (maildir / part).iterdir():
                    octets = path.read_bytes()
                    subject = octets.partition(b"\r\nSubject: ")[2]
                    name = subject.partition(b"\r\n")[0].decode()
                    found[recipient, name].append(octets)
        return found

    def killed(self, run, seconds):
        """Senders of one life of the daemon, which was killed under their load."""
        self.daemon.start()
        senders = [
            Sender(self.daemon.port("smtp"), number, run, self.recipients)
            for number in range(SENDERS)
        ]
        reader = Reader(self.daemon.port("pop3"), self.recipients[0])
        for thread in [*senders, reader]:
            thread.start()
        end = time.monotonic() + 60
        while not any(sender.answered for sender in senders):
            self.assertLess(time.monotonic(), end, self.daemon.log.read_text())
            self.daemon.pause()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.daemon.pause()
        self.daemon.kill()
        for thread in [*senders, reader]:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        self.looks += reader.looks
        return senders

    def test_nothing_that_was_answered_is_lost_doubled_or_cut(self):
        chance = random.Random(7)
        self.looks = 0
        senders = []
        for run in range(RUNS):
            senders += self.killed(run, chance.uniform(0.05, 0.5))
        answered = {name for sender in senders for name in sender.answered}
        self.assertGreater(len(answered), RUNS * SENDERS)
        self.assertGreater(self.looks, 0)
        found = self.messages()
        for sender in senders:
            for name, to, message in sender.begun:
                for recipient in self.recipients:
                    copies = found.pop((recipient, name), [])
                    least = recipient in to and name in answered
                    most = recipient in to
                    self.assertTrue(least <= len(copies) <= most, (recipient, name))
                    for octets in copies:
                        self.assertTrue(octets.endswith(message), (recipient, name))
                        self.assertTrue(octets.startswith(b"Return-Path: <"))
        self.assertEqual(dict(found), {}, "mail that nobody sent")
        self.daemon.sound(RECIPIENTS)


class ImapCrashTests(SynchronousTestCase):
    timeout = 300

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)

    def test_what_was_answered_is_done_and_the_rest_whole_or_not_at_all(self):
        clients = [
            imap_load.Client(
                self.daemon.port("imap"),
                self.daemon.add_user(f"reader{number}"),
                number,
            )
            for number in range(IMAP_CLIENTS)
        ]
        chance = random.Random(11)
        for _ in range(RUNS):
            self.daemon.start()
            for client in clients:
                client.checked()
            self.killed(clients, chance.uniform(0.1, 0.6))
        self.daemon.start()
        for client in clients:
            client.checked()
        answered = sum((client.answered for client in clients), collections.Counter())
        for command in ("append", "COPY", "MOVE", "STORE", "EXPUNGE"):
            self.assertGreater(answered[command], RUNS, answered)
        self.daemon.sound(IMAP_CLIENTS)

    def killed(self, clients, seconds):
        """All clients change what they have until the daemon is killed."""
        before = sum(client.answered.total() for client in clients)
        workers = [imap_load.Worker(client) for client in clients]
        for worker in workers:
            worker.start()
        end = time.monotonic() + 60
        while sum(client.answered.total() for client in clients) == before:
            self.assertLess(time.monotonic(), end, self.daemon.log.read_text())
            self.daemon.pause()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.daemon.pause()
        self.daemon.kill()
        for worker in workers:
            worker.join(40)
            self.assertFalse(worker.is_alive())
            if worker.failure is not None:
                raise worker.failure
