"""Settings of databases and directories change while the server runs."""

import secrets

from twisted.trial.unittest import SynchronousTestCase

from tests.authority import Authority
from tests.integration import system_users

from .daemon import PASSWORD, Daemon
from .source_world import (
    ASKED_ALWAYS,
    AUTH,
    AUTHORITY,
    LATER,
    OK,
    USERS,
    imap,
    servers,
)
from .world import until

ACCOUNT = "SELECT name, hash AS password FROM users WHERE name = '%s'"


class ChangedSettingsTests(SynchronousTestCase):
    timeout = 240

    def setUp(self):
        self.servers = servers()
        self.login = f"mail{secrets.token_hex(4)}"
        self.sql(
            f"CREATE USER {self.login}@'%' IDENTIFIED BY 'first';"
            f"GRANT SELECT ON mail.* TO {self.login}@'%';"
        )
        self.addCleanup(self.sql, f"DROP USER {self.login}@'%';")

    def sql(self, text):
        self.servers.mysql.sql(text)

    def started(self, extra=""):
        """A daemon with both sources; what is in its files is its alone."""
        sources = "".join(
            f'[[source]]\nkind = "{kind}"\nsettings = "{kind}.toml"\n{ASKED_ALWAYS}'
            for kind in ("mysql", "ldap")
        )
        self.daemon = Daemon(AUTH + sources + extra)
        self.addCleanup(self.daemon.remove)
        self.daemon.folder.chmod(0o711)
        self.write("ca", AUTHORITY.pem.decode())
        self.mysql("first")
        self.ldap(self.servers.ldap.password)
        self.daemon.start()
        for kind in ("mysql", "ldap"):
            self.becomes(kind, OK)

    def write(self, name, text):
        """As an editor does, for the owner alone."""
        draft = self.daemon.folder / f"{name}.new"
        draft.touch(0o600)
        draft.write_text(text)
        draft.rename(self.daemon.folder / name)

    def mysql(self, password):
        self.write(
            "mysql.toml",
            f'port = {self.servers.mysql.port}\nuser = "{self.login}"\n'
            f'database = "mail"\nca = "ca"\npassword = "{password}"\n'
            f'account = "{ACCOUNT}"\n',
        )

    def ldap(self, password):
        self.write(
            "ldap.toml",
            f'servers = ["ldap://127.0.0.1:{self.servers.ldap.port}"]\nca = "ca"\n'
            f'starttls = true\nbase = "dc=test"\nbind_dn = "cn=reader,dc=test"\n'
            f'password = "{password}"\naccount = "(mail=%s)"\n',
        )

    def becomes(self, kind, word):
        """A login with the right password is answered so, soon."""
        until(
            lambda: imap(self.daemon, USERS[kind], PASSWORD) == word,
            self.daemon.log.read_text,
        )

    def check(self):
        """A password of the database's login, CAs, a password of the directory's."""
        for password in ("second", "third"):
            self.sql(
                f"ALTER USER {self.login}@'%' IDENTIFIED BY '{password}';"
                f"KILL USER {self.login};"  # else it stays connected
            )
            self.becomes("mysql", LATER)
            self.mysql(password)
            log = self.read_again("mysql.toml")
            self.assertNotIn(password, log)
            self.becomes("mysql", OK)
        self.ldap("wrong")
        self.becomes("ldap", LATER)
        self.ldap(self.servers.ldap.password)
        self.becomes("ldap", OK)
        self.write("ca", Authority().pem.decode())
        for kind in ("mysql", "ldap"):
            self.becomes(kind, LATER)
        self.write("ca", AUTHORITY.pem.decode())
        for kind in ("mysql", "ldap"):
            self.becomes(kind, OK)
        self.write("mysql.toml", "password = 'third'\n")
        self.told("user is missing")
        self.becomes("mysql", OK)
        self.assertNotIn("Traceback", self.daemon.log.read_text())

    def told(self, what):
        """The file is looked at when somebody logs in."""

        def seen():
            imap(self.daemon, USERS["mysql"], PASSWORD)
            return what in self.daemon.log.read_text()

        until(seen, self.daemon.log.read_text)

    def read_again(self, name):
        before = self.daemon.log.read_text().count(f"{name} was read again")

        def seen():
            imap(self.daemon, USERS["mysql"], PASSWORD)
            now = self.daemon.log.read_text()
            return now.count(f"{name} was read again") > before

        until(seen, self.daemon.log.read_text)
        return self.daemon.log.read_text()

    def test_they_are_read_again(self):
        self.started()
        self.check()

    def test_they_are_read_again_by_a_server_that_has_given_up_root(self):
        user = system_users.add_user(self, password="")
        self.started(f'[process]\nuser = "{user.name}"\n')
        self.assertEqual((self.daemon.folder / "mysql.toml").stat().st_uid, 0)
        self.check()
