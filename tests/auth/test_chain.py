"""Tests for mailtwist.auth.chain and fake."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse as Users
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.auth.chain import CheckerChain
from mailtwist.auth.fake import FakeKeys
from mailtwist.errors import AuthFailed, AuthUnavailable, SaslCancelled, SystemBusy
from mailtwist.interfaces import IScramCredentials, IScramSource
from mailtwist.sasl.scram import HASHES, keys_for
from mailtwist.secret import Secret

KEYS = keys_for("SCRAM-SHA-256", b"pw", b"salt" * 4, 1)


class Key:
    def derived(self, purpose):
        return Secret(b"key for " + purpose)


class NoKey:
    def derived(self, purpose):
        raise PermissionError("userdb.key")


class Answers:
    """A checker of passwords whose every answer is `answer`."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def requestAvatarId(self, credentials):
        self.asked += 1
        return fail(self.answer) if isinstance(self.answer, Exception) else self.answer


@implementer(IScramSource)
class Scram:
    """A checker with SCRAM keys of one user, or with a fault."""

    credentialInterfaces = ()

    def __init__(self, user, fault=None):
        self.user, self.fault = user, fault

    async def scram_keys(self, username, mechanism):
        if self.fault is not None:
            raise self.fault
        return (self.user.encode(), KEYS) if username == self.user else None


@implementer(IScramCredentials)
class Proof:
    """SCRAM credentials that fit any keys, or end in `fault`."""

    mechanism = "SCRAM-SHA-256"

    def __init__(self, username, fault=None):
        self.username, self.fault, self.seen = username, fault, []

    async def prove(self, keys):
        self.seen.append(keys)
        if self.fault is not None:
            raise self.fault
        return True


def login(credentials, *checkers, key=None):
    chain = CheckerChain(checkers, FakeKeys(key or Key(), 100_000))
    return chain.requestAvatarId(credentials)


class PasswordTests(SynchronousTestCase):
    ann = UsernamePassword(b"ann", b"pw")

    def test_the_second_checker_is_asked(self):
        self.assertEqual(
            self.successResultOf(login(self.ann, Users(joe=b"1"), Users(ann=b"pw"))),
            b"ann",
        )

    def test_the_first_that_accepts_wins(self):
        first, second = Answers(b"first"), Answers(b"second")
        self.assertEqual(self.successResultOf(login(self.ann, first, second)), b"first")
        self.assertEqual(second.asked, 0)

    def test_all_refuse(self):
        for checkers in [
            (),
            (Users(ann=b"x"), Users()),
            (Answers(AuthFailed()), Users()),
            (Scram("ann"),),
        ]:
            self.failureResultOf(login(self.ann, *checkers), UnauthorizedLogin)

    def test_down_is_not_a_wrong_password(self):
        for order in (1, -1):
            checkers = [Answers(ConnectionError("db")), Users(ann=b"x")][::order]
            self.failureResultOf(login(self.ann, *checkers), AuthUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(ConnectionError)), 2)

    def test_a_checker_that_breaks_at_once_is_down(self):
        class Broken(Answers):
            def requestAvatarId(self, credentials):
                raise KeyError("bug")

        self.failureResultOf(login(self.ann, Broken(b"")), AuthUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_down_then_accepted(self):
        checkers = Answers(SystemBusy()), Users(ann=b"pw")
        self.assertEqual(self.successResultOf(login(self.ann, *checkers)), b"ann")

    def test_a_client_that_went_away_asks_nobody_else(self):
        ended = []
        waiting = Answers(Deferred(ended.append))
        second = Answers(b"second")
        asked = login(self.ann, waiting, second)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((len(ended), second.asked), (1, 0))

    def test_it_takes_what_its_checkers_take(self):
        chain = CheckerChain([Users(), Scram("ann")], FakeKeys(Key(), 1))
        self.assertIn(IUsernamePassword, chain.credentialInterfaces)
        self.assertIn(IScramCredentials, chain.credentialInterfaces)
        only = CheckerChain([Users()], FakeKeys(Key(), 1))
        self.assertNotIn(IScramCredentials, only.credentialInterfaces)


class ScramTests(SynchronousTestCase):
    def test_the_source_that_has_keys_is_found(self):
        proof = Proof("bob")
        found = login(proof, Users(), Scram("ann"), Scram("bob"))
        self.assertEqual(self.successResultOf(found), b"bob")
        self.assertEqual(proof.seen, [KEYS])

    def test_nobody_is_proved_with_fake_keys_and_refused_even_if_they_fit(self):
        proof = Proof("nobody")
        self.failureResultOf(login(proof, Scram("ann")), UnauthorizedLogin)
        self.assertEqual(len(proof.seen), 1)
        self.assertNotEqual(proof.seen, [KEYS])

    def test_a_source_that_is_down_is_no_unknown_user(self):
        proof = Proof("bob")
        down = Scram("ann", ConnectionError("db"))
        self.failureResultOf(login(proof, down, Scram("ann")), AuthUnavailable)
        self.assertEqual(proof.seen, [], "no conversation was begun")
        self.assertEqual(
            self.successResultOf(login(Proof("ann"), down, Scram("ann"))), b"ann"
        )
        self.assertEqual(len(self.flushLoggedErrors(ConnectionError)), 2)

    def test_a_conversation_that_ends_is_no_fault_of_the_source(self):
        for fault in (SaslCancelled(), CancelledError()):
            ended = login(Proof("ann", fault), Scram("ann"))
            self.failureResultOf(ended, type(fault))

    def test_no_key_for_fake_keys_is_down(self):
        ann = login(Proof("ann"), Scram("ann"), key=NoKey())
        self.assertEqual(self.successResultOf(ann), b"ann")
        nobody = login(Proof("nobody"), Scram("ann"), key=NoKey())
        self.failureResultOf(nobody, AuthUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(PermissionError)), 1)


class FakeKeysTests(SynchronousTestCase):
    fake = FakeKeys(Key(), 120_000)

    def test_they_look_like_keys(self):
        for mechanism in HASHES:
            real = keys_for(mechanism, b"pw", b"s" * 16, 1)
            fake = self.fake.keys("nobody@x.test", mechanism)
            self.assertEqual(fake.iterations, 120_000)
            for name in ("salt", "stored_key", "server_key"):
                self.assertEqual(len(getattr(fake, name)), len(getattr(real, name)))

    def test_they_are_stable_and_apart(self):
        salts = {
            self.fake.keys(name, mechanism).salt
            for mechanism in HASHES
            for name in ("a@x.test", "A@X.test", "b@x.test")
        }
        self.assertEqual(len(salts), 4)
