"""RCPT looks for room in the very mailbox that the message would go to."""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.model import Config, Domain
from mailtwist.config.sieve import Sieve
from mailtwist.delivery.model import LocalRecipient
from mailtwist.delivery.router import Router
from mailtwist.errors import OverQuota
from mailtwist.mailbox.model import INBOX, Limits
from mailtwist.mailbox.posting import Posting
from mailtwist.mailbox.rights import Action, RightsChange
from mailtwist.store.memory import MemoryStore

from .test_router import Directory

LISTS = ("Lists", "Python")


class RoomTests(SynchronousTestCase):
    def setUp(self):
        self.store = MemoryStore()
        self.directory = Directory("ann@example.test")
        self.config = Config(domain=(Domain(name="example.test"),))
        (account,) = self.directory.accounts
        self.tree = self.store.mailboxes(account)
        self.now(self.tree.create(LISTS))
        posted = RightsChange(Action.ADD, frozenset("p"))
        self.now(self.tree.set_rights(LISTS, "anyone", posted))

    def now(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def resolved(self, text, size=None):
        router = Router(
            self.directory,
            self.store,
            self.config,
            posting=Posting(self.store, {}),
        )
        address = Address.parse(text)
        return Deferred.fromCoroutine(
            router.resolve(address, may_relay=False, size_octets=size)
        )

    def is_full(self, text, size=None):
        outcomes = []
        self.resolved(text, size).addBoth(outcomes.append)
        if isinstance(outcomes[0], LocalRecipient):
            return False
        outcomes[0].trap(OverQuota)
        self.assertEqual(outcomes[0].value.status, "4.2.2")
        return True

    def test_the_limits_of_the_mailbox_that_is_posted_to_count(self):
        self.now(self.tree.set_limits(("Lists",), Limits(octets=500)))
        for text, size, full, why in (
            ("ann+lists/python@example.test", 500, False, "just so much"),
            ("ann+lists/python@example.test", 501, True, "an octet more"),
            ("ann@example.test", 501, False, "INBOX is no part of it"),
            ("ann+other@example.test", 501, False, "it goes to INBOX"),
        ):
            self.assertIs(self.is_full(text, size), full, why)

    def test_so_do_those_of_INBOX_and_of_the_account(self):
        self.now(self.tree.set_limits(INBOX, Limits(messages=0)))
        self.assertTrue(self.is_full("ann@example.test"))
        self.assertFalse(self.is_full("ann+lists/python@example.test"))
        self.directory.accounts = [evolve(self.directory.accounts[0], message_limit=0)]
        self.assertTrue(self.is_full("ann+lists/python@example.test"))

    def test_where_scripts_sort_only_the_account_counts(self):
        self.now(self.tree.set_limits(INBOX, Limits(messages=0)))
        self.now(self.tree.put_script("mine", b"keep;", 1000))
        self.assertTrue(self.is_full("ann@example.test"), "none is active")
        self.now(self.tree.activate_script("mine"))
        self.assertFalse(self.is_full("ann@example.test"))
        self.config = evolve(self.config, sieve=Sieve(enabled=False))
        self.assertTrue(self.is_full("ann@example.test"), "none is carried out")
        self.config = evolve(self.config, sieve=Sieve(default="/junk.sieve"))
        self.assertFalse(self.is_full("ann@example.test"), "one is for everybody")
