"""The values of filters and their names (RFC 5466 §4)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import search_key as k
from mailtwist.errors import (
    BadFilterCharset,
    BadParameter,
    MailError,
    SyntaxFault,
    UidRequired,
)
from mailtwist.imap4.grammar.filter import filter_value, is_filter_name
from mailtwist.imap4.grammar.scanner import MOST_LEVELS

from ..talk import asked

SEEN = k.HasFlag("\\Seen")
ATOM_CHARS = "".join(chr(c) for c in range(33, 127) if chr(c) not in '(){%*"\\]/')


class FilterKeyTests(SynchronousTestCase):
    def test_the_key_is_told_wherever_it_stands(self):
        work = k.Filter("work")
        for text, wanted, why in [
            (b"SEARCH FILTER work", work, "alone"),
            (b"SEARCH filter on-the-road", k.Filter("on-the-road"), "any case"),
            (b"UID SEARCH NOT FILTER work", k.Not(work), "behind NOT"),
            (b"SEARCH (FILTER work) SEEN", k.And((work, SEEN)), "in parentheses"),
            (b"SEARCH OR SEEN FILTER work", k.Or(SEEN, work), "in OR"),
            (b"SEARCH CHARSET utf-8 FILTER work", work, "the charset it implies"),
            (b"SEARCH CHARSET US-ASCII FILTER work", work, "a part of that"),
            (b"SEARCH RETURN (RELEVANCY) FILTER work", work, "FUZZY may be in it"),
        ]:
            found = asked(text)
            self.assertEqual((found.key, found.uses_filter), (wanted, True), why)
        self.assertFalse(asked(b"SEARCH SUBJECT FILTER").uses_filter)

    def test_faults(self):
        for text, fault, why in [
            (b"FILTER", SyntaxFault, "which"),
            (b"FILTER a/b", SyntaxFault, "no level in a name"),
            (b"FILTER /a", SyntaxFault, "nor in front"),
            (b'FILTER "a"', SyntaxFault, "an atom"),
            (b"FILTER a]", SyntaxFault, "] would end a response code"),
            (b"FILTER \xc3\xa4", SyntaxFault, "US-ASCII"),
            (b"CHARSET ISO-8859-1 FILTER a", BadFilterCharset, "not UTF-8"),
            (b"CHARSET ISO-8859-1 SEEN NOT FILTER a", BadFilterCharset, "deep"),
        ]:
            with self.assertRaises(fault, msg=why):
                asked(b"SEARCH " + text)


class FilterValueTests(SynchronousTestCase):
    def test_values(self):
        for value, wanted, why in [
            (b"SEEN", SEEN, "one key"),
            (b'OR SMALLER 5 FROM "b"', k.Or(k.Smaller(5), k.Header("From", "b")), "OR"),
            ("SUBJECT grün".encode(), None, "an atom is ASCII"),
            ('SUBJECT "grün"'.encode(), k.Header("Subject", "grün"), "UTF-8"),
            (b"BODY {3}\r\na b", k.Body("a b"), "a literal"),
            (
                b"BODY {3+}\r\n{1} SEEN",
                k.And((k.Body("{1}"), SEEN)),
                "and what follows",
            ),
            (b"BODY {4}\r\na b", None, "a literal too short"),
            (b"BODY {99999999999}\r\n", None, "and one too long"),
            (b"BODY {2}\r\na\0", None, "NUL"),
            (b"", None, "nothing"),
            (b"OR SMALLER", None, "half a key"),
            (b"SEEN)", None, "closed too often"),
            (b"SEEN\r\n", None, "no line"),
            (b'BODY "\xff"', None, "not UTF-8"),
            (b"CHARSET UTF-8 SEEN", None, "no charset, it is UTF-8"),
            (b"RETURN (ALL) SEEN", None, "nor what to tell"),
        ]:
            if wanted is None:
                with self.assertRaises((SyntaxFault, BadParameter), msg=why):
                    filter_value(value)
            else:
                self.assertEqual(filter_value(value).key, wanted, why)

    def test_numbers_are_refused_to_a_client_that_uses_none(self):
        self.assertEqual(filter_value(b"UID 1", uid_only=True), filter_value(b"UID 1"))
        with self.assertRaises(UidRequired):
            filter_value(b"1", uid_only=True)

    def test_levels_around_it_count(self):
        deep = b"NOT " * (MOST_LEVELS - 11) + b"SEEN"
        self.assertIsInstance(filter_value(deep, level=10).key, k.Not)
        with self.assertRaises(SyntaxFault):
            filter_value(deep, level=11)

    @given(st.binary(max_size=60))
    def test_any_octets_are_a_search_or_a_fault(self, octets):
        try:
            filter_value(octets)
        except MailError:
            return
        self.assertTrue(octets)

    @given(st.text(min_size=1, max_size=30).filter(lambda t: "\0" not in t))
    def test_any_text_can_be_looked_for_by_a_literal(self, text):
        octets = text.encode()
        value = b"NOT BODY {%d}\r\n%b" % (len(octets), octets)
        self.assertEqual(filter_value(value).key, k.Not(k.Body(text)))

    @given(st.text(ATOM_CHARS, min_size=1, max_size=30))
    def test_every_atom_without_a_slash_is_a_name(self, name):
        self.assertTrue(is_filter_name(name))
        self.assertEqual(asked(f"SEARCH FILTER {name}".encode()).key, k.Filter(name))

    def test_what_is_no_name(self):
        for name in ("", "a/b", "a b", "a(", "a]", "a%", "ä", "/"):
            self.assertFalse(is_filter_name(name), name)
