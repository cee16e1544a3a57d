"""Logins of users of the machine over SMTP, POP3 and IMAP in a server that takes
no other passwords: once those of PAM, once those of saslauthd."""

import atexit
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .daemon import DOMAIN, PASSWORD, Daemon
from .program_rounds import CURL, curl_round
from .programs import run
from .saslauthd import Saslauthd
from .source_machine import NOT_CACHED
from .source_world import AUTH
from .system_users import STACK
from .test_source_logins import Alone
from .users import Users, tool

AT_ONCE = STACK.replace("pam_unix.so", "pam_unix.so nodelay")  # saslauthd would sleep
NOBODY = "auth requisite pam_succeed_if.so quiet uid < 0\n"


class System:
    """A server with one source, and a user whom it knows."""

    def __init__(self, source):
        self.users = Users()
        atexit.register(self.users.remove)
        server, self.user = self.users.add(), self.users.add()
        self.user.set_password(PASSWORD)
        service = self.pam(server.name, AT_ONCE)
        denied = self.pam(f"{server.name}-no", NOBODY + AT_ONCE)
        self.daemon = Daemon()
        atexit.register(self.daemon.remove)
        self.daemon.folder.chmod(0o711)
        with self.daemon.config.open("a") as config:
            config.write(
                f'{AUTH}[process]\nuser = "{server.name}"\n\n'
                + source(f'domains = ["{DOMAIN}"]\n{NOT_CACHED}', service, denied)
            )
        self.daemon.start()

    def pam(self, name, stack):
        """The name of a new service."""
        path = Path("/etc/pam.d", name)
        path.write_text(stack)
        atexit.register(path.unlink)
        return name


def by_pam(settings, service, denied):
    return f'[[source]]\nkind = "system"\nservice = "{service}"\n{settings}'


def by_saslauthd(settings, service, denied):
    """It has passwords only; the accounts are those of a source that takes none."""
    saslauthd = Saslauthd()
    atexit.register(saslauthd.remove)
    saslauthd.start("pam")
    return (
        f'[[source]]\nkind = "saslauthd"\npath = "{saslauthd.socket}"\n'
        f'service = "{service}"\n{settings}{by_pam(settings, denied, denied)}'
    )


class SystemAlone(Alone):
    """A world for each class of tests."""

    timeout = 120
    _systems = {}

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        kind = type(self)
        if kind not in self._systems:
            self._systems[kind] = System(kind.source)
        self.system = self._systems[kind]
        self.daemon = self.system.daemon

    def tearDown(self):
        log = self.daemon.log.read_text(errors="replace")
        self.assertNotIn("Traceback", log)
        self.assertNotIn(PASSWORD, log)

    def account(self):
        return f"{self.system.user.name}@{DOMAIN}"

    def refused_by_curl(self, password):
        for protocol, port in (
            ("smtp", "submission"),
            ("pop3", "pop3"),
            ("imap", "imap"),
        ):
            url = f"{protocol}://localhost:{self.daemon.port(port)}/"
            login = ("-u", f"{self.account()}:{password}")
            status, said = run(*CURL, url, *login, ok=False)
            self.assertEqual(status, 67, said)  # denied

    def test_curl_sends_and_reads_over_every_way(self):
        user = self.account()
        for each in self.system.user.mail():
            each.unlink()
        curl_round(self.daemon, user, "-u", f"{user}:{PASSWORD}")
        self.refused_by_curl("wrong")

    def test_an_expired_account_does_not_come_in(self):
        name = self.system.user.name
        tool("chage", "--expiredate", "1970-01-02", name)
        try:
            self.refused_by_curl(PASSWORD)
        finally:
            tool("chage", "--expiredate", "-1", name)


class PamAloneTests(SystemAlone, SynchronousTestCase):
    source = staticmethod(by_pam)


class SaslauthdAloneTests(SystemAlone, SynchronousTestCase):
    source = staticmethod(by_saslauthd)
