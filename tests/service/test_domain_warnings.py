"""Postmasters of limited domains are told when those fill."""

import os

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.limiting import QuotaLimits
from mailtwist.config.model import Config, Server
from mailtwist.config.routing import Domain
from mailtwist.delivery.model import LocalRecipient
from mailtwist.directory.limited import shared_limits
from mailtwist.directory.model import Account
from mailtwist.errors import OverQuota
from mailtwist.service.domain_warnings import EVERY_S, DomainWarnings
from mailtwist.store.maildir import domain_sum


class Mail:
    """A router and a delivery; `faults` are raised first."""

    def __init__(self):
        self.sent, self.faults = [], []

    async def resolve(self, address, *, may_relay):
        return LocalRecipient(address, Account("boss@b.test", "/nowhere"))

    def begin(self, envelope):
        self.to = str(envelope.recipients[0].address)
        return self

    def write(self, octets):
        self.octets = octets

    async def commit(self):
        if self.faults:
            return [self.faults.pop()]
        self.sent.append((self.to, self.octets))
        return [None]


class DomainWarningsTests(SynchronousTestCase):
    def setUp(self):
        self.config = Config(
            server=Server(data=os.path.abspath(self.mktemp())),
            quota=QuotaLimits(warn_at=("50%", "80%")),
            domain=(Domain(name="b.test", messages=10), Domain(name="a.test")),
        )
        os.makedirs(self.config.server.data)
        (self.limit,) = shared_limits(self.config)
        self.mail = Mail()
        self.start()

    def start(self):
        self.clock = Clock()
        self.service = DomainWarnings(
            self.clock,
            self.config,
            "mx.test",
            router=self.mail,
            delivery=self.mail,
            defer=maybeDeferred,
        )
        self.service.startService()

    def hold(self, messages):
        """How many messages were sent after a look."""
        with domain_sum.opened(self.limit) as total:
            total.tell("/home", -1, (100 * messages, messages))
        before = len(self.mail.sent)
        self.clock.advance(EVERY_S)
        return len(self.mail.sent) - before

    def test_each_threshold_is_told_once_and_again_after_falling_below(self):
        held = [self.hold(count) for count in (4, 5, 6, 8, 9, 7, 8, 4, 5)]
        self.assertEqual(held, [0, 1, 0, 1, 0, 0, 1, 0, 1])
        to, octets = self.mail.sent[1]
        self.assertEqual(to, "postmaster@b.test")
        self.assertIn(b"The mailboxes of b.test are 80% full\r\n", octets)
        self.assertIn(b"together hold 8 of 10 messages.\r\n", octets)

    def test_a_server_that_starts_knows_what_was_told(self):
        self.assertEqual(self.hold(5), 1)
        self.service.stopService()
        self.assertEqual(self.hold(9), 0)
        self.start()
        self.assertEqual([self.hold(5), self.hold(9)], [0, 1])

    def test_what_could_not_be_told_is_told_later(self):
        self.mail.faults = [OverQuota()]
        self.assertEqual([self.hold(8), self.hold(8), self.hold(8)], [0, 1, 0])

    def test_a_domain_that_nobody_used_is_let_be(self):
        self.clock.advance(EVERY_S)
        self.assertEqual(self.mail.sent, [])
        self.assertFalse(os.path.exists(self.limit.file))
