"""Tests for mailtwist.auth.login: from a client's words to an account."""

import contextlib
import hashlib
import hmac
from threading import Event

from attrs import evolve
from scramp import ScramClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from mailtwist.auth.throttle import Throttle
from mailtwist.config.model import Auth
from mailtwist.config.source import Source
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import (
    AuthFailed,
    AuthThrottled,
    AuthUnavailable,
    EncryptionNeeded,
    SaslCancelled,
    SyntaxFault,
    UnknownMechanism,
)
from mailtwist.interfaces import IMailAccount
from mailtwist.secret import Secret

from .rooms import CLEAR, FAST, PASSWORD, TLS, added, built, configured

ANN = "ann@example.test"
PLAIN = b"\0ann@example.test\0" + PASSWORD


def answering(*responses):
    """A conversation that says `responses` and keeps the challenges it was asked."""
    left = list(responses)

    async def converse(challenge):
        converse.asked.append(challenge)
        response = left.pop(0)
        if isinstance(response, Exception):
            raise response
        return response(challenge) if callable(response) else response

    converse.asked = []
    return converse


def scram(password, mechanism="SCRAM-SHA-256", user=ANN):
    """(initial response, conversation) of an independent client."""
    client = ScramClient([mechanism], user, password)

    def final(challenge):
        client.set_server_first(challenge.decode())
        return client.get_client_final().encode()

    def end(challenge):
        client.set_server_final(challenge.decode())
        return b""

    return client.get_client_first().encode(), answering(final, end)


def cram(password, user=ANN):
    def digest(challenge):
        return f"{user} {hmac.new(password, challenge, 'md5').hexdigest()}".encode()

    return answering(digest)


class RoomTestCase(TestCase):
    """A portal with ann@example.test, whose password is kept."""

    options = {}

    def setUp(self):
        self.config = configured(self.mktemp(), **self.options)
        added(self.config, ANN, keep_secret=True)
        self.auth = built(self, self.config, reactor)
        self.door = self.auth.authenticator

    async def refused(self, fault, login):
        try:
            result = await login
        except fault as raised:
            return raised
        raise self.failureException(f"{result} and not {fault.__name__}")


class OfferTests(RoomTestCase):
    def test_passwords_in_clear_only_under_TLS(self):
        self.assertEqual(
            self.door.mechanisms(TLS),
            ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"),
        )
        self.assertEqual(self.door.mechanisms(CLEAR), ("SCRAM-SHA-256", "CRAM-MD5"))
        self.assertTrue(self.door.plaintext(tls=True))
        self.assertFalse(self.door.plaintext(tls=False))
        self.assertTrue(self.door.apop(TLS))

    async def test_what_is_not_offered_is_refused(self):
        converse = answering()
        for mechanism, peer, fault in [
            ("PLAIN", CLEAR, EncryptionNeeded),
            ("login", CLEAR, EncryptionNeeded),
            ("SCRAM-SHA-1", TLS, UnknownMechanism),
            ("GSSAPI", TLS, UnknownMechanism),
            ("", TLS, UnknownMechanism),
        ]:
            login = self.door.login_sasl(mechanism, PLAIN, converse, peer)
            await self.refused(fault, login)
        self.assertEqual(converse.asked, [], "no secret was asked for")
        await self.refused(
            EncryptionNeeded, self.door.login_password(ANN, Secret(PASSWORD), CLEAR)
        )


class DoorOfferTests(TestCase):
    """Only sources that a door asks count for what is offered there."""

    def setUp(self):
        folder = self.mktemp()
        self.config = configured(folder, plaintext_without_tls=False)
        added(self.config, ANN, keep_secret=True)
        path = f"{folder}/users"
        with open(path, "w") as file:
            file.write("bob@example.test:{PLAIN}x::::::\n")
        self.hashes = {"kind": "passwd_file", "path": path}

    def offered(self, userdb, hashes, **where):
        """True for (SCRAM, digests) at the door."""
        sources = (Source(kind="userdb", **userdb), Source(**self.hashes, **hashes))
        auth = built(self, evolve(self.config, source=sources), reactor)
        peer = evolve(CLEAR, **where)
        names = auth.authenticator.mechanisms(peer)
        self.assertEqual(auth.authenticator.apop(peer), "CRAM-MD5" in names)
        return "SCRAM-SHA-256" in names, "CRAM-MD5" in names

    def test_a_source_without_keys_hides_SCRAM_where_it_is_asked_only(self):
        pop3, inside = {"protocols": ("pop3",)}, {"listeners": ("inside",)}
        for userdb, hashes, where, want in [
            ({}, {}, {"protocol": "imap4"}, (False, True)),
            ({}, pop3, {"protocol": "pop3"}, (False, True)),
            ({}, pop3, {"protocol": "imap4"}, (True, True)),
            ({}, inside, {"listener": "inside"}, (False, True)),
            ({}, inside, {"listener": "outside"}, (True, True)),
            ({}, inside, {}, (True, True)),
            ({}, {"logins": False}, {}, (True, True)),
            (pop3, {}, {"protocol": "imap4"}, (False, False)),
            (pop3, pop3, {"protocol": "imap4"}, (False, False)),
        ]:
            told = (userdb, hashes, where)
            self.assertEqual(self.offered(userdb, hashes, **where), want, told)


