"""Atoms, strings and numbers."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import SyntaxFault
from mailtwist.imap4 import response
from mailtwist.imap4.framer import Frame
from mailtwist.imap4.grammar import strings
from mailtwist.imap4.grammar.scanner import CommandScanner


def scanner(text, literals=None, **known):
    return CommandScanner(Frame(text, literals or {}), **known)


class StringTests(SynchronousTestCase):
    def test_an_astring_takes_every_form(self):
        for text, octets, rest, why in [
            (b"abc d", b"abc", b" d", "atom"),
            (b"a]b", b"a]b", b"", "] is no atom-special in an astring"),
            (b"+x", b"+x", b"", "plus"),
            (b'"a b"', b"a b", b"", "quoted"),
            (b'""', b"", b"", "empty"),
            (rb'"a\"b\\c"', b'a"b\\c', b"", "quoted pairs"),
            ('"p\xe4ss"'.encode(), "p\xe4ss".encode(), b"", "quirk: 8 bits in quotes"),
        ]:
            s = scanner(text)
            self.assertEqual(strings.astring(s), octets, why)
            self.assertEqual(s.text[s.at :], rest, why)

    @given(octets=st.binary(max_size=40))
    def test_quoted_strings_are_utf8_once_that_is_enabled(self, octets):
        octets = octets.translate(None, b'"\\\r\n\x00')
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            with self.assertRaises(SyntaxFault):
                strings.string(scanner(b'"%b"' % octets, utf8=True))
        else:
            found = strings.string(scanner(b'"%b"' % octets, utf8=True))
            self.assertEqual(found, octets)

    @given(text=st.text(st.characters(codec="utf-8"), max_size=40))
    def test_what_is_said_in_utf8_is_read_again(self, text):
        octets = text.replace("\0", "").encode()
        said = response.string(octets, utf8=True)
        literals = {len(said) - len(octets): octets} if said[:1] == b"{" else None
        self.assertEqual(strings.string(scanner(said, literals, utf8=True)), octets)

    def test_what_is_no_astring_is_refused(self):
        for text, why in [
            (b"", "nothing"),
            (b"(a)", "list"),
            (b"%", "wildcard"),
            (b"\xe4", "8 bits in an atom"),
            (b'"a', "open quote"),
            (rb'"a\b"', "a pair of something else"),
            (b'"a\r\nb"', "line end in quotes"),
            (b'"a\x00"', "NUL in quotes"),
            (b"{1}\r\n", "a marker without its octets"),
        ]:
            with self.assertRaises(SyntaxFault, msg=why):
                strings.astring(scanner(text))

    def test_a_literal_holds_anything_but_nul(self):
        s = scanner(b"{4}\r\n x", {5: b'"\r\n{'})
        self.assertEqual(strings.string(s), b'"\r\n{')
        self.assertEqual(s.at, 5)
        with self.assertRaises(SyntaxFault):
            strings.string(scanner(b"{2}\r\n", {5: b"a\x00"}))

    def test_numbers_have_their_limits(self):
        self.assertEqual(strings.number(scanner(b"4294967295")), 4294967295)
        self.assertEqual(
            strings.mod_sequence(scanner(b"9223372036854775807")), 2**63 - 1
        )
        for text, rule in [
            (b"4294967296", strings.number),
            (b"9223372036854775808", strings.mod_sequence),
            (b"1" * 30, strings.mod_sequence),
            (b"-1", strings.number),
            (b"0", strings.nz_number),
            (b"", strings.number),
        ]:
            with self.assertRaises(SyntaxFault, msg=text):
                rule(scanner(text))

    def test_a_fault_tells_where(self):
        with self.assertRaises(SyntaxFault) as caught:
            strings.parenthesized(scanner(b"(a b"), strings.atom)
        self.assertEqual(caught.exception.at, 4)
