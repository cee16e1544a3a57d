from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.dkim_verify import DkimResult
from mailtwist.trust.dmarc import Evidence, evaluated, policy_of
from mailtwist.trust.dmarc_record import policy
from mailtwist.trust.spf import SpfResult

from .names import MemoryNames

REJECT = "v=DMARC1; p=reject"
SUFFIXES = {"a.test": "a.test", "x.a.test": "a.test", "test": ""}


class RecordTests(SynchronousTestCase):
    def of(self, *texts):
        return policy("a.test", [text.encode() for text in texts])

    def test_a_record_says_what_is_asked_for(self):
        found = self.of(
            "v=DMARC1; p=quarantine; sp=reject; np=none; adkim=s; aspf=r; pct=20;"
            " rua=mailto:r@a.test!10m,mailto:q@b.test; ruf=mailto:f@a.test; fo=1; t=y;"
            " psd=n"
        )
        self.assertEqual(
            (found.policy, found.subdomains, found.missing),
            ("quarantine", "reject", "none"),
        )
        self.assertEqual((found.strict_dkim, found.strict_spf), (True, False))
        self.assertEqual((found.percent, found.testing, found.psd), (20, True, "n"))
        self.assertEqual(found.reports_to, ("r@a.test", "q@b.test"))
        self.assertEqual(
            (found.failures_to, found.failure_options), (("f@a.test",), "1")
        )

    def test_what_is_no_record_is_none(self):
        for texts, why in (
            ((), "nothing"),
            (("v=spf1 -all",), "something else"),
            (("v=DMARC2; p=reject",), "another version"),
            (("p=reject; v=DMARC1",), "the version is not first"),
            ((REJECT, REJECT + ";"), "two"),
            (("v=DMARC1; p=nonsense",), "no policy and nobody to tell"),
        ):
            self.assertIsNone(self.of(*texts), why)

    def test_what_is_wrong_in_a_record_counts_as_not_said(self):
        for text, wanted, why in (
            ("v=DMARC1; p=nonsense; rua=mailto:a@a.test", "none", "p= but rua"),
            ("v=DMARC1;p=reject;;nonsense;pct=x", "reject", "other tags"),
            ("v = DMARC1 ; p = Reject", "reject", "white space and case"),
            ("v=DMARC1", "none", "RFC 9989: p= may be missing"),
        ):
            self.assertEqual(self.of(text).policy, wanted, why)

    @given(st.binary(max_size=200))
    def test_any_octets_are_a_record_or_none(self, octets):
        found = policy("a.test", [b"v=DMARC1;" + octets])
        if found is not None:
            self.assertIn(found.policy, ("none", "quarantine", "reject"))
            self.assertIn(found.percent, range(101))


