"""Who takes the mail of a domain."""

from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailtwist.config.model import Config
from mailtwist.config.relaying import Relay
from mailtwist.errors import DnsUnavailable, NoRoute, NoSuchDomain
from mailtwist.interfaces import IHosts
from mailtwist.queue.mta_sts import StsPolicy
from mailtwist.queue.mx import MOST_HOSTS, Hosts, NoTrustedHost, Ourselves, is_usable
from mailtwist.queue.tls_policy import TlsPolicies
from mailtwist.smtp.faults import MailLoop
from tests.dns.zone import DOWN, Zone

TABLE = {
    "MX d.test": [(20, "b.test"), (10, "a.test"), (30, "c.test")],
    "A a.test": ["192.0.2.1"],
    "A b.test": ["192.0.2.2"],
    "A c.test": ["192.0.2.3"],
}


class Sts:
    def __init__(self, policies):
        self.policies = policies

    async def policy(self, domain):
        return self.policies.get(domain)


class MxTestCase(SynchronousTestCase):
    def world(
        self, table=TABLE, *, signed=(), own=(), listens=(), seed=1, sts=None, **relay
    ):
        self.zone = table if isinstance(table, Zone) else Zone(table, signed)
        config = Config(relay=Relay(**relay))
        return Hosts(
            self.zone,
            config.relay,
            policies=TlsPolicies(config, self.zone, sts),
            ourselves=Ourselves(
                frozenset(own), lambda address, port: (address, port) in listens
            ),
            random=Random(seed),
        )

    def hosts(self, next_hop, *args, **options):
        found = Deferred.fromCoroutine(self.world(*args, **options).hosts(next_hop))
        return self.successResultOf(found)

    def names(self, *args, **options):
        return [host.name for host in self.hosts(*args, **options)]

    def fault(self, kind, *args, **options):
        next_hop, *rest = args
        found = Deferred.fromCoroutine(self.world(*rest, **options).hosts(next_hop))
        return self.failureResultOf(found, kind).value


class OrderTests(MxTestCase):
    def test_it_gives_hosts(self):
        self.assertTrue(verifyObject(IHosts, self.world()))

    def test_the_least_preference_comes_first(self):
        self.assertEqual(self.names("d.test"), ["a.test", "b.test", "c.test"])

    def test_equals_are_shuffled(self):
        table = {**TABLE, "MX d.test": [(10, f"{n}.test") for n in "abc"]}
        orders = {tuple(self.names("d.test", table, seed=n)) for n in range(50)}
        self.assertEqual(len(orders), 6)

    def test_hosts_have_the_port_that_is_configured_or_said(self):
        self.assertEqual(self.hosts("d.test", port=2525)[0].port, 2525)
        self.assertEqual(self.hosts("d.test:26", port=2525)[0].port, 26)

    def test_without_mx_the_domain_is_its_own_host(self):
        (host,) = self.hosts("d.test", {"A d.test": ["192.0.2.1"]})
        self.assertEqual((host.name, host.addresses), ("d.test", ("192.0.2.1",)))

    def test_an_idn_is_asked_for_as_a_labels(self):
        table = {"A xn--mller-kva.test": ["192.0.2.1"]}
        self.assertEqual(self.names("müller.test", table), ["xn--mller-kva.test"])

    def test_ipv6_comes_first_and_each_family_is_shuffled(self):
        addresses = [f"192.0.2.{n}" for n in range(1, 5)] + [
            "2001:db8::1",
            "2001:db8::2",
        ]
        orders = set()
        for seed in range(30):
            (host,) = self.hosts("d.test", {"A d.test": addresses}, seed=seed)
            self.assertEqual(
                [":" in a for a in host.addresses], [True] * 2 + [False] * 4
            )
            orders.add(host.addresses)
        self.assertGreater(len(orders), 10)

    def test_neither_family_crowds_out_the_other(self):
        six, four = (
            [f"2001:db8::{n}" for n in range(1, 30)],
            [f"192.0.2.{n}" for n in range(1, 30)],
        )
        for addresses, count in ((six + four, [4, 4]), (six + four[:1], [7, 1])):
            (host,) = self.hosts("d.test", {"A d.test": addresses})
            sixes = sum(":" in a for a in host.addresses)
            self.assertEqual([sixes, len(host.addresses) - sixes], count)

    def test_ipv6_may_be_switched_off(self):
        table = {"A d.test": ["2001:db8::1", "192.0.2.1"]}
        (host,) = self.hosts("d.test", table, ipv6=False)
        self.assertEqual(host.addresses, ("192.0.2.1",))

    def test_a_domain_with_many_hosts_is_not_looked_up_whole(self):
        table = {"MX d.test": [(n, f"h{n}.test") for n in range(100)]}
        table |= {f"A h{n}.test": ["192.0.2.1"] for n in range(100)}
        self.assertEqual(
            self.names("d.test", table), [f"h{n}.test" for n in range(MOST_HOSTS)]
        )


