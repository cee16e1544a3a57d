from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.canonical import Body
from mailtwist.trust.dkim import BadSignature, parsed
from mailtwist.trust.dkim_sign import Signer, signed_field
from mailtwist.trust.dkim_verify import MOST_SIGNATURES, Verifier
from mailtwist.trust.keys import BadKey, new_key, private_key, public_key
from mailtwist.trust.tags import folded_base64

from .messages import ED25519, KEYS, NOW_S, PLAIN, RSA, SIGNATURES, split
from .names import MemoryNames

DOMAIN = "football.example.com"
PAIR = (
    private_key(DOMAIN, "brisbane", ED25519),
    private_key(DOMAIN, "test", RSA),
)
FIELD = "v=1; a=rsa-sha256; d=a.test; s=s; h=from; bh=AAAA; b=AAAA"


class DkimTestCase(SynchronousTestCase):
    def verified(self, message, records=KEYS, down=(), now_s=NOW_S, cut=None):
        fields, octets = split(message)
        body = Body()
        verifier = Verifier(fields, body, now_s)
        body.feed(octets[:cut])
        if cut is not None:
            body.feed(octets[cut:])
        self.names = MemoryNames(records, down)
        return self.successResultOf(
            Deferred.fromCoroutine(verifier.results(self.names))
        )

    def signed(self, message=PLAIN, keys=PAIR, **more):
        fields, octets = split(message)
        signer = Signer(fields, keys)
        signer.feed(octets)
        return signer.signatures(NOW_S, **more) + message

    def words(self, message, **more):
        return [found.result for found in self.verified(message, **more)]


