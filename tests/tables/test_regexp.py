from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.tables.regexp import HeldRules


def held(text):
    made = HeldRules()
    for _ in made.read(text):
        pass
    return made


TABLE = r"""
# who is who
/^(.+)\+old@example\.test$/   $1@archive.test
!/@/                          bare
if /@example\.test$/
  /ignored continuation/ x
/^sales-(\d+)@/               desk${1}@example.test, log$(1)@example.test
if !/^ann@/
/^a/                          another-$$
endif
endif
/^case@/i                     exact
%^percent/@%                  slashes
"""


class RegexpTests(SynchronousTestCase):
    def test_what_is_found(self):
        table = held(TABLE.replace("  /ignored continuation/ x\n", ""))
        self.assertEqual(table.mistakes, [])
        for key, value, why in [
            ("ann+old@example.test", "ann@archive.test", "a group"),
            ("ann", "bare", "a pattern that must not fit"),
            ("sales-42@example.test", "desk42@example.test, log42@example.test", "if"),
            ("sales-42@else.test", None, "outside of it"),
            ("abc@example.test", "another-$", "an if in an if; a dollar"),
            ("ann@example.test", None, "not in the inner one"),
            ("ABC@EXAMPLE.test", "another-$", "case does not matter"),
            ("CASE@else.test", None, "unless it is switched off"),
            ("case@else.test", "exact", "then it does"),
            ("percent/@x.test", "slashes", "another delimiter"),
        ]:
            self.assertEqual(table.find(key), value, why)

    def test_mistakes_are_told_with_their_line(self):
        for text, why in [
            ("/open value", "no second delimiter"),
            ("/a/", "no value"),
            ("/(/ x", "a bad pattern"),
            ("/a/ $1", "a group that is not there"),
            ("!/(a)/ $1", "nothing matched, so no groups"),
            ("if /a/ value", "a value behind if"),
            ("endif", "an endif alone"),
            ("if /a/", "an if alone"),
            ("word value", "no pattern"),
        ]:
            self.assertEqual([one.line for one in held(text).mistakes], [1], why)

    def test_a_block_without_end_ends_with_the_file(self):
        table = held("if /@a/\n/x/ found")
        self.assertEqual(table.find("x@a"), "found")
        self.assertIsNone(table.find("x@b"))

    @given(st.text(), st.text(max_size=20))
    def test_any_text_is_rules_and_mistakes(self, text, key):
        held(text)
        held(f"/{key}/ {text}\nif {text}")
