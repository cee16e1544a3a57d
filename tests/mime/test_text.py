"""Tests for mailtwist.mime.text and mailtwist.mime.charset."""

import binascii
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.charset import ascii_inside, codec_name, decoded_octets
from mailtwist.mime.header import unfold
from mailtwist.mime.text import (
    BodyDecoder,
    TransferDecoder,
    casemap,
    decoded_words,
    normal,
)


class CasemapTests(SynchronousTestCase):
    def test_order_is_that_of_title_case(self):
        for text, wanted, why in [
            ("aZ_", "AZ_", "ASCII"),
            ("\xe4", "A\u0308", "taken apart"),
            ("\xdf", "\xdf", "no simple title case"),
            ("\u01c6", "Dz\u030c", "title case is not upper case"),
            ("\ufb01", "fi", "compatibility forms"),
        ]:
            self.assertEqual(casemap(text), wanted, why)

    @given(st.text(max_size=20))
    def test_case_makes_no_difference_where_it_is_simple(self, text):
        text = "".join(c for c in text if len(c.upper()) == len(c.lower()) == 1)
        lower = "".join(c for c in text if c.upper().lower() == c)
        self.assertEqual(casemap(lower), casemap("".join(c.title() for c in lower)))


class EncodedWordTests(SynchronousTestCase):
    def test_cases(self):
        for value, want, reason in [
            (b"plain", "plain", "no word"),
            (b"=?utf-8?q?=C3=A9?=", "\xe9", "Q"),
            (b"=?utf-8?B?w6k=?=", "\xe9", "B"),
            (b"=?ISO-8859-1?Q?a_b?=", "a b", "underscore is a space"),
            (b"=?us-ascii?q?a?= =?us-ascii?q?b?=", "ab", "RFC 2047 §8: space goes"),
            (b"=?us-ascii?q?a?=  \t=?us-ascii?q?b?=", "ab", "any white space"),
            (b"=?us-ascii?q?a?= b", "a b", "space to plain text stays"),
            (b"a =?us-ascii?q?b?= c", "a b c", "in the middle"),
            (b"=?us-ascii?q?a?==?us-ascii?q?b?=", "ab", "no space between"),
            (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\xe9", "a character cut in two"),
            (b"=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "a\xe9", "two charsets"),
            (b"=?utf-8*en?q?a?=", "a", "with a language (RFC 2231 §5)"),
            (b"=?utf-8?q?a b?=", "a b", "a space where none may be"),
            (b"=?utf-8?q?a=?=", "a=", "a broken escape"),
            (b"=?utf-8?b?w6k?=", "\xe9", "missing padding"),
            (b"=?utf-8?b?w 6k=?=", "\xe9", "white space in base64"),
            (b"=?utf-8?x?a?=", "=?utf-8?x?a?=", "an unknown encoding"),
            (b"=?utf-8?q?a", "=?utf-8?q?a", "never closed"),
            (b"=?=?utf-8?q?a?=", "=?a", "a false start"),
            (b"=?nonsense?q?=E9?=", "\xe9", "an unknown charset"),
            (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "\u65e5\u672c", "shifts"),
            (b"\xc3\xa9 x", "\xe9 x", "raw UTF-8"),
            (b"\xe9 x", "\xe9 x", "raw Latin-1"),
            (b"=?utf-8?q??=", "", "an empty word"),
            (b"", "", "nothing"),
        ]:
            self.assertEqual(decoded_words(value), want, reason)

    def test_words_on_folded_lines_are_neighbours(self):
        value = b" =?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n"
        self.assertEqual(decoded_words(unfold(value)), "ab")

    @given(value=st.binary(max_size=60))
    def test_any_octets_give_text(self, value):
        self.assertIsInstance(decoded_words(b"=?utf-8?q?" + value), str)
        self.assertIsInstance(decoded_words(value + b"=?utf-8?b?=?"), str)

    @given(text=st.text(max_size=40))
    def test_what_was_encoded_comes_back(self, text):
        encoded = binascii.b2a_base64(text.encode(), newline=False)
        self.assertEqual(decoded_words(b"=?utf-8?b?%b?=" % encoded), text)


class TransferTests(SynchronousTestCase):
    def test_broken_base64_is_read_as_far_as_it_goes(self):
        for octets, want, reason in [
            (b"QUJD", b"ABC", "whole"),
            (b"QU\r\nJD\r\n", b"ABC", "lines"),
            (b"QUI", b"AB", "missing padding"),
            (b"QUI=QUI=", b"ABAB", "padding in the middle"),
            (b"Q!U*J-D", b"ABC", "octets that are not base64"),
            (b"QUJDR", b"ABC", "one character too many"),
            (b"====", b"", "nothing but padding"),
            (b"", b"", "nothing"),
        ]:
            decoder = TransferDecoder("base64")
            self.assertEqual(decoder.feed(octets, final=True), want, reason)

    def test_quoted_printable(self):
        for octets, want, reason in [
            (b"a=3Db", b"a=b", "an escape"),
            (b"a=\r\nb", b"ab", "a soft line end"),
            (b"a=\nb", b"ab", "with a bare LF"),
            (b"a=zz b", b"a=zz b", "a broken escape stays"),
            (b"a_b", b"a_b", "underscore means nothing here"),
            (b"a=", b"a", "ends in a soft line end"),
        ]:
            decoder = TransferDecoder("quoted-printable")
            self.assertEqual(decoder.feed(octets, final=True), want, reason)

    @given(
        data=st.binary(max_size=200),
        noise=st.sampled_from([b"", b"\r\n", b"= \r\n", b"!"]),
        cuts=st.lists(st.integers(0, 300), max_size=5),
        encoding=st.sampled_from(["base64", "quoted-printable", "8bit"]),
    )
    def test_any_split_gives_the_same_octets(self, data, noise, cuts, encoding):
        encoded = data
        if encoding == "base64":
            encoded = binascii.b2a_base64(data) + noise + binascii.b2a_base64(data)
        elif encoding == "quoted-printable":
            encoded = binascii.b2a_qp(data, istext=False) + noise
        whole = TransferDecoder(encoding).feed(encoded, final=True)
        decoder, pieces, start = TransferDecoder(encoding), [], 0
        for cut in sorted(cuts):
            pieces.append(decoder.feed(encoded[start:cut]))
            start = max(start, cut)
        pieces.append(decoder.feed(encoded[start:], final=True))
        self.assertEqual(b"".join(pieces), whole)
        self.assertTrue(whole.startswith(data) or encoding != "base64")

    @given(text=st.text(max_size=60), cut=st.integers(0, 99))
    def test_a_body_cut_anywhere_is_the_same_text(self, text, cut):
        encoded = binascii.b2a_base64(text.encode("utf-16-le"))
        decoder = BodyDecoder("base64", b"utf-16-le")
        got = decoder.feed(encoded[:cut]) + decoder.feed(encoded[cut:], final=True)
        self.assertEqual(got, text)

    def test_a_body_in_no_known_charset_keeps_its_ascii(self):
        for charset in (b"nonsense", b"", b"idna", b"base64", b"\xff\0", b"undefined"):
            text = BodyDecoder("8bit", charset).feed(b"abc \xe9", final=True)
            self.assertTrue(text.startswith("abc "), charset)

    def test_a_body_that_may_be_utf_8_is_read_as_it_or_as_latin_1(self):
        for charset in (b"nonsense", b"", b"utf-8", b"us-ascii"):
            decoder = BodyDecoder("8bit", charset)
            text = decoder.feed(b"\xc3") + decoder.feed(b"\xa9 \xe9\r\n", final=True)
            self.assertEqual(text, "\xe9 \xe9\r\n", charset)


class CharsetTests(SynchronousTestCase):
    def test_names_as_mail_writes_them(self):
        for charset, want in [
            (b"UTF-8", "utf-8"),
            (b"'utf-8'", "utf-8"),
            (b"iso-8859-1", "cp1252"),
            (b"GB2312", "gb18030"),
            (b"ks_c_5601-1987", "cp949"),
            (b"x-sjis", "cp932"),
            (b"windows-1251", "cp1251"),
            (b"rot13", None),
            (b"punycode", None),
            (b"no-such", None),
        ]:
            self.assertEqual(codec_name(charset), want, charset)

    def test_ascii_is_never_hidden_in_these(self):
        for charset in (b"utf-8", b"us-ascii", b"iso-8859-15", b"windows-1252", b""):
            self.assertTrue(ascii_inside(charset), charset)
        for charset in (b"iso-2022-jp", b"utf-16", b"utf-7", b"big5", b"no-such"):
            self.assertFalse(ascii_inside(charset), charset)

    @given(octets=st.binary(max_size=40), charset=st.binary(max_size=12))
    def test_any_octets_in_any_charset_give_text(self, octets, charset):
        self.assertIsInstance(decoded_octets(octets, charset), str)
        for known in (b"utf-7", b"hz", b"utf-16", b"iso-2022-kr", b"cp1252"):
            self.assertIsInstance(decoded_octets(octets, known), str)


class NormalTests(SynchronousTestCase):
    def test_equal_without_case(self):
        for one, other in [
            ("ABC", "abc"),
            ("\xc9", "e\u0301"),
            ("STRASSE", "stra\xdfe"),
            ("\uff21", "a"),
            ("\ufb01", "fi"),
            ("\u03a3", "\u03c2"),
        ]:
            self.assertEqual(normal(one), normal(other))

    @given(text=st.text(max_size=30))
    def test_a_part_of_a_text_is_found_in_it(self, text):
        self.assertEqual(normal(normal(text)), normal(text))
        self.assertIn(normal(text), normal("x" + text))
        composed = unicodedata.normalize("NFC", text)
        self.assertEqual(normal(composed), normal(text))
