"""mutt logs in by token and by ticket, over SMTP, IMAP and POP3."""

import atexit
import shutil
import tempfile
from pathlib import Path

from .daemon import DaemonTestCase
from .identity_provider import AUDIENCE, Provider
from .kerberos_realm import REALM, Realm
from .program_rounds import mutt_round

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
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        settings = {}
        for protocol in ("smtp", "imap", "pop"):
            settings[f"{protocol}_authenticators"] = mechanism
            settings[f"{protocol}_oauth_refresh_command"] = (
                f"echo {self.provider.token(user)}"
            )
        mutt_round(self.daemon, user, mechanism.upper(), home, settings, env)

    def test_by_token(self):
        self.mutt(self.user(), "oauthbearer", {})

    def test_by_ticket(self):
        ann = self.user()
        self.mutt(ann, "gssapi", self.realm.ticket(ann.partition("@")[0]))