class VerifyTests(DkimTestCase):
    def test_the_example_of_rfc_8463_passes_by_both_signatures(self):
        found = self.verified(SIGNATURES + PLAIN)
        self.assertEqual(
            [(one.result, one.domain, one.selector, one.algorithm) for one in found],
            [
                ("pass", DOMAIN, "brisbane", "ed25519-sha256"),
                ("pass", DOMAIN, "test", "rsa-sha256"),
            ],
        )

    def test_a_message_without_signature_has_no_results(self):
        self.assertEqual(self.verified(PLAIN), [])

    def test_what_was_changed_fails(self):
        message = SIGNATURES + PLAIN
        for old, new, why in (
            (b"lost", b"won", "the body"),
            (b"Is dinner", b"Was dinner", "a signed field"),
            (b"Subject:", b"Subject: x\r\nSubject:", "a field added that is signed"),
            (b"b=/gCrin", b"b=/gCrim", "the signature itself"),
        ):
            changed = message.replace(old, new, 1)
            self.assertIn("fail", self.words(changed), why)

    def test_what_is_not_signed_may_change(self):
        message = b"Received: x\r\n" + SIGNATURES + PLAIN.replace(b"? ", b"?  ")
        self.assertEqual(self.words(message), ["pass", "pass"])

    def test_a_key_decides(self):
        name = "TXT brisbane._domainkey.football.example.com"
        good = KEYS[name][0]
        for records, result, why in (
            ([], "permerror", "no key"),
            (["v=DKIM1; k=ed25519; p="], "permerror", "revoked"),
            (["v=DKIM2; " + good[10:]], "permerror", "another version"),
            ([good + "; s=tlsrpt"], "permerror", "for other services"),
            ([good + "; h=sha1"], "permerror", "for other hashes"),
            ([good.replace("ed25519", "rsa")], "permerror", "of another kind"),
            ([good + "; t=s"], "pass", "i= is just d="),
            (["nonsense", good], "pass", "the first usable one"),
            ([good + "; n=a note; x=?"], "pass", "unknown tags"),
            ([good[12:].strip()], "permerror", "no kind is RSA"),
        ):
            found = self.verified(SIGNATURES + PLAIN, KEYS | {name: records})
            self.assertEqual(found[0].result, result, why)

    def test_dns_that_does_not_answer_is_a_temporary_error(self):
        down = ["test._domainkey.football.example.com"]
        found = self.words(SIGNATURES + PLAIN, down=down)
        self.assertEqual(found, ["pass", "temperror"])

    def test_a_testing_key_is_told(self):
        name = "TXT brisbane._domainkey.football.example.com"
        records = KEYS | {name: [KEYS[name][0] + "; t=y:s"]}
        found = self.verified(SIGNATURES + PLAIN, records)
        self.assertEqual([one.testing for one in found], [True, False])

    def test_a_short_key_proves_nothing(self):
        # 512 bits, made for this test
        short = (
            "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL3UCPwDPqVHS5E0L4bSd4zVFqTPXJQpEjmYhqzj"
            "vZlKjqyTJpZTTnHl6DBgZ7TnKYw3nZTTAiTrNhYJVvXQ3tECAwEAAQ=="
        )
        with self.assertRaises(BadKey):
            public_key([f"v=DKIM1; p={short}".encode()])

    def test_a_signature_expires(self):
        message = self.signed(expires_s=60)
        self.assertEqual(self.words(message, now_s=NOW_S + 59), ["pass", "pass"])
        self.assertEqual(self.words(message, now_s=NOW_S + 61), ["fail", "fail"])

    def test_a_signature_of_the_future_fails(self):
        self.assertEqual(
            self.words(self.signed(), now_s=NOW_S - 7200), ["fail", "fail"]
        )

    def test_only_the_first_signatures_are_looked_at(self):
        field = SIGNATURES[: SIGNATURES.index(b"DKIM-Signature", 5)]
        found = self.verified(field * 50 + PLAIN)
        self.assertEqual(len(found), MOST_SIGNATURES)

    def test_signatures_that_are_none_are_told_apart(self):
        for text, result, why in (
            (FIELD.replace("v=1", "v=2"), "neutral", "version"),
            (FIELD.replace("rsa-sha256", "rsa-sha1"), "permerror", "RFC 8301"),
            (FIELD.replace("rsa-sha256", "dsa-md5"), "neutral", "algorithm"),
            (FIELD + "; i=@b.test", "permerror", "i= elsewhere"),
            (FIELD + "; i=b.test", "neutral", "i= without @"),
            (FIELD + "; t=2; x=1", "neutral", "expires before"),
            (FIELD + "; t=x", "neutral", "no number"),
            (FIELD + "; c=other", "neutral", "canonical form"),
            (FIELD + "; q=dns/srv", "neutral", "query method"),
            (FIELD + "; d=a.test", "neutral", "twice"),
            (FIELD.replace("h=from", "h=to"), "permerror", "From is not signed"),
            (FIELD.replace("bh=AAAA", "bh=?"), "neutral", "no base64"),
            (FIELD.replace("s=s;", ""), "neutral", "no selector"),
            (FIELD.replace("d=a.test", "d=[1.2.3.4]"), "neutral", "a literal"),
        ):
            field = f"DKIM-Signature: {text}\r\n".encode()
            self.assertEqual(self.words(field + PLAIN), [result], why)

    @given(st.binary(max_size=300))
    def test_any_octets_are_a_signature_or_none(self, octets):
        try:
            parsed((b"DKIM-Signature", b"DKIM-Signature:" + octets))
        except BadSignature as bad:
            self.assertTrue(str(bad))

    @given(st.integers(0, 80))
    def test_any_split_of_the_body_verifies(self, cut):
        found = self.verified(SIGNATURES + PLAIN, cut=cut)
        self.assertEqual([one.result for one in found], ["pass", "pass"])


