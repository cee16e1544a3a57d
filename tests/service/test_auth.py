"""Tests for mailtwist.service.auth: one portal for our protocols and Twisted's."""

import os

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxPOP3,
    IMessageDelivery,
    IMessageDeliveryFactory,
)
from twisted.mail.smtp import SMTPBadRcpt, SMTPBadSender, User
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.config.model import Auth
from mailtwist.delivery.dispatch import Dispatch
from mailtwist.delivery.router import Router
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import AuthThrottled, ConfigError
from mailtwist.interfaces import IMailAccount
from mailtwist.service.auth import build_auth, throttle_of
from mailtwist.store.memory import MemoryStore
from tests.auth.rooms import configured

ANN = UsernamePassword(b"ann@example.test", b"pw")


class PortalTests(TestCase):
    def setUp(self):
        config = configured(self.mktemp())
        db = UserDb(config)
        for user in ("ann", "bob"):
            db.add(Address(user, "example.test"), b"pw")
        db.close()
        store = MemoryStore()
        auth = build_auth(reactor=reactor, config=config, store=store)
        self.addCleanup(lambda: Deferred.fromCoroutine(auth.close()))
        router = Router(auth.directory, store, config)
        auth.give_avatars(router, Dispatch(store.delivery()))
        self.portal = auth.portal

    async def avatar(self, credentials, *interfaces):
        _, avatar, logout = await self.portal.login(credentials, None, *interfaces)
        logout()
        return avatar

    async def test_every_avatar(self):
        for interface in (
            IMailAccount,
            IMailboxPOP3,
            IAccountIMAP,
            IMessageDelivery,
            IMessageDeliveryFactory,
        ):
            avatar = await self.avatar(ANN, interface)
            self.assertTrue(interface.providedBy(avatar), interface)

    async def test_mail_comes_in_by_one_avatar_and_is_read_by_another(self):
        factory = await self.avatar(ANN, IMessageDeliveryFactory, IMessageDelivery)
        way_in = factory.getMessageDelivery()
        user = User(
            "bob@example.test", (b"client", b"192.0.2.1"), None, "ann@example.test"
        )
        await way_in.validateFrom((b"client", b"192.0.2.1"), user.orig)
        message = (await way_in.validateTo(user))()
        for line in (b"Subject: hello", b"", b"Hello Bob"):
            message.lineReceived(line)
        await message.eomReceived()
        bob = UsernamePassword(b"bob@example.test", b"pw")
        drop = await self.avatar(bob, IMailboxPOP3)
        self.assertEqual(len(drop.listMessages()), 1)
        self.assertIn(b"Hello Bob", (await drop.getMessage(0)).read())

    async def test_a_login_sends_as_itself_only(self):
        way_in = await self.avatar(ANN, IMessageDelivery)
        user = User("x@other.test", None, None, "bob@example.test")
        await self.assertFailure(way_in.validateFrom(None, user.orig), SMTPBadSender)

    async def test_anonymous_clients_reach_local_recipients_only(self):
        way_in = await self.avatar(
            Anonymous(), IMessageDeliveryFactory, IMessageDelivery
        )
        way_in = way_in.getMessageDelivery()
        await way_in.validateTo(User("bob@example.test", None, None, "a@b.test"))
        away = User("x@other.test", None, None, "a@b.test")
        await self.assertFailure(way_in.validateTo(away), SMTPBadRcpt)

    async def test_anonymous_clients_read_nothing(self):
        for interface in (IMailAccount, IMailboxPOP3, IAccountIMAP):
            login = self.portal.login(Anonymous(), None, interface)
            await self.assertFailure(login, UnauthorizedLogin)


class ThrottleFileTests(TestCase):
    def test_counters_in_files_outlive_the_server(self):
        folder = self.mktemp()
        os.mkdir(folder)
        config = Auth(throttle_file=f"{folder}/failures", failures_per_network=3)
        for _ in range(3):
            throttle_of(config, reactor).failed("192.0.2.1", "ann@example.test")
        after = throttle_of(config, reactor)
        with self.assertRaises(AuthThrottled):
            after.admit("192.0.2.1", "ann@example.test")

    def test_a_place_where_no_file_can_be_is_told(self):
        config = Auth(throttle_file="/nowhere/failures")
        with self.assertRaisesRegex(ConfigError, "auth.throttle_file: /nowhere"):
            throttle_of(config, reactor)