class NoSecretOfferTests(TestCase):
    async def test_digests_are_offered_once_an_account_keeps_its_secret(self):
        config = configured(self.mktemp())
        added(config, "bob@example.test")
        auth = built(self, config, reactor)
        self.assertFalse(auth.authenticator.apop(TLS))
        self.assertNotIn("CRAM-MD5", auth.authenticator.mechanisms(TLS))
        added(config, ANN, keep_secret=True)
        auth.sources[0].parts.directory._looked_at = float(
            "-inf"
        )  # a quarter of a second later
        self.assertTrue(auth.authenticator.apop(TLS))
        self.assertIn("CRAM-MD5", auth.authenticator.mechanisms(TLS))

    def test_no_database_offers_no_digests(self):
        auth = built(self, configured(self.mktemp()), reactor)
        self.assertFalse(auth.authenticator.apop(TLS))

    def test_plaintext_without_TLS_if_configured(self):
        config = configured(self.mktemp(), plaintext_without_tls=True)
        door = built(self, config, reactor).authenticator
        self.assertTrue(door.plaintext(tls=False))
        self.assertIn("PLAIN", door.mechanisms(CLEAR))


class LoginTests(RoomTestCase):
    async def assert_ann(self, login, mechanism):
        done = await login
        self.assertEqual((done.name, done.mechanism), (ANN, mechanism))
        self.assertTrue(IMailAccount.providedBy(done.account))
        self.assertEqual(done.account.account.name, ANN)
        self.assertEqual(done.account.mailboxes, f"mailboxes of {ANN}")
        done.logout()

    async def test_every_way_in(self):
        timestamp = b"<1.2@mx>"
        apop = hashlib.md5(timestamp + PASSWORD).hexdigest().encode()
        first, rest = scram(PASSWORD.decode())
        _, late = scram("unused")
        for login, mechanism in [
            (self.door.login_password(ANN, Secret(PASSWORD), TLS), "password"),
            (self.door.login_apop(ANN, timestamp, apop, CLEAR), "APOP"),
            (self.door.login_sasl("PLAIN", PLAIN, answering(), TLS), "PLAIN"),
            (self.door.login_sasl("plain", None, answering(PLAIN), TLS), "PLAIN"),
            (
                self.door.login_sasl(
                    "LOGIN", None, answering(ANN.encode(), PASSWORD), TLS
                ),
                "LOGIN",
            ),
            (
                self.door.login_sasl("LOGIN", ANN.encode(), answering(PASSWORD), TLS),
                "LOGIN",
            ),
            (
                self.door.login_sasl("CRAM-MD5", None, cram(PASSWORD), CLEAR),
                "CRAM-MD5",
            ),
            (
                self.door.login_sasl("SCRAM-SHA-256", first, rest, CLEAR),
                "SCRAM-SHA-256",
            ),
        ]:
            await self.assert_ann(login, mechanism)

    async def test_SCRAM_without_an_initial_response(self):
        client = ScramClient(["SCRAM-SHA-256"], ANN, PASSWORD.decode())

        def final(challenge):
            client.set_server_first(challenge.decode())
            return client.get_client_final().encode()

        converse = answering(client.get_client_first().encode(), final, b"")
        await self.assert_ann(
            self.door.login_sasl("SCRAM-SHA-256", None, converse, TLS), "SCRAM-SHA-256"
        )
        self.assertEqual(converse.asked[0], b"")
        client.set_server_final(converse.asked[2].decode())

    async def test_prompts_of_LOGIN(self):
        converse = answering(ANN.encode(), PASSWORD)
        await self.door.login_sasl("LOGIN", None, converse, TLS)
        self.assertEqual(converse.asked, [b"Username:", b"Password:"])

    async def test_names_are_compared_without_case(self):
        await self.assert_ann(
            self.door.login_password("ANN@Example.Test", Secret(PASSWORD), TLS),
            "password",
        )

    async def test_names_without_a_domain_where_unique(self):
        await self.assert_ann(
            self.door.login_password("ann", Secret(PASSWORD), TLS), "password"
        )

    async def test_wrong_ones_never_say_what_is_wrong(self):
        nobody = "nobody@example.test"
        told = set()
        for user in (ANN, nobody):
            first, rest = scram("wrong", user=user)
            message = f"\0{user}\0wrong".encode()
            for login in [
                self.door.login_password(user, Secret(b"wrong"), TLS),
                self.door.login_apop(user, b"<1.2@mx>", b"0" * 32, TLS),
                self.door.login_sasl("PLAIN", message, answering(), TLS),
                self.door.login_sasl("CRAM-MD5", None, cram(b"wrong", user), TLS),
                self.door.login_sasl("SCRAM-SHA-256", first, rest, TLS),
            ]:
                told.add((await self.refused(AuthFailed, login)).public)
        self.assertEqual(told, {AuthFailed.public})

    async def test_a_proxy_vouches_for_accounts_that_are_there_alone(self):
        await self.assert_ann(self.door.login_proxied(ANN, CLEAR), "XCLIENT")
        nobody = self.door.login_proxied("nobody@example.test", CLEAR)
        await self.refused(AuthFailed, nobody)

    async def test_a_disabled_account_is_refused_like_a_wrong_password(self):
        UserDb(self.config).change(
            evolve(UserDb(self.config).account(ANN).account, enabled=False)
        )
        first, rest = scram(PASSWORD.decode())
        for login in [
            self.door.login_password(ANN, Secret(PASSWORD), TLS),
            self.door.login_sasl("CRAM-MD5", None, cram(PASSWORD), TLS),
            self.door.login_sasl("SCRAM-SHA-256", first, rest, TLS),
            self.door.login_proxied(ANN, CLEAR),
        ]:
            await self.refused(AuthFailed, login)

    async def test_nobody_acts_for_another(self):
        added(self.config, "bob@example.test")
        message = b"bob@example.test" + PLAIN
        await self.refused(
            AuthFailed, self.door.login_sasl("PLAIN", message, answering(), TLS)
        )

    async def test_an_unknown_user_gets_the_same_round_trips_and_a_stable_salt(self):
        asked = []
        for user in (ANN, "nobody@example.test", "Nobody@example.test"):
            first, converse = scram("wrong", user=user)
            await self.refused(
                AuthFailed, self.door.login_sasl("SCRAM-SHA-256", first, converse, TLS)
            )
            asked.append([c.decode().split(",", 1)[1] for c in converse.asked])
        self.assertEqual([len(challenges) for challenges in asked], [1, 1, 1])
        self.assertEqual(asked[1], asked[2])
        self.assertEqual([len(c[0]) for c in asked], [len(asked[0][0])] * 3)

    async def test_a_server_final_wants_an_empty_response(self):
        client = ScramClient(["SCRAM-SHA-256"], ANN, PASSWORD.decode())

        def final(challenge):
            client.set_server_first(challenge.decode())
            return client.get_client_final().encode()

        first = client.get_client_first().encode()
        login = self.door.login_sasl(
            "SCRAM-SHA-256", first, answering(final, b"x"), TLS
        )
        await self.refused(SyntaxFault, login)

    async def test_CRAM_MD5_takes_no_initial_response(self):
        await self.refused(
            SyntaxFault, self.door.login_sasl("CRAM-MD5", b"", answering(), TLS)
        )

    async def test_cancelled_exchanges(self):
        for mechanism in self.door.mechanisms(TLS):
            login = self.door.login_sasl(
                mechanism, None, answering(SaslCancelled()), TLS
            )
            await self.refused(SaslCancelled, login)

    async def test_two_challenges_are_never_the_same(self):
        one, two = cram(PASSWORD), cram(PASSWORD)
        for converse in (one, two):
            await self.door.login_sasl("CRAM-MD5", None, converse, TLS)
        self.assertNotEqual(one.asked, two.asked)

    async def test_logging_out_twice_is_once(self):
        done = await self.door.login_password(ANN, Secret(PASSWORD), TLS)
        self.assertEqual([done.logout(), done.logout()], [None, None])