class LengthTests(DkimTestCase):
    """l= by hand, as we never sign so."""

    def signed_to(self, length, message=PLAIN):
        fields, octets = split(message)
        body = Body()
        body.want("relaxed", "sha256", length)
        body.feed(octets)
        digest, _ = body.digest("relaxed", "sha256", length)
        lines = [
            "v=1; a=ed25519-sha256; c=relaxed/relaxed;",
            f"d={DOMAIN}; s=brisbane; l={length}; h=From;",
            f"bh={folded_base64(digest)};",
        ]
        return signed_field("DKIM-Signature", lines, PAIR[0], fields, [b"From"])

    def test_the_whole_body_signed_by_its_length_passes(self):
        _, octets = split(PLAIN)
        signature = self.signed_to(len(octets) - 1)  # one of two spaces
        self.assertEqual(self.words(signature + PLAIN), ["pass"])

    def test_text_behind_what_is_signed_is_not_believed(self):
        self.assertEqual(self.words(self.signed_to(10) + PLAIN), ["policy"])

    def test_a_length_over_the_body_fails(self):
        self.assertEqual(self.words(self.signed_to(10_000) + PLAIN), ["fail"])


class SignTests(DkimTestCase):
    def test_what_is_signed_verifies(self):
        found = self.verified(self.signed())
        self.assertEqual([one.result for one in found], ["pass", "pass"])
        self.assertEqual({one.identity for one in found}, {f"@{DOMAIN}"})

    def test_nothing_may_be_added_that_people_see(self):
        for name in (b"From", b"To", b"Subject", b"Date", b"Reply-To", b"Cc"):
            added = self.signed().replace(
                b"\r\n\r\n", b"\r\n%s: x@x.test\r\n\r\n" % name, 1
            )
            self.assertEqual(self.words(added), ["fail", "fail"], name)

    def test_no_line_of_a_signature_is_long(self):
        many = b"".join(b"Received: x\r\nTo: a@b.test\r\n" for _ in range(40))
        message = self.signed(many + PLAIN)
        field = message[: message.index(many)]
        self.assertLess(max(map(len, field.split(b"\r\n"))), 100)
        self.assertEqual(self.words(message), ["pass", "pass"])

    def test_a_body_in_pieces_and_an_empty_one_verify(self):
        for body in (b"", b"\r\n", b"x", b" \t \r\n \r\n"):
            header = PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            found = self.words(self.signed(header + body))
            self.assertEqual(found, ["pass", "pass"], body)

    def test_a_header_in_utf8_verifies(self):
        message = PLAIN.replace(b"Suzie", "Suzié".encode())
        self.assertEqual(self.words(self.signed(message)), ["pass", "pass"])

    def test_a_private_key_is_not_in_its_repr(self):
        self.assertNotIn("key=", repr(PAIR[0]))

    def test_a_domain_may_come_in_letters_of_its_own(self):
        """RFC 8616 §3: d= and i= of a message in UTF-8."""
        key = private_key("xn--bcher-kva.test", "s1", ED25519)
        records = {"TXT s1._domainkey.xn--bcher-kva.test": [key.record]}
        fields, octets = split(PLAIN)
        body = Body()
        body.want("relaxed", "sha256")
        body.feed(octets)
        lines = [
            "v=1; a=ed25519-sha256; c=relaxed/relaxed;",
            "d=b\u00fccher.test; i=j\u00f6@b\u00fccher.test; s=s1; h=From;",
            f"bh={folded_base64(body.digest('relaxed', 'sha256')[0])};",
        ]
        field = signed_field("DKIM-Signature", lines, key, fields, [b"From"])
        (found,) = self.verified(field + PLAIN, records=records)
        self.assertEqual((found.result, found.domain), ("pass", key.domain))

    def test_new_keys_sign_and_their_records_verify(self):
        for algorithm in ("rsa", "ed25519"):
            key = private_key("a.test", "s1", new_key(algorithm))
            records = {"TXT s1._domainkey.a.test": [key.record]}
            found = self.words(self.signed(keys=[key]), records=records)
            self.assertEqual(found, ["pass"], algorithm)

    def test_what_is_no_key_to_sign_with_is_told(self):
        for pem in (b"", b"nonsense", PLAIN):
            with self.assertRaises(BadKey):
                private_key("a.test", "s1", pem)
