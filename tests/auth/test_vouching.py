"""Tests for logins that somebody vouches for: what the account may counts as ever."""

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.auth.bearer import Bearer
from mailtwist.auth.credentials import VouchedCredentials
from mailtwist.config.source import Master, Source
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import (
    AuthFailed,
    AuthThrottled,
    AuthUnavailable,
    EncryptionNeeded,
    LoginNotAllowed,
    SaslCancelled,
    UnknownMechanism,
)

from .rooms import CLEAR, TLS, added, built, configured
from .test_login import answering

ANN, BOB, ADMIN = (f"{name}@example.test" for name in ("ann", "bob", "admin"))


class Judge:
    """Believes tokens that are the names of their bearers."""

    fault = None

    async def judge(self, token):
        if self.fault is not None:
            raise self.fault
        return (token.reveal().decode("ascii").replace("~", "@"),)


class Booth:
    """Sells tickets, and counts who asked."""

    asked = 0

    def offered(self, peer):
        return True

    async def credentials(self, initial, converse, peer):
        self.asked += 1

        async def proved():
            return (ANN,)

        return VouchedCredentials("", proved)


def said(token, user=""):
    authzid = f"a={user}" if user else ""
    token = token.replace("@", "~")
    return f"n,{authzid},\1auth=Bearer {token}\1\1".encode()


class VouchedTests(TestCase):
    def setUp(self):
        config = configured(self.mktemp())
        self.config = evolve(
            config,
            master=(
                Master(account=ADMIN, domains=("example.test",), protocols=("imap4",)),
            ),
        )
        for name in (ANN, BOB, ADMIN):
            added(self.config, name)
        account = added(self.config, "pop@example.test")
        db = UserDb(self.config)
        db.change(evolve(account, uses=frozenset({"pop3"})))
        db.close()
        self.auth = self.made(self.config)

    def made(self, config):
        auth = built(self, config, reactor)
        self.judge = Judge()
        auth.vouchers.by_mechanism["OAUTHBEARER"] = Bearer(
            "OAUTHBEARER", self.judge, "mail", "https://id.test/x"
        )
        return auth

    async def login(self, initial, peer=TLS, converse=None):
        door = self.auth.authenticator
        converse = converse or answering(b"\1")
        return await door.login_sasl("OAUTHBEARER", initial, converse, peer)

    async def refused(self, fault, initial, peer=TLS, converse=None):
        login = Deferred.fromCoroutine(self.login(initial, peer, converse))
        return await self.assertFailure(login, fault)

    async def test_the_bearer_logs_in_under_their_own_name_alone(self):
        for initial, peer, fault in [
            (said(ANN), TLS, None),
            (said(ANN, ANN.upper()), TLS, None),
            (said(ANN, BOB), TLS, AuthFailed),
            (said("nobody@example.test"), TLS, AuthFailed),
            (said("pop@example.test"), TLS, LoginNotAllowed),
            (said("pop@example.test"), evolve(TLS, protocol="pop3"), None),
            (said(ANN), CLEAR, EncryptionNeeded),
        ]:
            with self.subTest(initial):
                if fault is None:
                    done = await self.login(initial, peer)
                    self.assertIn(done.name.encode().partition(b"@")[0], initial)
                else:
                    await self.refused(fault, initial, peer)

    async def test_a_master_may_be_another_where_it_may(self):
        imap = evolve(TLS, protocol="imap4")
        for wanted in (ANN, f"{ANN}*{ADMIN}"):
            done = await self.login(said(ADMIN, wanted), imap)
            self.assertEqual(done.name, ANN)
        await self.refused(AuthFailed, said(ADMIN, ANN), TLS)
        await self.refused(AuthFailed, said(ANN, BOB), imap)
        await self.refused(AuthFailed, said(ADMIN, f"{ANN}*{BOB}"), imap)

    async def test_the_refusal_is_told_and_counted_even_if_nobody_listens(self):
        converse = answering(SaslCancelled())
        await self.refused(SaslCancelled, said("nobody@example.test"), TLS, converse)
        self.assertIn(b"openid-configuration", converse.asked[0])
        networks = self.auth.authenticator._throttle._networks
        self.assertEqual(networks.count(TLS.address), 1)

    async def test_a_provider_that_is_down_refuses_nobody(self):
        self.judge.fault = AuthUnavailable()
        converse = answering()
        await self.refused(AuthUnavailable, said(ANN), TLS, converse)
        self.assertEqual(converse.asked, [])

    async def test_a_source_that_is_not_for_this_door_vouches_for_none(self):
        only = Source(kind="userdb", protocols=("pop3",))
        self.auth = self.made(evolve(self.config, source=(only,)))
        await self.refused(AuthFailed, said(ANN), evolve(TLS, protocol="imap4"))
        await self.login(said(ANN), evolve(TLS, protocol="pop3"))

    async def test_what_is_not_configured_is_not_offered(self):
        door = self.auth.authenticator
        self.assertIn("OAUTHBEARER", door.mechanisms(TLS))
        self.assertNotIn("OAUTHBEARER", door.mechanisms(CLEAR))
        for mechanism in ("EXTERNAL", "ANONYMOUS", "GSSAPI", "XOAUTH2"):
            self.assertNotIn(mechanism, door.mechanisms(TLS))
            login = door.login_sasl(mechanism, b"", answering(), TLS)
            await self.assertFailure(Deferred.fromCoroutine(login), UnknownMechanism)

    async def test_a_network_that_is_refused_costs_no_exchange_of_tickets(self):
        booth = self.auth.vouchers.by_mechanism["GSSAPI"] = Booth()
        door = self.auth.authenticator

        async def enter():
            await door.login_sasl("GSSAPI", b"x", answering(), TLS)

        for number in range(self.config.auth.failures_per_network):
            await self.refused(AuthFailed, said(f"user{number}@example.test"))
        await self.assertFailure(Deferred.fromCoroutine(enter()), AuthThrottled)
        self.assertEqual(booth.asked, 0)
        door._throttle.succeeded(TLS.address, ANN)
        await enter()
        self.assertEqual(booth.asked, 1)
