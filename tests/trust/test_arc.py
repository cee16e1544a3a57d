import dkim
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.arc import BadChain, Chain, sets
from mailtwist.trust.arc_seal import Sealer
from mailtwist.trust.canonical import Body
from mailtwist.trust.keys import private_key
from mailtwist.trust.results import MethodResult

from .messages import ED25519, NOW_S, PLAIN, RSA, split
from .names import MemoryNames

KEY = private_key("list.test", "s1", RSA)
RECORDS = {
    "TXT s1._domainkey.list.test": [KEY.record],
    "TXT s2._domainkey.other.test": [private_key("other.test", "s2", ED25519).record],
}
OTHER = private_key("other.test", "s2", ED25519)
TOLD = [
    MethodResult("spf", "pass", {"smtp.mailfrom": "football.example.com"}),
    MethodResult("dmarc", "pass", {"header.from": "football.example.com"}),
]


def answer(name, timeout=5):
    found = RECORDS.get(f"TXT {name.decode().removesuffix('.')}")
    return found[0].encode() if found else None


class ArcTests(SynchronousTestCase):
    def sealed(self, message, key=KEY, chain="none", told=TOLD):
        fields, octets = split(message)
        sealer = Sealer(fields, key)
        sealer.feed(octets)
        return sealer.fields("mx.list.test", told, chain, NOW_S) + message

    def verified(self, message, records=RECORDS, down=()):
        fields, octets = split(message)
        body = Body()
        chain = Chain(fields, body)
        body.feed(octets)
        names = MemoryNames(records, down)
        return self.successResultOf(Deferred.fromCoroutine(chain.result(names)))

    def test_a_message_without_sets_has_no_chain(self):
        self.assertEqual(self.verified(PLAIN).result, "none")

    def test_what_is_sealed_verifies_and_tells_what_was_found(self):
        found = self.verified(self.sealed(PLAIN))
        self.assertEqual((found.result, found.sealer), ("pass", "list.test"))
        told = [(one.method, one.result) for one in found.told[0]]
        self.assertEqual(told, [("spf", "pass"), ("dmarc", "pass")])

    def test_a_chain_grows_by_one_set_each(self):
        message = self.sealed(PLAIN)
        for at in range(4):
            changed = message.replace(b"Joe.\r\n", b"Joe.\r\nfooter %d\r\n" % at)
            message = self.sealed(changed, (OTHER, KEY)[at % 2], "pass")
        found = self.verified(message)
        self.assertEqual(found.result, "pass", found.problem)
        names = ("list.test", "other.test")
        self.assertEqual(found.sealers, (*names, *names, names[0]))

    def test_a_chain_fails_where_anything_was_changed(self):
        message = self.sealed(self.sealed(PLAIN), OTHER, "pass")
        for old, new, why in (
            (b"lost", b"won", "the body"),
            (b"Subject: Is", b"Subject: Was", "the header"),
            (b"i=1; mx.list.test", b"i=1; mx.fake.test", "what the first found"),
            (b"i=2; mx.list.test", b"i=2; mx.fake.test", "what the last found"),
            (b"cv=none", b"cv=pass", "the state of the first"),
            (b"cv=pass", b"cv=fail", "the state of the last"),
            (b"ARC-Seal: i=1;", b"ARC-Seal: i=3;", "an instance"),
            (b"ARC-Seal: i=1;", b"X-Seal: i=1;", "a field is gone"),
        ):
            self.assertIn(old, message)
            found = self.verified(message.replace(old, new, 1))
            self.assertEqual(found.result, "fail", why)

    def test_dns_that_does_not_answer_is_a_temporary_error(self):
        down = ["s1._domainkey.list.test"]
        found = self.verified(self.sealed(PLAIN), down=down)
        self.assertEqual(found.result, "temperror")

    def test_a_chain_that_failed_is_not_sealed(self):
        self.assertEqual(self.sealed(PLAIN, chain="fail"), PLAIN)

    def test_there_are_no_more_than_fifty_sets(self):
        field = b"ARC-Seal: i=%d; cv=none\r\n"
        many = b"".join(field % at for at in range(1, 52))
        self.assertEqual(self.verified(many + PLAIN).result, "fail")

    def test_ours_verify_in_dkimpy(self):
        message = self.sealed(PLAIN)
        verdict, _, reason = dkim.arc_verify(message, dnsfunc=answer)
        self.assertEqual(verdict, dkim.CV_Pass, reason)

    def test_chains_of_dkimpy_verify_here(self):
        message = b"Authentication-Results: list.test; spf=pass smtp.helo=x\r\n" + PLAIN
        sets_ = dkim.arc_sign(
            message, b"s1", b"list.test", RSA, b"list.test", timestamp=NOW_S
        )
        sealed = b"".join(sets_) + message
        found = self.verified(sealed)
        self.assertEqual((found.result, found.problem), ("pass", ""))
        again = self.verified(self.sealed(sealed, chain="pass"))
        self.assertEqual(again.result, "pass")

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        b"ARC-Seal",
                        b"ARC-Message-Signature",
                        b"ARC-Authentication-Results",
                    ]
                ),
                st.sampled_from([b"i=1; a=x", b"i=2", b"i=1; x", b"", b"i=0", b"i=x"]),
            ),
            max_size=8,
        )
    )
    def test_any_fields_are_sets_or_a_bad_chain(self, some):
        fields = [(name, name + b": " + value + b"\r\n") for name, value in some]
        try:
            found = sets(fields)
        except BadChain as bad:
            self.assertTrue(str(bad))
        else:
            self.assertEqual(len(found) * 3, len(fields))
