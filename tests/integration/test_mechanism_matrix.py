"""curl, mutt and swaks are told each mechanism that they know, over SMTP, POP3 and
IMAP; the server's log says that it was this one which let them in, or kept them out.

NTLM is in none of the tables, though Microsoft documents it: it is a challenge-response
on MD4 hashes of the password, which no source here keeps, and is deprecated.
"""

import atexit
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .certificates import Authority
from .daemon import PASSWORD, DaemonTestCase
from .identity_provider import AUDIENCE, Provider
from .kerberos_realm import REALM, Realm
from .program_rounds import CURL, curl_round, mutt_round, mutt_urls, muttrc, swaks_round
from .programs import run
from .screen import Terminal
from .world import until

FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-matrix-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
PROTOCOLS = ["imap4", "pop3", "submission"]  # as the log calls them
BY_PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5")
BY_SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256")
BY_TOKEN = ("OAUTHBEARER", "XOAUTH2")

# libcurl has SCRAM from GNU SASL only.
CURL_VERSION = subprocess.run(["curl", "--version"], capture_output=True, text=True)
CURL_KNOWS = (*BY_PASSWORD, *(BY_SCRAM if "gsasl" in CURL_VERSION.stdout else ()))
LIBCURL = """
import ctypes, sys
curl = ctypes.CDLL("libcurl.so.4")
curl.curl_easy_init.restype = ctypes.c_void_p
handle = ctypes.c_void_p(curl.curl_easy_init())
url, user, token = (word.encode() for word in sys.argv[1:])
for option, value in (
    (10002, url),
    (10173, user),
    (10220, token),  # CURLOPT_XOAUTH2_BEARER
    (10224, b"AUTH=XOAUTH2"),  # CURLOPT_LOGIN_OPTIONS
    (119, ctypes.c_long(3)),  # CURLOPT_USE_SSL
    (64, ctypes.c_long(0)),  # CURLOPT_SSL_VERIFYPEER
    (81, ctypes.c_long(0)),
):
    curl.curl_easy_setopt(handle, option, value)
sys.exit(curl.curl_easy_perform(handle))
"""
# GNU SASL, as Debian builds it, has no DIGEST-MD5.
MUTT = ("PLAIN", "LOGIN", "CRAM-MD5", *BY_SCRAM)
SWAKS = BY_PASSWORD


class MatrixTestCase(DaemonTestCase):
    provider = Provider(FOLDER)
    atexit.register(provider.stop)
    realm = Realm()
    atexit.register(realm.remove)
    ca = Authority(FOLDER)
    extra = (
        f'[oidc]\nissuer = "{provider.issuer}"\naudience = ["{AUDIENCE}"]\n'
        f'ca = "{provider.certificate}"\n'
        f'[gssapi]\nkeytab = "{realm.keytab}"\nrealms = ["{REALM}"]\n'
        f'[tls]\nclient_ca = "{ca.path}"\n'
        "[auth]\ncertificate_names = ['email']\ndigest_md5 = true\nscram_sha1 = true\n"
        "failure_delay_s = 0\nfailures_per_network = 10000\n"
    )

    def ways(self, user, mechanism):
        """The protocols over which the user came in by this mechanism, sorted."""
        said = rf" (\w+) \w+ login {re.escape(user)} by {mechanism}$"
        return self.logged(said)

    def refused(self, user, mechanism):
        """And those over which somebody who said to be the user did not."""
        said = rf" (\w+) \w+ login failed '{re.escape(user)}' by {mechanism} from "
        return self.logged(said)

    def logged(self, pattern):
        log = self.daemon.log.read_text()
        return sorted(re.findall(pattern, log, re.MULTILINE))

    def ticket(self, user):
        return self.realm.ticket(user.partition("@")[0])


