from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import LineTooLong, MailError, SyntaxFault, UnknownCommand
from mailtwist.pop3 import grammar as g
from mailtwist.pop3.grammar import parse, response


class ParseTests(SynchronousTestCase):
    def test_commands(self):
        for line, want, why in (
            (b"USER ann", g.User("ann"), "plain"),
            (b"user ann", g.User("ann"), "keywords in any case"),
            (b"USER ann smith ", g.User("ann smith"), "a name may hold blanks"),
            ("USER ünï".encode(), g.User("ünï"), "RFC 6856 §2.2"),
            (
                b"APOP ann " + b"A0" * 16,
                g.Apop("ann", b"a0" * 16),
                "any case",
            ),
            (b"APOP a b " + b"00" * 16, g.Apop("a b", b"00" * 16), "blank in a name"),
            (b"AUTH", g.Auth(None), "asks for the list"),
            (b"AUTH plain", g.Auth("PLAIN"), "mechanisms in any case"),
            (b"AUTH PLAIN AGEAYg==", g.Auth("PLAIN", b"\0a\0b"), "initial response"),
            (b"AUTH X =", g.Auth("X", b""), "an empty initial response"),
            (b"CAPA", g.Capa(), ""),
            (b"Capa  ", g.Capa(), "blanks at the end, as people type"),
            (b"STLS", g.Stls(), ""),
            (b"STAT", g.Stat(), ""),
            (b"LIST", g.ListSizes(None), "all"),
            (b"LIST 12", g.ListSizes(12), "one"),
            (b"LIST ", g.ListSizes(None), "a blank is no argument"),
            (b"UIDL 007", g.Uidl(7), "leading zeros"),
            (b"UIDL", g.Uidl(None), "all"),
            (b"RETR 1", g.Retr(1), ""),
            (b"RETR  1", g.Retr(1), "two blanks"),
            (b"TOP 1 0", g.Top(1, 0), ""),
            (b"TOP 1  10", g.Top(1, 10), "two blanks"),
            (b"DELE 9999999999", g.Dele(9999999999), "the largest number"),
            (b"RSET", g.Rset(), ""),
            (b"NOOP", g.Noop(), ""),
            (b"QUIT", g.Quit(), ""),
            (b"LANG", g.Lang(None), "asks for the list"),
            (b"LANG en-US", g.Lang("en-US"), "a tag"),
            (b"LANG *", g.Lang("*"), "the server's choice"),
            (b"UTF8", g.Utf8(), ""),
        ):
            self.assertEqual(parse(line), want, why)

    def test_a_password_is_the_rest_of_the_line(self):
        for password in (b"x", b" x", b"x ", b"a b  c", "pä ß".encode(), b"PASS PASS"):
            found = parse(b"PASS " + password)
            self.assertEqual(found.password.reveal(), password)

    def test_faults_say_what_was_expected(self):
        for line, expected in (
            (b"USER", "argument"),
            (b"USER ", "argument"),
            (b"USER \xff", "UTF-8"),
            (b"USER a\x00b", "no control characters"),
            (b"PASS", "argument"),
            (b"PASS a\rb", "no control characters"),
            (b"APOP ann", "name and digest"),
            (b"APOP ann xyz", "name and digest"),
            (b"APOP " + b"00" * 16, "argument"),
            (b"AUTH !", "mechanism"),
            (b"AUTH PLAIN !!!AHUA", "base64"),
            (b"AUTH PLAIN AHUA===", "base64"),
            (b"AUTH PLAIN AH UA", "base64"),
            (b"CAPA x", "no argument"),
            (b"QUIT x", "no argument"),
            (b"LIST x", "message number"),
            (b"LIST 1 2", "message number"),
            (b"LIST -1", "message number"),
            (b"LIST 12345678901", "message number"),
            (b"RETR", "message number"),
            (b"RETR 1 2", "message number"),
            (b"DELE \xd9\xa1", "message number"),
            (b"TOP 1", "message number and number of lines"),
            (b"TOP 1 -1", "message number and number of lines"),
            (b"TOP 1 2 3", "message number and number of lines"),
            (b"LANG a_b", "language tag"),
        ):
            fault = self.assertRaises(SyntaxFault, parse, line)
            self.assertEqual(fault.expected, expected, line)
            self.assertLessEqual(fault.at, len(line))

    def test_what_is_no_command(self):
        for line in (b"", b" NOOP", b"XYZZY", b"NOOP\tx", b"GET / HTTP/1.1", b"\xff"):
            self.assertRaises(UnknownCommand, parse, line)

    def test_only_AUTH_may_be_long(self):
        self.assertEqual(len(parse(b"USER " + b"a" * 1000).name), 1000)
        self.assertRaises(LineTooLong, parse, b"USER " + b"a" * 1024)
        self.assertEqual(parse(b"AUTH X " + b"AAAA" * 3000).initial, bytes(9000))

    def test_no_repr_shows_a_secret(self):
        for line in (b"PASS geheim", b"AUTH PLAIN AGEAZ2VoZWlt"):
            self.assertNotIn("geheim", repr(parse(line)))

    def test_responses(self):
        self.assertEqual(response(b"AGEAYg=="), b"\0a\0b")
        self.assertEqual(response(b""), b"")
        self.assertIsNone(response(b"*"))
        self.assertRaises(SyntaxFault, response, b"!!")
        self.assertRaises(SyntaxFault, response, b"=")

    @settings(max_examples=200, deadline=None)
    @given(
        st.binary(max_size=60)
        | st.builds(
            lambda verb, rest: verb + rest,
            st.sampled_from(sorted(g._READERS)),
            st.binary(max_size=30).map(lambda rest: b" " + rest),
        )
    )
    def test_arbitrary_octets_raise_only_MailError(self, line):
        try:
            parse(line)
        except MailError as fault:
            self.assertTrue(fault.public.isascii())
