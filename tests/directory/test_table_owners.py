from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.routing import Mailboxes
from mailtwist.directory.table_owners import BadOwner, Owners, StaticTable
from mailtwist.interfaces import ITable
from mailtwist.tables.inline import InlineTable

TABLES = {
    "uids": InlineTable(
        "uids",
        [
            "ann@a.test 5001",
            "@a.test 5002",
            "low@a.test 99",
            "word@a.test nobody",
            "minus@a.test -1",
            "many@a.test 4294967295",
            "empty@a.test 0",
        ],
    ),
    "gids": InlineTable("gids", ["@a.test 6000", "root@b.test 0"]),
}


class OwnersTests(SynchronousTestCase):
    def of(self, text, *, root=True, **config):
        config = {"uids": ("uids",), "gids": ("gids",)} | config
        owners = Owners.of_config(Mailboxes(**config), TABLES, lambda: root)
        return Deferred.fromCoroutine(owners.of(Address.parse(text)))

    def test_the_address_goes_before_its_domain(self):
        verifyObject(ITable, StaticTable(5000))
        for text, owner in [
            ("ann@a.test", (5001, 6000)),
            ("ANN@A.test", (5001, 6000)),
            ("bob@a.test", (5002, 6000)),
        ]:
            self.assertEqual(self.successResultOf(self.of(text)), owner)

    def test_one_number_may_be_for_all(self):
        static = {"uids": ("static:5000",), "gids": ("static:8",)}
        asked = self.of("x@y.test", **static)
        self.assertEqual(self.successResultOf(asked), (5000, 8))
        both = {"uids": ("uids", "static:5000")}
        asked = self.of("ann@a.test", **both)
        self.assertEqual(self.successResultOf(asked), (5001, 6000))

    def test_none_counts_without_tables_or_without_root(self):
        for asked in (
            self.of("ann@a.test", root=False),
            self.of("ann@a.test", uids=(), gids=()),
        ):
            self.assertEqual(self.successResultOf(asked), (None, None))

    def test_what_is_no_owner_is_told(self):
        for text, told in [
            ("low@a.test", "the uid 99: expected 100"),
            ("empty@a.test", "the uid 0: expected 100"),
            ("word@a.test", "'nobody': expected a uid"),
            ("minus@a.test", "'-1': expected a uid"),
            ("many@a.test", "the uid 4294967295: expected"),
            ("x@b.test", "no table of mailboxes has a uid for x@b.test"),
        ]:
            failure = self.failureResultOf(self.of(text), BadOwner)
            self.assertIn(told, str(failure.value))
        asked = self.of("root@b.test", uids=("static:5000",))
        self.assertIn("the gid 0", str(self.failureResultOf(asked, BadOwner).value))

    def test_the_least_uid_may_be_set(self):
        asked = self.of("low@a.test", least_uid=99)
        self.assertEqual(self.successResultOf(asked), (99, 6000))
