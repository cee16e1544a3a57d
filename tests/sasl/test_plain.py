"""Tests for mailtwist.sasl.plain, login and cram_md5."""

import hmac

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthFailed, MailError, SyntaxFault
from mailtwist.sasl.cram_md5 import challenge, cram_md5
from mailtwist.sasl.login import login
from mailtwist.sasl.mechanisms import BY_NAME, MECHANISMS
from mailtwist.sasl.plain import plain

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
SECRETS = st.binary(min_size=1, max_size=40).filter(lambda octets: b"\0" not in octets)


class PlainTests(SynchronousTestCase):
    def test_messages(self):
        for message, other, why in [
            (b"\0ann\0pw", "", "no authzid"),
            (b"ann\0ann\0pw", "", "the authzid is the authcid"),
            (b"bob\0ann\0pw", "bob", "acting for another"),
        ]:
            proof = plain(message)
            said = proof.username, proof.password.reveal(), proof.acts_for
            self.assertEqual(said, ("ann", b"pw", other), why)

    def test_faults(self):
        for message, fault, why in [
            (b"", SyntaxFault, "nothing"),
            (b"ann", SyntaxFault, "no NUL"),
            (b"ann\0pw", SyntaxFault, "one NUL"),
            (b"\0ann\0p\0w", SyntaxFault, "a NUL in the password (RFC 4616 §2)"),
            (b"\0\xff\0pw", SyntaxFault, "a user name that is not UTF-8"),
            (b"\0\0pw", AuthFailed, "no user"),
            (b"\0ann\0", AuthFailed, "no password"),
            (b"\xff\0ann\0pw", SyntaxFault, "an authzid that is not UTF-8"),
        ]:
            with self.assertRaises(fault, msg=why):
                plain(message)

    @given(NAMES, SECRETS)
    @settings(deadline=None)
    def test_what_a_client_composes_is_read(self, name, secret):
        proof = plain(b"\0" + name.encode() + b"\0" + secret)
        self.assertEqual(proof.password.reveal(), secret)

    @given(st.binary(max_size=60))
    @settings(deadline=None)
    def test_arbitrary_octets_raise_only_MailError(self, octets):
        for parse in (plain, lambda o: login(o, o), lambda o: cram_md5(b"<c>", o)):
            try:
                parse(octets)
            except MailError:
                continue

    def test_no_repr_shows_the_password(self):
        self.assertNotIn("hunter2", repr(plain(b"\0ann\0hunter2")))


class CramMd5Tests(SynchronousTestCase):
    def test_the_example_of_the_RFC(self):
        asked = b"<1896.697170952@postoffice.reston.mci.net>"  # RFC 2195 §2
        proof = cram_md5(asked, b"tim b913a602c7eda7a495b4e6e7334d3890")
        self.assertEqual(proof.username, "tim")
        want = hmac.new(b"tanstaaftanstaaf", asked, "md5").hexdigest()
        self.assertEqual(proof.digest.decode(), want)

    def test_a_user_name_may_hold_spaces(self):
        self.assertEqual(cram_md5(b"<c>", b"a b c " + b"0" * 32).username, "a b c")

    def test_faults(self):
        for response, why in [
            (b"", "nothing"),
            (b"tim", "no digest"),
            (b"tim " + b"0" * 31, "too short"),
            (b"tim " + b"0" * 33, "too long"),
            (b"tim " + b"G" * 32, "no hexadecimal digits"),
            (b" " + b"0" * 32, "no user"),
        ]:
            with self.assertRaises(SyntaxFault, msg=why):
                cram_md5(b"<c>", response)

    def test_challenges_are_message_ids(self):
        self.assertEqual(challenge("1f", 7, "mx.test"), b"<1f.7@mx.test>")
        self.assertEqual(challenge("1f", 7, "b\u00fccher"), b"<1f.7@b?cher>")


class TableTests(SynchronousTestCase):
    def test_only_mechanisms_that_show_a_password_or_token_are_plaintext(self):
        self.assertEqual(
            [m.name for m in MECHANISMS if m.plaintext],
            ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"],
        )

    def test_the_strongest_comes_first(self):
        self.assertEqual(MECHANISMS[0].name, "SCRAM-SHA-256-PLUS")
        self.assertEqual(len(BY_NAME), len(MECHANISMS))
