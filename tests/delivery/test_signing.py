"""Signatures of what leaves, made while its octets go into the queue."""

from hypothesis import given
from hypothesis import strategies as st
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
from mailtwist.delivery.signing import MOST_HEADER, Signing
from mailtwist.directory.model import Account
from mailtwist.trust.arc import Chain
from mailtwist.trust.canonical import Body
from mailtwist.trust.dkim_verify import Verifier
from mailtwist.trust.keys import private_key

from ..trust.messages import ED25519, RSA, split
from ..trust.names import MemoryNames

NOW_S = 1000
KEYS = {
    domain: [private_key(domain, "r", RSA), private_key(domain, "e", ED25519)]
    for domain in ("a.test", "list.test")
}
RECORDS = {
    f"TXT {key.selector}._domainkey.{key.domain}": [key.record]
    for keys in KEYS.values()
    for key in keys
}
MESSAGE = b"From: Ann <ann@A.test>\r\nSubject: x\r\n\r\nText\r\n.\r\n"
OUT = RemoteRecipient(Address.parse("bob@else.test"))
OURS = b"Authentication-Results: mx.a.test; spf=pass smtp.helo=x; dmarc=pass\r\n"


class Ring:
    def of(self, domain):
        return KEYS.get(domain, ())

    def sealing(self, domain):
        return self.of(domain)[0] if self.of(domain) else KEYS["list.test"][0]


class SigningTestCase(SynchronousTestCase):
    def envelope(self, *recipients, signing="author", sender="ann@a.test", **more):
        path = Address.parse(sender) if sender else None
        return Envelope("id", "s", path, recipients or (OUT,), signing=signing, **more)

    def head(self, message=MESSAGE, cuts=(), envelope=None, **more):
        """What stands above a message that comes in pieces."""
        signing = Signing(Ring(), "mx.a.test", lambda: NOW_S, **more)
        signature = signing.begin(envelope or self.envelope())
        if signature is None:
            return None
        at = 0
        for cut in [*sorted(cuts), len(message)]:
            signature.feed(message[at:cut])
            at = max(at, cut)
        return signature.head()

    def verified(self, message):
        """[(domain, result)] of the signatures, and what the chain is."""
        fields, octets = split(message)
        body = Body()
        verifier, chain = Verifier(fields, body, NOW_S), Chain(fields, body)
        body.feed(octets)
        names = MemoryNames(RECORDS)
        found = self.successResultOf(Deferred.fromCoroutine(verifier.results(names)))
        arc = self.successResultOf(Deferred.fromCoroutine(chain.result(names)))
        return [(one.domain, one.result) for one in found], arc.result


