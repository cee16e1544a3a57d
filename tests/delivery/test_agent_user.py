import grp
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
        self.home, self.fault, self.uid, self.mailbox = home, None, None, ""

    async def account(self, name):
        if self.fault is not None:
            raise self.fault
        if name != "ann@example.test":
            return None
        return Account(name, self.home, mailbox=self.mailbox, uid=self.uid, gid=7002)


class IdentityTests(SynchronousTestCase):
    def setUp(self):
        self.home = str(Path(self.mktemp()).absolute())
        os.mkdir(self.home)
        self.directory = Directory(self.home)

    def of(self, run_as, command_user="nobody", becomes=True):
        identities = Identities(
            self.directory, command_user, maybeDeferred, lambda: becomes
        )
        return Deferred.fromCoroutine(identities.of(run_as))

    def with_home_of(self, owner, ours=0):
        """What we would find, with a home of this uid."""
        self.patch(agent_user.os, "geteuid", lambda: ours)
        seen = os.stat_result((0o40700, 0, 0, 2, owner, 0, 0, 0, 0, 0))
        self.patch(agent_user.os, "stat", lambda path: seen)

    def test_who_cannot_become_others_runs_everything_as_the_server(self):
        for run_as, name, home in [
            ("ann@example.test", "ann", self.home),
            ("", "", "/"),
        ]:
            found = self.successResultOf(self.of(run_as, becomes=False))
            self.assertEqual(found, Identity(name, home))

    def test_an_account_with_its_own_uid_is_that_user_and_nobody_else(self):
        self.directory.uid = 7001
        for becomes in (True, False):
            found = self.successResultOf(self.of("ann@example.test", becomes=becomes))
            self.assertEqual(found, Identity("ann", self.home, 7001, 7002))

    def test_the_group_of_a_spool_is_for_the_account_s_own_mbox_alone(self):
        self.directory.uid, self.directory.mailbox = 7001, "/spool/ann"
        mail = grp.getgrnam("mail").gr_gid
        for path, owner, gid, mode, group, found, why in [
            ("/spool/ann", 0, mail, 0o2775, "mail", mail, "its own"),
            ("/spool/bob", 0, mail, 0o2775, "mail", 7002, "another's"),
            ("", 0, mail, 0o2775, "mail", 7002, "no file"),
            ("/spool/ann", 7001, mail, 0o2775, "mail", 7002, "a folder not of root's"),
            ("/spool/ann", 0, 7, 0o2775, "mail", 7002, "of another group"),
            ("/spool/ann", 0, mail, 0o2755, "mail", 7002, "which may not write"),
            ("/spool/ann", 0, mail, 0o3777, "mail", 7002, "where everybody may"),
            ("/spool/ann", 0, mail, 0o2775, "", 7002, "switched off"),
            ("/spool/ann", 0, 0, 0o2775, "root", 7002, "root's"),
        ]:
            seen = os.stat_result((0o40000 | mode, 0, 0, 2, owner, gid, 0, 0, 0, 0))
            self.patch(agent_user.os, "stat", lambda path, seen=seen: seen)
            identities = Identities(
                self.directory, "nobody", maybeDeferred, lambda: True, group
            )
            asked = Deferred.fromCoroutine(identities.of("ann@example.test", path))
            identity = self.successResultOf(asked)
            self.assertEqual((identity.uid, identity.gid), (7001, found), why)

    def test_rights_are_given_up(self):
        nobody, games = pwd.getpwnam("nobody"), pwd.getpwnam("games")
        admin = Identity("nobody", nobody.pw_dir, nobody.pw_uid, nobody.pw_gid)
        own = Identity("ann", self.home, games.pw_uid, games.pw_gid)
        for run_as, owner, ours, found, why in [
            ("", 0, 0, admin, "the administrator's"),
            ("ann@example.test", 0, 0, admin, "a home of root is nobody's"),
            ("ann@example.test", games.pw_uid, 0, own, "its owner, in his group"),
            (
                "ann@example.test",
                games.pw_uid,
                games.pw_uid,
                admin,
                "a home of the server's user, who reads everybody's mail",
            ),
        ]:
            self.with_home_of(owner, ours)
            self.assertEqual(self.successResultOf(self.of(run_as)), found, why)

    def test_nothing_runs_as_root_or_as_nobody_known(self):
        for user, owner, why in [
            ("root", 0, "root is named"),
            ("no-such-user", 0, "nobody of that name"),
            ("nobody", 54321, "an owner without a name"),
        ]:
            self.with_home_of(owner)
            fault = self.failureResultOf(self.of("ann@example.test", user), MailError)
            self.assertEqual(fault.value.status, "4.3.5", why)

    def test_a_home_that_is_gone_waits(self):
        with self.assertRaises(MailError):
            identity("ann", f"{self.home}/gone", "nobody")

    def test_an_account_that_is_gone_is_gone_and_one_not_known_now_waits(self):
        fault = self.failureResultOf(self.of("bob@example.test"), MailError)
        self.assertEqual(fault.value.status, "5.1.1")
        self.directory.fault = AuthUnavailable()
        fault = self.failureResultOf(self.of("ann@example.test"), AuthUnavailable)
        self.assertTrue(fault.value.temporary)
