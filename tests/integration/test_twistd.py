"""How the server is started, adopted, listened to and stopped, as a process."""

import getpass
import imaplib
import json
import os
import poplib
import pwd
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
from twisted.trial.unittest import SynchronousTestCase

from .daemon import DOMAIN, PASSWORD, READY_S, ROOT, Daemon, DaemonTestCase, free_port

TWISTD = [sys.executable, "-b", "-c", "from twisted.scripts.twistd import run; run()"]
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(
    ">H4s4sHH", 12, socket.inet_aton("192.0.2.9"), socket.inet_aton("192.0.2.1"), 9, 25
)


def unverified():
    return ssl._create_unverified_context()


def until(done, what):
    """Wait until `done()` is true; for what another process does."""
    end = time.monotonic() + READY_S
    while not (found := done()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        Daemon.pause()
    return found


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class StartTests(SynchronousTestCase):
    """Starts that differ from one to the next, each with a folder of its own."""

    timeout = 120

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.remove)

    def launch(self, *command, **options):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.daemon.folder,
            env={**self.daemon.environment(), **options.pop("env", {})},
            **options,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def fails(self, *command):
        """What a start that fails says."""
        process = self.launch(*command)
        said = process.stdout.read().decode()
        self.assertEqual(process.wait(), 1, said)
        self.assertNotIn("Traceback", said)
        return said

    def mailtwist(self, *arguments):
        config = ("--config", str(self.daemon.config))
        return (sys.executable, "-m", "mailtwist.cli", *config, *arguments)

    def twistd(self, *arguments):
        config = f"--config={self.daemon.config}"
        return (*TWISTD, "-n", "--pidfile=", *arguments, "mailtwist", config)

    def test_a_tac_adopts_it_beside_its_own_service(self):
        quote = free_port()
        tac = self.daemon.folder / "mine.tac"
        tac.write_text((ROOT / "docs/examples/embedded.tac").read_text())
        process = self.launch(
            *TWISTD,
            "-n",
            "--pidfile=",
            "-y",
            str(tac),
            env={"QUOTE_ENDPOINT": f"tcp:{quote}:interface=127.0.0.1"},
        )
        smtp = self.daemon.port("smtp")
        until(lambda: answers(smtp), "the adopted server")
        ann = self.daemon.add_user("ann")
        with smtplib.SMTP("127.0.0.1", smtp) as client:
            client.sendmail("c@example.org", ann, "Subject: adopted\r\n\r\n")
        mailbox = poplib.POP3_SSL(
            "127.0.0.1", self.daemon.port("pop3s"), context=unverified()
        )
        mailbox.user(ann)
        mailbox.pass_(PASSWORD)
        self.assertIn(b"Subject: adopted", mailbox.retr(1)[1])
        mailbox.quit()
        with socket.create_connection(("127.0.0.1", quote)) as theirs:
            self.assertIn(b"apple", theirs.recv(99))
        self.assertEqual(psutil.Process(process.pid).children(), [])
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read().decode()
        self.assertEqual(process.wait(), -signal.SIGTERM)
        self.assertNotIn("Traceback", said)

    def test_mailtwist_serve_daemonizes_and_becomes_another_user(self):
        user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        folder = self.daemon.folder
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(mode=0o700)
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
        log = f'[log]\nto = "{folder}/mail.log"\n'
        self.daemon.config.write_text(self.daemon.config.read_text() + log)
        process = self.launch(
            *self.mailtwist("serve", "--daemon", "--pidfile=data/pid", f"--user={user}")
        )
        self.assertEqual(process.wait(), 0, process.stdout.read().decode())
        pid = int((data / "pid").read_text())
        try:
            until(lambda: answers(self.daemon.port("imap")), "the daemon")
            running = psutil.Process(pid)
            self.assertEqual(running.username(), user)
            self.assertNotEqual(running.ppid(), os.getpid())
        finally:
            os.kill(pid, signal.SIGTERM)
        until(lambda: not psutil.pid_exists(pid), "its end")
        self.assertFalse((data / "pid").exists())
        self.assertIn(f"serves {DOMAIN}", (folder / "mail.log").read_text())
        self.assertEqual((data / "tls/self-signed.key").owner(), user)

    def test_a_socket_of_systemd_is_taken_by_its_name(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        text = self.daemon.config.read_text()
        text += (
            '[[listener]]\nprotocol = "imap4"\ntls = "implicit"\n'
            'endpoint = "systemd:domain=INET:name=imaps"\n'
        )
        self.daemon.config.write_text(text)
        said = self.fails(*self.twistd())
        self.assertIn("cannot listen on systemd:domain=INET:name=imaps", said)

        def pass_socket():
            os.dup2(listening.fileno(), 3)

        self.launch(
            # LISTEN_PID must be the server's own; exec keeps that of the shell.
            *("sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *self.twistd()),
            env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "imaps"},
            preexec_fn=pass_socket,
            pass_fds=[3],
        )
        until(lambda: answers(self.daemon.port("smtp")), "the server")
        port = listening.getsockname()[1]
        client = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=unverified())
        self.assertIn("IMAP4REV1", client.capabilities)
        client.logout()

    def test_an_invalid_file_opens_no_port_and_tells_all_faults(self):
        wrong = '[smtp]\nrecipients = 1\n[[listener]]\nprotocol = "smtq"\n'
        wrong += 'endpoint = "tcp:25:x=1"\n'
        self.daemon.config.write_text(self.daemon.config.read_text() + wrong)
        for start in (self.twistd(), self.mailtwist("serve")):
            said = self.fails(*start)
            for told in (
                f"{self.daemon.config}: smtp.recipients = 1 is not allowed",
                'listener[8].protocol = "smtq" is not allowed: give "smtp"',
            ):
                self.assertIn(told, said)
            self.assertNotIn("starting on", said)
            self.assertFalse((self.daemon.folder / "data").exists())

    def test_what_stops_a_start_is_told_in_a_sentence(self):
        text = self.daemon.config.read_text()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        pop3 = f"tcp:{self.daemon.port('pop3')}:"
        for wrong, told in [
            (text.replace(pop3, f"tcp:{port}:"), f"cannot listen on tcp:{port}"),
            (text + '[tls]\ncertificate = "no.pem"\n', "tls.certificate = "),
            (text + '[log]\nto = "no/where.log"\n', "log.to = "),
            (text.replace('"data"', '"/proc/x"'), 'server.data = "/proc/x"'),
        ]:
            self.daemon.config.write_text(wrong)
            for start in (self.twistd(), self.mailtwist("serve")):
                said = self.fails(*start)
                self.assertIn(told, said)

    def test_SIGTERM_says_goodbye_and_ends_by_the_signal(self):
        self.daemon.start()
        smtp = smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"))
        imap = imaplib.IMAP4("127.0.0.1", self.daemon.port("imap"))
        pop3 = poplib.POP3("127.0.0.1", self.daemon.port("pop3"))
        self.assertEqual(self.daemon.stop(), -signal.SIGTERM)  # as twistd ends
        self.assertEqual(smtp.getreply()[0], 421)
        self.assertTrue(imap.readline().startswith(b"* BYE"))
        self.assertEqual(pop3.file.readline(), b"")  # RFC 1939 §3: without a word
        for client in (smtp, pop3):
            client.close()
        imap.shutdown()
        self.assertNotIn("Traceback", self.daemon.log.read_text())


