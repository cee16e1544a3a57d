"""Where spam is filed."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import (
    Envelope,
    LocalRecipient,
    RemoteRecipient,
    Route,
    Target,
)
from mailtwist.delivery.sorted import sorted_into
from mailtwist.directory.model import Account
from mailtwist.mailbox.special_uses import wanted
from mailtwist.policy.junk import Junk
from mailtwist.store.memory import MemoryStore

from ..smtp.rooms import MemoryRouter

ANN = Address.parse("ann@example.test")
ACCOUNT = Account("ann@example.test", "/home/ann")


class JunkTests(SynchronousTestCase):
    def filed(self, *recipients, uses=()):
        self.store = MemoryStore(special_uses=wanted(uses))
        envelope = Envelope("id", "s", None, recipients)
        junk = Junk(self.store, MemoryRouter())
        work = Deferred.fromCoroutine(junk.filed(envelope))
        return self.successResultOf(work).recipients

    def listed(self):
        listing = Deferred.fromCoroutine(self.store.mailboxes(ACCOUNT).listed())
        return {one.path: one.special_uses for one in self.successResultOf(listing)}

    def test_the_mailbox_with_the_use_takes_it_whatever_its_name(self):
        (to,) = self.filed(LocalRecipient(ANN, ACCOUNT), uses=["junk: Rubbish"])
        self.assertEqual(to.path, ("Rubbish",))

    def test_without_one_it_is_made(self):
        (to,) = self.filed(LocalRecipient(ANN, ACCOUNT))
        self.assertEqual(to.path, ("Junk",))
        self.assertEqual(self.listed()["Junk",], frozenset({"\\Junk"}))

    def test_what_would_not_go_into_an_inbox_stays_on_its_way(self):
        elsewhere = Address.parse("bob@else.test")
        for recipient, why in (
            (LocalRecipient(ANN, ACCOUNT, path=("Lists",)), "a subaddress"),
            (LocalRecipient(ANN, ACCOUNT, sorted=True), "where a script put it"),
            (RemoteRecipient(elsewhere), "elsewhere"),
            (RemoteRecipient(ANN, (Target(ANN, Route("pipe", "x")),)), "a command"),
        ):
            self.assertEqual(self.filed(recipient), (recipient,), why)

    def test_an_alias_of_a_mailbox_here_leads_into_its_junk(self):
        alias = RemoteRecipient(
            Address.parse("info@example.test"),
            (Target(ANN, Route("mailbox")), Target(Address.parse("bob@else.test"))),
        )
        (to,) = self.filed(alias)
        route = to.targets[0].route
        local = sorted_into(LocalRecipient(ANN, ACCOUNT), route.next_hop)
        self.assertEqual((local.path, local.sorted), (("Junk",), True))
        self.assertEqual(to.targets[1], alias.targets[1])
