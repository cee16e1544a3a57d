"""Limits that a MariaDB, a slapd, a Dovecot file and the user database tell: at RCPT,
at the end of data, and to clients."""

import atexit
import smtplib
import tempfile
from pathlib import Path

from tests.authority import Authority, pem_key, pem_of

from . import ways_in
from .daemon import DOMAIN, PASSWORD, DaemonTestCase
from .lookup_servers import MariaDb, Slapd
from .source_world import ASKED_ALWAYS, AUTH

AUTHORITY = Authority()
LETTER = b"Subject: hello\r\n\r\n" + b"x" * 998 + b"\r\n"
TABLE = """USE mail;
CREATE TABLE users (name VARCHAR(200) PRIMARY KEY, hash TEXT, quota TEXT,
  messages INT, below TEXT);
INSERT INTO users VALUES
  ('mia@example.test', '{PLAIN}%(password)s', '4 KiB', 9, NULL),
  ('mo@example.test', '{PLAIN}%(password)s', '100000S,2C', NULL, 'Lists: 1 message'),
  ('max@example.test', '{PLAIN}%(password)s', NULL, 3, NULL),
  ('mik@example.test', '{PLAIN}%(password)s', NULL, 3, NULL),
  ('may@example.test', '{PLAIN}%(password)s', '0', NULL, NULL),
  ('def@example.test', '{PLAIN}%(password)s', NULL, NULL, NULL);
"""
PERSON = """
dn: uid=%(uid)s,dc=test
objectClass: inetOrgPerson
uid: %(uid)s
cn: %(uid)s
sn: %(uid)s
mail: %(uid)s@example.test
userPassword: %(password)s
%(limits)s
"""
PEOPLE = {
    "leo": "employeeNumber: 4 KiB\nroomNumber: 9",
    "lea": "employeeNumber: 100000S,2C\ndescription: Lists: 1 message",
    "lou": "roomNumber: 3",
    "lin": "employeeNumber: 0",
}
DEFAULTS = '[quota]\nmessages = 1\nmailbox_limits = ["Archive: 5 messages"]\n'
MESSAGES = {  # how many fit, of 1 KB each
    **{"mia": 3, "mo": 2, "max": 3, "may": 5, "def": 1},
    **{"leo": 3, "lea": 2, "lou": 3, "lin": 5},
    **{"dora": 2, "ute": 2},
}


class Sources:
    """The servers and files, and the sources of a daemon."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        certificate, key = AUTHORITY.issue("127.0.0.1")
        pems = pem_of(certificate) + AUTHORITY.pem, pem_key(key), AUTHORITY.pem
        self.write("ca", AUTHORITY.pem.decode())
        self.mysql = MariaDb(*pems)
        atexit.register(self.mysql.remove)
        self.mysql.sql(TABLE % {"password": PASSWORD})
        people = "".join(
            PERSON % {"uid": uid, "password": PASSWORD, "limits": limits}
            for uid, limits in PEOPLE.items()
        )
        self.ldap = Slapd(*pems, people)
        atexit.register(self.ldap.remove)
        self.write(
            "users",
            f"dora@{DOMAIN}:{{PLAIN}}{PASSWORD}::::::userdb_quota_rule=*:messages=2\n",
        )
        self.write(
            "mysql.toml",
            f'port = {self.mysql.port}\nuser = "mail"\ndatabase = "mail"\nca = "ca"\n'
            f'password = "{self.mysql.password}"\n'
            'account = "SELECT name, hash AS password, quota, messages, '
            "below AS mailbox_limits FROM users WHERE name = '%s'\"\n",
        )
        self.write(
            "ldap.toml",
            f'servers = ["ldap://127.0.0.1:{self.ldap.port}"]\nstarttls = true\n'
            'ca = "ca"\nbase = "dc=test"\nbind_dn = "cn=reader,dc=test"\n'
            f'password = "{self.ldap.password}"\naccount = "(mail=%s)"\n'
            'fields = ["name=mail", "quota=employeeNumber", "messages=roomNumber", '
            '"mailbox_limits=description"]\n',
        )

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    @property
    def options(self):
        kinds = (
            f'kind = "mysql"\nsettings = "{self.folder}/mysql.toml"\n',
            f'kind = "ldap"\nsettings = "{self.folder}/ldap.toml"\n',
            f'kind = "passwd_file"\npath = "{self.folder}/users"\n',
        )
        asked = "".join(f"[[source]]\n{kind}{ASKED_ALWAYS}" for kind in kinds)
        return AUTH + DEFAULTS + asked + '[[source]]\nkind = "userdb"\n'


class QuotaSourcesTests(DaemonTestCase):
    made = None

    def setUp(self):
        if QuotaSourcesTests.made is None:
            QuotaSourcesTests.made = Sources()
        self.sources = self.made
        self.extra = self.sources.options
        fresh = type(self) not in self._daemons
        super().setUp()
        if fresh:
            self.daemon.add_user("ute", "--message-limit=2")

    def sent(self, name, most):
        """How many of so many messages came, and the last answer to RCPT."""
        port = self.daemon.port("smtp")
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            for count in range(most):
                client.ehlo()
                client.mail("bob@client.test", [f"size={len(LETTER)}"])
                code, text = client.rcpt(name)
                if code != 250:
                    client.rset()
                    return count, (code, text.split()[0])
                self.assertEqual(client.data(LETTER)[0], 250)
        return most, (250, b"")

    def client(self, name):
        client, other = ways_in.imap(self.daemon, name)
        other.logout()
        self.addCleanup(client.logout)
        return client

    def test_as_many_messages_come_as_the_source_says(self):
        for user, wanted in MESSAGES.items():
            name = f"{user}@{DOMAIN}"
            answer = (250, b"") if wanted == 5 else (452, b"4.2.2")
            self.assertEqual(self.sent(name, 5), (wanted, answer), user)
            status, (roots, quotas) = self.client(name).getquotaroot("INBOX")
            told = b"MESSAGE %d %d" % (wanted, wanted)
            if user in ("mia", "leo"):
                told = b"STORAGE 4 4"
            if wanted == 5:
                self.assertEqual(quotas, [None], user)
            else:
                self.assertIn(told, quotas[0], user)

    def test_limits_of_mailboxes_come_from_the_source_too(self):
        for user in ("mo", "lea"):
            client = self.client(f"{user}@{DOMAIN}")
            client.create("Lists")
            _, (roots, quotas) = client.getquotaroot("Lists")
            self.assertEqual(roots, [b'Lists Lists "User quota"'])
            self.assertEqual(quotas[0], b"Lists (MESSAGE 0 1)")
            client.create("Archive")
            _, (_, quotas) = client.getquotaroot("Archive")
            self.assertEqual(quotas[0], b"Archive (MESSAGE 0 5)", "by default")

    def test_a_limit_that_is_changed_in_the_database_counts_at_once(self):
        name = f"mik@{DOMAIN}"
        self.sent(name, 5)
        self.mysql("UPDATE users SET messages = 4 WHERE name = 'mik@example.test';")
        self.assertEqual(self.sent(name, 3), (1, (452, b"4.2.2")))
        self.mysql("UPDATE users SET messages = 3 WHERE name = 'mik@example.test';")
        client = self.client(name)
        client.select("INBOX")
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
        self.assertEqual(self.sent(name, 5), (3, (452, b"4.2.2")))

    def mysql(self, text):
        self.sources.mysql.sql(f"USE mail; {text}")
