"""A daemon whose accounts are in servers and files of a test's own, and the ways to log
in there, each answered by one word: ok, later, wrong."""

from __future__ import annotations

import atexit
import imaplib
import poplib
import smtplib
import tempfile
from pathlib import Path

from tests.authority import Authority, pem_key, pem_of

from .daemon import PASSWORD, Daemon, DaemonTestCase
from .lookup_servers import MariaDb, Slapd
from .slow_proxy import SlowProxy
from .ways_in import HOST, OPEN

AUTHORITY = Authority()
USERS = {  # source: its account
    "mysql": "mia@example.test",
    "ldap": "leo@example.test",
    "dovecot": "dora@example.test",
    "courier": "cora@example.test",
    "userdb": "ute@example.test",
}
OK, LATER, WRONG = "ok", "later", "wrong"
AUTH = (
    "[auth]\nfailure_delay_s = 0\nfailures_per_network = 100000\n"
    "argon2_memory_kib = 8192\nargon2_passes = 1\nplaintext_without_tls = true\n"
    "[limits]\nconnections_per_network = 2000\n"
)
ASKED_ALWAYS = "cache_s = 0\nunknown_cache_s = 0\nrest_s = 0.2\ntimeout_s = 2\n"


class Servers:
    """MariaDB and slapd with an account each, and the files; settings for sources."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        certificate, key = AUTHORITY.issue("127.0.0.1")
        pems = pem_of(certificate) + AUTHORITY.pem, pem_key(key), AUTHORITY.pem
        self.write("ca", AUTHORITY.pem.decode())
        self.mysql = MariaDb(*pems)
        atexit.register(self.mysql.remove)
        self.mysql.sql(
            "CREATE TABLE mail.users (name VARCHAR(200) PRIMARY KEY, hash TEXT);"
            f"INSERT INTO mail.users VALUES ('{USERS['mysql']}', "
            f"'{{PLAIN}}{PASSWORD}');"
        )
        self.ldap = Slapd(
            *pems,
            "\ndn: uid=leo,dc=test\nobjectClass: inetOrgPerson\nuid: leo\ncn: leo\n"
            f"sn: leo\nmail: {USERS['ldap']}\nuserPassword: {PASSWORD}\n",
        )
        atexit.register(self.ldap.remove)
        self.write("users", f"{USERS['dovecot']}:{{PLAIN}}{PASSWORD}::::::\n")
        self.write("userdb", f"{USERS['courier']}\tsystempw={{PLAIN}}{PASSWORD}\n")
        self.mysql_proxy = SlowProxy(self.mysql.port)
        self.write(
            "mysql.toml",
            f'port = {self.mysql_proxy.port}\nuser = "mail"\ndatabase = "mail"\n'
            'ca = "ca"\n'
            f'password = "{self.mysql.password}"\ntimeout_s = 1\n'
            'account = "SELECT name, hash AS password FROM users '
            "WHERE name = '%s'\"\n",
        )
        self.ldap_proxy = SlowProxy(self.ldap.port)
        self.write(
            "ldap.toml",
            f'servers = ["ldap://127.0.0.1:{self.ldap_proxy.port}"]\nstarttls = true\n'
            f'ca = "ca"\nbase = "dc=test"\nbind_dn = "cn=reader,dc=test"\n'
            f'password = "{self.ldap.password}"\n'
            f'account = "(mail=%s)"\ntimeout_s = 1\n',
        )

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def source(self, name: str, files: Path | None = None) -> str:
        """The `[[source]]` of this name; its accounts' file lies in `files`."""
        files = files or self.folder
        said = {
            "mysql": f'kind = "mysql"\nsettings = "{self.folder}/mysql.toml"\n',
            "ldap": f'kind = "ldap"\nsettings = "{self.folder}/ldap.toml"\n',
            "dovecot": f'kind = "passwd_file"\npath = "{files}/users"\n',
            "courier": f'kind = "passwd_file"\npath = "{files}/userdb"\n'
            'format = "courier"\n',
            "userdb": 'kind = "userdb"\n',
        }[name]
        asked = "cache_s = 0\n" if name == "userdb" else ASKED_ALWAYS
        return f'[[source]]\nname = "{name}"\n{said}{asked}'


_servers: list[Servers] = []


def servers() -> Servers:
    """The same for all tests of a run."""
    if not _servers:
        _servers.append(Servers())
    return _servers[0]


class SourceTestCase(DaemonTestCase):
    """A daemon with these sources, in this order."""

    sources: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.servers = servers()
        self.extra = AUTH + "".join(map(self.servers.source, self.sources))
        fresh = type(self) not in self._daemons
        super().setUp()
        if fresh:
            self.daemon.add_user(USERS["userdb"])

    def tearDown(self) -> None:
        super().tearDown()
        log = self.daemon.log.read_text()
        for secret in (
            PASSWORD,
            self.servers.mysql.password,
            self.servers.ldap.password,
        ):
            self.assertNotIn(secret, log)


def smtp(daemon: Daemon, user: str, password: str) -> str:
    with smtplib.SMTP_SSL(HOST, daemon.port("submissions"), context=OPEN) as client:
        try:
            client.login(user, password)
        except smtplib.SMTPAuthenticationError as fault:
            said = f"{fault.smtp_code} {fault.smtp_error.decode()}"
            return word_of(said, "454 4.7.0", "535 5.7.8")
    return OK


def pop3(daemon: Daemon, user: str, password: str) -> str:
    client = poplib.POP3_SSL(HOST, daemon.port("pop3s"), context=OPEN)
    try:
        client.user(user)
        client.pass_(password)
        client.quit()
    except poplib.error_proto as fault:
        return word_of(fault.args[0].decode(), "-ERR [SYS/TEMP]", "-ERR [AUTH]")
    finally:
        client.close()
    return OK


def imap(daemon: Daemon, user: str, password: str) -> str:
    with imaplib.IMAP4_SSL(HOST, daemon.port("imaps"), ssl_context=OPEN) as client:
        try:
            client.login(user, password)
        except imaplib.IMAP4.error as fault:
            said = fault.args[0].decode()
            return word_of(said, "[UNAVAILABLE]", "[AUTHENTICATIONFAILED]")
    return OK


WAYS = {"SMTP": smtp, "POP3": pop3, "IMAP": imap}


def word_of(said: str, later: str, wrong: str) -> str:
    """What was said itself, if it is neither."""
    for text, word in ((later, LATER), (wrong, WRONG)):
        if text in said:
            return word
    return said
