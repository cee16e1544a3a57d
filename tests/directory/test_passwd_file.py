"""Tests for mailtwist.directory.passwd_file."""

import os

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.auth.checkers.stored import StoredChecker
from mailtwist.config.model import Config, Domain, Server
from mailtwist.config.source import Source
from mailtwist.directory.passwd_file import PasswdFileDirectory
from mailtwist.errors import AuthUnavailable

DOVECOT = """\
ann@x.test:{PLAIN}pw:1200:1200::/home/ann::userdb_quota_rule=*:bytes=1000
Bob@x.test:{SSHA}Zm9v:::::
open@x.test::::::: nopassword
near@x.test:{PLAIN}pw::::::allow_nets=127.0.0.0/8
out@x.test:{PLAIN}pw::::::nologin
lock@x.test:!{PLAIN}pw::::::
low@x.test:{PLAIN}pw:0:0::/root::
ann@x.test:{PLAIN}other::::::
"""


class PasswdFileTests(TestCase):
    def setUp(self):
        self.path = os.path.abspath(self.mktemp())
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    async def tearDown(self):
        for event in self.events:
            self.assertNotIn("{PLAIN}", repr(event))

    def write(self, text):
        with open(f"{self.path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{self.path}.new", self.path)

    def opened(self, text=DOVECOT, **options):
        self.write(text)
        source = Source(kind="passwd_file", path=self.path, **options)
        config = Config(server=Server(data="/data"), domain=(Domain(name="x.test"),))
        self.directory = PasswdFileDirectory(reactor, config, source)
        self.checker = StoredChecker(reactor, "f", self.directory, "CRYPT", 1)

        async def close():
            await self.checker.close()
            await self.directory.close()

        self.addCleanup(lambda: Deferred.fromCoroutine(close()))

    async def login(self, name, password=b"pw"):
        credentials = UsernamePassword(name.encode(), password)
        return await self.checker.requestAvatarId(credentials)

    async def refused(self, name, password=b"pw"):
        with self.assertRaises(UnauthorizedLogin):
            await self.login(name, password)

    async def test_an_account(self):
        self.opened()
        self.assertEqual(await self.login("Ann@X.test"), b"ann@x.test")
        await self.refused("ann@x.test", b"other")
        account = await self.directory.account_for(Address("ANN", "x.test"))
        self.assertEqual((account.uid, account.home), (1200, "/home/ann"))
        self.assertEqual(account.storage_limit_octets, 1000)

    async def test_who_cannot_log_in(self):
        self.opened()
        for name, password, why in [
            ("open@x.test", b"any", "nopassword is refused"),
            ("open@x.test", b"", "even without a password"),
            ("lock@x.test", b"pw", "the hash is locked"),
            ("lock@x.test", b"!{PLAIN}pw", "and is no password"),
            ("nobody@x.test", b"pw", "there is no line"),
            ("ann@y.test", b"pw", "another domain"),
            ("ann", b"pw", "no domain"),
        ]:
            with self.assertRaises(UnauthorizedLogin, msg=why):
                await self.login(name, password)
        with self.assertRaises(AuthUnavailable, msg="its uid is below least_uid"):
            await self.login("low@x.test")

    async def test_what_accounts_may_do(self):
        self.opened()
        for name, uses, why in [
            ("ann@x.test", None, "everything"),
            ("near@x.test", {"receive"}, "networks are not obeyed: no login at all"),
            ("out@x.test", {"receive"}, "nologin"),
        ]:
            account = await self.directory.account(name)
            self.assertEqual(account.uses, uses, why)

    async def test_what_is_not_obeyed_is_told(self):
        self.opened()
        await self.login("ann@x.test")
        told = [(e["line"], e["what"]) for e in self.events if "what" in e]
        self.assertEqual(
            told,
            [
                (3, "no nopassword: open@x.test cannot log in"),
                (4, "no allow_nets: near@x.test cannot log in"),
                (8, "ann@x.test only once"),
            ],
        )

    async def test_names_without_a_domain(self):
        text = "ann\tsystempw={PLAIN}pw|home=/home/ann|mail=Maildir\n"
        self.opened(text, names="local", format="courier")
        self.assertEqual(await self.login("ann@x.test"), b"ann@x.test")
        account = await self.directory.account("ann@x.test")
        self.assertEqual(account.mailbox_path, "/home/ann/Maildir/")

    async def test_a_file_like_shadow(self):
        self.opened(
            "ann:{PLAIN}pw:19000:0:99999:7:::\nbob:*:19000::::::\n",
            names="local",
            format="shadow",
        )
        self.assertEqual(await self.login("ann@x.test"), b"ann@x.test")
        await self.refused("bob@x.test", b"*")

    async def test_a_change_counts_once_the_stamp_shows_it(self):
        self.opened()
        await self.login("ann@x.test")
        before = self.directory.stamp()
        self.write("ann@x.test:{PLAIN}new::::::\n")
        self.assertNotEqual(self.directory.stamp(), before)
        await self.refused("ann@x.test")
        await self.login("ann@x.test", b"new")
        await self.refused("near@x.test")

    async def test_a_file_that_vanished_is_no_wrong_password(self):
        self.opened()
        await self.login("ann@x.test")
        os.rename(self.path, f"{self.path}.away")
        self.directory.stamp()
        with self.assertRaises(AuthUnavailable):
            await self.login("ann@x.test")
        with self.assertRaises(AuthUnavailable):
            await self.directory.account_for(Address("ann", "x.test"))
        os.rename(f"{self.path}.away", self.path)
        self.directory.stamp()
        await self.login("ann@x.test")

    async def test_a_line_that_cannot_be_read_may_be_anybodys(self):
        self.opened("ann@x.test:{PLAIN}pw\nbob@x.test:{PLAIN}pw:x\n")
        await self.login("ann@x.test")
        for name in ("bob@x.test", "nobody@x.test"):
            with self.assertRaises(AuthUnavailable):
                await self.login(name)
        self.write("ann@x.test:{PLAIN}pw\nbob@x.test:{PLAIN}pw\n")
        self.directory.stamp()
        await self.login("bob@x.test")
        await self.refused("nobody@x.test")

    async def test_hostile_names_find_nobody(self):
        self.opened()
        for text, why in [
            ("ann@x.test:{PLAIN}pw", "more of the line"),
            ("ann\0@x.test", "NUL"),
            ("ann@x.test\nzoe@x.test", "another line"),
            ("*@x.test", "no pattern"),
            ("ann\\@x.test", "a backslash"),
            ("../ann@x.test", "no path"),
            ("\u0430nn@x.test", "a Cyrillic letter"),
        ]:
            with self.assertRaises(UnauthorizedLogin, msg=why):
                await self.login(text)
