"""Look-ups over real sockets on loopback."""

import socket

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.config.relaying import Dns
from mailtwist.dns.resolver import MOST_LINKS, Resolver
from mailtwist.dns.wire import AAAA, CNAME, MX, PTR, TLSA, TXT, A
from mailtwist.errors import DnsUnavailable, NoSuchDomain
from mailtwist.interfaces import IResolver
from tests.dns.nameserver import (
    Nameserver,
    a,
    aaaa,
    cname,
    mx,
    ptr,
    reply_to,
    soa,
    tlsa,
    txt,
)

SERVFAIL = 2


class ResolverTestCase(TestCase):
    def serve(self, table, host="127.0.0.1", **options):
        server = Nameserver(table, **options).start(reactor, host)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    def resolver(self, *servers, **options):
        options = {"timeout_s": 5.0, **options}
        addresses = tuple(s if isinstance(s, str) else s.address for s in servers)
        resolver = Resolver(Dns(servers=addresses, **options), reactor=reactor)
        self.addCleanup(resolver.close)
        return resolver


class LookUpTests(ResolverTestCase):
    def test_it_is_a_resolver(self):
        self.assertTrue(verifyObject(IResolver, self.resolver("127.0.0.1")))

    async def test_every_kind_of_record_is_found(self):
        server = self.serve(
            {
                ("d.test", MX): [mx("d.test", 10, "B.test"), mx("d.test", 5, "a.test")],
                ("h.test", A): [a("h.test", "192.0.2.1")],
                ("h.test", AAAA): [aaaa("h.test", "2001:db8::1")],
                ("t.test", TXT): [
                    txt("t.test", b"a ", b"b"),
                    txt("t.test", b"2"),
                ],
                ("_25._tcp.h.test", TLSA): [tlsa("_25._tcp.h.test", 3, 1, 1, b"hash")],
                ("1.2.0.192.in-addr.arpa", PTR): [
                    ptr("1.2.0.192.in-addr.arpa", "h.test")
                ],
            }
        )
        dns = self.resolver(server)
        self.assertEqual(
            (await dns.mx("D.test.")).records, ((10, "b.test"), (5, "a.test"))
        )
        self.assertEqual(
            (await dns.addresses("h.test")).records, ("2001:db8::1", "192.0.2.1")
        )
        self.assertEqual(
            (await dns.addresses("h.test", ipv6=False)).records, ("192.0.2.1",)
        )
        self.assertEqual((await dns.txt("t.test")).records, (b"a b", b"2"))
        self.assertEqual((await dns.tlsa(25, "h.test")).records, ((3, 1, 1, b"hash"),))
        self.assertEqual((await dns.ptr("192.0.2.1")).records, ("h.test",))

    async def test_a_name_that_is_not_there_is_not_a_name_without_records(self):
        dns = self.resolver(self.serve({("h.test", A): [a("h.test", "192.0.2.1")]}))
        with self.assertRaises(NoSuchDomain):
            await dns.mx("other.test")
        self.assertEqual((await dns.mx("h.test")).records, ())

    async def test_what_cannot_be_a_name_is_not_asked(self):
        server = self.serve({})
        for name in ("", "a..test", "a" * 64 + ".test", "m\xfcller.test"):
            with self.assertRaises(NoSuchDomain, msg=name):
                await self.resolver(server).mx(name)
        self.assertEqual(server.asked, [])

    async def test_a_server_may_have_an_ipv6_address(self):
        server = self.serve({("d.test", MX): [mx("d.test", 1, "h.test")]}, "::1")
        answer = await self.resolver(server).mx("d.test")
        self.assertEqual(answer.records, ((1, "h.test"),))

    async def test_a_cut_reply_is_fetched_over_tcp(self):
        for host in ("127.0.0.1", "::1"):
            many = [mx("d.test", n, f"host{n}.d.test") for n in range(200)]
            server = self.serve({("d.test", MX): many}, host, cut=True)
            answer = await self.resolver(server).mx("d.test")
            self.assertEqual((len(answer.records), server.over_tcp), (200, 1))

    async def test_a_server_without_edns_is_asked_without(self):
        server = self.serve({("d.test", MX): [mx("d.test", 1, "h.test")]}, edns=False)
        self.assertTrue((await self.resolver(server).mx("d.test")).records)

    async def test_one_family_of_addresses_is_enough(self):
        server = self.serve(
            {("h.test", A): [a("h.test", "192.0.2.1")], ("h.test", AAAA): SERVFAIL}
        )
        answer = await self.resolver(server).addresses("h.test")
        self.assertEqual(answer.records, ("192.0.2.1",))

    async def test_without_any_address_a_failure_is_no_proof(self):
        server = self.serve({("h.test", A): (), ("h.test", AAAA): SERVFAIL})
        with self.assertRaises(DnsUnavailable):
            await self.resolver(server).addresses("h.test")