class DirectTests(MxTestCase):
    def test_a_host_in_brackets_is_no_domain(self):
        (host,) = self.hosts("[a.test]:26")
        self.assertEqual(
            (host.name, host.port, host.addresses, host.authentic),
            ("a.test", 26, ("192.0.2.1",), True),
        )
        self.assertNotIn("MX a.test", self.zone.asked)

    def test_an_address_literal_is_a_host(self):
        for literal, address in (
            ("[192.0.2.9]", "192.0.2.9"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:26", "2001:db8::1"),
        ):
            self.assertEqual(self.hosts(literal)[0].addresses, (address,))
        self.assertEqual(self.zone.asked, [])

    def test_a_literal_may_not_reach_this_host(self):
        for literal in ("[127.0.0.1]", "[IPv6:::1]", "[0.0.0.0]", "[224.0.0.1]"):
            self.assertFalse(self.fault(NoRoute, literal).temporary)
        self.fault(MailLoop, "[192.0.2.1]", listens={("192.0.2.1", 25)})

    def test_a_configured_host_with_a_port_may_be_this_one(self):
        self.assertEqual(self.hosts("[127.0.0.1]:26")[0].addresses, ("127.0.0.1",))

    def test_a_host_without_address_is_a_fault(self):
        self.fault(NoSuchDomain, "[x.test]")
        self.fault(NoRoute, "[d.test]")
        self.fault(DnsUnavailable, "[y.test]", {"A y.test": DOWN})

    def test_nonsense_is_no_route(self):
        for text in ("", "[", "a:b:c", "[a]:99999"):
            self.fault(NoRoute, text)


class RefusedTests(MxTestCase):
    def test_a_null_mx_takes_no_mail(self):
        fault = self.fault(NoSuchDomain, "d.test", {"MX d.test": [(0, "")]})
        self.assertEqual(fault.status, "5.1.10")

    def test_a_null_mx_among_others_is_passed_over(self):
        table = {**TABLE, "MX d.test": [(0, ""), (10, "a.test")]}
        self.assertEqual(self.names("d.test", table), ["a.test"])

    def test_a_domain_that_is_not_there_is_told_for_good(self):
        self.assertFalse(self.fault(NoSuchDomain, "x.test").temporary)

    def test_a_domain_with_neither_mx_nor_address_is_told_for_good(self):
        fault = self.fault(NoSuchDomain, "d.test", {"TXT d.test": [b""]})
        self.assertEqual(fault.status, "5.1.2")

    def test_no_answer_is_tried_again(self):
        for table in (
            {"MX d.test": DOWN},
            {"MX d.test": [(1, "a.test")], "A a.test": DOWN},
            {"MX d.test": [(1, "a.test"), (2, "gone.test")], "A a.test": DOWN},
        ):
            self.assertTrue(self.fault(DnsUnavailable, "d.test", table).temporary)

    def test_a_host_without_address_is_passed_over(self):
        for fault in ([], DOWN, NoSuchDomain()):
            table = {**TABLE, "A a.test": fault}
            self.assertEqual(self.names("d.test", table), ["b.test", "c.test"])

    def test_hosts_without_any_address_are_no_route(self):
        table = {"MX d.test": [(1, "gone.test")]}
        self.assertEqual(self.fault(NoRoute, "d.test", table).status, "5.4.4")

    def test_addresses_that_lead_nowhere_are_refused(self):
        for address, usable in (
            ("192.0.2.1", True),
            ("10.0.0.1", True),
            ("2001:db8::1", True),
            ("127.0.0.1", False),
            ("127.9.9.9", False),
            ("::1", False),
            ("0.0.0.0", False),
            ("0.1.2.3", False),
            ("::", False),
            ("224.0.0.1", False),
            ("ff02::1", False),
            ("255.255.255.255", False),
            ("::ffff:127.0.0.1", False),
            ("::ffff:192.0.2.1", True),
        ):
            self.assertEqual(is_usable(address, False), usable, address)

    def test_loopback_hosts_are_taken_only_if_configured(self):
        table = {"MX d.test": [(1, "a.test")], "A a.test": ["127.0.0.2"]}
        self.fault(NoRoute, "d.test", table)
        self.assertEqual(self.names("d.test", table, loopback_hosts=True), ["a.test"])

    def test_giving_up_gives_up_the_look_ups(self):
        class Slow(Zone):
            waits = []

            async def addresses(self, host, *, ipv6=True):
                self.waits.append(Deferred())
                return await self.waits[-1]

        zone = Slow(TABLE)
        found = Deferred.fromCoroutine(self.world(zone).hosts("d.test"))
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.assertEqual([wait.called for wait in zone.waits], [True] * 3)


class LoopTests(MxTestCase):
    def test_our_name_cuts_off_hosts_that_are_no_better(self):
        for own, left in (
            ({"c.test"}, ["a.test", "b.test"]),
            ({"b.test"}, ["a.test"]),
            ({"other.test"}, ["a.test", "b.test", "c.test"]),
        ):
            self.assertEqual(self.names("d.test", own=own), left)

    def test_our_address_is_as_good_as_our_name(self):
        self.assertEqual(self.names("d.test", listens={("192.0.2.2", 25)}), ["a.test"])

    def test_another_port_of_our_address_is_another_host(self):
        listens = {("192.0.2.2", 26)}
        self.assertEqual(len(self.names("d.test", listens=listens)), 3)

    def test_equals_of_ours_are_cut_off_too(self):
        table = {**TABLE, "MX d.test": [(10, "a.test"), (10, "b.test"), (5, "c.test")]}
        self.assertEqual(self.names("d.test", table, own={"b.test"}), ["c.test"])

    def test_only_ourselves_is_a_loop(self):
        for options in ({"own": {"a.test"}}, {"listens": {("192.0.2.1", 25)}}):
            fault = self.fault(MailLoop, "d.test", **options)
            self.assertEqual((fault.status, fault.temporary), ("5.4.6", False))

    def test_our_own_domain_without_mx_is_a_loop(self):
        self.fault(MailLoop, "d.test", {"A d.test": ["192.0.2.1"]}, own={"d.test"})


class RuleTests(MxTestCase):
    ENFORCE = StsPolicy("enforce", 60, ("a.test", "*.mx.test"), "")

    def test_hosts_that_the_policy_does_not_name_are_left_out(self):
        (host,) = self.hosts("d.test", sts=Sts({"d.test": self.ENFORCE}))
        self.assertEqual((host.name, host.rule.level), ("a.test", "verify"))
        self.assertTrue(host.authentic)

    def test_without_any_allowed_host_the_mail_waits(self):
        table = {**TABLE, "MX d.test": [(1, "b.test")]}
        fault = self.fault(
            NoTrustedHost, "d.test", table, sts=Sts({"d.test": self.ENFORCE})
        )
        self.assertTrue(fault.temporary)

    def test_a_signed_name_is_authentic(self):
        self.assertTrue(self.hosts("d.test", signed={"d.test"})[0].authentic)
        self.assertFalse(self.hosts("d.test")[0].authentic)