class EndpointTests(DaemonTestCase):
    """Every kind of socket that a listener may name."""

    def setUp(self):
        kind = type(self)
        if not kind.extra:
            kind.PORTS = {name: free_port() for name in ("tcp6", "ssl", "haproxy")}
            kind.extra = "".join(
                f"[[listener]]\nprotocol = '{protocol}'\nendpoint = '{endpoint}'\n"
                for protocol, endpoint in [
                    ("smtp", f"tcp6:{self.PORTS['tcp6']}:interface=\\:\\:1"),
                    ("smtp", "unix:smtp.sock:mode=600"),
                    ("imap4", f"ssl:{self.PORTS['ssl']}:interface=127.0.0.1"),
                    ("smtp", f"haproxy:ssl:{self.PORTS['haproxy']}:privateKey=no.pem"),
                ]
            )
        super().setUp()
        # It is bound last: behind it all are.
        until(lambda: answers(self.PORTS["haproxy"]), "the last listener")

    def test_tcp6(self):
        with socket.create_connection(("::1", self.PORTS["tcp6"])) as client:
            self.assertTrue(client.recv(999).startswith(b"220 "))

    def test_unix(self):
        path = self.daemon.folder / "smtp.sock"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            self.assertTrue(client.recv(999).startswith(b"220 "))

    def test_an_ssl_string_is_TLS_from_the_first_octet(self):
        client = imaplib.IMAP4_SSL(
            "127.0.0.1", self.PORTS["ssl"], ssl_context=unverified()
        )
        client.login(self.user(), PASSWORD)
        client.logout()

    def test_a_haproxy_string_reads_the_header_before_TLS(self):
        for header in (b"PROXY TCP4 192.0.2.9 192.0.2.1 9 25\r\n", V2):
            clear = socket.create_connection(("127.0.0.1", self.PORTS["haproxy"]))
            clear.sendall(header)
            with unverified().wrap_socket(clear) as client:
                self.assertTrue(client.recv(999).startswith(b"220 "))
                client.sendall(b"QUIT\r\n")
                self.assertTrue(client.recv(999).startswith(b"221 "))
        told = self.daemon.log.read_text()
        self.assertEqual(told.count("connect from 192.0.2.9 over TLS"), 2)


