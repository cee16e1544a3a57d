"""Root is given up, but for the keeper: a server started as root, with real users."""

import imaplib
import os
import poplib
import secrets
import signal
import smtplib
import socket
import ssl
import time
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.service.tls import write_self_signed
from tests.integration import system_users
from tests.integration.daemon import DOMAIN, READY_S, Daemon
from tests.integration.daemon import PASSWORD as SMARTHOST_PASSWORD
from tests.integration.next_hops import ANN, BOB, PostfixSmarthost, Watch, peer
from tests.integration.test_keeper import processes
from tests.integration.users import tool
from tests.integration.ways_in import OPEN, deliver
from tests.integration.world import until

PASSWORD = system_users.PASSWORD
SERVER = """
[process]
user = "{user}"
workers = 1
[[source]]
kind = "userdb"
[[source]]
kind = "system"
service = "{service}"
cache_s = 0
unknown_cache_s = 0
least_uid = {least_uid}
"""


class PrivilegesTests(SynchronousTestCase):
    timeout = 240

    def setUp(self):
        self.user = system_users.add_user(self, password="")
        self.service = system_users.add_service(self)

    def daemon(self, extra="", top="", **more):
        server = SERVER.format(
            user=self.user.name, service=self.service, least_uid=1000
        )
        daemon = Daemon(server + extra, top, **more)
        daemon.folder.chmod(0o711)
        self.addCleanup(daemon.remove)
        self.addCleanup(lambda: self.report(daemon))
        return daemon

    def report(self, daemon):
        self.assertNotIn("Traceback", daemon.log.read_text())

    def statuses(self, daemon):
        """{pid: its /proc/PID/status} of the server and all that came from it."""
        pids = system_users.family(daemon.process.pid)
        return {
            pid: status.decode() for pid, status in processes("status") if pid in pids
        }

    def login(self, daemon, user, password=PASSWORD):
        client = imaplib.IMAP4_SSL(
            daemon.address, daemon.port("imaps"), ssl_context=OPEN
        )
        self.addCleanup(client.shutdown)
        client.login(user, password)
        return client

    def test_nobody_but_the_keeper_is_root(self):
        daemon, ann = self.daemon(), system_users.add_user(self)
        daemon.start()
        deliver(daemon, f"{ann.name}@{DOMAIN}", b"Subject: hello\r\n\r\nHi.\r\n")
        client = self.login(daemon, f"{ann.name}@{DOMAIN}")
        self.assertEqual(client.select("INBOX")[1], [b"1"])
        uids = {}
        for pid, status in self.statuses(daemon).items():
            fields = dict(
                line.split(":\t", 1) for line in status.splitlines() if ":\t" in line
            )
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            kind = (
                "keeper"
                if b"/keeper/__main__.py" in command
                else "agent"
                if b"store.agent" in command
                else "server"
            )
            uids[kind] = set(fields["Uid"].split())
            if kind != "keeper":
                self.assertNotIn("0", fields["Uid"].split(), command)
                self.assertNotIn("0", fields["Gid"].split(), command)
                self.assertNotIn("0", fields["Groups"].split(), command)
                self.assertEqual(int(fields["CapPrm"], 16), 0, command)
                self.assertEqual(int(fields["CapEff"], 16), 0, command)
            if kind == "server":
                self.assertEqual(fields["NoNewPrivs"], "1")
        self.assertEqual(
            uids,
            {
                "keeper": {"0"},
                "server": {str(self.user.uid)},
                "agent": {str(ann.uid)},
            },
        )
        (message,) = [
            path
            for part in ("new", "cur")
            for path in (ann.home / "Maildir" / part).iterdir()
        ]
        self.assertEqual(message.stat().st_uid, ann.uid)
        self.assertEqual(message.stat().st_mode & 0o777, 0o600)

    def test_a_password_is_in_no_log_and_no_command_line(self):
        daemon, ann = self.daemon(), system_users.add_user(self)
        daemon.start()
        self.login(daemon, f"{ann.name}@{DOMAIN}")
        for wrong in ("wrong horse battery", PASSWORD + "x"):
            with self.assertRaises(imaplib.IMAP4.error):
                self.login(daemon, f"{ann.name}@{DOMAIN}", wrong)
            self.assertNotIn(wrong, daemon.log.read_text())
        self.assertNotIn(PASSWORD, daemon.log.read_text())
        pids = self.statuses(daemon)
        for part in ("cmdline", "environ"):
            for pid, octets in processes(part):
                if pid in pids:
                    self.assertNotIn(PASSWORD.encode(), octets)

    def test_an_expired_user_gets_mail_and_may_not_log_in(self):
        daemon, ann = self.daemon(), system_users.add_user(self)
        tool("chage", "--expiredate", "1970-01-02", ann.name)
        daemon.start()
        deliver(daemon, f"{ann.name}@{DOMAIN}", b"Subject: hello\r\n\r\nHi.\r\n")
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            self.login(daemon, f"{ann.name}@{DOMAIN}")
        self.assertIn(b"AUTHENTICATIONFAILED", caught.exception.args[0])
        self.assertEqual(len(list((ann.home / "Maildir/new").iterdir())), 1)

    def test_pam_that_is_down_is_never_a_wrong_password(self):
        daemon, ann = self.daemon(), system_users.add_user(self)
        name = daemon.config.read_text().replace(self.service, "mt-not-there")
        daemon.config.write_text(name)
        daemon.start()
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            self.login(daemon, f"{ann.name}@{DOMAIN}")
        self.assertIn(b"UNAVAILABLE", caught.exception.args[0])
        self.assertIn("there is no /etc/pam.d/mt-not-there", daemon.log.read_text())

    def test_each_protocol_may_have_a_service_of_its_own(self):
        """The one of IMAP is there, the one of POP3 denies, that of SMTP is missing."""
        daemon, ann = self.daemon(), system_users.add_user(self)
        name = secrets.token_hex(4)
        for protocol, stack in (
            ("imap", system_users.STACK),
            ("pop", "auth required pam_deny.so\naccount required pam_deny.so\n"),
        ):
            service = Path(f"/etc/pam.d/mt{name}-{protocol}")
            service.write_text(stack)
            self.addCleanup(service.unlink)
        text = daemon.config.read_text().replace(self.service, f"mt{name}-%p")
        daemon.config.write_text(text)
        daemon.start()
        login = f"{ann.name}@{DOMAIN}"
        self.login(daemon, login)
        with self.assertRaises(poplib.error_proto) as refused:
            client = poplib.POP3_SSL(daemon.address, daemon.port("pop3s"), context=OPEN)
            self.addCleanup(client.close)
            client.user(login)
            client.pass_(PASSWORD)
        self.assertIn(b"[AUTH]", refused.exception.args[0])
        with (
            smtplib.SMTP_SSL(
                daemon.address, daemon.port("submissions"), context=OPEN
            ) as client,
            self.assertRaises(smtplib.SMTPAuthenticationError) as down,
        ):
            client.login(login, PASSWORD)
        self.assertEqual(down.exception.smtp_code, 454)

    def test_root_and_users_of_the_system_are_no_accounts(self):
        daemon = self.daemon()
        daemon.start()
        for name in ("root", "daemon", self.user.name + "x"):
            with self.assertRaises(imaplib.IMAP4.error):
                self.login(daemon, f"{name}@{DOMAIN}")

    def test_files_of_the_server_belong_to_its_user(self):
        daemon = self.daemon()
        daemon.start()
        name = daemon.add_user("virtual")
        deliver(daemon, name, b"Subject: hello\r\n\r\nHi.\r\n")
        data = daemon.folder / "data"
        self.assertEqual(data.stat().st_mode & 0o777, 0o711)
        for path in (data, *data.rglob("*")):
            if path.name == "agents":
                continue
            self.assertEqual(path.lstat().st_uid, self.user.uid, path)
            if path != data:
                self.assertEqual(path.lstat().st_mode & 0o007, 0, path)

    def test_the_log_is_a_file_of_its_user(self):
        daemon = self.daemon('[log]\nto = "logs/mail.log"\n')
        folder = daemon.folder / "logs"
        folder.mkdir()
        os.chown(folder, self.user.uid, self.user.gid)
        daemon.start()
        log = folder / "mail.log"
        self.assertEqual(log.stat().st_uid, self.user.uid)
        self.assertIn(f"runs as {self.user.name}", log.read_text())
        ann = daemon.add_user("ann")
        log.rename(folder / "mail.log.1")

        def told_anew():  # the server looks once a second where its log is
            deliver(daemon, ann, b"Subject: hello\r\n\r\nHi.\r\n")
            return log.exists() and "delivered" in log.read_text()

        self.until(told_anew)
        self.assertEqual(daemon.stop(), -signal.SIGTERM)

    def test_one_in_the_background_has_its_keeper_too(self):
        daemon, ann = self.daemon(), system_users.add_user(self)
        daemon.log.touch()
        pidfile = daemon.folder / "pid"
        words = ("serve", "--daemon", "--pidfile", str(pidfile))
        daemon.command(*words)
        self.until(lambda: pidfile.exists() and pidfile.read_text())
        pid = int(pidfile.read_text())
        try:
            self.until(lambda: self.listens(daemon))
            self.login(daemon, f"{ann.name}@{DOMAIN}")
            family = system_users.family(pid)
        finally:
            os.kill(pid, signal.SIGTERM)
        self.until(lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in family))
        self.assertGreater(len(family), 1)

    def listens(self, daemon):
        try:
            socket.create_connection((daemon.address, daemon.port("imaps"))).close()
        except OSError:
            return False
        return True

    def until(self, done):
        end = time.monotonic() + READY_S
        while not done():
            self.assertLess(time.monotonic(), end)
            Daemon.pause()

    def test_a_data_folder_of_somebody_else_is_refused_with_the_way_out(self):
        daemon = self.daemon()
        (daemon.folder / "data/mail").mkdir(parents=True)
        fault = self.assertRaises(AssertionError, daemon.start)
        self.assertIn(f"chown -R {self.user.name}", str(fault))

    def test_a_renewed_key_of_roots_is_read_after_root_is_gone(self):
        daemon = self.daemon()
        folder = daemon.folder / "tls"
        folder.mkdir(mode=0o700)
        files = folder / "c.pem", folder / "k.pem"
        write_self_signed(*files, [f"mail.{DOMAIN}"])
        with daemon.config.open("a") as config:
            config.write(
                '[tls]\ncertificate = "tls/c.pem"\nkey = "tls/k.pem"\n'
                "check_renewed_s = 1\n"
            )
        daemon.start()
        before = self.certificate(daemon)
        write_self_signed(*files, [f"mail.{DOMAIN}"])
        self.until(lambda: self.certificate(daemon) != before)
        self.assertEqual(
            self.certificate(daemon), ssl.PEM_cert_to_DER_cert(files[0].read_text())
        )

    def test_new_credentials_of_roots_are_read_after_root_is_gone(self):
        smarthost = peer(PostfixSmarthost)
        daemon = self.daemon(
            top='trusted_networks = ["127.0.0.0/8"]\n',
            hostname="home.test",
            domains=("home.test",),
        )
        ca, login = daemon.folder / "ca.pem", daemon.folder / "login.toml"
        ca.write_bytes(smarthost.authority.pem)

        def write(user, password):
            draft = login.with_suffix(".new")
            draft.touch(0o600)
            draft.write_text(f'user = "{user}"\npassword = "{password}"\n')
            draft.rename(login)

        write(ANN, SMARTHOST_PASSWORD)
        with daemon.config.open("a") as config:
            config.write(
                f'[[smarthost]]\nhost = "[127.0.0.1]:{smarthost.port}"\n'
                f'ca = "{ca}"\ncredentials = "{login}"\n'
            )
        daemon.start()
        watch = Watch(smarthost.folder / "mail")

        def sent():
            with smtplib.SMTP(daemon.address, daemon.port("smtp")) as client:
                client.sendmail("carol@home.test", [BOB], b"Subject: out\r\n\r\nHi\r\n")

        def told(what):
            """It looks at the file when mail goes, four times a second at most."""
            sent()
            return what in daemon.log.read_text()

        sent()
        until(watch.fresh, daemon.log.read_text)
        write("somebody", "else")
        for what in (f"{login} was read again", "mail waits"):
            until(partial(told, what), daemon.log.read_text)
        self.assertEqual(login.stat().st_uid, 0)

    def certificate(self, daemon):
        with (
            socket.create_connection((daemon.address, daemon.port("imaps"))) as plain,
            OPEN.wrap_socket(plain) as client,
        ):
            return client.getpeercert(binary_form=True)

    def test_without_its_keeper_the_server_stops_to_be_started_again(self):
        daemon = self.daemon()
        daemon.start()
        self.until(lambda: self.keepers(daemon))  # it may not have come to its exec
        (keeper,) = self.keepers(daemon)
        os.kill(keeper, signal.SIGKILL)
        daemon.process.wait(30)
        self.assertIn("the keeper has ended", daemon.log.read_text())

    def keepers(self, daemon):
        pids = system_users.family(daemon.process.pid)
        return [
            pid
            for pid, command in processes("cmdline")
            if b"/keeper/__main__.py" in command and pid in pids
        ]

    def test_the_keeper_ends_with_a_server_that_was_killed(self):
        daemon = self.daemon()
        daemon.start()
        family = [p for p in self.statuses(daemon) if p != daemon.process.pid]
        self.assertEqual(len(family), 1)
        daemon.kill()
        self.until(lambda: not os.path.exists(f"/proc/{family[0]}/cmdline"))