class AuthenticTests(ResolverTestCase):
    async def test_ad_counts_only_for_a_trusted_resolver(self):
        table = {("d.test", MX): [mx("d.test", 1, "h.test")]}
        for validating, says, told in (
            (True, True, True),
            (True, False, False),
            (False, True, False),
        ):
            server = self.serve(table, authentic=says)
            dns = self.resolver(server, validating=validating)
            self.assertEqual((await dns.mx("d.test")).authentic, told)
            self.assertEqual((await dns.mx("d.test")).authentic, told, "from the cache")


class ChainTests(ResolverTestCase):
    async def test_a_chain_in_one_reply_is_followed(self):
        found = [cname("w.test", "x.test", 30), a("x.test", "192.0.2.1", 90)]
        server = self.serve({("w.test", A): found})
        answer = await self.resolver(server).addresses("w.test", ipv6=False)
        self.assertEqual((answer.records, answer.name), (("192.0.2.1",), "x.test"))
        self.assertEqual(answer.ttl_s, 30)

    async def test_a_chain_that_leads_out_of_a_reply_is_asked_on(self):
        server = self.serve(
            {
                ("w.test", A): [cname("w.test", "x.test")],
                ("x.test", A): [cname("x.test", "y.test"), a("y.test", "192.0.2.1")],
            }
        )
        answer = await self.resolver(server).addresses("w.test", ipv6=False)
        self.assertEqual((answer.records, answer.name), (("192.0.2.1",), "y.test"))

    async def test_a_chain_to_nowhere_is_no_such_domain(self):
        server = self.serve({("w.test", MX): [cname("w.test", "x.test")]})
        with self.assertRaises(NoSuchDomain):
            await self.resolver(server).mx("w.test")

    async def test_a_circle_is_a_failure(self):
        for circle in (
            {("a.test", A): [cname("a.test", "a.test")]},
            {
                ("a.test", A): [cname("a.test", "b.test")],
                ("b.test", A): [cname("b.test", "a.test")],
            },
            {("a.test", A): [cname("a.test", "b.test"), cname("b.test", "a.test")]},
        ):
            dns = self.resolver(self.serve(circle))
            with self.assertRaises(DnsUnavailable):
                await dns.addresses("a.test", ipv6=False)

    async def test_an_alias_itself_can_be_asked_for(self):
        link, end = cname("w.test", "x.test", 30), cname("x.test", "y.test")
        server = self.serve({("w.test", CNAME): [link, end], ("n.test", A): []})
        dns = self.resolver(server)
        answer = await dns.cname("w.test")
        self.assertEqual((answer.records, answer.name), (("x.test",), "w.test"))
        self.assertEqual((await dns.cname("n.test")).records, ())
        with self.assertRaises(NoSuchDomain):
            await dns.cname("no.test")

    async def test_a_chain_has_a_bound(self):
        table = {
            (f"n{n}.test", A): [cname(f"n{n}.test", f"n{n + 1}.test")]
            for n in range(100)
        }
        server = self.serve(table)
        with self.assertRaises(DnsUnavailable):
            await self.resolver(server).addresses("n0.test", ipv6=False)
        self.assertLessEqual(len(server.asked), MOST_LINKS + 1)

    async def test_records_of_other_names_are_not_believed(self):
        found = [a("evil.test", "192.0.2.66"), a("h.test", "192.0.2.1")]
        server = self.serve({("h.test", A): found})
        answer = await self.resolver(server).addresses("h.test", ipv6=False)
        self.assertEqual(answer.records, ("192.0.2.1",))


class CacheTests(ResolverTestCase):
    async def test_an_answer_is_asked_for_once(self):
        server = self.serve({("d.test", MX): [mx("d.test", 1, "h.test")]})
        dns = self.resolver(server)
        for _ in range(3):
            await dns.mx("d.test")
        self.assertEqual(len(server.asked), 1)

    async def test_no_is_an_answer_too(self):
        server = self.serve({("h.test", A): ()}, soa=soa("test"))
        dns = self.resolver(server)
        for _ in range(2):
            with self.assertRaises(NoSuchDomain):
                await dns.mx("other.test")
            self.assertEqual((await dns.mx("h.test")).records, ())
        self.assertEqual(len(server.asked), 2)

    async def test_no_without_a_soa_is_asked_again(self):
        server = self.serve({("h.test", A): ()})
        dns = self.resolver(server)
        await dns.mx("h.test"), await dns.mx("h.test")
        self.assertEqual(len(server.asked), 2)

    async def test_a_failure_is_not_asked_for_by_everyone(self):
        server = self.serve({("d.test", MX): SERVFAIL})
        dns = self.resolver(server)
        for _ in range(3):
            with self.assertRaises(DnsUnavailable):
                await dns.mx("d.test")
        self.assertEqual(len(server.asked), 1)

    async def test_the_time_of_an_answer_is_bounded(self):
        server = self.serve({("d.test", MX): [mx("d.test", 1, "h.test", ttl=9999)]})
        dns = self.resolver(server, most_ttl_s=0.0)
        await dns.mx("d.test"), await dns.mx("d.test")
        self.assertEqual(len(server.asked), 2)

    async def test_equal_questions_at_once_are_one(self):
        server = self.serve({("d.test", MX): [mx("d.test", 1, "h.test")]})
        dns = self.resolver(server)
        asked = [Deferred.fromCoroutine(dns.mx("d.test")) for _ in range(5)]
        answers = await gatherResults(asked)
        self.assertEqual([len(x.records) for x in answers], [1] * 5)
        self.assertEqual(len(server.asked), 1)