class SignTests(SigningTestCase):
    def test_what_is_ours_is_signed_for_its_author(self):
        found, _ = self.verified(self.head() + MESSAGE)
        self.assertEqual(found, [("a.test", "pass")] * 2)

    @given(st.lists(st.integers(0, len(MESSAGE)), max_size=5))
    def test_any_pieces_are_signed_alike(self, cuts):
        found, _ = self.verified(self.head(cuts=cuts) + MESSAGE)
        self.assertEqual(found, [("a.test", "pass")] * 2)

    def test_whose_key_signs(self):
        other = MESSAGE.replace(b"A.test", b"b.test")
        for message, more, wanted, why in (
            (MESSAGE, {"sender": ""}, ["a.test"], "the author's, for a report too"),
            (
                MESSAGE.replace(b"A.test", b"mail.a.test"),
                {"sender": ""},
                ["a.test"],
                "that of the domain above",
            ),
            (other, {"sender": "x@list.test"}, ["list.test"], "else the sender's"),
            (other, {"sender": ""}, [], "nobody's key"),
            (
                MESSAGE,
                {"sender": "x@list.test", "signing": "sender"},
                ["list.test"],
                "a list signs for itself and for no author",
            ),
            (
                MESSAGE,
                {"sender": "x@b.test", "signing": "sender"},
                [],
                "a list without a key",
            ),
        ):
            head = self.head(message, envelope=self.envelope(**more))
            found, _ = self.verified(head + message)
            self.assertEqual([domain for domain, _ in found], wanted * 2, why)

    def test_what_stays_here_is_not_signed(self):
        bob = Address.parse("bob@a.test")
        mailbox = RemoteRecipient(bob, (Target(bob, Route("mailbox")),))
        local = LocalRecipient(bob, Account("bob@a.test", "/home/bob"))
        out = RemoteRecipient(bob, (Target(bob, Route("mailbox")), Target(bob)))
        for recipients, signed, why in (
            ((mailbox,), False, "a mailbox"),
            ((local,), False, "a mailbox at once"),
            ((mailbox, OUT), True, "one leaves"),
            ((out,), True, "one target leaves"),
        ):
            head = self.head(envelope=self.envelope(*recipients))
            self.assertEqual(bool(head), signed, why)
        held = self.envelope(mailbox, filter=Route("lmtp", "[::1]:24"))
        self.assertTrue(self.head(envelope=held))

    def test_signing_may_be_switched_off(self):
        self.assertIsNone(self.head(signs=False))

    def test_a_message_without_body_is_signed(self):
        for message in (b"From: a@a.test\r\n", b"From: a@a.test\r\n\r\n"):
            found, _ = self.verified(self.head(message) + message)
            self.assertEqual(found, [("a.test", "pass")] * 2, message)

    def test_a_message_without_header_is_not(self):
        self.assertEqual(
            self.head(b"\r\nText\r\n", envelope=self.envelope(sender="")), b""
        )

    def test_a_header_without_end_is_not_kept(self):
        endless = b"From: a@a.test\r\n" + b"X: y\r\n" * (MOST_HEADER // 6 + 1)
        self.assertEqual(self.head(endless), b"")


class SealTests(SigningTestCase):
    def sealed(self, message=MESSAGE, to="ann@a.test", trace=OURS, **more):
        address = Address.parse(to)
        target = Target(Address.parse("bob@else.test"))
        envelope = self.envelope(
            RemoteRecipient(address, (target,)), signing="", trace=trace
        )
        return self.head(message, envelope=envelope, **more)

    def test_what_is_sent_on_is_sealed_with_what_was_found(self):
        head = self.sealed()
        self.assertIn(b"spf=pass smtp.helo=x", head)
        self.assertIn(b"d=a.test", head)
        found, chain = self.verified(head + OURS + MESSAGE)
        self.assertEqual((found, chain), ([], "pass"))

    def test_results_may_stand_in_the_message_itself(self):
        message = b"Delivered-To: x\r\n" + OURS + MESSAGE
        head = self.sealed(message, trace=b"")
        self.assertEqual(self.verified(head + message)[1], "pass")

    def test_a_list_signs_and_seals(self):
        message = OURS + MESSAGE
        envelope = self.envelope(signing="sender", sender="x-bounces@list.test")
        head = self.head(message, envelope=envelope)
        found, chain = self.verified(head + message)
        self.assertEqual(found, [("list.test", "pass")] * 2)
        self.assertEqual(chain, "pass")
        self.assertIn(b"ARC-Seal: i=1; a=rsa-sha256; t=1000; cv=none", head)

    def test_a_chain_goes_on_if_it_was_whole(self):
        first = self.sealed() + OURS + MESSAGE
        for told, sealed in ((b"pass", True), (b"fail", False)):
            found = OURS.replace(b"; dmarc", b"; arc=%s; dmarc" % told)
            head = self.sealed(first, trace=found)
            self.assertEqual(bool(head), sealed, told)
            if sealed:
                self.assertEqual(self.verified(head + found + first)[1], "pass")

    def test_what_was_not_checked_is_not_sealed(self):
        for trace in (b"", OURS.replace(b"mx.a.test", b"mx.b.test")):
            self.assertEqual(self.sealed(trace=trace), b"")

    def test_a_domain_without_key_has_another_s(self):
        self.assertIn(b"d=list.test", self.sealed(to="ann@b.test"))

    def test_sealing_may_be_switched_off(self):
        self.assertIsNone(self.sealed(seals=False))
