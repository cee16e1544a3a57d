"""A smarthost that wants XOAUTH2: a token is fetched over HTTPS and logs in there."""

import atexit
import shutil
import smtplib
import tempfile
from pathlib import Path

from tests.authority import Authority
from tests.integration import ways_in
from tests.integration.daemon import Daemon, DaemonTestCase
from tests.integration.identity_provider import AUDIENCE, Provider
from tests.integration.programs import message
from tests.integration.world import until

FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-token-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
REFRESH = "the one that lasts"


class TokenSmarthostTests(DaemonTestCase):
    """The daemon of the class is the smarthost."""

    provider = Provider(FOLDER)
    atexit.register(provider.stop)
    authority = Authority()
    chain, key = authority.issue_files(FOLDER, "127.0.0.1")
    extra = (
        f'[oidc]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\n'
        f'ca = "{provider.certificate}"\n'
        f'[tls]\ncertificate = "{chain}"\nkey = "{key}"\n'
    )

    def home(self, user, refresh=REFRESH):
        """A host whose way out is the smarthost."""
        folder = Path(self.mktemp())
        folder.mkdir()
        ca, login = folder.absolute() / "ca.pem", folder.absolute() / "login.toml"
        ca.write_bytes(self.authority.pem + self.provider.certificate.read_bytes())
        login.touch(0o600)
        self.write_login(login, user, refresh)
        home = Daemon(
            f'[[smarthost]]\nhost = "127.0.0.1:{self.daemon.port("submission")}"\n'
            f'ca = "{ca}"\ncredentials = "{login}"\n'
            "[queue]\nfirst_retry_s = 0.5\nmost_retry_s = 1\n",
            'trusted_networks = ["127.0.0.0/8"]\n',
            hostname="home.test",
            domains=("home.test",),
        )
        self.addCleanup(home.remove)
        home.start()
        return home, login

    def write_login(self, path, user, refresh):
        path.write_text(
            f'user = "{user}"\nclient_id = "home"\nrefresh_token = "{refresh}"\n'
            f'token_url = "{self.provider.issuer}/token"\n'
        )

    def send(self, home, sender, recipient):
        with smtplib.SMTP("127.0.0.1", home.port("smtp")) as client:
            client.sendmail(sender, [recipient], message(sender=sender))

    def got(self, user):
        return ways_in.messages(self.daemon, user)

    def test_mail_goes_out_with_a_token_that_serves_for_all(self):
        ann, bob = self.user(), self.user()
        self.provider.refresh[REFRESH] = ann
        home, _ = self.home(ann)
        before = self.provider.asked.count("/token")
        for count in (1, 2):
            self.send(home, ann, bob)
            until(lambda n=count: len(self.got(bob)) == n, home.log.read_text)
        self.assertEqual(self.provider.asked.count("/token"), before + 1)
        self.assertIn(b"with ESMTPSA", self.got(bob)[0])
        self.assertIn("XOAUTH2", self.daemon.log.read_text())
        log = home.log.read_text()
        self.assertNotIn("Traceback", log)
        self.assertNotIn(REFRESH, log)

    def test_a_refused_refresh_token_keeps_the_mail_until_there_is_a_good_one(self):
        ann, bob = self.user(), self.user()
        self.provider.refresh["good"] = ann
        home, login = self.home(ann, "withdrawn")
        self.send(home, ann, bob)
        until(
            lambda: (
                "gives no token, mail waits: 400 invalid_grant" in home.log.read_text()
            ),
            home.log.read_text,
        )
        self.assertEqual(self.got(bob), [])
        self.write_login(login, ann, "good")
        until(lambda: len(self.got(bob)) == 1, home.log.read_text)
        log = home.log.read_text()
        self.assertNotIn("Traceback", log)
        self.assertNotIn("withdrawn", log)

    def test_a_token_that_the_smarthost_refuses_is_replaced_once(self):
        ann, bob = self.user(), self.user()
        home, _ = self.home(ann)
        self.provider.refresh[REFRESH] = ann
        self.send(home, ann, bob)
        until(lambda: len(self.got(bob)) == 1, home.log.read_text)
        before = self.provider.asked.count("/token")
        self.daemon.stop()
        self.daemon.start()  # no connection is kept, and the old key is not known
        self.provider.rotate()
        self.send(home, ann, bob)
        until(lambda: len(self.got(bob)) == 2, home.log.read_text)
        self.assertEqual(self.provider.asked.count("/token"), before + 1)
