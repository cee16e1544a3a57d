"""Tests for mailtwist.cli.search: what words ask for, and how messages are told."""

from datetime import date

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.search import lines, wanted
from mailtwist.errors import MailError
from mailtwist.mailbox.snippet import Marked, Snippet
from mailtwist.search_key import (
    And,
    Body,
    Fuzzy,
    HasFlag,
    Header,
    InternalDate,
    Not,
    Text,
    When,
)


class WantedTests(SynchronousTestCase):
    def test_words(self):
        for words, want, reason in [
            (["apple pie"], Text("apple pie"), "an argument is one string"),
            (["a", "b"], And((Text("a"), Text("b"))), "all of them"),
            (["from:ann"], Header("From", "ann"), "a field"),
            (["body:x:y"], Body("x:y"), "a colon in the string"),
            (["http://x"], Text("http://x"), "a colon that names no field"),
            (["is:unseen"], Not(HasFlag("\\Seen")), "a flag"),
            (
                ["since:2026-11-24"],
                InternalDate(When.SINCE, date(2026, 11, 24)),
                "a day",
            ),
        ]:
            self.assertEqual(wanted(words, fuzzy=False), want, reason)
        self.assertEqual(wanted(["a", "is:seen"], fuzzy=True).keys[0], Fuzzy(Text("a")))

    def test_what_cannot_be_looked_for(self):
        for word in ("since:monday", "is:green"):
            fault = self.assertRaises(MailError, wanted, [word], fuzzy=False)
            self.assertIn(word, fault.public)


class LinesTests(SynchronousTestCase):
    told = {
        "mailbox": "Lists/a",
        "date": "2026-11-24T21:40:07Z",
        "from": "Ann \x1b[2J <a@x.test>",
        "subject": "An apple",
        "snippet": Snippet(
            Marked("An apple", ((3, 8),)), Marked("red apple", ((4, 9),))
        ),
    }

    def test_what_was_found_is_marked(self):
        self.assertEqual(
            list(lines(self.told, terminal=False)),
            [
                "Lists/a  2026-11-24 21:40  Ann ?[2J <a@x.test>  An [apple]",
                "    red [apple]",
            ],
        )

    def test_a_terminal_shows_it_reversed(self):
        self.assertEqual(
            list(lines(self.told, terminal=True))[1], "    red \x1b[7mapple\x1b[0m"
        )

    def test_without_a_place_there_is_one_line(self):
        told = self.told | {"snippet": Snippet()}
        (line,) = lines(told, terminal=False)
        self.assertTrue(line.endswith("  An apple"))