class TroubleTests(ResolverTestCase):
    GOOD = {("d.test", MX): [mx("d.test", 1, "h.test")]}

    def closed_port(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{probe.getsockname()[1]}"

    async def test_the_next_server_is_asked(self):
        for bad in (
            self.closed_port(),
            self.serve({("d.test", MX): SERVFAIL}),
            self.serve({("d.test", MX): 5}),
            self.serve({("d.test", MX): lambda query: b"rubbish"}),
            self.serve({("d.test", MX): None}),
        ):
            dns = self.resolver(bad, self.serve(self.GOOD), timeout_s=0.3)
            self.assertTrue((await dns.mx("d.test")).records)

    async def test_who_answered_last_is_asked_first(self):
        bad, good = self.serve({("d.test", MX): 5}), self.serve(self.GOOD)
        dns = self.resolver(bad, good, most_ttl_s=0.0)
        await dns.mx("d.test"), await dns.mx("d.test")
        self.assertEqual((len(bad.asked), len(good.asked)), (1, 2))

    async def test_silence_ends_after_the_tries(self):
        server = self.serve({("d.test", MX): None})
        dns = self.resolver(server, timeout_s=0.1, tries=2)
        with self.assertRaises(DnsUnavailable):
            await dns.mx("d.test")
        self.assertEqual(len(server.asked), 2)

    async def test_a_forged_reply_is_passed_over(self):
        """Another id, another question: the true reply after them counts."""
        sent = []

        def forged(query):
            for change in (
                lambda fake: setattr(fake, "id", query.id ^ 1),
                lambda fake: setattr(fake, "queries", []),
            ):
                fake = reply_to(query, [mx("d.test", 1, "evil.test")])
                change(fake)
                server.transport.write(fake.toStr(), sent[0])
            return reply_to(query, self.GOOD["d.test", MX]).toStr()

        server = self.serve({("d.test", MX): forged})
        received = server.datagramReceived

        def noting(octets, address):
            sent.append(address)
            received(octets, address)

        server.datagramReceived = noting
        answer = await self.resolver(server).mx("d.test")
        self.assertEqual(answer.records, ((1, "h.test"),))

    async def test_a_flood_of_rubbish_ends_the_wait(self):
        def flood(query):
            for _ in range(200):
                server.transport.write(b"rubbish", self.peer)

        server = self.serve({("d.test", MX): flood})
        received = server.datagramReceived

        def noting(octets, address):
            self.peer = address
            received(octets, address)

        server.datagramReceived = noting
        with self.assertRaises(DnsUnavailable):
            await self.resolver(server, timeout_s=30.0, tries=1).mx("d.test")

    async def test_a_tcp_server_that_says_nothing_whole_is_no_answer(self):
        table = {("d.test", MX): [mx("d.test", 1, "h.test")]}
        server = self.serve(table, cut=True)
        answer = server.answer
        server.answer = lambda o, cut=False: answer(o, cut=True) if cut else b""
        with self.assertRaises(DnsUnavailable):
            await self.resolver(server, tries=1).mx("d.test")

    async def test_giving_up_leaves_no_socket(self):
        server = self.serve({("d.test", MX): None})
        dns = self.resolver(server)
        one, other = (Deferred.fromCoroutine(dns.mx("d.test")) for _ in range(2))
        one.cancel()
        with self.assertRaises(CancelledError):
            await one
        other.cancel()
        with self.assertRaises(CancelledError):
            await other

    async def test_close_ends_what_is_under_way(self):
        server = self.serve({("d.test", MX): None, ("d.test", A): None})
        dns = self.resolver(server)
        waits = [
            Deferred.fromCoroutine(dns.mx("d.test")),
            Deferred.fromCoroutine(dns.addresses("d.test")),
        ]
        dns.close()
        for wait in waits:
            with self.assertRaises(CancelledError):
                await wait
