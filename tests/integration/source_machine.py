"""Accounts of every kind of source in one server, which was started as root and gave it
up: users of the machine by PAM and by saslauthd, databases and files."""

from __future__ import annotations

import atexit
import os
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .daemon import DOMAIN, PASSWORD, Daemon
from .saslauthd import Saslauthd
from .source_world import AUTH, USERS, servers
from .users import Users

DOMAINS = (DOMAIN, "maildir.test", "mbox.test", "spool.test")
NOT_CACHED = "cache_s = 0\nunknown_cache_s = 0\nrest_s = 0.2\ntimeout_s = 2\n"
# Each asks PAM for its own users: `{}` is true of those.
STACK = (
    "auth requisite pam_succeed_if.so quiet {}\nauth required pam_unix.so nodelay\n"
    "account required pam_unix.so\n"
)


class Machine:
    """The server, its sources, a user `ann` whom PAM knows and `bob` of saslauthd."""

    def __init__(self) -> None:
        self.users = Users()
        atexit.register(self.users.remove)
        self.server, self.ann, self.bob = (self.users.add() for _ in range(3))
        for user in (self.ann, self.bob):
            user.set_password(PASSWORD)
        bob = f"user = {self.bob.name}"
        self.service = self.pam("", STACK.format(bob.replace("=", "!=")))
        other = self.pam("-sasl", STACK.format(bob))
        self.saslauthd = Saslauthd()
        atexit.register(self.saslauthd.remove)
        self.saslauthd.start("pam")
        self.spool = self.users.folder / "spool"
        self.spool.mkdir()
        shutil.chown(self.spool, "root", "mail")
        self.spool.chmod(0o2775)
        self.daemon = Daemon(domains=DOMAINS)
        atexit.register(self.daemon.remove)
        self.daemon.folder.chmod(0o711)
        for name in ("users", "userdb"):
            copied = Path(shutil.copy(servers().folder / name, self.daemon.folder))
            copied.chmod(0o600)
            self.server.give(copied)
        with self.daemon.config.open("a") as config:
            config.write(self.sources(self.service.name, other.name))
        self.daemon.start()
        self.daemon.add_user(USERS["userdb"])
        self.accounts = {
            **USERS,
            "system": f"{self.ann.name}@{DOMAIN}",
            "saslauthd": f"{self.bob.name}@{DOMAIN}",
        }

    def pam(self, ending: str, stack: str) -> Path:
        """A new service of PAM."""
        path = Path("/etc/pam.d", self.server.name + ending)
        path.write_text(stack)
        atexit.register(path.unlink)
        return path

    def sources(self, service: str, other: str) -> str:
        system = f'[[source]]\nkind = "system"\nservice = "{service}"\n{NOT_CACHED}'
        places = {
            "maildir.test": "Mail/in/",
            "mbox.test": "mbox",
            "spool.test": f"{self.spool}/%u",
        }
        return "".join(
            (
                AUTH,
                f'[process]\nuser = "{self.server.name}"\n',
                f'{system}domains = ["{DOMAIN}"]\n',
                f'[[source]]\nkind = "saslauthd"\npath = "{self.saslauthd.socket}"\n',
                f'domains = ["{DOMAIN}"]\nservice = "{other}"\n{NOT_CACHED}',
                *(
                    f'{system}name = "{domain}"\ndomains = ["{domain}"]\n'
                    f'mailbox = "{mailbox}"\n'
                    for domain, mailbox in places.items()
                ),
                *(servers().source(name, self.daemon.folder) for name in USERS),
            )
        )


_machines: list[Machine] = []


class MachineTestCase(SynchronousTestCase):
    """One machine for all tests of a run."""

    timeout = 300

    def setUp(self) -> None:
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        if not _machines:
            _machines.append(Machine())
        self.machine = _machines[0]
        self.daemon = self.machine.daemon
        self.before = len(self.logged())

    def tearDown(self) -> None:
        told = self.logged()[self.before :]
        self.assertNotIn("Traceback", told)
        self.assertNotIn(PASSWORD, told)
        self.assertNotIn("Starting factory", told)

    def logged(self) -> str:
        return self.daemon.log.read_text(errors="replace")
