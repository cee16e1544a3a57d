"""Limits hold over all workers: of accounts, and of the domain that they share."""

import imaplib
import os
import random
import signal
import smtplib
import threading

from mailtwist.address import Address
from mailtwist.directory.home import home_of

from . import ways_in
from .daemon import PASSWORD, DaemonTestCase
from .world import until

MOST, TOGETHER = 30, 50
LETTER = b"Subject: hello\r\n\r\n" + b"x" * 500 + b"\r\n"
ROUNDS = 10


class WorkerQuotaTests(DaemonTestCase):
    extra = f"""
[quota]
messages = {MOST}
[process]
workers = 2
[[domain]]
name = "full.test"
messages = {TOGETHER}
[smtp]
recipients = 1000
"""

    def setUp(self):
        super().setUp()
        self.names = [self.daemon.add_user(f"{n}@full.test") for n in ("a", "b", "c")]
        self.faults = []

    def run_all(self, *works):
        """Each in a thread of its own, for each account twice."""
        threads = [
            threading.Thread(target=self.guarded, args=(work, name))
            for work in works
            for name in self.names
        ]
        for thread in threads:
            thread.start()
        return threads

    def guarded(self, work, name):
        """A connection that was cut is no fault where workers are killed."""
        try:
            work(name)
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.abort, EOFError) as cut:
            self.faults.append(cut)

    def send(self, name):
        for _ in range(ROUNDS):
            port = self.daemon.port("smtp")
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.ehlo()
                client.mail("x@client.test")
                if client.rcpt(name)[0] == 250:
                    client.data(LETTER)

    def session(self, name):
        """APPEND, COPY and EXPUNGE."""
        chance = random.Random(name)
        client = imaplib.IMAP4_SSL(
            "127.0.0.1", self.daemon.port("imaps"), ssl_context=ways_in.OPEN
        )
        with client:
            client.login(name, PASSWORD)
            client.select("INBOX")
            for _ in range(ROUNDS):
                client.append("INBOX", "", None, LETTER)
                client.noop()
                client.copy("1", "INBOX")
                if chance.random() < 0.3:
                    client.store("1", "+FLAGS", "\\Deleted")
                    client.expunge()

    def files(self):
        """(octets, messages) of each account."""
        found = {}
        for name in self.names:
            folder = self.daemon.folder / "data" / home_of(Address.parse(name))
            sizes = [
                os.stat(os.path.join(place, file)).st_size
                for place, _, files in os.walk(os.path.join(folder, "Maildir"))
                if os.path.basename(place) in ("new", "cur")
                for file in files
                if file[0] != "."
            ]
            found[name] = sum(sizes), len(sizes)
        return found

    def check(self):
        there = self.files()
        octets = sum(each[0] for each in there.values())
        messages = sum(each[1] for each in there.values())
        self.assertLessEqual(messages, TOGETHER)
        self.assertLessEqual(max(each[1] for each in there.values()), MOST)
        told = self.daemon.command("quota", "list", *self.names)
        for name, (size, count) in there.items():
            self.assertIn(f"{name}: {size} octets, {count} of {MOST} messages", told)
        line = f"all of full.test: {octets} octets, {messages} of {TOGETHER} messages"
        self.assertIn(line, told)
        self.assertEqual(told, self.daemon.command("quota", "recount", *self.names))
        return messages

    def test_parallel_work_in_two_workers_fills_the_domain_and_passes_nothing(self):
        self.assertEqual(len(self.daemon.workers()), 2)
        for thread in self.run_all(self.send, self.session, self.send):
            thread.join(120)
        self.assertEqual(self.faults, [])
        for thread in self.run_all(self.send):
            thread.join(120)
        self.assertEqual(self.check(), TOGETHER, "and it is full")
        for thread in self.run_all(self.session):
            thread.join(120)
        self.check()

        threads = self.run_all(self.session, self.send)
        killed = self.daemon.workers()[0]
        os.kill(killed, signal.SIGKILL)
        for thread in threads:
            thread.join(120)
        until(lambda: len(self.daemon.workers()) == 2, self.log)
        for name in self.names:
            ways_in.imap(self.daemon, name)[0].select("INBOX")
        self.check()

    def log(self):
        return self.daemon.log.read_text()[-3000:]
