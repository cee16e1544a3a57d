"""A host behind a smarthost: Postfix that wants TLS and a login."""

import os
import smtplib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.daemon import PASSWORD, Daemon
from tests.integration.next_hops import ANN, BOB, PostfixSmarthost, Watch, peer
from tests.integration.programs import message
from tests.integration.world import until


class SmarthostTests(SynchronousTestCase):
    timeout = 120

    def daemon(self, password=PASSWORD, mode=0o600):
        """A daemon for home.test whose way out is the smarthost."""
        self.postfix = peer(PostfixSmarthost)
        folder = Path(self.mktemp())
        folder.mkdir()
        ca, login = folder.absolute() / "ca.pem", folder.absolute() / "login.toml"
        ca.write_bytes(self.postfix.authority.pem)
        login.write_text(f'user = "{ANN}"\npassword = "{password}"\n')
        os.chmod(login, mode)
        made = Daemon(
            f'[[smarthost]]\nhost = "[127.0.0.1]:{self.postfix.port}"\n'
            f'ca = "{ca}"\ncredentials = "{login}"\n',
            'trusted_networks = ["127.0.0.0/8"]\n',
            hostname="home.test",
            domains=("home.test",),
        )
        self.addCleanup(made.remove)
        return made

    def send(self, daemon, octets):
        with smtplib.SMTP("127.0.0.1", daemon.port("smtp")) as client:
            client.sendmail("carol@home.test", [BOB], octets)

    def test_mail_for_elsewhere_goes_through_it(self):
        daemon = self.daemon()
        daemon.start()
        watch = Watch(self.postfix.folder / "mail")
        self.send(daemon, message(subject="Out", sender="carol@home.test"))
        (got,) = until(watch.fresh, "mail at the smarthost")
        self.assertIn(b"\r\nSubject: Out\r\n", got)
        self.assertIn(b"with ESMTPSA", got)
        log = daemon.log.read_text()
        self.assertNotIn(PASSWORD, log)
        self.assertNotIn("Traceback", log)

    def test_a_refused_login_keeps_the_mail_and_is_told_loudly(self):
        daemon = self.daemon("never the password")
        daemon.start()
        watch = Watch(self.postfix.folder / "mail")
        self.send(daemon, message(sender="carol@home.test"))
        told = until(
            lambda: "mail waits" in daemon.log.read_text() and daemon.log.read_text(),
            "a line in the log",
        )
        self.assertIn(f"does not let {ANN} in, mail waits: ", told)
        self.assertNotIn("never the password", told)
        self.assertEqual(watch.fresh(), [])

    def test_credentials_that_others_may_read_are_a_fault_before_the_start(self):
        daemon = self.daemon(mode=0o644)
        with self.assertRaises(AssertionError) as told:
            daemon.command("check")
        self.assertIn("chmod 600", str(told.exception))
        with self.assertRaises(AssertionError) as told:
            daemon.start()
        self.assertIn("chmod 600", str(told.exception))
