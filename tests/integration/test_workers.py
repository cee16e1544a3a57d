"""Several workers: what dies with one of them, and what does not."""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import signal
import smtplib
import socket
import threading
import time
from collections import Counter
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from .daemon import PASSWORD, Daemon

TWO = """
[process]
workers = 2
[limits]
stop_grace_s = 3
[auth]
plaintext_without_tls = true
"""


class WorkersTestCase(SynchronousTestCase):
    timeout = 240
    extra = TWO

    def setUp(self):
        self.daemon = Daemon(self.extra)
        self.addCleanup(self.daemon.remove)
        self.ann = self.daemon.add_user("ann")
        self.daemon.start()
        self.until(lambda: self.log().count("mailtwist serves") == 2)
        self.addCleanup(self.look_at_log)

    def look_at_log(self):
        self.assertNotIn("Traceback", self.log())

    def log(self):
        return self.daemon.log.read_text(errors="replace")

    def until(self, true, most_s=30.0):
        end = time.monotonic() + most_s
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"not in time:\n{self.log()[-4000:]}")
            Daemon.pause()

    def imap(self):
        client = imaplib.IMAP4("127.0.0.1", self.daemon.port("imap"), timeout=20)
        client.login(self.ann, PASSWORD)
        client.select()
        self.addCleanup(self.let_go, client)
        return client

    @staticmethod
    def let_go(client):
        with contextlib.suppress(OSError):
            client.shutdown()

    def send(self, text="hello"):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"), timeout=20) as client:
            client.sendmail(
                "bob@else.test", [self.ann], f"Subject: {text}\r\n\r\n.\r\n"
            )

    def count(self):
        client = self.imap()
        return int(client.select()[1][0])

    def served_by(self, client):
        """The pid of the worker that has the other end of this connection."""
        port = client.sock.getsockname()[1]
        return peer_of(port, self.daemon.workers())

    def one_each(self):
        """Two IMAP sessions, one in each worker."""
        clients = {}
        for _ in range(10):
            client = self.imap()
            clients.setdefault(self.served_by(client), client)
            if len(clients) == 2:
                return clients
        raise AssertionError("one worker takes everything")


def peer_of(port, pids):
    """Which of these processes has a connection to this local port."""
    inode = ""
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if int(fields[2].rpartition(":")[2], 16) == port and fields[9] != "0":
                inode = f"socket:[{fields[9]}]"
    for pid in pids:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") == inode:
                    return pid
    raise AssertionError(f"nobody has the connection to {port}")


class DeathTests(WorkersTestCase):
    def test_only_the_sessions_of_a_killed_worker_end_and_another_comes(self):
        clients = self.one_each()
        before = self.daemon.workers()
        dead, lives = before
        os.kill(dead, signal.SIGKILL)
        with self.assertRaises((imaplib.IMAP4.abort, OSError)):
            for _ in range(2):
                clients[dead].noop()
        self.assertEqual(clients[lives].noop()[0], "OK")
        self.send()
        self.assertEqual(clients[lives].noop()[0], "OK")
        self.until(lambda: len(set(self.daemon.workers()) - {dead}) == 2)
        self.assertIn("ended by signal 9", self.log())
        self.assertEqual(self.count(), 1)

    def test_if_the_worker_that_runs_the_queue_dies_another_runs_it(self):
        self.until(lambda: "runs the queue" in self.log())
        first, second = self.daemon.workers()
        os.kill(first, signal.SIGKILL)
        self.until(lambda: "worker 1 runs the queue" in self.log())
        os.kill(second, signal.SIGKILL)
        self.until(lambda: self.log().count("runs the queue") == 3)

    def test_workers_end_without_their_master_and_a_new_start_works_at_once(self):
        self.send()
        workers, process = self.daemon.workers(), self.daemon.process
        client = self.imap()
        process.kill()
        process.wait()
        self.daemon.start()  # the old workers may be what answers at first
        self.daemon.gone(workers)
        self.until(lambda: self.log().count("mailtwist serves") > 2)
        with self.assertRaises((imaplib.IMAP4.abort, OSError)):
            for _ in range(2):
                client.noop()
        self.send()
        self.assertEqual(self.count(), 2)

    def test_sigterm_ends_them_all(self):
        workers = self.daemon.workers()
        client = self.imap()
        self.assertEqual(self.daemon.stop(), -signal.SIGTERM)
        self.daemon.gone(workers, most_s=1.0)
        self.assertIn(b"BYE", client.sock.recv(1000))