class ScramSha1Tests(RoomTestCase):
    options = {"scram_sha1": True}

    async def test_SCRAM_SHA_1_if_switched_on(self):
        self.assertIn("SCRAM-SHA-1", self.door.mechanisms(CLEAR))
        first, rest = scram(PASSWORD.decode(), "SCRAM-SHA-1")
        done = await self.door.login_sasl("SCRAM-SHA-1", first, rest, TLS)
        self.assertEqual(done.name, ANN)


class DefaultDomainTests(RoomTestCase):
    options = {"default_domain": "example.test"}

    async def test_the_default_domain_completes_a_name(self):
        added(self.config, "ann@b\u00fccher.test", b"another")
        done = await self.door.login_password("ann", Secret(PASSWORD), TLS)
        self.assertEqual(done.name, ANN)
        first, rest = scram(PASSWORD.decode(), user="Ann")
        done = await self.door.login_sasl("SCRAM-SHA-256", first, rest, TLS)
        self.assertEqual(done.name, ANN)


class DownTests(RoomTestCase):
    async def test_a_database_that_is_gone_is_never_a_wrong_password(self):
        self.assertIn("CRAM-MD5", self.door.mechanisms(TLS))
        await self.door.login_password(ANN, Secret(PASSWORD), TLS)
        path = UserDb(self.config).path
        path.rename(path.with_name("moved"))
        first, rest = scram(PASSWORD.decode())
        for login in [
            self.door.login_password(ANN, Secret(PASSWORD), TLS),
            self.door.login_sasl("CRAM-MD5", None, cram(PASSWORD), TLS),
            self.door.login_sasl("SCRAM-SHA-256", first, rest, TLS),
        ]:
            await self.refused(AuthUnavailable, login)
        path.with_name("moved").rename(path)
        await self.door.login_password(ANN, Secret(PASSWORD), TLS)

    async def test_a_database_that_is_no_database(self):
        UserDb(self.config).path.write_bytes(b"no database at all" * 100)
        await self.refused(
            AuthUnavailable, self.door.login_password(ANN, Secret(PASSWORD), TLS)
        )

    async def test_another_key_file(self):
        (UserDb(self.config).path.parent / "userdb.key").write_bytes(b"k" * 32)
        await self.refused(
            AuthUnavailable, self.door.login_sasl("CRAM-MD5", None, cram(PASSWORD), TLS)
        )
        await self.door.login_password(ANN, Secret(PASSWORD), TLS)


