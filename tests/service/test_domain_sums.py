"""A server that starts knows what the accounts of limited domains hold."""

import os

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Config
from mailtwist.config.routing import Domain
from mailtwist.directory.limited import Defaults
from mailtwist.directory.model import Account
from mailtwist.errors import LookupFailed
from mailtwist.service.domain_sums import DomainSums
from tests.store.inline import InlineStore
from tests.store.test_domain_sum import told


class Directory:
    def __init__(self, folder, config):
        self.folder, self.limited, self.asked = folder, Defaults(config).of, []

    async def account(self, name):
        self.asked.append(name)
        if name.startswith("down"):
            raise LookupFailed()
        if name.startswith("gone"):
            return None
        return self.limited(Account(name, f"{self.folder}/{name}"))


class DomainSumsTests(SynchronousTestCase):
    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        self.clock, self.store = Clock(), InlineStore()
        self.addCleanup(lambda: self.store.now(self.store.close()))

    def service(self, names, **limits):
        config = Config(domain=(Domain(name="b.test", **limits), Domain(name="a.test")))
        config = Config(
            server=type(config.server)(data=self.folder), domain=config.domain
        )
        self.directory = Directory(self.folder, config)
        service = DomainSums(
            self.clock, config, self.directory, self.store, lambda: succeed(names)
        )
        service.startService()
        return service

    def write(self, name):
        folder = f"{self.folder}/{name}/Maildir/new"
        os.makedirs(folder)
        for at in range(2):
            with open(f"{folder}/{at}.old", "wb") as file:
                file.write(b"x" * 50)

    def test_accounts_that_nobody_asked_for_are_counted(self):
        names = ["down@b.test", "gone@b.test", "ann@a.test", "bob@b.test", "cat@b.test"]
        for name in names:
            self.write(name)
        self.service(names, messages=9)
        self.clock.pump([1.0] * 5)
        self.assertEqual(
            self.directory.asked, [n for n in names if n.endswith("b.test")]
        )
        limit = self.directory.limited(Account("bob@b.test", "/")).domain
        self.assertEqual(told(limit), (200, 4))

    def test_without_limits_nobody_is_asked(self):
        self.service(["bob@b.test"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_stops_asks_no_more(self):
        service = self.service(["bob@b.test", "cat@b.test"], storage_octets=9)
        self.clock.advance(1.0)
        service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.directory.asked, ["bob@b.test"])