class LoadTests(WorkersTestCase):
    """Senders that go on wherever they can, as other hosts do."""

    def killed(self, victims):
        """Workers are killed one after the other under load; the names of messages
        that were answered, and of those that were begun."""
        senders = [
            Sending(self.daemon.port("smtp"), number, self.ann) for number in range(4)
        ]
        watching = self.imap()
        watching.send(b"x IDLE\r\n")
        home = self.served_by(watching)
        for sender in senders:
            sender.start()
        for _ in range(victims):
            before = sum(len(sender.answered) for sender in senders)
            self.until(
                lambda b=before: sum(len(s.answered) for s in senders) > b + 20, 60
            )
            dead = next(pid for pid in self.daemon.workers() if pid != home)
            os.kill(dead, signal.SIGKILL)
            self.until(lambda d=dead: len(set(self.daemon.workers()) - {d}) == 2)
        for sender in senders:
            sender.done = True
        for sender in senders:
            sender.join(60)
            self.assertFalse(sender.is_alive())
        watching.sock.settimeout(20)
        answered = {name for sender in senders for name in sender.answered}
        told = b""
        while b"EXISTS" not in told:
            told = watching.readline()
        return answered, {name for sender in senders for name in sender.begun}

    def test_what_was_answered_is_there_once_whichever_workers_are_killed(self):
        answered, begun = self.killed(3)
        names = Counter()
        client = self.imap()
        _, found = client.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        for part in found:
            if isinstance(part, tuple):
                names[part[1].decode().strip().removeprefix("Subject: ")] += 1
        self.assertEqual(answered - names.keys(), set())
        self.assertEqual(names.keys() - begun, set())
        self.assertEqual({name for name, count in names.items() if count > 1}, set())


class Sending(threading.Thread):
    """One message a connection, with a new name each; begins again after each fault."""

    def __init__(self, port, number, to):
        super().__init__(daemon=True)
        self.port, self.number, self.to = port, number, to
        self.begun, self.answered, self.done = [], [], False

    def run(self):
        at = 0
        while not self.done:
            at += 1
            name = f"{self.number}-{at}"
            self.begun.append(name)
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client = smtplib.SMTP("127.0.0.1", self.port, timeout=20)
                client.sendmail(
                    "a@else.test", [self.to], f"Subject: {name}\r\n\r\nx\r\n"
                )
                self.answered.append(name)
                client.close()


class NewsTests(WorkersTestCase):
    def test_an_idle_client_hears_at_once_what_another_worker_does(self):
        idle, other = self.one_each().values()
        for _ in range(2):
            other.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        for number in range(28):  # more keywords than letters in a file name
            other.store("1", "+FLAGS", f"k{number}")
        idle.noop()
        other.noop()
        idle.send(b"x IDLE\r\n")
        while not idle.readline().startswith(b"+"):
            pass
        for what, told in [
            (partial(other.store, "1", "+FLAGS", "\\Flagged"), b"\\Flagged"),
            (partial(other.store, "2", "+FLAGS", "$Late"), b"* FLAGS"),
            (partial(other.store, "1", "-FLAGS", "k27"), b"* 1 FETCH"),
            (self.send, b"* 3 EXISTS"),
            (partial(other.store, "2", "+FLAGS", "\\Deleted"), b"\\Deleted"),
            (other.expunge, b"* 2 EXPUNGE"),
        ]:
            what()
            began = time.monotonic()
            while told not in idle.readline():
                pass
            self.assertLess(time.monotonic() - began, 2.0, told)

    def test_the_state_of_all_workers_can_be_asked(self):
        self.one_each()
        told = json.loads(self.daemon.command("server", "status", "--json"))
        counts = [one["sessions"].get("imap4", 0) for one in told["workers"]]
        self.assertTrue(counts[0] and counts[1], counts)
        self.assertEqual([one["queue"] for one in told["workers"]].count(True), 1)