class CurlTests(MatrixTestCase):
    def comes_in(self, user, mechanism, *options, env=None):
        forced = ("--login-options", f"AUTH={mechanism}", "-u")
        curl_round(self.daemon, user, *forced, *options, env=env)
        self.assertEqual(self.ways(user, mechanism), PROTOCOLS)

    def urls(self):
        return [
            f"{protocol}://localhost:{self.daemon.port(name)}/"
            for protocol, name in (
                ("smtp", "submission"),
                ("pop3", "pop3"),
                ("imap", "imap"),
            )
        ]

    def kept_out(self, user, mechanism, *options):
        """The user who came in before, over each protocol."""
        for url in self.urls():
            status, said = run(
                *(*CURL, url, "--login-options", f"AUTH={mechanism}", "-u", *options),
                ok=False,
            )
            self.assertIn(status, (56, 67), said)  # refused, or denied
        self.assertEqual(self.refused(user, mechanism), PROTOCOLS)
        self.assertEqual(self.ways(user, mechanism), PROTOCOLS)

    def test_by_password(self):
        for mechanism in CURL_KNOWS:
            user = self.user("--keep-secret")
            self.comes_in(user, mechanism, f"{user}:{PASSWORD}")
            self.kept_out(user, mechanism, f"{user}:wrong")

    def test_by_token(self):
        user = self.user()
        token = ("--oauth2-bearer", self.provider.token(user))
        self.comes_in(user, "OAUTHBEARER", user, *token)
        self.kept_out(user, "OAUTHBEARER", user, "--oauth2-bearer", "x.y.z")

    def test_by_the_other_kind_of_token(self):
        """The program takes the first kind if both are offered, its library as told."""
        user = self.user()
        for token, status in ((self.provider.token(user), 0), ("x.y.z", 67)):
            for url in self.urls():
                words = (url, user, token)
                told, said = run(sys.executable, "-c", LIBCURL, *words, ok=False)
                self.assertEqual(told, status, said)
        self.assertEqual(self.ways(user, "XOAUTH2"), PROTOCOLS)
        self.assertEqual(self.refused(user, "XOAUTH2"), PROTOCOLS)

    def test_by_certificate(self):
        user, other = self.user(), self.user()
        pem = ("--cert", self.ca.user("ann", user))
        self.comes_in(user, "EXTERNAL", f"{user}:", *pem)
        self.comes_in(
            other, "EXTERNAL", f"{other}:", "--cert", self.ca.user("b", other)
        )
        self.kept_out(other, "EXTERNAL", f"{other}:", *pem)

    def test_by_ticket(self):
        user = self.user()
        self.comes_in(user, "GSSAPI", f"{user}:x", env=self.ticket(user))

    def test_without_sasl(self):
        """APOP over POP3, which CAPA and the greeting offer."""
        user = self.user("--keep-secret")
        url = f"pop3://localhost:{self.daemon.port('pop3')}"
        for password, status in ((PASSWORD, 0), ("wrong", 67)):
            login = ("--login-options", "AUTH=+APOP", "-u", f"{user}:{password}")
            told, said = run(*CURL, url, *login, ok=False)
            self.assertEqual(told, status, said)
        self.assertEqual(self.ways(user, "APOP"), ["pop3"])
        self.assertEqual(self.refused(user, "APOP"), ["pop3"])


class MuttTests(MatrixTestCase):
    def settings(self, mechanism, **more):
        settings = {f"{p}_authenticators": mechanism for p in ("smtp", "imap", "pop")}
        for name, value in more.items():
            settings |= {f"{p}_{name}": value for p in ("smtp", "imap", "pop")}
        return settings

    def home(self):
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        return home

    def comes_in(self, user, mechanism, settings, env=None):
        home = self.home()
        name = mechanism.upper()
        mutt_round(self.daemon, user, name, home, settings, env)
        self.assertEqual(self.ways(user, name), PROTOCOLS)

    def kept_out(self, user, mechanism, settings):
        home = self.home()
        words = ("mutt", "-n", "-F", muttrc(self.daemon, user, home, settings))
        env = {"HOME": str(home)}
        status, said = run(*words, "-s", "x", user, said="x\n", env=env, ok=False)
        self.assertNotEqual(status, 0, said)
        for protocol, url in mutt_urls(self.daemon).items():
            with Terminal(*words, "-f", url, env=env, cwd=home):
                until(lambda p=protocol: p in self.refused(user, mechanism))
        self.assertEqual(sorted(set(self.refused(user, mechanism))), PROTOCOLS)
        self.assertEqual(self.ways(user, mechanism), PROTOCOLS)

    def test_by_password(self):
        for mechanism in MUTT:
            user = self.user("--keep-secret")
            given = self.settings(mechanism.lower(), **{"pass": PASSWORD})
            self.comes_in(user, mechanism, given)
            given = self.settings(mechanism.lower(), **{"pass": "wrong"})
            self.kept_out(user, mechanism, given)

    def test_by_token(self):
        for mechanism in BY_TOKEN:
            user = self.user()
            command = f"echo {self.provider.token(user)}"
            given = self.settings(mechanism.lower(), oauth_refresh_command=command)
            self.comes_in(user, mechanism, given)
            wrong = self.settings(mechanism.lower(), oauth_refresh_command="echo x.y.z")
            self.kept_out(user, mechanism, wrong)

    def test_by_ticket(self):
        user = self.user()
        self.comes_in(user, "GSSAPI", self.settings("gssapi"), self.ticket(user))

    def test_by_certificate(self):
        user = self.user()
        given = self.settings("external", **{"pass": "x"})
        given["ssl_client_cert"] = str(self.ca.user("mutt", user))
        self.comes_in(user, "EXTERNAL", given)


class SwaksTests(MatrixTestCase):
    def test_it_knows_no_others(self):
        _, said = run("swaks", "--support", ok=False)
        known = set(re.findall(r"AUTH (\S+) (?:supported|not available)", said))
        # These two need no module; the server of the last but one is not published.
        self.assertEqual(known | {"PLAIN", "LOGIN"}, {*SWAKS, "CRAM-SHA1", "NTLM"})

    def test_by_password(self):
        for mechanism in SWAKS:
            user = self.user("--keep-secret")
            login = ("-a", mechanism, "-au", user, "-ap")
            swaks_round(self.daemon, user, *login, PASSWORD)
            self.assertEqual(self.ways(user, mechanism), ["submission"])
            with self.assertRaisesRegex(AssertionError, "535 5.7.8"):
                swaks_round(self.daemon, user, *login, "wrong")
            self.assertEqual(self.refused(user, mechanism), ["submission"])

    def test_what_the_server_does_not_offer_is_not_tried(self):
        user = self.user("--keep-secret")
        with self.assertRaisesRegex(AssertionError, "requested type not available"):
            swaks_round(
                self.daemon, user, "-a", "CRAM-SHA1", "-au", user, "-ap", PASSWORD
            )
