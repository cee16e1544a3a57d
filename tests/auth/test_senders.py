"""Tests for mailtwist.auth.senders: who may send from addresses of others."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.auth.names import login_key
from mailtwist.auth.senders import OfAlias, OfDomain, OfOwner, OfTable, SendAs
from mailtwist.directory.model import Account
from mailtwist.errors import LookupFailed
from mailtwist.interfaces import ISendAs
from mailtwist.tables.inline import InlineTable

OPS = Account("ops@example.test", "/ops", senders=frozenset({"Ann@Example.test"}))
ANN = frozenset({"ann@example.test", "$team"})


class Aliases:
    async def owner(self, address):
        names = {"sales": "ann@example.test", "all": None}
        name = names.get(address.local_part)
        return Account(name, "/x") if name else None


class Down(InlineTable):
    async def find(self, key):
        raise LookupFailed()


class SendersTests(SynchronousTestCase):
    def lets(self, place, text, owner=None, identifiers=ANN):
        verifyObject(ISendAs, place)
        senders = SendAs([OfDomain({}), place], lambda n: login_key(n, "example.test"))
        asked = senders.lets(identifiers, Address.parse(text), owner)
        try:
            asked.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("it waited for something")

    def test_an_account_says_who_may_send_from_its_address(self):
        self.assertTrue(self.lets(OfOwner(), OPS.name, OPS))
        self.assertFalse(self.lets(OfOwner(), OPS.name, OPS, {"bob@example.test"}))
        self.assertFalse(self.lets(OfOwner(), OPS.name))

    def test_a_domain_says_it_of_all_its_addresses(self):
        for who, may in (
            ("$team", True),
            ("ann", True),
            ("anyone", True),
            ("x", False),
        ):
            place = OfDomain({"x.test": (who,)})
            self.assertEqual(self.lets(place, "any@x.test"), may, who)
            self.assertFalse(self.lets(place, "any@sub.x.test"), who)

    def test_a_table_says_it_as_postfix_has_it(self):
        table = InlineTable(
            "logins",
            [
                "ops@x.test bob, ann@example.test",
                "team@x.test $team",
                "bob@x.test bob",
                "@x.test ann",
                "@b\u00fccher.test ann",
            ],
        )
        for text, may, why in [
            ("ops@x.test", True, "one of several"),
            ("OPS+eu@x.test", True, "a subaddress of it, any case"),
            ("team@x.test", True, "a group"),
            ("bob@x.test", False, "the address is said before its domain"),
            ("other@x.test", True, "the domain"),
            ("other@y.test", False, "nothing"),
            ("other", False, "no domain"),
        ]:
            self.assertEqual(self.lets(OfTable(table, "+"), text), may, why)
        with self.assertRaises(LookupFailed):
            self.lets(OfTable(Down("down", []), "+"), "ops@x.test")

    def test_an_alias_of_an_account_alone_is_its_own(self):
        self.assertTrue(self.lets(OfAlias(Aliases()), "sales@x.test"))
        self.assertFalse(self.lets(OfAlias(Aliases()), "all@x.test"))
        self.assertFalse(self.lets(OfAlias(Aliases()), "sales"), "no domain")
        other = Account("sales@x.test", "/y")
        self.assertFalse(self.lets(OfAlias(Aliases()), "sales@x.test", other))
