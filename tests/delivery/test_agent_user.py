import os
import pwd
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery import agent_user
from mailtwist.delivery.agent_user import Identities, Identity, identity
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable, MailError


class Directory:
    def __init__(self, home):
        self.home, self.fault = home, None

    async def account(self, name):
        if self.fault is not None:
            raise self.fault
        return Account(name, self.home) if name == "ann@example.test" else None


class IdentityTests(SynchronousTestCase):
    def setUp(self):
        self.home = str(Path(self.mktemp()).absolute())
        os.mkdir(self.home)
        self.directory = Directory(self.home)

    def of(self, run_as, command_user="nobody"):
        identities = Identities(self.directory, command_user, maybeDeferred)
        return Deferred.fromCoroutine(identities.of(run_as))

    def as_root(self, owner=0):
        """What root would find, with a home of this uid."""
        self.patch(agent_user.os, "geteuid", lambda: 0)
        seen = os.stat_result((0o40700, 0, 0, 2, owner, 0, 0, 0, 0, 0))
        self.patch(agent_user.os, "stat", lambda path: seen)

    def test_without_root_everything_runs_as_the_server(self):
        self.patch(agent_user.os, "geteuid", lambda: 1000)
        for run_as, name, home in [
            ("ann@example.test", "ann", self.home),
            ("", "", "/"),
        ]:
            found = self.successResultOf(self.of(run_as))
            self.assertEqual(found, Identity(name, home))

    def test_root_gives_up_its_rights(self):
        nobody, games = pwd.getpwnam("nobody"), pwd.getpwnam("games")
        admin = Identity("nobody", nobody.pw_dir, nobody.pw_uid, nobody.pw_gid)
        for run_as, owner, found, why in [
            ("", 0, admin, "the administrator's"),
            ("ann@example.test", 0, admin, "a home of root is nobody's"),
            (
                "ann@example.test",
                games.pw_uid,
                Identity("ann", self.home, games.pw_uid, games.pw_gid),
                "its owner, with the owner's own group",
            ),
        ]:
            self.as_root(owner)
            self.assertEqual(self.successResultOf(self.of(run_as)), found, why)

    def test_nothing_runs_as_root_or_as_nobody_known(self):
        for user, owner, why in [
            ("root", 0, "root is named"),
            ("no-such-user", 0, "nobody of that name"),
            ("nobody", 54321, "an owner without a name"),
        ]:
            self.as_root(owner)
            fault = self.failureResultOf(self.of("ann@example.test", user), MailError)
            self.assertEqual(fault.value.status, "4.3.5", why)

    def test_a_home_that_is_gone_waits(self):
        self.patch(agent_user.os, "geteuid", lambda: 0)
        with self.assertRaises(MailError):
            identity("ann@example.test", f"{self.home}/gone", "nobody")

    def test_an_account_that_is_gone_is_gone_and_one_not_known_now_waits(self):
        fault = self.failureResultOf(self.of("bob@example.test"), MailError)
        self.assertEqual(fault.value.status, "5.1.1")
        self.directory.fault = AuthUnavailable()
        fault = self.failureResultOf(self.of("ann@example.test"), AuthUnavailable)
        self.assertTrue(fault.value.temporary)
