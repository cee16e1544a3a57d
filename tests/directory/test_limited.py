"""Limits that the configuration gives to accounts."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.limiting import QuotaLimits
from mailtwist.config.model import Config
from mailtwist.config.routing import Domain
from mailtwist.directory.limited import Defaults
from mailtwist.directory.model import Account


class DefaultTests(SynchronousTestCase):
    def limits(self, account, **quota):
        config = Config(
            quota=QuotaLimits(**quota),
            domain=(
                Domain(name="example.test"),
                Domain(name="small.test", account_storage_octets=100),
            ),
        )
        found = Defaults(config).of(account)
        return found.storage_limit_octets, found.message_limit

    def test_the_nearest_that_says_something_counts(self):
        for account, quota, wanted, why in [
            (Account("a@example.test", "/"), {}, (None, None), "nobody"),
            (
                Account("a@example.test", "/"),
                {"storage_octets": 500, "messages": 7},
                (500, 7),
                "the server",
            ),
            (
                Account("a@small.test", "/"),
                {"storage_octets": 500, "messages": 7},
                (100, 7),
                "the domain, and the server",
            ),
            (
                Account("a@small.test", "/", storage_limit_octets=50),
                {"storage_octets": 500},
                (50, None),
                "its source",
            ),
            (
                Account("a@small.test", "/", unlimited=True),
                {"storage_octets": 500, "messages": 7},
                (None, None),
                "its source, that there is none",
            ),
        ]:
            self.assertEqual(self.limits(account, **quota), wanted, why)

    def test_limits_of_mailboxes(self):
        config = Config(quota=QuotaLimits(mailbox_limits=("A: 10", "B: 20")))
        own = Account("a@example.test", "/", mailbox_limits=((("A",), 5, None),))
        self.assertEqual(
            Defaults(config).of(own).mailbox_limits,
            ((("A",), 5, None), (("B",), 20, None)),
        )

    def test_without_defaults_the_account_stays_as_it_is(self):
        account = Account("a@example.test", "/")
        self.assertIs(Defaults(Config()).of(account), account)