class SlowTests(RoomTestCase):
    """With a clock that the test turns."""

    options = {"failure_delay_s": 1.0, "failures_per_network": 3}

    def setUp(self):
        super().setUp()
        self.clock = self.door._reactor = Clock()
        self.door._throttle = Throttle(self.config.auth, self.clock.seconds)

    def begun(self, password=b"wrong", address="192.0.2.1", user=ANN):
        peer = evolve(TLS, address=address)
        login = self.door.login_password(user, Secret(password), peer)
        return Deferred.fromCoroutine(login)

    async def waiting(self, login):
        """Return when `login` waits for the clock."""
        while not self.clock.getDelayedCalls():
            self.assertNoResult(login)
            await pause()

    async def test_the_failing_attempt_waits(self):
        login = self.begun()
        await self.waiting(login)
        self.clock.advance(0.9)
        self.assertNoResult(login)
        self.clock.advance(0.1)
        self.failureResultOf(login, AuthFailed)

    async def test_a_right_password_waits_for_nothing(self):
        login = self.begun()
        await self.waiting(login)
        done = await self.begun(PASSWORD)
        self.assertEqual(done.name, ANN)
        self.clock.advance(1)
        self.failureResultOf(login, AuthFailed)

    async def test_a_client_that_hangs_up_while_it_waits_was_counted(self):
        for _ in range(3):
            login = self.begun(user="nobody")
            await self.waiting(login)
            login.cancel()
            self.failureResultOf(login)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await self.refused(AuthThrottled, self.begun(user="nobody"))
        self.clock.advance(3601)
        self.assertEqual((await self.begun(PASSWORD)).name, ANN)

    async def test_a_stranger_waits_before_the_password_while_many_guess(self):
        throttle = self.door._throttle
        for number in range(2 * self.config.auth.failures_per_server):
            throttle.failed(f"198.{number % 256}.{number // 256}.1", f"user{number}")
        right, wrong = self.begun(PASSWORD), self.begun(address="203.0.113.1")
        for login in (right, wrong):
            self.assertNoResult(login)
        hung_up = self.begun(PASSWORD, "203.0.113.2")
        hung_up.cancel()
        self.failureResultOf(hung_up)
        self.clock.advance(1.9)
        await pause()
        for login in (right, wrong):
            self.assertNoResult(login)
        self.clock.advance(0.1)
        self.assertEqual((await right).name, ANN)
        await self.refused(AuthFailed, wrong)  # the wait was the delay too
        again = await self.begun(PASSWORD)
        self.assertEqual(again.name, ANN)

    async def test_spellings_of_a_name_are_counted_as_one(self):
        for count, user in enumerate([ANN, "ANN@example.test", "Ann@EXAMPLE.test"]):
            login = self.begun(user=user, address=f"192.0.2.{count}")
            await self.waiting(login)
            (call,) = self.clock.getDelayedCalls()
            self.assertEqual(call.getTime() - self.clock.seconds(), 2.0**count)
            self.clock.advance(5)
            self.failureResultOf(login, AuthFailed)


