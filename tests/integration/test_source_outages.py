"""Seven kinds of sources in one chain for one domain: each ends, hangs and comes back
under a stream of logins of all, over SMTP, POP3 and IMAP."""

import contextlib
import os
import signal
from pathlib import Path
from threading import Event, Thread

from .daemon import PASSWORD
from .login_stream import Stream, survived
from .source_machine import MachineTestCase
from .source_world import LATER, OK, WAYS, WRONG, servers
from .system_users import family
from .ways_in import deliver, messages
from .world import until

HANGING = "auth required pam_exec.so quiet /bin/sleep 60\n"
MISSING = "auth required pam_missing_module.so\n"


class OutageTests(MachineTestCase):
    def survived(self, name, end, begin):
        survived(self, self.daemon, self.machine.accounts, name, end, begin)

    def moved_away(self, name, path):
        away = path.with_name(path.name + ".away")
        self.survived(name, lambda: path.rename(away), lambda: away.rename(path))

    def stack(self, text):
        """The PAM service of the server is this, at once."""
        new = self.machine.service.with_suffix(".new")
        new.write_text(text)
        new.rename(self.machine.service)

    def test_a_database_and_a_directory_that_are_killed(self):
        for name in ("mysql", "ldap"):
            server = getattr(servers(), name)
            self.survived(name, server.kill, server.start)

    def test_a_database_and_a_directory_that_hang(self):
        for name in ("mysql", "ldap"):
            server = getattr(servers(), name)
            self.survived(
                name,
                lambda server=server: server.signal(signal.SIGSTOP),
                lambda server=server: server.signal(signal.SIGCONT),
            )

    def test_saslauthd_that_is_killed(self):
        saslauthd = self.machine.saslauthd
        self.survived("saslauthd", saslauthd.stop, lambda: saslauthd.start("pam"))

    def test_saslauthd_that_hangs(self):
        saslauthd = self.machine.saslauthd
        self.survived(
            "saslauthd",
            lambda: saslauthd.signal(signal.SIGSTOP),
            lambda: saslauthd.signal(signal.SIGCONT),
        )

    def test_a_service_of_pam_that_vanishes(self):
        self.moved_away("system", self.machine.service)

    def test_a_service_of_pam_that_hangs_or_has_no_module(self):
        stack = self.machine.service.read_text()
        for text in (HANGING, MISSING):
            self.survived(
                "system",
                lambda text=text: self.stack(text),
                lambda: self.stack(stack),
            )

    def test_mail_for_all_arrives_without_pam(self):
        """It says whose password is right, and not whose mail there is."""
        stack, ann = self.machine.service.read_text(), self.machine.accounts["system"]
        self.stack(MISSING)
        try:
            for _ in range(3):  # it is down, and rests
                self.assertEqual(WAYS["IMAP"](self.daemon, ann, PASSWORD), LATER)
            for user in self.machine.accounts.values():
                deliver(self.daemon, user, b"Subject: without PAM\r\n\r\ntext\r\n")
        finally:
            self.stack(stack)
        until(lambda: WAYS["IMAP"](self.daemon, ann, PASSWORD) == OK, self.logged)
        for user in self.machine.accounts.values():
            until(
                lambda user=user: any(
                    b"without PAM" in octets for octets in messages(self.daemon, user)
                )
            )

    def test_processes_of_pam_that_are_killed(self):
        """While they wait for a module; the next that asks gets another one."""
        stack, over = self.machine.service.read_text(), Event()
        killed = []

        def kill():
            while not over.wait(0.05):
                for pid in self.checks():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

        killing = Thread(target=kill)

        def end():
            self.stack(HANGING)
            killing.start()

        def begin():
            over.set()
            killing.join()
            self.stack(stack)

        self.survived("system", end, begin)
        self.assertGreater(len(killed), 2)

    def checks(self):
        """Pids of the keeper's children that ask PAM: they wait for a `sleep`."""
        for pid in family(self.daemon.process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                    status = Path(f"/proc/{pid}/stat").read_text()
                    yield int(status.rpartition(")")[2].split()[1])

    def test_files_that_vanish(self):
        for name, path in (
            ("dovecot", "users"),
            ("courier", "userdb"),
            ("userdb", "data/userdb.sqlite"),
        ):
            self.moved_away(name, self.daemon.folder / path)

    def test_a_wrong_password_is_told_when_all_answer_and_not_before(self):
        """What is down might have said yes; what is up says so to its own."""
        machine = self.machine
        machine.saslauthd.stop()
        try:
            for source, user in machine.accounts.items():
                for way, login in WAYS.items():
                    told = login(self.daemon, user, "wrong")
                    self.assertEqual(told, LATER, (source, way))
        finally:
            machine.saslauthd.start("pam")
        stream = Stream(self.daemon, machine.accounts)
        try:
            stream.all_come_in(machine.accounts)
        finally:
            stream.stop()
        for source, user in machine.accounts.items():
            for way, login in WAYS.items():
                told = login(self.daemon, user, "wrong")
                self.assertEqual(told, WRONG, (source, way))
                self.assertEqual(login(self.daemon, user, PASSWORD), OK)
