"""Tests for mailtwist.directory.union."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.auth.chain_source import Health
from mailtwist.config.source import Source
from mailtwist.directory.model import Account
from mailtwist.directory.union import Named, SourceDirectory, UnionDirectory
from mailtwist.errors import AuthUnavailable, SourceDown
from mailtwist.interfaces import IDirectory

ANN = Address("ann", "x.test")


@implementer(IDirectory)
class Names:
    """Accounts by name; `fault` instead, if there is one."""

    def __init__(self, *names):
        self.names, self.fault, self.asked = names, None, 0

    async def has_domain(self, domain):
        return False

    async def account(self, name):
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return Account(name, "/home") if name in self.names else None

    async def account_for(self, address):
        return await self.account(str(address))

    async def first_account(self):
        return await self.account(self.names[0]) if self.names else None


class UnionTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()

    def source(self, names, called="a", **options):
        source = Source(kind="ldap", name=called, **options)
        return SourceDirectory(
            source,
            names,
            Health(self.clock, source),
            self.clock.seconds,
            domains=["x.test"],
            default_domain="x.test",
        )

    def union(self, **names):
        return UnionDirectory(
            [Named(key, self.source(one, key, cache_s=0)) for key, one in names.items()]
        )

    def got(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def fails(self, coroutine, kind):
        self.failureResultOf(Deferred.fromCoroutine(coroutine), kind)

    def test_they_are_directories(self):
        verifyObject(IDirectory, self.source(Names()))
        verifyObject(IDirectory, self.union(a=Names()))

    def test_the_first_that_has_an_account_counts(self):
        union = self.union(a=Names("ann@x.test"), b=Names("ann@x.test", "bob@x.test"))
        self.assertEqual(self.got(union.account("ann")).source, "a")
        self.assertEqual(self.got(union.account("Bob@X.test")).source, "b")
        self.assertIsNone(self.got(union.account("joe@x.test")))
        self.assertEqual(self.got(union.first_account()).name, "ann@x.test")

    def test_domains(self):
        union = self.union(a=Names("ann@y.test"))
        self.assertTrue(self.got(union.has_domain("x.test")))
        self.assertFalse(self.got(union.has_domain("y.test")))
        self.assertIsNone(self.got(union.account("ann@y.test")))

    def test_an_account_of_a_foreign_domain_is_none(self):
        class Sly(Names):
            async def account(self, name):
                return Account("root@other.test", "/home")

        self.assertIsNone(self.got(self.source(Sly()).account("ann@x.test")))

    def test_mail_waits_while_an_earlier_source_is_down(self):
        first, second = Names(), Names("ann@x.test", "bob@x.test")
        union = self.union(a=first, b=second)
        self.assertEqual(self.got(union.account_for(ANN)).source, "b")
        first.fault = SourceDown()
        self.assertEqual(self.got(union.account_for(ANN)).source, "b", "known there")
        bob = Address("bob", "x.test")
        self.fails(union.account_for(bob), AuthUnavailable)
        self.fails(union.account_for(Address("joe", "x.test")), AuthUnavailable)

    def test_a_later_source_that_is_down_harms_nobody_else(self):
        first, second = Names("ann@x.test"), Names()
        second.fault = SourceDown()
        union = self.union(a=first, b=second)
        self.assertEqual(self.got(union.account_for(ANN)).source, "a")

    def test_answers_are_remembered_for_their_time(self):
        names = Names("ann@x.test")
        directory = self.source(names, cache_s=60, unknown_cache_s=5)
        for _ in range(3):
            self.got(directory.account("ann@x.test"))
            self.got(directory.account("joe@x.test"))
        self.assertEqual(names.asked, 2)
        self.clock.advance(5)
        self.got(directory.account("joe@x.test"))
        self.got(directory.account("ann@x.test"))
        self.assertEqual(names.asked, 3)