class EvaluateTests(SynchronousTestCase):
    def found(
        self,
        records,
        authors=("a.test",),
        spf=None,
        dkim=(),
        *,
        chance=0.0,
        suffixes=None,
        down=(),
    ):
        self.names = MemoryNames(
            {f"TXT _dmarc.{name}": [text] for name, text in records.items()}, down
        )
        evidence = Evidence(
            SpfResult(*spf) if spf else None,
            [DkimResult(*one) for one in dkim],
        )
        return self.successResultOf(
            Deferred.fromCoroutine(
                evaluated(
                    authors, evidence, self.names, chance=chance, suffixes=suffixes
                )
            )
        )

    def test_an_aligned_proof_passes_and_others_do_not(self):
        strict = REJECT + "; adkim=s; aspf=s"
        for text, author, spf, dkim, wanted, why in (
            (REJECT, "a.test", "a.test", None, "pass", "SPF of the same domain"),
            (REJECT, "a.test", None, "a.test", "pass", "DKIM of the same domain"),
            (REJECT, "a.test", "x.a.test", None, "pass", "relaxed: a subdomain"),
            (REJECT, "x.a.test", None, "a.test", "pass", "relaxed: the one above"),
            (REJECT, "x.a.test", None, "y.a.test", "pass", "relaxed: a sister"),
            (REJECT, "a.test", "b.test", "b.test", "fail", "somebody else's"),
            (REJECT, "a.test", "xa.test", None, "fail", "a name that ends alike"),
            (strict, "a.test", "x.a.test", "y.a.test", "fail", "strict"),
            (strict, "a.test", "x.a.test", "a.test", "pass", "strict and the same"),
            (REJECT, "a.test", "test", "test", "fail", "the suffix"),
            (REJECT, "a.test", None, None, "fail", "nothing"),
        ):
            for suffixes in (None, lambda name: SUFFIXES.get(name, "a.test")):
                if why == "a name that ends alike" and suffixes:
                    continue
                found = self.found(
                    {"a.test": text},
                    (author,),
                    ("pass", spf) if spf else ("fail", author),
                    [("pass", dkim)] if dkim else [("fail", author)],
                    suffixes=suffixes,
                )
                self.assertEqual(found.result, wanted, why)
                self.assertEqual(
                    found.disposition, "none" if wanted == "pass" else "reject", why
                )

    def test_a_domain_without_record_asks_for_nothing(self):
        found = self.found({}, spf=("fail", "a.test"))
        self.assertEqual((found.result, found.disposition), ("none", "none"))

    def test_subdomains_have_their_own_policy(self):
        records = {"a.test": "v=DMARC1; p=reject; sp=none"}
        self.assertEqual(self.found(records, ("x.a.test",)).disposition, "none")
        self.assertEqual(self.found(records, ("a.test",)).disposition, "reject")
        records["x.a.test"] = "v=DMARC1; p=quarantine"
        self.assertEqual(self.found(records, ("x.a.test",)).disposition, "quarantine")

    def test_names_that_are_not_there_have_their_own_policy(self):
        records = {"a.test": "v=DMARC1; p=none; np=reject"}
        self.assertEqual(self.found(records, ("x.a.test",)).disposition, "reject")
        names = MemoryNames({"TXT _dmarc.a.test": ["v=DMARC1; p=none; np=reject"]})
        names.records["AAAA x.a.test"] = ["2001:db8::1"]
        found = Deferred.fromCoroutine(policy_of("x.a.test", names))
        self.assertEqual(self.successResultOf(found)[1], "none")

    def test_a_percentage_is_spared(self):
        for text, chance, wanted, why in (
            ("v=DMARC1; p=reject; pct=30", 29.9, "reject", "within"),
            ("v=DMARC1; p=reject; pct=30", 30.0, "quarantine", "spared"),
            ("v=DMARC1; p=quarantine; pct=0", 0.0, "none", "all are spared"),
            ("v=DMARC1; p=reject; t=y", 0.0, "quarantine", "testing"),
            ("v=DMARC1; p=none; t=y", 0.0, "none", "nothing is milder"),
        ):
            found = self.found({"a.test": text}, chance=chance)
            self.assertEqual((found.result, found.disposition), ("fail", wanted), why)

    def test_a_testing_key_proves_nothing(self):
        dkim = [("pass", "a.test", "", "", "", "", True)]
        self.assertEqual(self.found({"a.test": REJECT}, dkim=dkim).result, "fail")

    def test_of_several_authors_the_worst_counts(self):
        records = {"a.test": REJECT, "b.test": REJECT}
        found = self.found(records, ("a.test", "b.test"), ("pass", "a.test"))
        self.assertEqual((found.result, found.domain), ("fail", "b.test"))
        found = self.found({"a.test": REJECT}, ("c.test", "a.test"), ("pass", "a.test"))
        self.assertEqual(found.disposition, "none")

    def test_a_crowd_of_authors_is_refused(self):
        authors = [f"d{at}.test" for at in range(9)]
        found = self.found({}, authors)
        self.assertEqual((found.result, found.disposition), ("permerror", "reject"))
        self.assertEqual(self.names.asked, [])

    def test_dns_that_does_not_answer_refuses_nothing_for_good(self):
        down = ["_dmarc.a.test"]
        found = self.found({"a.test": REJECT}, down=down)
        self.assertEqual((found.result, found.disposition), ("temperror", "none"))
        for spf, dkim in (
            (("temperror", "a.test"), ()),
            (None, [("temperror", "x.a.test")]),
        ):
            found = self.found({"a.test": REJECT}, spf=spf, dkim=dkim)
            self.assertEqual((found.result, found.disposition), ("temperror", "defer"))
        found = self.found({"a.test": REJECT}, spf=("temperror", "b.test"))
        self.assertEqual(found.disposition, "reject")

    def test_a_walk_ends_where_a_suffix_says_so(self):
        records = {
            "test": "v=DMARC1; p=reject; psd=y",
            "a.test": "v=DMARC1; p=none",
            "x.b.test": "v=DMARC1; p=none; psd=n",
            "b.test": REJECT,
        }
        found = self.found(records, ("y.a.test",), ("pass", "a.test"))
        self.assertEqual((found.result, found.policy.domain), ("pass", "a.test"))
        found = self.found(records, ("c.test",), ("pass", "a.test"))
        self.assertEqual((found.result, found.policy.domain), ("fail", "test"))
        found = self.found(records, ("x.b.test",), ("pass", "y.b.test"))
        self.assertEqual((found.result, found.policy.domain), ("fail", "x.b.test"))

    def test_a_walk_is_short_for_a_long_name(self):
        name = ".".join("abcdefghijklmnop") + ".test"
        self.found({"test": REJECT}, (name,))
        self.assertEqual(len(self.names.asked), 8)
        self.assertEqual(self.names.asked[1], "TXT _dmarc.k.l.m.n.o.p.test")