class RenewTests(RoomTestCase):
    """Hashes of yesterday's parameters are renewed behind the login's back."""

    async def logged_in(self, **options):
        config = evolve(self.config, auth=Auth(**{**FAST, **options}))
        auth = built(self, config, reactor)
        door = auth.authenticator
        done = await door.login_password(ANN, Secret(PASSWORD), TLS)
        self.assertEqual(done.name, ANN)
        await auth.close()
        return UserDb(config).verify(ANN, PASSWORD)

    async def test_a_login_renews_the_hash_and_the_keys(self):
        for options in ({"argon2_passes": 2}, {"scram_sha1": True}):
            verified = await self.logged_in(**options)
            self.assertFalse(verified.stale, options)

    async def test_a_renewal_that_waits_is_done_before_the_server_stops(self):
        fast = Auth(**{**FAST, "argon2_passes": 2, "threads": 1})
        config = evolve(self.config, auth=fast)
        auth = built(self, config, reactor)
        go = Event()
        login = Deferred.fromCoroutine(
            auth.authenticator.login_password(ANN, Secret(PASSWORD), TLS)
        )
        pool = auth.sources[0].parts.checker._pool
        while not pool._waiting:  # the check stands in the queue
            await deferLater(reactor, 0)
        busy = pool.run(lambda: go.wait(10))  # and this in front of the renewal
        await login
        closed = Deferred.fromCoroutine(auth.close())
        go.set()
        await closed
        busy.addErrback(lambda failure: failure.trap(AuthUnavailable))
        self.assertFalse(UserDb(config).verify(ANN, PASSWORD).stale)

    async def test_a_login_succeeds_though_nothing_can_be_written(self):
        database = UserDb(self.config)
        self.addCleanup(database.close)
        database._connection().execute(
            "CREATE TRIGGER no BEFORE UPDATE ON accounts BEGIN"
            " SELECT RAISE(ABORT, 'full'); END"
        )
        verified = await self.logged_in(argon2_passes=2)
        self.assertTrue(verified.stale)


class HangUpTests(RoomTestCase):
    async def test_a_client_that_hangs_up_while_its_password_is_checked(self):
        login = Deferred.fromCoroutine(
            self.door.login_password(ANN, Secret(PASSWORD), TLS)
        )
        login.cancel()
        failure = self.failureResultOf(login)
        self.assertIsInstance(failure, Failure)
        self.assertEqual(
            (await self.door.login_password(ANN, Secret(PASSWORD), TLS)).name, ANN
        )

    async def test_a_server_that_stops_says_so(self):
        login = Deferred.fromCoroutine(
            self.door.login_password(ANN, Secret(PASSWORD), TLS)
        )
        await self.auth.sources[0].parts.close()
        with contextlib.suppress(AuthUnavailable):  # or it was quicker
            self.assertEqual((await login).name, ANN)
        await self.refused(
            AuthUnavailable, self.door.login_password(ANN, Secret(PASSWORD), TLS)
        )


def pause():
    """A turn of the reactor, so that its threads can answer."""
    waited = Deferred()
    reactor.callLater(0.002, waited.callback, None)
    return waited
