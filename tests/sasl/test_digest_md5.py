"""Tests for mailtwist.sasl.digest_md5."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthFailed, MailError, SyntaxFault
from mailtwist.sasl.digest_md5 import DigestMd5Server, directives

from .digest_client import answer

NONCE, REALM = b"OA6MG9tEQGm2hh", b"elwood.innosoft.com"
CHRIS = {  # RFC 2831 §4
    "charset": b"utf-8",
    "username": b'"chris"',
    "realm": b'"elwood.innosoft.com"',
    "nonce": b'"OA6MG9tEQGm2hh"',
    "nc": b"00000001",
    "cnonce": b'"OA6MHXh6VqTrRk"',
    "digest-uri": b'"imap/elwood.innosoft.com"',
    "response": b"d388dad90d4bbd760a152321f2143af7",
    "qop": b"auth",
}


def server(service=b"imap"):
    return DigestMd5Server(NONCE, REALM, service)


def message(**changes):
    given = {**CHRIS, **{n.replace("_", "-"): v for n, v in changes.items()}}
    return b",".join(
        name.encode() + b"=" + value
        for name, value in given.items()
        if value is not None
    )


class ExchangeTests(SynchronousTestCase):
    def test_the_example_of_the_RFC(self):
        one = server()
        self.assertEqual(
            one.challenge(),
            b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",'
            b"charset=utf-8,algorithm=md5-sess",
        )
        self.assertEqual(one.response(message()), "chris")
        self.assertEqual(
            one.rspauth(b"secret"), b"rspauth=ea40f60335c427b5527b84dbabcdfffd"
        )
        self.assertIsNone(one.rspauth(b"Secret"))

    def test_names_and_passwords_of_any_letters(self):
        for user, password, options, reason in [
            ("ann@example.test", "pass word", {}, "an address"),
            ("jos\xe9", "s3cret \xe9", {}, "hashed in ISO 8859-1"),
            ("jos\xe9", "s3cret \xe9", {"utf8": False}, "sent in it too"),
            ("\u65e5\u672c", "\u8a9e", {}, "hashed in UTF-8"),
            ('a"b\\c', "x", {}, "with quotes"),
            ("ann", "x", {"realm": b""}, "no realm"),
            ("ann", "x", {"authzid": b"ann"}, "for oneself"),
        ]:
            one = server()
            sent = answer(one.challenge(), user, password, "imap/x", **options)
            self.assertEqual(one.response(sent), user)
            self.assertIsNotNone(one.rspauth(password.encode()), reason)
            self.assertIsNone(one.rspauth(b"other"), reason)

    def test_what_is_refused(self):
        for changes, fault, reason in [
            ({"nonce": b'"another"'}, AuthFailed, "replayed"),
            ({"nc": b"00000002"}, AuthFailed, "a second time"),
            ({"qop": b"auth-conf"}, AuthFailed, "a layer that was not offered"),
            ({"realm": b'"other"'}, AuthFailed, "another realm"),
            ({"digest_uri": b'"smtp/elwood.innosoft.com"'}, AuthFailed, "service"),
            ({"digest_uri": b'"imap"'}, AuthFailed, "no host"),
            ({"authzid": b'"root"'}, AuthFailed, "for somebody else"),
            ({"username": b'""'}, AuthFailed, "nobody"),
            ({"username": b'"\xff"'}, SyntaxFault, "no UTF-8"),
            *(
                ({name: None}, SyntaxFault, "needed")
                for name in ("username", "nonce", "cnonce", "nc", "response")
            ),
            ({"x": b'"never closed'}, SyntaxFault, "quotes"),
            ({"x": b"a b"}, SyntaxFault, "two words"),
            ({"x": b"y" * 5000}, SyntaxFault, "too long"),
        ]:
            with self.subTest(reason):
                self.assertRaises(fault, server().response, message(**changes))
        self.assertRaises(SyntaxFault, server().response, message() + b",qop=auth")
        self.assertRaises(SyntaxFault, server().response, b"")

    def test_directives_as_lists_may_be(self):
        self.assertEqual(
            directives(b',, A = "x\\"y" ,\r\n b=token,'), {b"a": b'x"y', b"b": b"token"}
        )

    @given(st.binary(max_size=200))
    def test_arbitrary_octets_raise_only_MailError(self, octets):
        for sent in (octets, message() + octets):
            try:
                one = server()
                one.response(sent)
                one.rspauth(b"x")
            except MailError:
                pass
