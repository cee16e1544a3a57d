"""System users without root, and Cyrus SASL's saslauthd."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from attrs import evolve
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailtwist.config.source import Source
from mailtwist.errors import AuthUnavailable
from mailtwist.interfaces import IMailAccount
from tests.auth.rooms import added, built, configured
from tests.integration.daemon import READY_S, ROOT
from tests.integration.saslauthd import Saslauthd
from tests.integration.system_users import PASSWORD, add_service, add_user
from tests.integration.test_keeper import keepers
from tests.integration.users import tool

NOT_CACHED = {"cache_s": 0, "unknown_cache_s": 0, "rest_s": 0.1}

# Asks PAM with the rights of whoever runs it, and prints what it says.
UNPRIVILEGED = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from mailtwist.errors import MailError
from mailtwist.keeper.process import Keepers, Settings

async def ask():
    keepers = Keepers(reactor, Settings(least_uid=1000))
    for line in sys.stdin:
        service, user, password = line.rstrip("\\n").split(" ", 2)
        try:
            print(await keepers.keeper().verify(
                service, user, password.encode(), limit_s=10))
        except MailError as fault:
            print(type(fault).__name__)
    await keepers.stop()
    reactor.stop()

reactor.callWhenRunning(lambda: Deferred.fromCoroutine(ask()))
reactor.run()
"""


class LoginTestCase(TestCase):
    timeout = 120

    def auth(self, *sources):
        config = configured(Path(self.mktemp()).absolute())
        added(config, "virtual@example.test", PASSWORD.encode())
        config = evolve(config, source=sources)
        return built(self, config, reactor)

    async def login(self, auth, name, password=PASSWORD):
        credentials = UsernamePassword(
            f"{name}@example.test".encode(), password.encode()
        )
        _, avatar, _ = await auth.portal.login(credentials, None, IMailAccount)
        return avatar.account

    async def login_in_time(self, auth, name):
        """As soon as the source answers; a wrong password is no answer to wait out."""
        end = time.monotonic() + READY_S
        while True:
            try:
                return await self.login(auth, name)
            except AuthUnavailable:
                self.assertLess(time.monotonic(), end)
                await deferLater(reactor, 0.02)


class SystemTests(LoginTestCase):
    def source(self, **options):
        service = options.pop("service", None) or add_service(self)
        return Source(kind="system", service=service, **NOT_CACHED, **options)

    async def test_an_embedded_server_asks_pam_too(self):
        user = add_user(self)
        auth = self.auth(Source(kind="userdb"), self.source())
        account = await self.login(auth, user.name)
        self.assertEqual((account.uid, account.gid), (user.uid, user.gid))
        self.assertEqual(account.home, str(user.home))
        self.assertEqual((await self.login(auth, "virtual")).uid, None)
        for name, password in ((user.name, "wrong"), ("nobody-here", PASSWORD)):
            with self.assertRaises(UnauthorizedLogin):
                await self.login(auth, name, password)

    async def test_pam_that_is_down_keeps_nobody_else_out(self):
        user = add_user(self)
        auth = self.auth(self.source(service="mt-no-such"), Source(kind="userdb"))
        self.assertEqual(
            (await self.login(auth, "virtual")).name, "virtual@example.test"
        )
        with self.assertRaises(AuthUnavailable):
            await self.login(auth, user.name)

    async def test_many_at_once_all_get_their_answer(self):
        user, auth = add_user(self), self.auth(self.source(timeout_s=60))
        asked = [Deferred.fromCoroutine(self.login(auth, user.name)) for _ in range(40)]
        accounts = await gatherResults(asked)
        self.assertEqual({account.uid for account in accounts}, {user.uid})

    async def test_a_keeper_without_root_is_started_again(self):
        user, auth = add_user(self), self.auth(self.source())
        await self.login(auth, user.name)
        (keeper,) = keepers()
        os.kill(keeper, signal.SIGKILL)
        account = await self.login_in_time(auth, user.name)
        self.assertEqual(account.uid, user.uid)
        self.assertNotIn(keeper, keepers())

    def test_without_root_a_user_may_still_ask_about_himself(self):
        """pam_unix has a setuid program for that, and for nothing more."""
        ann, bob, service = add_user(self), add_user(self), add_service(self)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED],
            input="".join(
                f"{service} {user.name} {password}\n"
                for user, password in (
                    (ann, PASSWORD),
                    (ann, "wrong"),
                    (bob, PASSWORD),
                )
            ),
            text=True,
            capture_output=True,
            user=ann.uid,
            group=ann.gid,
            extra_groups=[],
            cwd="/",
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            timeout=60,
        )
        right, wrong, other = done.stdout.split()
        self.assertEqual((right, wrong), ("right", "wrong"), done.stderr)
        self.assertNotEqual(other, "right")


class SaslauthdTests(LoginTestCase):
    def setUp(self):
        self.saslauthd = Saslauthd()
        self.addCleanup(self.saslauthd.remove)

    def sources(self, service=""):
        """Its passwords, and the accounts of the machine."""
        return (
            Source(
                kind="saslauthd",
                path=str(self.saslauthd.socket),
                service=service or "mailtwist",
                **NOT_CACHED,
            ),
            Source(kind="system", logins=False),
            Source(kind="userdb"),
        )

    async def test_users_of_pam(self):
        self.saslauthd.start("pam")
        user, service = add_user(self), add_service(self)
        auth = self.auth(*self.sources(service))
        self.assertEqual((await self.login(auth, user.name)).uid, user.uid)
        with self.assertRaises(UnauthorizedLogin):
            await self.login(auth, user.name, "wrong")
        tool("chage", "--expiredate", "1970-01-02", user.name)
        with self.assertRaises(UnauthorizedLogin):
            await self.login(auth, user.name)

    async def test_users_of_the_shadow_file(self):
        self.saslauthd.start("shadow")
        user = add_user(self)
        auth = self.auth(*self.sources())
        self.assertEqual((await self.login(auth, user.name)).uid, user.uid)
        with self.assertRaises(UnauthorizedLogin):
            await self.login(auth, user.name, "wrong")

    async def test_down_is_not_wrong_and_it_may_come_back(self):
        user = add_user(self)
        auth = self.auth(*self.sources())
        with self.assertRaises(AuthUnavailable):
            await self.login(auth, user.name)
        self.assertEqual((await self.login(auth, "virtual")).uid, None)
        self.saslauthd.start("shadow")
        self.assertEqual((await self.login_in_time(auth, user.name)).uid, user.uid)
