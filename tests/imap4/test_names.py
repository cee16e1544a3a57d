"""Names on the wire and paths are one to one; LIST's wildcards match without cost."""

import re
from unicodedata import normalize

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMailboxName
from mailtwist.imap4.names import Matcher, join, nfc, path_of, split, wire_of

COMPONENT = st.text(
    st.sampled_from("ab./\\25cefE&-~ \xe4%*") | st.characters(exclude_categories=["C"]),
    min_size=1,
    max_size=8,
).filter(
    lambda text: not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef]", text)
)
PATHS = (
    st.lists(COMPONENT, min_size=1, max_size=4)
    .map(tuple)
    .map(lambda p: ("INBOX", *p[1:]) if p[0].upper() == "INBOX" else p)
)
DELIMITERS = st.sampled_from("/.")


class NormalFormTests(SynchronousTestCase):
    @given(parts=st.lists(st.text(st.characters(codec="utf-8"), max_size=9)))
    def test_normalizing_once_is_enough(self, parts):
        path = nfc(tuple(parts))
        self.assertEqual(nfc(path), path)
        self.assertEqual(path, tuple(normalize("NFC", part) for part in parts))

    def test_patterns_and_names_are_compared_in_one_form(self):
        for form in ("NFC", "NFD"):
            for other in ("NFC", "NFD"):
                matcher = Matcher("", [normalize(form, "*fé%")])
                self.assertTrue(matcher.matches((normalize(other, "Cafés"),)))


class NameTests(SynchronousTestCase):
    def test_inbox_is_read_in_any_case_and_only_in_front(self):
        for wire, path in [
            (b"inbox", ("INBOX",)),
            (b"InBoX/sub", ("INBOX", "sub")),
            (b"a/inbox", ("a", "inbox")),
            (b"inboxes", ("inboxes",)),
        ]:
            self.assertEqual(path_of(wire), path)

    def test_the_delimiter_alone_splits(self):
        self.assertEqual(path_of(b"a.b/c", "/"), ("a.b", "c"))
        self.assertEqual(path_of(b"a.b/c", "."), ("a", "b/c"))

    def test_a_delimiter_in_a_component_has_a_form(self):
        for path, delimiter, wire in [
            (("a/b",), "/", b"a\\2fb"),
            (("a.b",), ".", b"a\\2eb"),
            (("a\\2fb",), "/", b"a\\5c2fb"),
            (("a\\5c2fb",), "/", b"a\\5c5c2fb"),
            (("a\\2eb",), "/", b"a\\2eb"),
        ]:
            self.assertEqual(wire_of(path, delimiter), wire)
            self.assertEqual(path_of(wire, delimiter), path)

    @settings(max_examples=300)
    @given(path=PATHS, delimiter=DELIMITERS)
    def test_a_path_comes_back(self, path, delimiter):
        self.assertEqual(path_of(wire_of(path, delimiter), delimiter), path)
        self.assertEqual(
            path_of(wire_of(path, delimiter, utf8=True), delimiter, utf8=True), path
        )

    @settings(max_examples=300)
    @given(name=st.text("ab/.\\25cefIN&", max_size=12), delimiter=DELIMITERS)
    def test_a_name_comes_back_or_is_refused(self, name, delimiter):
        try:
            path = split(name, delimiter)
        except BadMailboxName:
            return
        self.assertEqual(join(path, delimiter), name)

    def test_names_that_cannot_be_are_refused(self):
        for wire, why in [
            (b"", "empty"),
            (b"/a", "empty component in front"),
            (b"a/", "empty component at the end"),
            (b"a//b", "empty component within"),
            (b"a" * 256, "component over 255 octets"),
            (b"/".join([b"abcdefgh"] * 200), "name over 1000 octets"),
            (b"/".join([b"a"] * 65), "too many levels"),
            (b"a" * 100_000, "far too long"),
            (b"&AAA-", "NUL"),
            (b"&AAo-", "LF"),
            (b"&AIU-", "NEL"),
            (b"&ICg-", "line separator"),
            (b"&,,8-", "non-character"),
            (b"\xff", "not ASCII"),
        ]:
            with self.assertRaises(BadMailboxName, msg=why):
                path_of(wire)

    def test_utf8_names_must_be_utf8(self):
        self.assertEqual(path_of("\xe4".encode(), utf8=True), ("\xe4",))
        with self.assertRaises(BadMailboxName):
            path_of(b"\xe4", utf8=True)


def reference(pattern, name, delimiter="/"):
    """What a wildcard pattern means, said as a regular expression."""
    rules = {"*": ".*", "%": f"[^{re.escape(delimiter)}]*"}
    regex = "".join(rules.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(regex, name, re.S) is not None


class MatcherTests(SynchronousTestCase):
    @settings(max_examples=300)
    @given(
        pattern=st.text("ab/*%", max_size=8),
        path=st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
    )
    def test_matches_what_the_rfc_means(self, pattern, path):
        found = Matcher("", [pattern]).matches(tuple(path))
        self.assertEqual(found, reference(pattern, "/".join(path)))

    def test_reference_patterns_and_inbox(self):
        for reference_name, patterns, path, wanted, why in [
            ("", ["%"], ("INBOX",), True, "INBOX is a name like others"),
            ("", ["inbox"], ("INBOX",), True, "in any case"),
            ("", ["inb%"], ("INBOX",), True, "in any case with a wildcard"),
            ("", ["inbox/%"], ("INBOX", "a"), True, "and in front"),
            ("", ["INBOX"], ("INBOX", "a"), False, "not its children"),
            ("", ["iNBOXes"], ("INBOXES",), False, "only INBOX itself"),
            ("a/", ["%"], ("a", "b"), True, "behind the reference"),
            ("a/", ["%"], ("b",), False, "only behind the reference"),
            ("a/", ["/b"], ("b",), False, "absolute patterns match no name of ours"),
            ("", ["x", "y*"], ("yz",), True, "any of several patterns"),
            ("", ["%/%"], ("a", "b", "c"), False, "% stops at the delimiter"),
            ("", ["*%"], ("a", "b", "c"), True, "* with % is *"),
            ("", ["a*c"], ("a", "b", "c"), True, "* does not stop"),
            ("", [""], ("a",), False, "the empty pattern matches nothing"),
        ]:
            matcher = Matcher(reference_name, patterns)
            self.assertEqual(matcher.matches(path), wanted, why)

    def test_the_other_delimiter_is_a_letter(self):
        self.assertTrue(Matcher("", ["%"], ".").matches(("a/b",)))
        self.assertFalse(Matcher("", ["%"], ".").matches(("a", "b")))

    def test_a_hostile_pattern_costs_no_more_than_its_length(self):
        matcher = Matcher("", ["*a" * 900 + "b"])
        for _ in range(20):
            self.assertFalse(matcher.matches(("a" * 255, "a" * 255, "a" * 255)))

    def test_a_pattern_that_no_name_could_match_is_refused(self):
        with self.assertRaises(BadMailboxName):
            Matcher("", ["%a" * 5000])
