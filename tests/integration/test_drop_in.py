"""Our accounts in a Twisted service of other people: FTP, started by twistd."""

import ftplib
import signal
import subprocess
import sys

from .daemon import PASSWORD, DaemonTestCase, free_port
from .programs import run
from .world import until

TWISTD = (sys.executable, "-b", "-c", "from twisted.scripts.twistd import run; run()")


def answers(port):
    try:
        ftplib.FTP().connect("127.0.0.1", port, 5)
    except OSError:
        return False
    return True


class CheckerTests(DaemonTestCase):
    def twistd(self, *options, ok=True):
        env = self.daemon.environment()
        return run(*TWISTD, *options, env=env, cwd=self.daemon.folder, ok=ok)

    def test_the_kinds_are_listed(self):
        _, said = self.twistd("ftp", "--help-auth")
        for kind in ("pam", "mysql", "ldap", "userdb"):
            self.assertRegex(said, rf"\n  {kind} +\tA configuration file of mailtwist")
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
        ann, port = self.user(), free_port()
        log = self.daemon.folder / "ftp.log"
        process = subprocess.Popen(
            [
                *(*TWISTD, "-n", "--pidfile=", f"--logfile={log}", "ftp"),
                *(f"--port={port}", f"--root={self.daemon.folder}"),
                *("--auth", f"userdb:{self.daemon.config}"),
            ],
            cwd=self.daemon.folder,
            env=self.daemon.environment(),
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(lambda: answers(port), lambda: log.read_text() if log.exists() else "")
        for password, code in ((PASSWORD, "< 230 "), ("wrong", "< 530 ")):
            _, said = run(
                *("curl", "-v", "-sS", f"ftp://127.0.0.1:{port}/"),
                *("-u", f"{ann}:{password}"),
                ok=False,
            )
            self.assertIn(code, said)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), -signal.SIGTERM)
        self.assertNotIn(PASSWORD, log.read_text())
