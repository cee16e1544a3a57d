"""The TLS that a host must give."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Config
from mailtwist.config.relaying import Dns, Relay, TlsPolicy
from mailtwist.dns.model import Answer
from mailtwist.errors import DnsUnavailable
from mailtwist.queue.model import TlsRule
from mailtwist.queue.mta_sts import StsPolicy
from mailtwist.queue.tls_policy import TlsPolicies
from tests.dns.zone import DOWN, Zone

RECORD = (3, 1, 1, b"hash")
TLSA = {"TLSA 25 mx.test": [RECORD]}
ENFORCE = StsPolicy("enforce", 60, ("mx.test",), "")
TESTING = StsPolicy("testing", 60, ("mx.test",), "")
NONE = StsPolicy("none", 60, (), "")


class Sts:
    def __init__(self, found):
        self.found = found

    async def policy(self, domain):
        return self.found


class PolicyTestCase(SynchronousTestCase):
    def rule(
        self,
        next_hop="d.test",
        *policies,
        table=TLSA,
        signed=True,
        secure_zone=True,
        secure_host=True,
        alias_of="",
        validating=True,
        sts=None,
        host="mx.test",
        **relay,
    ):
        self.zone = Zone(table, secure_zone or (), {host: alias_of})
        config = Config(
            tls_policy=tuple(TlsPolicy(**p) for p in policies),
            dns=Dns(validating=validating),
            relay=Relay(**relay),
        )

        async def found():
            policy = await TlsPolicies(config, self.zone, Sts(sts)).of(next_hop)
            answer = Answer(("192.0.2.1",), secure_host, alias_of)
            return await policy.rule(host, 25, answer, signed=signed)

        return Deferred.fromCoroutine(found())

    def assertRule(self, wanted, *args, **options):
        self.assertEqual(self.successResultOf(self.rule(*args, **options)), wanted)


class ConfiguredTests(PolicyTestCase):
    def test_the_first_that_matches_counts(self):
        for next_hop, destination, matches in (
            ("d.test", "d.test", True),
            ("d.test", "D.Test.", True),
            ("d.test", ".d.test", False),
            ("sub.d.test", ".d.test", True),
            ("a.b.d.test", ".d.test", True),
            ("sub.d.test", "d.test", False),
            ("xd.test", ".d.test", False),
            ("xn--mller-kva.test", "müller.test", True),
            ("[h.test]:587", "[h.test]:587", True),
            ("[H.test]", "[h.test]:25", True),
            ("[h.test]:587", "[h.test]", False),
            ("[192.0.2.1]", "[192.0.2.1]", True),
        ):
            policies = (
                {"destination": destination, "tls": "verify", "names": ("n.test",)},
                {"destination": destination, "tls": "none"},
            )
            wanted = TlsRule("verify", ("n.test",)) if matches else TlsRule("may")
            self.assertRule(wanted, next_hop, *policies, table={})

    def test_it_goes_before_everything_else(self):
        policy = {"destination": "d.test", "tls": "none"}
        self.assertRule(TlsRule("none"), "d.test", policy, sts=ENFORCE)
        self.assertEqual(self.zone.asked, [])

    def test_dane_may_be_asked_for(self):
        policy = {"destination": "d.test", "tls": "dane"}
        wanted = TlsRule("dane", ("mx.test", "d.test"), (RECORD,), "tlsa")
        self.assertRule(wanted, "d.test", policy)
        self.assertRule(TlsRule("may"), "d.test", policy, table={})
        self.assertRule(TlsRule("may"), "d.test", policy, validating=False)

    def test_a_destination_that_cannot_be_one_is_refused(self):
        for destination in ("a b", "[h", ""):
            rule = self.rule("d.test", {"destination": destination, "tls": "may"})
            self.failureResultOf(rule, ValueError)


class DaneTests(PolicyTestCase):
    def test_records_are_used_only_where_what_leads_to_them_is_signed(self):
        found = TlsRule("dane", ("mx.test", "d.test"), (RECORD,), "tlsa")
        for options, wanted, why in (
            ({}, found, "all signed"),
            ({"validating": False}, TlsRule("may"), "a resolver that is not trusted"),
            ({"signed": False}, found, "an MX that is not signed may lead to one"),
            (
                {"signed": False, "secure_host": False},
                TlsRule("may"),
                "neither MX nor addresses signed",
            ),
            ({"signed": False, "sts": NONE}, found, "a policy that asks nothing"),
            (
                {"signed": False, "sts": ENFORCE},
                TlsRule("verify", ("mx.test",), policy="sts"),
                "what a forged MX leads to is not what the policy asks",
            ),
            ({"secure_host": False}, TlsRule("may"), "addresses not signed"),
            ({"secure_zone": False}, TlsRule("may"), "TLSA not signed"),
            ({"table": {}}, TlsRule("may"), "no TLSA"),
            ({"tls": "none"}, TlsRule("none"), "no TLS wanted"),
        ):
            got = self.successResultOf(self.rule(**options))
            self.assertEqual(got, wanted, why)

    def test_a_host_with_unsigned_addresses_is_not_asked_for(self):
        self.successResultOf(self.rule(secure_host=False))
        self.assertEqual(self.zone.asked, [])

    def test_a_signed_alias_of_an_unsigned_host_has_its_own_records(self):
        found = TlsRule("dane", ("mx.test", "d.test"), (RECORD,), "tlsa")
        both = TLSA | {"TLSA 25 end.test": [(3, 1, 1, b"other")]}
        for options, wanted, why in (
            ({"secure_zone": ("mx.test",)}, found, "the alias is signed"),
            ({"secure_zone": ("end.test",)}, TlsRule("may"), "only its end is"),
            ({"secure_zone": False}, TlsRule("may"), "nothing is"),
        ):
            options = {"secure_host": False, "alias_of": "end.test"} | options
            got = self.successResultOf(self.rule(table=both, **options))
            self.assertEqual(got, wanted, why)
            self.assertNotIn("TLSA 25 end.test", self.zone.asked)

    def test_the_end_of_a_chain_goes_first(self):
        other = (3, 1, 1, b"other")
        end = {"TLSA 25 end.test": [other]}
        wanted = TlsRule("dane", ("end.test", "mx.test", "d.test"), (other,), "tlsa")
        self.assertRule(wanted, table={**TLSA, **end}, alias_of="end.test")
        wanted = TlsRule("dane", ("mx.test", "d.test"), (RECORD,), "tlsa")
        self.assertRule(wanted, alias_of="end.test")

    def test_no_answer_about_tlsa_is_not_no_tlsa(self):
        rule = self.rule(table={"TLSA 25 mx.test": DOWN})
        self.failureResultOf(rule, DnsUnavailable)

    def test_it_goes_before_mta_sts(self):
        wanted = TlsRule("dane", ("mx.test", "d.test"), (RECORD,), "tlsa")
        self.assertRule(wanted, sts=ENFORCE)


class StsTests(PolicyTestCase):
    def test_modes(self):
        for sts, host, wanted in (
            (ENFORCE, "mx.test", TlsRule("verify", ("mx.test",), policy="sts")),
            (ENFORCE, "evil.test", None),
            (
                TESTING,
                "mx.test",
                TlsRule("may", ("mx.test",), policy="sts", testing=True),
            ),
            (
                TESTING,
                "evil.test",
                TlsRule("may", ("evil.test",), policy="sts", testing=True),
            ),
            (NONE, "mx.test", TlsRule("may")),
            (None, "mx.test", TlsRule("may")),
        ):
            self.assertRule(wanted, table={}, sts=sts, host=host)

    def test_it_may_be_switched_off(self):
        self.assertRule(TlsRule("may"), table={}, sts=ENFORCE, mta_sts=False)

    def test_a_host_without_mx_has_none(self):
        self.assertRule(TlsRule("may"), "[h.test]", table={}, sts=ENFORCE)
