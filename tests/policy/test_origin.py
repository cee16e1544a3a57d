"""SPF, DKIM, ARC and DMARC of one message, as policy asks them."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.trusting import Trust
from mailtwist.delivery.model import Envelope
from mailtwist.policy.model import Visit
from mailtwist.policy.origin import Origin, Setting, author_domains
from mailtwist.trust.dkim_sign import Signer
from mailtwist.trust.keys import private_key
from mailtwist.trust.results import parsed

from ..trust.messages import ED25519, split
from .rooms import MemoryResolver

KEY = private_key("a.test", "s1", ED25519)
REJECT = [b"v=DMARC1; p=reject"]
RECORDS = {
    ("PTR", "192.0.2.1"): ["mx.a.test"],
    ("A", "mx.a.test"): ["192.0.2.1"],
    ("TXT", "a.test"): [b"v=spf1 ip4:192.0.2.1 -all exp=why.a.test"],
    ("TXT", "why.a.test"): [b"go away"],
    ("TXT", "_dmarc.a.test"): REJECT,
    ("TXT", "s1._domainkey.a.test"): [KEY.record.encode()],
}
MESSAGE = b"From: Ann <ann@a.test>\r\nSubject: x\r\n\r\nText\r\n"


def signed(message=MESSAGE):
    fields, body = split(message)
    signer = Signer(fields, [KEY])
    signer.feed(body)
    return signer.signatures(1000) + message


class OriginTestCase(SynchronousTestCase):
    def begun(
        self, message=MESSAGE, address="192.0.2.1", sender="ann@a.test", **options
    ):
        self.clock, self.told = Clock(), []
        setting = Setting(
            Trust(**options),
            self.resolver,
            "mx.example.test",
            "mx.example.test",
            self.clock,
            lambda: 2000.0,
            lambda: 50.0,
            told=self.told.append,
        )
        visit = Visit(address, "smtp", helo="mx.a.test")
        visit.sender = Address.parse(sender) if sender else None
        look = Origin(setting).look(visit)
        header, _, body = message.partition(b"\r\n\r\n")
        look.header(header + b"\r\n\r\n")
        look.body(body)
        envelope = Envelope("id", "session", visit.sender, ())
        return Deferred.fromCoroutine(look.judge(message, envelope)), look

    def judged(self, *arguments, **options):
        if "records" in options or not hasattr(self, "resolver"):
            self.resolver = MemoryResolver(
                options.pop("records", RECORDS), options.pop("down", ())
            )
        judging, look = self.begun(*arguments, **options)
        found = self.successResultOf(judging)
        look.end()
        return found

    def words(self, judgement):
        (name, some) = parsed(judgement.fields.decode().partition(":")[2])
        return {one.method: one.result for one in reversed(some)}


class JudgeTests(OriginTestCase):
    def test_mail_that_proves_its_author_is_taken(self):
        found = self.judged(signed())
        self.assertIsNone(found.refuse)
        self.assertEqual(
            self.words(found),
            {"iprev": "pass", "spf": "pass", "dkim": "pass", "dmarc": "pass"},
        )

    def test_each_check_leaves_a_decision(self):
        found = self.judged(address="192.0.2.9")
        self.assertEqual(
            [(one.check, one.verdict, one.option) for one in found.decisions],
            [("iprev", "permerror", ""), ("spf", "fail", "")]
            + [("dmarc", "fail", "trust.dmarc")],
        )
        self.assertEqual(found.decisions[1].input, "<ann@a.test>")

    def test_what_becomes_of_forged_mail_is_configured(self):
        for options, policy, wanted, why in (
            ({}, "reject", ("5.7.1", False), "as the domain asks"),
            ({}, "quarantine", (None, True), "as the domain asks"),
            ({}, "none", (None, False), "as the domain asks"),
            ({"dmarc": "quarantine"}, "reject", (None, True), "at most Junk"),
            ({"dmarc": "mark"}, "reject", (None, False), "never"),
            ({"spf_fail": "refuse"}, "none", ("5.7.23", False), "SPF alone"),
        ):
            records = RECORDS | {
                ("TXT", "_dmarc.a.test"): [f"v=DMARC1; p={policy}".encode()]
            }
            found = self.judged(address="192.0.2.9", records=records, **options)
            status = found.refuse.status if found.refuse else None
            self.assertEqual((status, found.junk), wanted, (options, policy, why))

    def test_a_domain_explains_why_SPF_refuses(self):
        found = self.judged(address="192.0.2.9", spf_fail="refuse")
        self.assertTrue(found.refuse.public.endswith(": go away"))

    def test_DNS_that_is_down_makes_what_would_be_refused_wait(self):
        found = self.judged(
            signed(),
            records=RECORDS,
            down=["s1._domainkey.a.test"],
            address="192.0.2.9",
        )
        self.assertEqual(found.refuse.status, "4.7.1")

    def test_DNS_that_never_answers_is_awaited_only_so_long(self):
        self.resolver = MemoryResolver(RECORDS)
        self.resolver.wait_for("s1._domainkey.a.test")
        judging, look = self.begun(signed(), look_up_s=5.0)
        self.assertNoResult(judging)
        self.clock.advance(5.1)
        found = self.successResultOf(judging)
        self.assertEqual(self.words(found)["dkim"], "temperror")
        self.assertIsNone(found.refuse)  # SPF passed
        look.end()

    def test_look_ups_begin_before_they_are_wanted(self):
        self.resolver = MemoryResolver(RECORDS)
        for name in ("a.test", "mx.a.test"):
            self.resolver.wait_for(name)
        judging, look = self.begun(signed())
        names = {name for _, name in self.resolver.asked}
        self.assertGreaterEqual(
            names, {"a.test", "s1._domainkey.a.test", "_dmarc.a.test", "192.0.2.1"}
        )
        self.assertNoResult(judging)
        look.end()
        self.successResultOf(judging)  # nobody waits any more

    def test_one_message_may_ask_only_so_much(self):
        many = b" ".join(b"include:i%d.test" % at for at in range(10))
        records = RECORDS | {("TXT", "a.test"): [b"v=spf1 " + many]}
        signatures = b"".join(
            b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.test; s=s; h=from; bh=AAAA;"
            b" b=AAAA\r\n" % at
            for at in range(30)
        )
        self.judged(signatures + MESSAGE, records=records, look_ups=20)
        self.assertLessEqual(len(set(self.resolver.asked)), 20 + 2)

    def test_a_client_without_address_is_not_checked(self):
        self.resolver = MemoryResolver(RECORDS)
        setting = Setting(Trust(), self.resolver, "m", "m", Clock(), None, None)
        for address in ("local", "unknown"):
            self.assertIsNone(Origin(setting).look(Visit(address, "smtp")))

    def test_a_message_without_UTF8_gets_none_by_its_results(self):
        bad = "DKIM-Signature: v=1; \u00e9\u00e9=\u00e9\r\n".encode()
        for sender, ascii_ in (("x@b\u00fccher.test", True), ("\u00e9@a.test", False)):
            found = self.judged(bad + MESSAGE, sender=sender, received_spf=True)
            self.assertEqual(found.fields.isascii(), ascii_, sender)
        self.assertIn(b"spf=none", self.judged(sender="x@b\u00fccher.test").fields)

    def test_a_client_on_the_link_is_its_address_without_the_zone(self):
        found = self.judged(address="fe80::1%eth0")
        self.assertIn(b"policy.iprev=fe80::1;", found.fields)
        self.assertEqual(self.words(found)["spf"], "fail")

    def test_what_is_found_is_told_for_reports(self):
        self.judged(address="192.0.2.9")
        ((found),) = self.told
        self.assertEqual((found.applied, found.dmarc.domain), ("reject", "a.test"))

    def test_received_spf_is_written_if_wanted(self):
        found = self.judged(received_spf=True)
        self.assertIn(
            b'\r\nReceived-SPF: pass\r\n\tclient-ip="192.0.2.1";', found.fields
        )


class AuthorTests(SynchronousTestCase):
    def test_authors_are_the_domains_of_from(self):
        for values, wanted, why in (
            ([b"Ann <ann@a.test>"], ["a.test"], "one"),
            ([b"a@a.test, b@B.test, c@a.test"], ["a.test", "b.test"], "several"),
            ([b"a@a.test", b"b@b.test"], ["a.test", "b.test"], "two fields"),
            ([b'"x@x.test" <a@a.test>'], ["a.test"], "a name that looks so"),
            (["a@b\u00fccher.test".encode()], ["xn--bcher-kva.test"], "U-labels"),
            ([b"undisclosed:;"], [], "nobody"),
            ([b"a@[192.0.2.1]"], [], "a literal"),
            ([], [], "no field"),
        ):
            self.assertEqual(author_domains(values), wanted, why)
