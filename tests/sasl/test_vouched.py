"""Tests for the grammars of EXTERNAL, ANONYMOUS, GSSAPI, OAUTHBEARER and XOAUTH2."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthFailed, MailError, SyntaxFault
from mailtwist.sasl import gssapi
from mailtwist.sasl.anonymous import trace
from mailtwist.sasl.bearer import MOST_MESSAGE, oauthbearer, refusal, xoauth2
from mailtwist.sasl.client_mechanisms import XOAuth2
from mailtwist.sasl.external import external
from mailtwist.secret import Secret

TOKEN = st.from_regex(r"[A-Za-z0-9._~+/-]{1,60}={0,2}", fullmatch=True)


class BearerTests(SynchronousTestCase):
    def test_the_example_of_RFC_7628(self):
        said = (
            b"n,a=user@example.com,\1host=server.example.com\1port=143\1"
            b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"
        )
        proof = oauthbearer(said)
        self.assertEqual(proof.username, "user@example.com")
        self.assertTrue(proof.token.reveal().startswith(b"vF9dft4q"))
        self.assertNotIn("vF9dft4q", repr(proof))

    def test_what_is_no_token(self):
        for said, fault, why in [
            (b"n,,\1auth=\1\1", AuthFailed, "a client that asks for the refusal"),
            (b"n,,\1\1", AuthFailed, "no auth at all"),
            (b"n,,\1auth=Basic abc\1\1", AuthFailed, "another scheme"),
            (b"n,,\1auth=Bearer a b\1\1", AuthFailed, "two tokens"),
            (b"p=tls-unique,,\1auth=Bearer a\1\1", SyntaxFault, "channel binding"),
            (b"n,,\1auth=Bearer a\1auth=Bearer b\1\1", SyntaxFault, "twice"),
            (b"n,,\1auth=Bearer a\1", SyntaxFault, "cut off"),
            (b"n,a=x=2,\1auth=Bearer a\1\1", SyntaxFault, "half an escape"),
            (b"n,,\1auth=Bearer " + b"a" * MOST_MESSAGE + b"\1\1", SyntaxFault, "long"),
            (b"", SyntaxFault, "nothing"),
        ]:
            with self.subTest(why):
                self.assertRaises(fault, oauthbearer, said)

    @given(TOKEN)
    def test_our_client_is_understood(self, token):
        initial = XOAuth2("ann@example.test", Secret(token.encode())).initial
        proof = xoauth2(initial)
        self.assertEqual(proof.username, "ann@example.test")
        self.assertEqual(proof.token.reveal(), token.encode())

    def test_the_refusal_tells_what_a_token_needs(self):
        told = json.loads(refusal("OAUTHBEARER", "mail", "https://id.test/x"))
        self.assertEqual(
            told,
            {
                "status": "invalid_token",
                "scope": "mail",
                "openid-configuration": "https://id.test/x",
            },
        )
        told = json.loads(refusal("XOAUTH2", "", "https://id.test/x"))
        self.assertEqual(told, {"status": "400", "schemes": "bearer"})


class AnyOctetsTests(SynchronousTestCase):
    @given(st.binary(max_size=400))
    def test_raise_only_faults_that_clients_may_see(self, octets):
        for parse in (oauthbearer, xoauth2, trace, external, gssapi.answer):
            try:
                parse(octets)
            except MailError:
                continue


class IdentityTests(SynchronousTestCase):
    def test_EXTERNAL_names_somebody_or_leaves_it_to_the_certificate(self):
        self.assertEqual(external(b""), "")
        self.assertEqual(external("ann@bücher.test".encode()), "ann@bücher.test")
        self.assertRaises(AuthFailed, external, b"a\0b")

    def test_a_trace_is_short_text(self):
        self.assertEqual(trace("sirhc@ü".encode()), "sirhc@ü")
        for said in (b"\xff", b"a\nb", b"x" * 256):
            self.assertRaises(SyntaxFault, trace, said)

    def test_GSSAPI_takes_no_layer_but_TLS(self):
        self.assertEqual(gssapi.answer(b"\1\0\0\0"), "")
        self.assertEqual(gssapi.answer(b"\1\0\0\0ann@example.test"), "ann@example.test")
        self.assertRaises(AuthFailed, gssapi.answer, b"\4\0\x10\0")
        self.assertRaises(SyntaxFault, gssapi.answer, b"\1\0")
