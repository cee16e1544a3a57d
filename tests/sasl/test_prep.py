"""Tests for mailtwist.sasl.prep and text: user names and passwords."""

from hypothesis import given, settings
from hypothesis import strategies as st
from scramp.utils import ScramException
from scramp.utils import saslprep as scramp_saslprep
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthFailed, MailError, SyntaxFault
from mailtwist.sasl import text
from mailtwist.sasl.prep import saslprep

# Letters of both directions, marks, spaces, signs that are dropped or prohibited.
ODD = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "a1\u00aa\u2168\u00ad\u00a0\u0627\u05d0\u0661\u200f\ufb01\u0007"
        ),
    ),
    max_size=12,
)


class SaslPrepTests(SynchronousTestCase):
    def test_examples_of_the_RFC(self):
        for given_text, want in [  # RFC 4013 §3
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
            ("\u0007", None),
            ("\u0627\u0031", None),
        ]:
            self.assertEqual(saslprep(given_text), want, ascii(given_text))

    def test_right_to_left(self):
        for given_text, want in [
            ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
            ("\u0627a\u0628", None),  # a letter of the other direction inside
            ("a\u0627", None),
        ]:
            self.assertEqual(saslprep(given_text), want, ascii(given_text))

    @given(ODD)
    @settings(max_examples=200, deadline=None)
    def test_as_another_implementation(self, odd):
        try:
            want = scramp_saslprep(odd)
        except ScramException:
            want = None
        self.assertEqual(saslprep(odd), want)

    @given(ODD)
    @settings(deadline=None)
    def test_twice_is_once(self, odd):
        once = saslprep(odd)
        if once is not None:
            self.assertEqual(saslprep(once), once)


class PasswordTests(SynchronousTestCase):
    def test_spellings_of_one_password_are_one(self):
        composed, decomposed = "caf\u00e9 \u2713", "cafe\u0301\u00a0\u2713"
        self.assertEqual(
            text.prepared(composed.encode()), text.prepared(decomposed.encode())
        )

    def test_what_cannot_be_prepared_stays(self):
        for octets, why in [
            (b"latin \xe9", "not UTF-8"),
            ("\U0001f9ff".encode(), "younger than Unicode 3.2"),
            ("\u00ad".encode(), "nothing would be left"),
            (b"tab\tinside", "a control character"),
        ]:
            self.assertEqual(text.prepared(octets), octets, why)

    def test_empty_and_overlong_ones_are_refused(self):
        for octets in (b"", b"x" * (text.MOST_PASSWORD + 1)):
            self.assertRaises(AuthFailed, text.password, octets)

    def test_names_that_nobody_has(self):
        for octets, fault in [
            (b"", AuthFailed),
            (b"x" * 321, AuthFailed),
            (b"a\nb", AuthFailed),
            (b"\xff", SyntaxFault),
        ]:
            self.assertRaises(fault, text.username, octets)

    @given(st.binary(max_size=400))
    @settings(deadline=None)
    def test_arbitrary_octets_raise_only_MailError(self, octets):
        for function in (text.username, text.password):
            try:
                function(octets)
            except MailError:
                continue
        text.prepared(octets)