class LogTests(DaemonTestCase):
    """A log in JSON, followed through one message's life."""

    extra = '[log]\nto = "mail.log"\nformat = "json"\n'

    def rows(self):
        text = (self.daemon.folder / "mail.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def test_two_ids_follow_a_message_from_connection_to_mailbox(self):
        ann, bob = self.user(), self.user()
        context = unverified()
        with smtplib.SMTP("127.0.0.1", self.daemon.port("submission")) as client:
            client.starttls(context=context)
            client.login(bob, PASSWORD)
            client.docmd("MAIL", f"FROM:<{bob}>")
            client.docmd("RCPT", f"TO:<{ann}>")
            message = client.data("Subject: x\r\n\r\n")[1].split()[1].decode()
        (accepted,) = [row for row in self.rows() if "accepted from" in row["text"]]
        session = accepted["session"]
        until(
            lambda: any(
                "disconnect" in row["text"] and row.get("session") == session
                for row in self.rows()
            ),
            "the last line",
        )
        told = [
            row["text"]
            for row in self.rows()
            if session in (row.get("session"), row.get("message", "").split(".")[0])
        ]
        self.assertEqual(
            [text.replace(session, "S") for text in told[:5]],
            [
                "submission S connect from 127.0.0.1",
                told[1].replace(session, "S"),
                f"submission S login {bob} by PLAIN",
                f"S.1 delivered to <{ann}>",
                f"submission S S.1 accepted from <{bob}> for 1, "
                f"{accepted['octets']} octets",
            ],
        )
        self.assertRegex(told[1], r"TLS TLSv1\.3 TLS_")
        self.assertIn("disconnect", told[5])
        self.assertEqual(accepted["message"], message)
        home = Path(self.daemon.folder, "data/mail", DOMAIN, ann.split("@")[0])
        (file,) = home.glob("Maildir/new/*")
        self.assertIn(message.encode(), file.read_bytes())  # in Received

    def test_a_file_moved_away_is_made_anew(self):
        self.rows()
        log = self.daemon.folder / "mail.log"
        kept = log.read_text()
        log.rename(f"{log}.1")
        smtp = self.daemon.port("smtp")  # each connection is a line for the log
        until(lambda: answers(smtp) and log.exists(), "the new file")
        log.write_text(kept + log.read_text())


class SyslogTests(DaemonTestCase):
    def setUp(self):
        if not self.extra:
            kind = type(self)
            kind.path = f"/tmp/mailtwist-syslog-{os.getpid()}"
            kind.extra = f'[log]\nto = "syslog:{self.path}"\n'
        syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        syslog.bind(self.path)
        self.lines = []
        reader = threading.Thread(target=self.read, args=(syslog,))
        reader.start()
        self.addCleanup(os.unlink, self.path)
        self.addCleanup(syslog.close)
        self.addCleanup(reader.join)
        self.addCleanup(syslog.shutdown, socket.SHUT_RDWR)
        super().setUp()

    def read(self, syslog):
        while line := syslog.recv(9999):
            self.lines.append(line.decode())

    def line(self, word):
        return until(lambda: [line for line in self.lines if word in line], word)[0]

    def test_severities_of_facility_mail(self):
        with smtplib.SMTP("127.0.0.1", self.daemon.port("smtp")) as client:
            client.ehlo("x")
            client.docmd("MAIL FROM:<c@example.org>")
            client.docmd("RCPT TO:<x@elsewhere.example>")
        self.assertTrue(self.line("connect from").startswith("<22>mailtwist["))
        self.assertTrue(self.line("refused").startswith("<20>mailtwist["))


class LineFeedTests(DaemonTestCase):
    """Loopback may end its lines in LF alone."""

    extra = '[smtp]\nbare_lf = "normalize"\nbare_lf_networks = ["127.0.0.0/8"]\n'

    def test_a_session_typed_without_CR(self):
        ann = self.user()
        with socket.create_connection(
            ("127.0.0.1", self.daemon.port("smtp"))
        ) as client:
            file = client.makefile("rwb")
            for line, code in [
                (b"", b"220"),
                (b"helo me\n", b"250"),
                (b"mail from: <c@example.org>\n", b"250"),
                (f"rcpt to: <{ann}>\n".encode(), b"250"),
                (b"data\n", b"354"),
                (b"Subject: x\n\n..dot\n.\n", b"250"),
            ]:
                file.write(line)
                file.flush()
                self.assertEqual(file.readline()[:3], code)
        home = Path(self.daemon.folder, "data/mail", DOMAIN, ann.split("@")[0])
        (message,) = home.glob("Maildir/new/*")
        self.assertTrue(message.read_bytes().endswith(b"Subject: x\r\n\r\n.dot\r\n"))
