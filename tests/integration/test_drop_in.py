"""Our accounts in a Twisted service of other people: FTP, started by twistd."""

import ftplib
import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .daemon import PASSWORD, ROOT, DaemonTestCase, free_port
from .programs import run
from .source_world import USERS, SourceTestCase
from .system_users import add_service, add_user
from .world import until

TWISTD = (sys.executable, "-b", "-c", "from twisted.scripts.twistd import run; run()")


def answers(port):
    try:
        ftplib.FTP().connect("127.0.0.1", port, 5)
    except OSError:
        return False
    return True


class Ftp:
    """A `twistd ftp` that asks a checker of this kind."""

    def __init__(self, case, kind, config, env):
        self._port, folder = free_port(), Path(config).parent
        self._log = folder / f"ftp-{kind}.log"
        self._process = subprocess.Popen(
            [
                *(*TWISTD, "-n", "--pidfile=", f"--logfile={self._log}", "ftp"),
                *(f"--port={self._port}", f"--root={folder}"),
                *("--auth", f"{kind}:{config}"),
            ],
            cwd=folder,
            env=env,
        )
        self._case = case
        case.addCleanup(self._process.wait)
        case.addCleanup(self._process.kill)
        until(lambda: answers(self._port), self._logged)

    def _logged(self):
        return self._log.read_text() if self._log.exists() else ""

    def said(self, user, password):
        """All that curl and the server said."""
        _, said = run(
            *("curl", "-v", "-sS", f"ftp://127.0.0.1:{self._port}/"),
            *("-u", f"{user}:{password}"),
            ok=False,
        )
        return said

    def end(self):
        self._process.send_signal(signal.SIGTERM)
        self._case.assertEqual(self._process.wait(30), -signal.SIGTERM)
        self._case.assertNotIn(PASSWORD, self._logged())


def assert_judged(case, ftp, user):
    for password, code in ((PASSWORD, "< 230 "), ("wrong", "< 530 ")):
        case.assertIn(code, ftp.said(user, password))


class CheckerTests(DaemonTestCase):
    def twistd(self, *options, ok=True):
        env = self.daemon.environment()
        return run(*TWISTD, *options, env=env, cwd=self.daemon.folder, ok=ok)

    def test_the_kinds_are_listed_for_any_service(self):
        for service in ("ftp", "mail"):
            _, said = self.twistd(service, "--help-auth")
            for kind in ("pam", "mysql", "ldap", "userdb"):
                self.assertRegex(
                    said, rf"\n  {kind} +\tA configuration file of mailtwist"
                )
        _, said = self.twistd("ftp", "--help-auth-type", "userdb")
        self.assertIn("configuration of mailtwist", said)

    def test_a_file_that_cannot_be_used_is_told(self):
        for argument, why in [
            ("userdb:/nowhere.toml", "cannot be read"),
            (f"mysql:{self.daemon.config}", "no [[source]] of kind mysql"),
        ]:
            status, said = self.twistd("ftp", "--auth", argument, ok=False)
            self.assertNotEqual(status, 0)
            self.assertIn(why, said)

    def test_FTP_lets_accounts_in_and_nobody_else(self):
        ftp = Ftp(self, "userdb", self.daemon.config, self.daemon.environment())
        assert_judged(self, ftp, self.user())
        ftp.end()


class SourceCheckerTests(SourceTestCase):
    """The checkers that ask servers of their own."""

    sources = ("userdb", "mysql", "ldap")

    def test_FTP_asks_each_kind_of_source(self):
        for kind in self.sources:
            ftp = Ftp(self, kind, self.daemon.config, self.daemon.environment())
            assert_judged(self, ftp, USERS[kind])
            for other in self.sources:
                if other != kind:
                    self.assertIn("< 530 ", ftp.said(USERS[other], PASSWORD))
            ftp.end()


class SystemCheckerTests(SynchronousTestCase):
    def test_FTP_lets_users_of_the_machine_in(self):
        user, service = add_user(self, PASSWORD), add_service(self)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        config = folder / "mailtwist.toml"
        config.write_text(
            '[server]\nhostname = "mx.example.test"\ndata = "data"\n'
            '[[domain]]\nname = "example.test"\n'
            f'[[source]]\nkind = "system"\nservice = "{service}"\n'
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        ftp = Ftp(self, "pam", config, env)
        assert_judged(self, ftp, f"{user.name}@example.test")
        ftp.end()
