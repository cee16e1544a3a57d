"""Tests for mailtwist.mailbox.snippet: what is shown of a message that was found."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.snippet import (
    MOST_CHARACTERS,
    Marked,
    Snippet,
    Sought,
    hits,
    snippets,
    sought,
)
from mailtwist.mailbox.turns import Turns
from mailtwist.mime.text import normal
from mailtwist.search_key import And, Body, Fuzzy, Header, Not, Or, Text

from .search_mailbox import Searched, answer


async def no_pause():
    return None


class World(SynchronousTestCase):
    def snippet(self, octets, key):
        mail = Searched(self, [(octets, [], 0)])
        made = snippets(mail.mailbox, [1, 9], sought(key), Turns(no_pause))
        found = answer(self, made)
        self.assertEqual(list(found), [1])
        return found[1]

    def preview(self, body, needle, kind="text/plain; charset=utf-8"):
        octets = f"Content-Type: {kind}\r\n\r\n{body}".encode()
        found = self.snippet(octets, Body(needle)).preview
        return None if found is None else found.told("[", "]")


class SnippetTests(World):
    def test_what_was_found_is_marked(self):
        for body, needle, want, reason in [
            ("one Apple two", "apple", "one [Apple] two", "any case"),
            ("one\r\n  apple pie", "APPLE PIE", "one [apple pie]", "on one line"),
            ("apples, apple", "apple", "[apple]s, [apple]", "each time"),
            ("viele Grüße", "grüsse", "viele [Grüße]", "by casemap"),
            ("cafe\u0301 noir", "caf\xe9", "[cafe\u0301] noir", "composed or not"),
            ("\ufb01nd", "fi", "[\ufb01]nd", "one sign that is two letters"),
            ("nothing", "apple", None, "nothing that is here"),
        ]:
            self.assertEqual(self.preview(body, needle), want, reason)

    def test_html_is_shown_as_it_is_read(self):
        body = "<style>p {}</style><p>an <b>all</b>&nbsp;&lt;x&gt;</p>"
        self.assertEqual(self.preview(body, "an all", "text/html"), "[an all] <x>")

    def test_words_around_a_hit_in_a_long_text(self):
        body = "word " * 5000 + "apple " + "more " * 500
        told = self.preview(body, "apple")
        self.assertTrue(told.startswith("... word word"), told)
        self.assertTrue(told.endswith("more more ..."), told)
        self.assertIn("word [apple] more", told)
        self.assertLess(len(told), MOST_CHARACTERS + 12)

    def test_a_hit_over_the_pieces_that_are_compared(self):
        body = "x" * 4093 + "apple"
        self.assertTrue(self.preview(body, "apple").endswith("[apple]"))

    def test_the_subject(self):
        octets = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from us\r\n\r\nbody"
        found = self.snippet(octets, Header("Subject", "gr\xfc\xdfe"))
        self.assertEqual(found, Snippet(Marked("Grüße from us", ((0, 5),)), None))
        found = self.snippet(octets, Text("body"))
        self.assertEqual(found, Snippet(None, Marked("body", ((0, 4),))))

    def test_what_is_not_text_is_not_shown(self):
        octets = b"Content-Type: application/pdf\r\n\r\napple"
        self.assertEqual(self.snippet(octets, Body("apple")), Snippet())

    def test_html_of_a_snippet_holds_no_markup_of_the_message(self):
        marked = hits("<a> & apple", ["<a>", "apple"])
        self.assertEqual(
            marked.html(), "<mark>&lt;a&gt;</mark> &amp; <mark>apple</mark>"
        )

    def test_an_empty_message(self):
        self.assertEqual(self.snippet(b"", Text("apple")), Snippet())


class SoughtTests(SynchronousTestCase):
    def test_strings_of_a_search(self):
        for key, want, reason in [
            (Body("A b"), Sought((), ("a b",)), "normalized"),
            (Text("x"), Sought(("x",), ("x",)), "both"),
            (Header("Subject", "x"), Sought(("x",)), "the subject"),
            (Header("From", "x"), Sought(), "another field"),
            (And((Body("x"), Not(Body("y")))), Sought((), ("x",)), "not what is not"),
            (Or(Body("x"), Header("subject", "y")), Sought(("y",), ("x",)), "or"),
            (Fuzzy(Body("x y")), Sought((), ("x y", "x", "y")), "words of FUZZY"),
            (Body(""), Sought(), "nothing"),
        ]:
            self.assertEqual(sought(key), want, reason)


class AnyTests(World):
    @given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=4), max_size=3))
    def test_marks_are_in_order_and_hold_what_was_looked_for(self, text, needles):
        wanted = [normal(one) for one in needles]
        marked = hits(text, wanted)
        last = -1
        for start, end in marked.marks:
            self.assertGreater(start, last)
            self.assertLess(start, end)
            self.assertTrue(any(one in normal(text[start:end]) for one in wanted))
            last = end
        self.assertEqual(marked.told("", ""), text)

    @given(st.text(max_size=60), st.text(min_size=1, max_size=4))
    def test_any_text_can_be_shown(self, text, needle):
        octets = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode(
            "utf-8", "replace"
        )
        self.snippet(octets, Text(needle))
