from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.trust.spf import SpfQuestion, check_helo, check_sender
from mailtwist.trust.spf_record import BadRecord, parsed, selected

from .names import MemoryNames

TERMS = st.lists(
    st.sampled_from(
        ["a", "mx", "-all", "~all", "ip4:192.0.2.0/24", "ip6:2001:db8::/32"]
        + ["include:b.test", "exists:%{ir}.b.test", "ptr", "a:b.test/24//64"]
        + ["redirect=b.test", "exp=why.test", "x=%{s}", "mx//48", "?a:%{d2}.test"]
    ),
    max_size=12,
)


class SpfTests(SynchronousTestCase):
    def asked(
        self, records, ip="192.0.2.1", sender="ann@a.test", helo="mx.a.test", **more
    ):
        names = MemoryNames(records, **more)
        path = Address.parse(sender) if sender else None
        question = SpfQuestion(ip_address(ip), helo, path, "mail.test", 1_000_000)
        self.names = names
        return self.successResultOf(
            Deferred.fromCoroutine(check_sender(question, names))
        )

    def of(self, text, **more):
        return self.asked({"TXT a.test": [text]}, **more)

    def test_a_record_says_who_may_send(self):
        cases = [
            ("v=spf1 ip4:192.0.2.0/24 -all", "pass", "in the network"),
            ("v=spf1 ip4:198.51.100.0/24 -all", "fail", "outside of it"),
            ("v=spf1 ip4:198.51.100.0/24 ~all", "softfail", "and not sure"),
            ("v=spf1 ip4:198.51.100.0/24", "neutral", "nothing decides"),
            ("v=spf1 ?all", "neutral", "says that it says nothing"),
            ("v=spf1 +all", "pass", "anybody may"),
            ("V=SPF1 ALL", "pass", "letters have no case"),
            ("v=spf10 -all", "none", "another version"),
            ("v=spf1 foo -all", "permerror", "an unknown mechanism"),
            ("v=spf1 -all ip4:1.2.3", "permerror", "wrong behind what would decide"),
            ("v=spf1 a:b -all", "permerror", "one label is no domain-spec"),
            ("v=spf1 redirect=b.test redirect=c.test", "permerror", "twice"),
            ("v=spf1 include:nothing.test -all", "permerror", "includes no record"),
            ("v=spf1 redirect=nothing.test", "permerror", "redirects to no record"),
            ("v=spf1 moo=%{c} -all", "fail", "an unknown modifier is left alone"),
        ]
        for text, result, why in cases:
            self.assertEqual(self.of(text).result, result, why)

    def test_no_record_is_none_and_two_are_an_error(self):
        self.assertEqual(self.asked({}).result, "none")
        two = {"TXT a.test": ["v=spf1 -all", "v=spf1 +all", "other"]}
        self.assertEqual(self.asked(two).result, "permerror")

    def test_dns_that_does_not_answer_is_a_temporary_error(self):
        records = {"TXT a.test": ["v=spf1 a:b.test -all"]}
        self.assertEqual(self.asked(records, down=["b.test"]).result, "temperror")
        self.assertEqual(self.asked(records, down=["a.test"]).result, "temperror")

    def test_the_null_path_is_checked_by_helo(self):
        records = {"TXT mx.a.test": ["v=spf1 -all"], "TXT a.test": ["v=spf1 +all"]}
        found = self.asked(records, sender="")
        self.assertEqual((found.result, found.domain), ("fail", "mx.a.test"))

    def test_helo_may_be_asked_alone(self):
        names = MemoryNames({"TXT mx.a.test": ["v=spf1 a -all"]})
        names.records["A mx.a.test"] = ["192.0.2.1"]
        question = SpfQuestion(ip_address("192.0.2.1"), "mx.a.test", None)
        found = Deferred.fromCoroutine(check_helo(question, names))
        self.assertEqual(self.successResultOf(found).result, "pass")

    def test_a_literal_in_helo_is_no_domain(self):
        self.assertEqual(self.asked({}, sender="", helo="[192.0.2.1]").result, "none")

    def test_the_eleventh_term_that_asks_is_an_error(self):
        records = {f"A h{at}.test": ["198.51.100.1"] for at in range(11)}
        for count, result in ((10, "fail"), (11, "permerror")):
            terms = " ".join(f"a:h{at}.test" for at in range(count))
            records["TXT a.test"] = [f"v=spf1 {terms} -all"]
            self.assertEqual(self.asked(records).result, result)

    def test_includes_count_together(self):
        records = {
            "TXT a.test": ["v=spf1 include:b.test -all"],
            "TXT b.test": ["v=spf1 include:a.test -all"],
        }
        found = self.asked(records)
        self.assertEqual(found.result, "permerror")
        self.assertLess(len(self.names.asked), 15)

    def test_the_third_void_look_up_is_an_error(self):
        for count, result in ((2, "fail"), (3, "permerror")):
            terms = " ".join(f"a:h{at}.test" for at in range(count))
            self.assertEqual(self.of(f"v=spf1 {terms} -all").result, result)

    def test_ipv6_is_asked_as_ipv6(self):
        records = {
            "TXT a.test": ["v=spf1 a//64 -all"],
            "AAAA a.test": ["2001:db8:0:1::5"],
            "A a.test": ["192.0.2.1"],
        }
        self.assertEqual(self.asked(records, ip="2001:db8:0:1::9").result, "pass")
        self.assertEqual(self.asked(records, ip="2001:db8:0:2::9").result, "fail")
        self.assertEqual(self.asked(records, ip="::ffff:192.0.2.1").result, "pass")

    def test_a_failure_is_explained(self):
        records = {
            "TXT a.test": ["v=spf1 exp=why.a.test -all"],
            "TXT why.a.test": ["%{i} may not send for %{d} at %{t} (%{r})"],
        }
        told = "192.0.2.1 may not send for a.test at 1000000 (mail.test)"
        self.assertEqual(self.asked(records).explanation, told)

    def test_an_explanation_that_cannot_be_used_is_none(self):
        for text in ("%{q}", "\xe9", "%(i)"):
            records = {
                "TXT a.test": ["v=spf1 exp=why.a.test -all"],
                "TXT why.a.test": [text],
            }
            found = self.asked(records)
            self.assertEqual((found.result, found.explanation), ("fail", ""))

    def test_a_control_character_does_not_get_into_an_explanation(self):
        records = {
            "TXT a.test": ["v=spf1 exp=why.a.test -all"],
            "TXT why.a.test": ["no\r\n250 ok"],
        }
        self.assertEqual(self.asked(records).explanation, "")

    def test_a_local_part_beyond_ascii_is_in_no_macro(self):
        records = {
            "TXT a.test": ["v=spf1 exists:%{l}.x.test ip4:192.0.2.1 -all"],
        }
        found = self.asked(records, sender="é@a.test")
        self.assertEqual((found.result, found.mechanism), ("pass", "ip4:192.0.2.1"))

    def test_a_domain_beyond_ascii_is_asked_as_a_labels(self):
        records = {"TXT xn--bcher-kva.test": ["v=spf1 +all"]}
        self.assertEqual(self.asked(records, sender="a@bücher.test").result, "pass")

    @given(TERMS)
    def test_what_the_grammar_allows_is_evaluated(self, terms):
        found = self.of(" ".join(["v=spf1", *terms]))
        self.assertIn(
            found.result, ("pass", "fail", "softfail", "neutral", "permerror")
        )

    @given(st.binary(max_size=200))
    def test_any_octets_are_a_record_or_a_bad_one(self, octets):
        record = b"v=spf1 " + octets
        self.assertEqual(selected([record]), [record])
        try:
            parsed(record)
        except BadRecord as bad:
            self.assertTrue(str(bad))
