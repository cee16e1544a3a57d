"""mutt logs in by token and by ticket, over SMTP, IMAP and POP3."""

import atexit
import shutil
import tempfile
from pathlib import Path

from .daemon import DaemonTestCase
from .identity_provider import AUDIENCE, Provider
from .kerberos_realm import REALM, Realm
from .programs import run
from .screen import Terminal
from .world import until

FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-mutt-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


class MuttMechanismTests(DaemonTestCase):
    provider = Provider(FOLDER)
    atexit.register(provider.stop)
    realm = Realm()
    atexit.register(realm.remove)
    extra = (
        f'[oidc]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\n'
        f'ca = "{provider.certificate}"\n'
        f'[gssapi]\nkeytab = "{realm.keytab}"\nrealms = ["{REALM}"]\n'
    )

    def mutt(self, user, mechanism, env):
        """mutt that sends itself a message, and reads it over IMAP and POP3."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        port = self.daemon.port
        token = f"echo {self.provider.token(user)}"
        settings = {
            "smtp_url": f"smtp://{user}@localhost:{port('submission')}/",
            "imap_user": user,
            "pop_user": user,
            "certificate_file": f"{self.daemon.folder}/data/tls/self-signed.crt",
            "ssl_starttls": "yes",
            "ssl_force_tls": "yes",
            "from": user,
            "hostname": "example.test",
            "copy": "no",
            "quit": "yes",
            "folder": str(home),
            "tmpdir": str(home),
        }
        for protocol in ("smtp", "imap", "pop"):
            settings[f"{protocol}_authenticators"] = mechanism
            settings[f"{protocol}_oauth_refresh_command"] = token
        rc = home / "muttrc"
        rc.write_text("".join(f'set {k}="{v}"\n' for k, v in settings.items()))
        words, env = ("mutt", "-n", "-F", rc), {"HOME": str(home), **env}
        run(*words, "-s", "By mutt", user, said="Hello.\n", env=env)
        self.logged_in(user, mechanism, 1)
        for number, url in enumerate(
            (
                f"imap://localhost:{port('imap')}/INBOX",
                f"pop://localhost:{port('pop3')}",
            ),
            2,
        ):
            with Terminal(*words, "-f", url, env=env, cwd=home) as terminal:
                terminal.wait_for("By mutt")
                terminal.keys("q")
                terminal.wait_for_end()
            self.logged_in(user, mechanism, number)

    def logged_in(self, user, mechanism, times):
        said = f"{user} by {mechanism.upper()}"
        log = self.daemon.log
        until(lambda: log.read_text().count(said) >= times, log.read_text)

    def test_by_token(self):
        self.mutt(self.user(), "oauthbearer", {})

    def test_by_ticket(self):
        ann = self.user()
        self.mutt(ann, "gssapi", self.realm.ticket(ann.partition("@")[0]))
