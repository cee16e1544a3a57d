"""Tests for `mailtwist man`: the manual page."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli import man
from mailtwist.cli.main import parser


class ManTests(SynchronousTestCase):
    def setUp(self):
        self.page = man.page(parser())

    def test_every_command_and_option_is_on_it(self):
        for path, command, _ in man.commands(parser()):
            if any(map(man.is_choice, command._actions)):
                continue
            self.assertIn(man.text(" ".join(["mailtwist", *path])), self.page)
            for action in command._actions:
                for option in action.option_strings:
                    if option not in ("-h", "--help"):
                        self.assertIn(man.text(option), self.page, path)

    def test_commands_have_words_of_their_own(self):
        for path, _, told in man.commands(parser()):
            self.assertTrue(told, path)

    def test_text_is_never_a_request(self):
        @given(st.text())
        def check(words):
            line = man.text(words)
            self.assertNotIn("\n", line)
            self.assertNotIn(line[:1], (".", "'"))

        check()
