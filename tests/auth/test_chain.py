"""Tests for mailtwist.auth.chain and fake."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse as Users
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.auth.chain import CheckerChain
from mailtwist.auth.chain_source import Health, SourceChecker
from mailtwist.auth.credentials import Door, PasswordCredentials
from mailtwist.auth.fake import FakeKeys
from mailtwist.config.source import Master, Source
from mailtwist.directory.model import Account
from mailtwist.errors import (
    AuthFailed,
    AuthUnavailable,
    SaslCancelled,
    SourceDown,
    SystemBusy,
)
from mailtwist.interfaces import IDirectory, IScramCredentials, IScramSource
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


@implementer(IDirectory)
class Everybody:
    """Has an account for every name, as `Account(name, **more)`."""

    def __init__(self, **more):
        self.more = more

    async def account(self, name):
        return Account(name, "/home", **self.more)


def source(checker, clock=None, directory=None, **options):
    """A checker as a source that remembers nothing unless told so."""
    clock = clock or Clock()
    options = {"cache_s": 0, "unknown_cache_s": 0, **options}
    made = Source(kind="userdb", **options)
    return SourceChecker(clock, made, checker, directory, Health(clock, made))


def chain_of(*checkers, key=None, directory=None, **more):
    sources = [
        one if isinstance(one, SourceChecker) else source(one) for one in checkers
    ]
    fake = FakeKeys(key or Key(), 100_000)
    return CheckerChain(sources, fake, directory or Everybody(), **more)


def login(credentials, *checkers, **more):
    return chain_of(*checkers, **more).requestAvatarId(credentials)


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
        chain = chain_of(Users(), Scram("ann"))
        self.assertIn(IUsernamePassword, chain.credentialInterfaces)
        self.assertIn(IScramCredentials, chain.credentialInterfaces)
        only = chain_of(Users())
        self.assertNotIn(IScramCredentials, only.credentialInterfaces)


class DoorTests(SynchronousTestCase):
    """Who may come in where, and what is asked of which source."""

    def at(self, protocol="pop3", name="ann@x.test", password=b"pw", listener=""):
        door = Door(protocol, listener)
        return PasswordCredentials(name.encode(), Secret(password), door)

    def test_sources_for_some_protocols_listeners_and_domains(self):
        for options, credentials, asked in [
            ({}, self.at(), True),
            ({"protocols": ("pop3",)}, self.at(), True),
            ({"protocols": ("imap4",)}, self.at(), False),
            ({"listeners": ("inside",)}, self.at(listener="inside"), True),
            ({"listeners": ("inside",)}, self.at(), False),
            ({"domains": ("x.test",)}, self.at(), True),
            ({"domains": ("y.test",)}, self.at(), False),
            ({"logins": False}, self.at(), False),
        ]:
            checker = Answers(b"ann@x.test")
            login(credentials, source(checker, **options)).addErrback(lambda _: None)
            self.assertEqual(bool(checker.asked), asked, options)

    def test_accounts_that_may_not_come_in(self):
        for more, protocol, may in [
            ({}, "imap4", True),
            ({"enabled": False}, "imap4", False),
            ({"uses": frozenset({"pop3"})}, "pop3", True),
            ({"uses": frozenset({"pop3"})}, "imap4", False),
            ({"uses": frozenset({"send"})}, "submission", True),
            ({"uses": frozenset({"receive"})}, "submission", False),
            ({"login_until_s": 100.0}, "imap4", False),
            ({"login_until_s": 101.0}, "imap4", True),
        ]:
            asked = login(
                self.at(protocol),
                Answers(b"ann@x.test"),
                directory=Everybody(**more),
                now=lambda: 100.0,
            )
            if may:
                self.assertEqual(self.successResultOf(asked), b"ann@x.test", more)
            else:
                self.failureResultOf(asked, UnauthorizedLogin)

    def test_the_account_is_the_one_of_the_source_that_accepted(self):
        first = source(Answers(UnauthorizedLogin()), directory=Everybody(source="a"))
        second = source(Answers(b"ann@x.test"), directory=Everybody(source="b"))
        avatar_id = self.successResultOf(login(self.at(), first, second))
        self.assertEqual(avatar_id.account.source, "b")

    def test_a_master_logs_in_where_it_may(self):
        root = Master(
            account="root@x.test", domains=("x.test",), protocols=("imap4", "pop3")
        )
        for name, protocol, password, found in [
            ("ann@x.test*root@x.test", "imap4", b"pw", b"ann@x.test"),
            ("ann*root", "pop3", b"pw", b"ann@x.test"),
            ("ann@x.test*root@x.test", "imap4", b"wrong", None),
            ("ann@x.test*root@x.test", "submission", b"pw", None),
            ("ann@y.test*root@x.test", "imap4", b"pw", None),
            ("ann@x.test*joe@x.test", "imap4", b"pw", None),
        ]:
            users = Users(**{"root@x.test": b"pw", "joe@x.test": b"pw"})
            asked = login(
                self.at(protocol, name, password),
                users,
                masters=[root],
                default_domain="x.test",
            )
            if found is None:
                self.failureResultOf(asked, UnauthorizedLogin)
            else:
                self.assertEqual(self.successResultOf(asked), found, name)


class HealthTests(SynchronousTestCase):
    ann = UsernamePassword(b"ann@x.test", b"pw")

    def setUp(self):
        self.clock = Clock()

    def ask(self, checker):
        return chain_of(checker).requestAvatarId(self.ann)

    def test_a_source_that_is_down_rests_and_is_asked_again(self):
        answers = Answers(SourceDown())
        checker = source(answers, self.clock, rest_s=5)
        for _ in range(3):
            self.failureResultOf(self.ask(checker), AuthUnavailable)
        self.assertEqual(answers.asked, 1, "two came while it rested")
        self.clock.advance(5)
        answers.answer = b"ann@x.test"
        self.assertEqual(self.successResultOf(self.ask(checker)), b"ann@x.test")
        self.assertEqual(self.successResultOf(self.ask(checker)), b"ann@x.test")
        self.assertEqual(answers.asked, 3)

    def test_those_who_waited_together_are_one_failure(self):
        """However busy a server is, it is not taken for one that failed for long."""
        clock = Clock()
        health = Health(clock, Source(kind="userdb", rest_s=1, timeout_s=2))
        for rest_s in (1, 2, 4):
            asked = [Deferred.fromCoroutine(health.ask(Deferred)) for _ in range(20)]
            clock.advance(2)
            for each in asked:
                self.failureResultOf(each, SourceDown)
            self.assertEqual(health.rests_s, rest_s)
            clock.advance(rest_s)

    def test_the_rest_doubles_up_to_a_minute(self):
        checker = source(Answers(SourceDown()), self.clock, rest_s=5)
        rests = []
        for _ in range(6):
            self.failureResultOf(self.ask(checker), AuthUnavailable)
            rests.append(checker.health.rests_s)
            self.clock.advance(rests[-1])
        self.assertEqual(rests, [5, 10, 20, 40, 60, 60])

    def test_one_asks_for_all_when_the_rest_is_over(self):
        answers = Answers(SourceDown())
        checker = source(answers, self.clock, rest_s=5)
        self.failureResultOf(self.ask(checker), AuthUnavailable)
        self.clock.advance(5)
        answers.answer = waiting = Deferred()
        first = self.ask(checker)
        self.failureResultOf(self.ask(checker), AuthUnavailable)
        waiting.callback(b"ann@x.test")
        self.assertEqual(self.successResultOf(first), b"ann@x.test")

    def test_no_answer_in_time_is_down(self):
        checker = source(Answers(Deferred()), self.clock, timeout_s=10)
        asked = self.ask(checker)
        self.assertNoResult(asked)
        self.clock.advance(10)
        self.failureResultOf(asked, AuthUnavailable)
        self.assertTrue(checker.health.down)

    def test_no_answer_in_time_is_down_whatever_the_cancelled_question_says(self):
        """Endpoints fail with an error of their own, not with CancelledError."""
        waiting = Deferred(lambda d: d.errback(ConnectingCancelledError(None)))
        checker = source(Answers(waiting), self.clock, timeout_s=10)
        asked = self.ask(checker)
        self.clock.advance(10)
        self.failureResultOf(asked, AuthUnavailable)
        self.assertTrue(checker.health.down)

    def test_an_answer_in_the_last_moment_counts(self):
        waiting = Deferred(lambda d: d.callback(b"ann@x.test"))
        checker = source(Answers(waiting), self.clock, timeout_s=10)
        asked = self.ask(checker)
        self.clock.advance(10)
        self.assertEqual(self.successResultOf(asked), b"ann@x.test")

    def test_a_source_that_answers_others_is_slow_and_not_down(self):
        answers = Answers(Deferred())
        checker = source(answers, self.clock, timeout_s=10)
        late = self.ask(checker)
        self.clock.advance(1)
        answers.answer = b"ann@x.test"
        self.successResultOf(self.ask(checker))
        self.clock.advance(9)
        self.failureResultOf(late, AuthUnavailable)
        self.assertFalse(checker.health.down)

    def test_a_fault_with_one_account_is_no_rest_for_all(self):
        answers = Answers(AuthUnavailable())
        checker = source(answers, self.clock)
        for _ in range(2):
            self.failureResultOf(self.ask(checker), AuthUnavailable)
        self.assertEqual(answers.asked, 2)


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
