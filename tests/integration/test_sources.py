"""Accounts in a private MariaDB: the schemas of PostfixAdmin and Courier, hostile
names, a server that dies."""

from pathlib import Path

from attrs import evolve
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.source import Source
from mailtwist.errors import AuthUnavailable
from mailtwist.interfaces import IMailAccount
from mailtwist.service.auth import build_auth
from tests.auth.rooms import NoMail, configured

from . import test_tables
from .test_tables import AUTHORITY, HOSTILE

SCHEMA = """
USE mail;
CREATE TABLE IF NOT EXISTS mailbox (username VARCHAR(255) PRIMARY KEY,
  password VARCHAR(255), name VARCHAR(255), maildir VARCHAR(255), quota BIGINT,
  local_part VARCHAR(255), domain VARCHAR(255), active TINYINT(1));
CREATE TABLE IF NOT EXISTS passwd (id CHAR(128) PRIMARY KEY, crypt CHAR(128),
  clear CHAR(128), name CHAR(128), uid INT, gid INT, home CHAR(255),
  maildir CHAR(255), quota CHAR(255), options CHAR(255));
REPLACE INTO mailbox VALUES
  ('ann@example.test', '{SHA256}jXoHNnBtJV0pbE4kgT0SvhL7g5QYSBr2kIFnRgmHUJw=', 'Ann',
   'example.test/ann/', 1048576, 'ann', 'example.test', 1),
  ('off@example.test', '{PLAIN}pw', 'Off', 'example.test/off/', 0, 'off',
   'example.test', 0);
REPLACE INTO passwd VALUES
  ('bob@example.test', '', 'pw', 'Bob', 1200, 1200, '/home/bob', 'Mail/', '2000S,10C',
   '');
"""
POSTFIXADMIN = (
    "SELECT username AS name, password, CONCAT('/var/vmail/', maildir) AS home, "
    "quota, active AS enabled FROM mailbox WHERE username = '%s'"
)
COURIER = (
    "SELECT id AS name, IF(crypt <> '', crypt, CONCAT('{PLAIN}', clear)) AS password, "
    "uid, gid, home, maildir AS mailbox, quota FROM passwd WHERE id = '%s'"
)


class MysqlSourceTests(TestCase):
    def setUp(self):
        test_tables.MysqlTests.begin()
        self.server = test_tables.MysqlTests.server
        self.server.sql(
            SCHEMA
            + """UPDATE mailbox SET password = '{PLAIN}pw'
            WHERE username = 'ann@example.test';"""
        )

    def auth(self, query=POSTFIXADMIN, **options):
        folder = Path(self.mktemp()).absolute()
        config = configured(folder)
        (folder / "ca").write_bytes(AUTHORITY.pem)
        settings = folder / "settings"
        settings.write_text(
            f'port = {self.server.port}\nuser = "mail"\ndatabase = "mail"\n'
            f'password = "{self.server.password}"\nca = "ca"\ntimeout_s = 2\n'
            f'account = "{query}"\n'
        )
        settings.chmod(0o600)
        options = {"cache_s": 0, "unknown_cache_s": 0, "rest_s": 0.1, **options}
        source = Source(kind="mysql", settings=str(settings), **options)
        config = evolve(config, source=(source, Source(kind="userdb")))
        auth = build_auth(reactor=reactor, config=config, store=NoMail())
        self.addCleanup(lambda: Deferred.fromCoroutine(auth.close()))
        return auth

    async def login(self, auth, name="ann@example.test", password=b"pw"):
        credentials = UsernamePassword(name.encode(), password)
        _, avatar, _ = await auth.portal.login(credentials, None, IMailAccount)
        return avatar.account

    async def refused(self, auth, *args):
        with self.assertRaises(UnauthorizedLogin):
            await self.login(auth, *args)

    async def test_the_schema_of_postfixadmin(self):
        auth = self.auth()
        account = await self.login(auth, "Ann@Example.test")
        self.assertEqual(account.name, "ann@example.test")
        self.assertEqual(account.home, "/var/vmail/example.test/ann")
        self.assertEqual(account.storage_limit_octets, 1048576)
        await self.refused(auth, "ann@example.test", b"wrong")
        await self.refused(auth, "off@example.test")
        found = await auth.directory.account_for(Address("ann", "example.test"))
        self.assertEqual(found, account)

    async def test_the_schema_of_courier(self):
        account = await self.login(self.auth(COURIER), "bob@example.test")
        self.assertEqual((account.uid, account.gid), (1200, 1200))
        self.assertEqual(account.mailbox_path, "/home/bob/Mail/")
        limits = account.storage_limit_octets, account.message_limit
        self.assertEqual(limits, (2000, 10))

    async def test_hostile_names_and_passwords_get_nobody_in(self):
        auth = self.auth()
        for text in HOSTILE:
            await self.refused(auth, f"ann{text}@example.test")
            await self.refused(auth, text)
            await self.refused(auth, "ann@example.test", text.encode())
        await self.login(auth)

    async def test_a_name_that_the_database_finds_alike_is_another(self):
        await self.refused(self.auth(), "\u00e4nn@example.test")

    async def test_a_server_that_dies_is_never_a_wrong_password(self):
        auth = self.auth()
        await self.login(auth)
        self.server.kill()
        try:
            for password in (b"pw", b"wrong"):
                with self.assertRaises(AuthUnavailable):
                    await self.login(auth, "ann@example.test", password)
        finally:
            self.server.start()
        for _ in range(100):
            try:
                await self.login(auth)
                break
            except AuthUnavailable:
                await _pause(0.05)
        else:
            self.fail("it is still down")

    def password(self, text):
        self.server.sql(
            f"USE mail; UPDATE mailbox SET password = '{{PLAIN}}{text}'"
            " WHERE username = 'ann@example.test';"
        )

    async def test_answers_count_for_a_time_and_not_longer(self):
        auth = self.auth(cache_s=4, unknown_cache_s=4)
        await self.login(auth)
        await self.refused(auth, "ann@example.test", b"new")
        self.password("new")
        await self.login(auth)  # remembered, as is the refusal of the new one
        await self.refused(auth, "ann@example.test", b"new")
        await _pause(4.1)
        await self.refused(auth)
        await self.login(auth, "ann@example.test", b"new")

    async def test_a_new_password_ends_the_old_one_at_once(self):
        auth = self.auth(cache_s=600, unknown_cache_s=0)
        await self.login(auth)
        self.password("new")
        await self.login(auth)
        await self.login(auth, "ann@example.test", b"new")
        await self.refused(auth)

    async def test_what_is_remembered_comes_in_while_the_source_is_down(self):
        auth = self.auth(cache_s=600, unknown_cache_s=600)
        await self.login(auth)
        await self.refused(auth, "ann@example.test", b"wrong")
        self.server.kill()
        try:
            await self.login(auth)
            await self.refused(auth, "ann@example.test", b"wrong")
            with self.assertRaises(AuthUnavailable):
                await self.login(auth, "ann@example.test", b"other")
        finally:
            self.server.start()

    async def test_many_at_once(self):
        auth = self.auth()
        accounts = await gatherResults(
            [Deferred.fromCoroutine(self.login(auth)) for _ in range(100)]
        )
        self.assertEqual({one.name for one in accounts}, {"ann@example.test"})


def _pause(seconds):
    waiting = Deferred()
    reactor.callLater(seconds, waiting.callback, None)
    return waiting
