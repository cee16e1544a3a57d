"""Logins that may change limits."""

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.auth.chain import AvatarId
from mailtwist.auth.limit_setting import LimitSetting
from mailtwist.auth.realm import MailRealm
from mailtwist.directory.model import Account
from mailtwist.errors import NotPermitted
from mailtwist.interfaces import IMailAccount, ISetsLimits
from mailtwist.mailbox.model import Limits
from mailtwist.store.memory import MemoryStore

ANN, ADMIN = "ann@example.test", "admin@example.test"


class LimitSettingTests(SynchronousTestCase):
    def setUp(self):
        self.kept = []
        self.realm = MailRealm(None, MemoryStore())
        self.realm.limits = LimitSetting(frozenset({ADMIN}), self.change)

    async def change(self, account, limits):
        self.kept.append((account.name, limits))
        return Account(account.name, account.home, limits.octets)

    def login(self, name, **more):
        made = AvatarId(Account(name, f"/nowhere/{name}"), **more)
        _, avatar, _ = self.successResultOf(
            self.realm.requestAvatar(made, None, IMailAccount)
        )
        return avatar

    def test_who_may(self):
        for name, more, may, why in (
            (ADMIN, {}, True, "himself"),
            (ANN, {"by": ADMIN}, True, "as a master"),
            (ANN, {}, False, "another"),
            (ANN, {"by": "helper@example.test"}, False, "another master"),
            (ADMIN, {"by": ANN}, False, "another who is in his account"),
            (ADMIN, {"read_only": True}, False, "who changes nothing"),
        ):
            avatar = self.login(name, **more)
            self.assertIs(ISetsLimits.providedBy(avatar), may, why)
        self.realm.limits = None
        self.assertFalse(ISetsLimits.providedBy(self.login(ADMIN)))

    def test_what_is_set_counts_at_once(self):
        avatar = self.login(ANN, by=ADMIN)
        verifyObject(ISetsLimits, avatar)
        verifyObject(IMailAccount, avatar)
        self.now(avatar.set_limits((), Limits(octets=5)))
        self.now(avatar.set_limits(("A",), Limits(messages=2)))
        self.assertEqual(self.kept, [(ANN, Limits(octets=5))])
        quotas = self.now(avatar.mailboxes.quotas(("A",)))
        self.assertEqual(
            [(quota.root, quota.limits) for quota in quotas],
            [(("A",), Limits(messages=2)), ((), Limits(octets=5))],
        )

    def test_how_many_mailboxes_an_account_has_is_set_elsewhere(self):
        asked = Deferred.fromCoroutine(
            self.login(ADMIN).set_limits((), Limits(mailboxes=5))
        )
        self.failureResultOf(asked, NotPermitted)
        self.assertEqual(self.kept, [])

    def test_an_account_that_is_gone_limits_nobody(self):
        made = AvatarId(Account(ADMIN, "/nowhere", enabled=False))
        asked = self.realm.requestAvatar(made, None, IMailAccount)
        self.failureResultOf(asked, UnauthorizedLogin)

    def now(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))
