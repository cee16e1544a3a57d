"""Our accounts in a Twisted service of other people: FTP, started by twistd."""

import ftplib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .daemon import PASSWORD, ROOT, DaemonTestCase, free_port
from .programs import run
from .source_world import USERS, SourceTestCase
from .system_users import add_service, add_user
from .world import until

FORMS = {  # of what stands behind each kind
    "pam": "A service",
    "mysql": "SETTINGS.toml",
    "ldap": "An LDAP URL",
    "userdb": "FILE.sqlite",
}
SECRET = "s3cret"
TWISTD = (sys.executable, "-b", "-c", "from twisted.scripts.twistd import run; run()")


def answers(port):
    try:
        ftplib.FTP().connect("127.0.0.1", port, 5)
    except OSError:
        return False
    return True


class Ftp:
    """A `twistd ftp` that asks a checker of this kind, in `folder`."""

    def __init__(self, case, kind, argument, env, folder):
        self._port = free_port()
        self._log = folder / f"ftp-{kind}.log"
        self._process = subprocess.Popen(
            [
                *(*TWISTD, "-n", "--pidfile=", f"--logfile={self._log}", "ftp"),
                *(f"--port={self._port}", f"--root={folder}"),
                *("--auth", f"{kind}:{argument}" if argument else kind),
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
            for kind, form in FORMS.items():
                self.assertRegex(said, rf"\n  {kind} +\t{form}, or a configuration of")

    def test_each_form_is_explained(self):
        for kind, words in [
            ("userdb", ("userdb:FILE.sqlite:", "userdb:FILE, where FILE is a conf")),
            ("pam", ("pam:SERVICE:", "pam:FILE, where")),
            ("mysql", ("mysql:SETTINGS.toml:", "mysql:FILE, where")),
            ("ldap", ("ldap:ldap://HOST[:PORT]/BASE[?", ";settings=FILE", "=%u,ou=")),
        ]:
            _, said = self.twistd("ftp", "--help-auth-type", kind)
            for word in words:
                self.assertIn(word, said)

    def test_a_file_that_cannot_be_used_is_told(self):
        for argument, why in [
            ("userdb:/nowhere.toml", "cannot be read"),
            ("userdb:none.sqlite", "give the FILE.sqlite of a user database, or a"),
            (f"userdb:{self.other_database()}", "is no user database"),
            (f"userdb:{self.daemon.config};domain=a.test", "takes no options"),
            ("userdb:", "give the FILE.sqlite"),
            ("pam:no-such-service", "no-such-service: no PAM service in /etc/pam.d"),
            ("pam:../passwd", "give the name of a PAM service, or nothing, or a"),
            ("mysql:localhost", "give a file with the settings of a mysql source"),
            ("ldap:localhost", "give a URL ldap://HOST[:PORT]/BASE"),
            ("ldap:ldap://localhost", "no base, like /dc=example,dc=org"),
            ("ldap:ldap://h/dc=a???(a=b", "filter is none: invalid filter"),
            ("ldap:ldap://h/dc=a;settings=none.toml", "none.toml: cannot be read"),
            (f"ldap:ldap://h/dc=a;password={SECRET}", "behind a semicolon stands"),
            (f"ldap:ldap://cn=a:{SECRET}@h/dc=a", "holds no login: give ;settings"),
            (f"mysql:{self.daemon.config}", "no [[source]] of kind mysql"),
        ]:
            status, said = self.twistd("ftp", "--auth", argument, ok=False)
            self.assertNotEqual(status, 0)
            self.assertIn(why, said)
            self.assertNotIn(SECRET, said)

    def other_database(self):
        """The path of one that is somebody else's."""
        path = self.daemon.folder / "other.sqlite"
        with closing(sqlite3.connect(path)) as made:
            made.execute("CREATE TABLE IF NOT EXISTS something (text TEXT)")
        return path

    def test_a_database_of_others_is_left_alone(self):
        path = self.other_database()
        before = path.read_bytes()
        self.twistd("ftp", "--auth", f"userdb:{path}", ok=False)
        self.assertEqual(path.read_bytes(), before)

    def test_FTP_lets_accounts_in_and_nobody_else(self):
        ftp = self.ftp(self.daemon.config)
        assert_judged(self, ftp, self.user())
        ftp.end()

    def ftp(self, argument):
        folder, env = self.daemon.folder, self.daemon.environment()
        return Ftp(self, "userdb", argument, env, folder)

    def test_a_user_database_does_without_a_configuration(self):
        (path,) = self.daemon.folder.rglob("userdb.sqlite")
        user, off = self.user(), self.user()
        self.daemon.command("user", "set", off, "--disable")
        ftp = self.ftp(path)
        assert_judged(self, ftp, user)
        bare = user.partition("@")[0]
        for name in (bare, off, "nobody@example.test"):
            self.assertIn("< 530 ", ftp.said(name, PASSWORD), name)
        ftp.end()
        ftp = self.ftp(f"{path};domain=example.test")
        assert_judged(self, ftp, bare)
        ftp.end()


class SourceCheckerTests(SourceTestCase):
    """The checkers that ask servers of their own."""

    sources = ("userdb", "mysql", "ldap")

    def test_FTP_asks_each_kind_of_source(self):
        for kind in self.sources:
            ftp = self.ftp(kind, self.daemon.config)
            assert_judged(self, ftp, USERS[kind])
            for other in self.sources:
                if other != kind:
                    self.assertIn("< 530 ", ftp.said(USERS[other], PASSWORD))
            ftp.end()

    def ftp(self, kind, argument):
        folder, env = self.daemon.folder, self.daemon.environment()
        return Ftp(self, kind, argument, env, folder)

    def settings(self, more=""):
        """What an LDAP URL does not say; the path of the file."""
        reader = self.servers.ldap
        text = f'bind_dn = "cn=reader,dc=test"\npassword = "{reader.password}"\n'
        self.servers.write("login.toml", f"{text}{more}")
        return self.servers.folder / "login.toml"

    def test_LDAP_is_asked_by_a_URL(self):
        slapd, user = self.servers.ldap, USERS["ldap"]
        plain, tls = f"127.0.0.1:{slapd.port}", f"127.0.0.1:{slapd.tls_port}"
        with_ca = self.settings('ca = "ca"\n')
        for url, name, others, why in [
            (f"ldap://{plain}/dc=test", "leo", ("mia", user, "*"), "uid by default"),
            (f"ldap://{plain}/dc=test?mail", user, ("leo",), "another attribute"),
            (f"ldaps://{tls}/dc=test?cn?one?(sn=leo)", "leo", ("reader",), "TLS"),
            (f"ldap://{plain}/dc=test?2.5.4.3", "leo", ("mia",), "cn by its number"),
            (f"ldap://{plain}/dc=test??sub?(sn=mia)", "", ("leo",), "a filter"),
            (f"ldap://{plain}/dc=test??base", "", ("leo",), "a scope"),
            (f"ldap://{plain}/uid=%25u,dc=test", "leo", ("mia",), "a name"),
        ]:
            ftp = self.ftp("ldap", f"{url};settings={with_ca}")
            if name:
                assert_judged(self, ftp, name)
            for other in others:
                self.assertIn("< 530 ", ftp.said(other, PASSWORD), why)
            ftp.end()

    def test_a_name_in_LDAP_needs_no_search_and_no_settings(self):
        url = f"ldap://127.0.0.1:{self.servers.ldap.port}/uid=%u,dc=test"
        ftp = self.ftp("ldap", url)
        assert_judged(self, ftp, "leo")
        self.assertIn("< 530 ", ftp.said("leo@other.test", PASSWORD))
        ftp.end()
        ftp = self.ftp("ldap", f"{url};domain=example.test")
        assert_judged(self, ftp, "leo")
        assert_judged(self, ftp, "leo@example.test")
        self.assertIn("< 530 ", ftp.said("leo@other.test", PASSWORD))
        ftp.end()

    def test_a_login_in_LDAP_that_is_wrong_lets_nobody_in(self):
        url = f"ldap://127.0.0.1:{self.servers.ldap.port}/dc=test"
        ftp = self.ftp("ldap", url)  # anonymous, who may search nothing
        self.assertNotIn("< 230 ", ftp.said("leo", PASSWORD))
        ftp.end()

    def test_the_settings_of_a_source_do_without_a_configuration(self):
        for kind in ("mysql", "ldap"):
            ftp = self.ftp(kind, self.servers.folder / f"{kind}.toml")
            assert_judged(self, ftp, USERS[kind])
            ftp.end()

    def test_nobody_chooses_the_domain_of_an_account(self):
        server = self.servers.mysql
        self.servers.write(
            "local.toml",
            f'port = {server.port}\nuser = "mail"\ndatabase = "mail"\n'
            f'password = "{server.password}"\n'
            "account = \"SELECT 'mia' AS name, hash AS password FROM users "
            "WHERE name = '%u@example.test'\"\n",
        )
        path = self.servers.folder / "local.toml"
        for argument, name in [(path, ""), (f"{path};domain=example.test", "mia")]:
            ftp = self.ftp("mysql", argument)
            if name:
                assert_judged(self, ftp, name)
                assert_judged(self, ftp, USERS["mysql"])
            else:
                self.assertIn("< 530 ", ftp.said("mia", PASSWORD))
            self.assertIn("< 530 ", ftp.said("mia@other.test", PASSWORD))
            ftp.end()


class SystemCheckerTests(SynchronousTestCase):
    def folder(self):
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder

    def ftp(self, argument, folder):
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return Ftp(self, "pam", argument, env, folder)

    def test_a_PAM_service_does_without_a_configuration(self):
        user, service = add_user(self, PASSWORD), add_service(self)
        ftp = self.ftp(service, self.folder())
        assert_judged(self, ftp, user.name)
        for name in ("root", f"{user.name}@example.test"):
            self.assertIn("< 530 ", ftp.said(name, PASSWORD))
        ftp.end()

    def test_FTP_lets_users_of_the_machine_in(self):
        user, service = add_user(self, PASSWORD), add_service(self)
        folder = self.folder()
        config = folder / "mailtwist.toml"
        config.write_text(
            '[server]\nhostname = "mx.example.test"\ndata = "data"\n'
            '[[domain]]\nname = "example.test"\n'
            f'[[source]]\nkind = "system"\nservice = "{service}"\n'
        )
        ftp = self.ftp(config, folder)
        assert_judged(self, ftp, f"{user.name}@example.test")
        ftp.end()