class LimitTests(WorkersTestCase):
    extra = TWO.replace("[limits]", "[limits]\nconnections_per_network = 3")

    def test_connections_of_a_network_are_counted_over_all_workers(self):
        clients, refused = [], 0
        for _ in range(6):
            client = socket.create_connection(
                ("127.0.0.1", self.daemon.port("smtp")), 20
            )
            self.addCleanup(client.close)
            refused += client.recv(1000).startswith(b"421")
            clients.append(client)
        self.assertEqual(refused, 3)
        for client in clients:
            client.close()
        self.until(self.greeted)

    def greeted(self):
        with socket.create_connection(
            ("127.0.0.1", self.daemon.port("smtp")), 20
        ) as client:
            return client.recv(1000).startswith(b"220")


class RestartTests(WorkersTestCase):
    def test_all_are_replaced_and_no_connection_is_refused(self):
        before = set(self.daemon.workers())
        idle = self.imap()
        idle.send(b"x IDLE\r\n")
        self.assertTrue(idle.readline().startswith(b"+"))
        self.daemon.process.send_signal(signal.SIGHUP)
        sent = 0
        while "workers are replaced" not in self.log():
            sent += self.is_sent()
        self.assertGreater(sent, 5)
        now = set(self.daemon.workers())
        self.assertEqual((len(now), now & before), (2, set()))
        while not (told := idle.file.readline()).startswith(b"* BYE"):
            self.assertTrue(told.endswith((b"EXISTS\r\n", b"RECENT\r\n")), told)
        self.assertEqual(self.count(), sent)

    def is_sent(self):
        """True if a message was taken; a client may be sent away before it has sent
        one, and may always connect."""
        client = smtplib.SMTP(timeout=20)
        try:
            if client.connect("127.0.0.1", self.daemon.port("smtp"))[0] != 220:
                return False
            client.ehlo()
            for command in ("MAIL FROM:<b@else.test>", f"RCPT TO:<{self.ann}>", "DATA"):
                code, _ = client.docmd(command)
                if code == 421:
                    return False
                self.assertIn(code, (250, 354))
        except (smtplib.SMTPServerDisconnected, ConnectionResetError):
            return False
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertEqual(client.getreply()[0], 250)
        client.close()
        return True

    def test_a_changed_configuration_holds_from_then_on(self):
        text = self.daemon.config.read_text()
        port = self.daemon.ports["pop3"]
        changed = text.replace("stop_grace_s = 3", "stop_grace_s = 2")
        changed = changed.replace("workers = 2", "workers = 3")
        changed = changed.replace('hostname = "mail.', 'hostname = "other.')
        listener = (
            '[[listener]]\nprotocol = "pop3"\ntls = "starttls"\n'
            f'endpoint = "tcp:{port}:'
        )
        self.assertIn(listener, changed)
        self.daemon.config.write_text(
            changed.replace(listener, listener.replace("pop3", "manage_sieve", 1))
        )
        self.daemon.process.send_signal(signal.SIGHUP)
        self.until(lambda: "workers are replaced" in self.log())
        self.until(lambda: len(self.daemon.workers()) == 3)
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            self.assertIn(b"IMPLEMENTATION", client.recv(1000))
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"), timeout=20) as client:
            self.assertIn(b"other.example.test", client.ehlo()[1])

    def test_a_configuration_that_cannot_be_used_changes_nothing(self):
        before, text = self.daemon.workers(), self.daemon.config.read_text()
        for number, wrong in enumerate(
            [
                text + "[nonsense]\n",
                text + '[tls]\ncertificate = "missing.pem"\n',
                text.replace('data = "data"', 'data = "elsewhere"'),
            ],
            1,
        ):
            self.daemon.config.write_text(wrong)
            self.daemon.process.send_signal(signal.SIGHUP)
            self.until(lambda n=number: self.log().count("stays as it was") == n)
        self.send()
        self.assertEqual(self.count(), 1)
        self.assertEqual(len(self.daemon.workers()), len(before))
