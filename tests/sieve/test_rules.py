"""Tests for mailtwist.sieve.rules and .rules_text."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.check import compiled
from mailtwist.sieve.rules import (
    OPERATIONS,
    PARTS,
    Answer,
    Body,
    Condition,
    Discard,
    Exists,
    Fields,
    File,
    Keep,
    Mark,
    Refuse,
    Rule,
    Rules,
    Send,
    Size,
    Today,
)
from mailtwist.sieve.rules_text import HEAD, read, written

from .running import actions
from .writing import PATIENT

CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
ODD = st.sampled_from(["# rule: x", '"', "\\", "${a}", ".\r\n", "a\r\n.b\r\n", "]", ""])
TEXT = st.text(CHARACTERS, max_size=10) | ODD
SOME = st.lists(TEXT, min_size=1, max_size=3).map(tuple)
LINE = st.text(CHARACTERS, max_size=10).map(str.strip) | st.sampled_from(
    ["# rule: x", "if true { discard; }"]
)
NAMES = st.sampled_from(["Subject", "List-Id", "to", "X-Spam"])
FIELDS = st.lists(NAMES, min_size=1, max_size=2).map(tuple)
ADDRESS = st.sampled_from(["ann@example.org", "b.c+d@example.net"])
OPERATION = st.sampled_from(OPERATIONS)
WHAT = st.one_of(
    st.builds(Fields, FIELDS, OPERATION, SOME, st.sampled_from(["", *PARTS])),
    st.builds(Exists, FIELDS),
    st.builds(Body, OPERATION, SOME),
    st.builds(Size, st.sampled_from(["over", "under"]), st.integers(0, (1 << 31) - 1)),
    st.builds(
        Today,
        st.sampled_from(["ge", "le"]),
        st.dates().map(lambda day: day.isoformat()),
    ),
)
ACT = st.one_of(
    st.builds(
        File, st.sampled_from(["INBOX", "Lists/Caf\u00e9", 'a"b']), st.booleans()
    ),
    st.builds(Send, ADDRESS, st.booleans()),
    st.builds(
        Mark, st.lists(st.sampled_from(["\\Seen", "$Work", "x"]), min_size=1).map(tuple)
    ),
    st.just(Keep()),
    st.just(Discard()),
    st.builds(Refuse, TEXT),
    st.builds(
        Answer,
        TEXT,
        st.integers(1, 365),
        st.none() | LINE,
        st.lists(ADDRESS, max_size=2).map(tuple),
    ),
)
RULE = st.builds(
    Rule,
    LINE,
    st.lists(st.builds(Condition, WHAT, st.booleans()), max_size=3).map(tuple),
    st.lists(ACT, max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
RULES = st.builds(
    Rules,
    st.lists(RULE, max_size=3).map(tuple),
    st.sampled_from(["", "main", 'by "hand"']),
)
PYTHON = Rule(
    "Python",
    (
        Condition(Fields(("List-Id",), "contains", ("python",))),
        Condition(Size("under", 1 << 20), negated=True),
    ),
    (File("Lists/Python"),),
    every=False,
)


class PropertyTests(SynchronousTestCase):
    @given(RULES)
    @PATIENT
    def test_what_is_written_is_read_again(self, rules):
        text = written(rules)
        self.assertEqual(read(text), rules)
        self.assertEqual(read(text.replace("\n", "\r\n")), rules)

    @given(RULES)
    @PATIENT
    def test_what_is_written_is_a_script(self, rules):
        compiled(written(rules).encode())

    @given(RULES, st.integers(0), TEXT)
    @PATIENT
    def test_what_was_changed_by_hand_is_read_as_it_is_or_not_at_all(
        self, rules, at, more
    ):
        text = written(rules)
        at %= len(text) + 1
        changed = text[:at] + more + text[at:]
        found = read(changed)
        if found is not None:
            self.assertEqual(written(found), changed.replace("\r\n", "\n"))

    @given(st.text(max_size=40))
    def test_other_texts_are_no_rules(self, text):
        self.assertIsNone(read(text))
        found = read(HEAD + text)
        self.assertTrue(found is None or found == Rules(), text)


class FormTests(SynchronousTestCase):
    def test_people_can_read_it(self):
        off = evolve(PYTHON, name="Off", enabled=False, stops=False, every=True)
        self.assertEqual(
            written(Rules((PYTHON, off), "by hand")),
            HEAD + 'require ["fileinto", "include", "mailbox"];\n'
            "\n"
            "# rule: Python\n"
            'if anyof (header :contains ["List-Id"] ["python"], not size :under 1M) {\n'
            '    fileinto :create "Lists/Python";\n'
            "    stop;\n"
            "}\n"
            "\n"
            "# rule: Off\n"
            'if allof (false, allof (header :contains ["List-Id"] ["python"],'
            " not size :under 1M)) {\n"
            '    fileinto :create "Lists/Python";\n'
            "}\n"
            "\n"
            "# and then\n"
            'include :personal :optional "by hand";\n',
        )

    def test_scripts_by_hand_are_no_rules(self):
        text = written(Rules((PYTHON,)))
        for changed, why in [
            ("keep;", "another script"),
            (text.removeprefix(HEAD), "without the first line"),
            (text + "keep;\n", "a command more"),
            (text + "# a comment\n", "a comment more"),
            (text.replace("# rule: Python", "# Python"), "no mark"),
            (text.replace("anyof", "allof (true, anyof") + ")", "does not parse"),
            (text.replace("    stop;\n", "    stop;\n    keep;\n"), "behind stop"),
            (text.replace(":contains", ":regex"), "a match that rules have not"),
            (text.replace(":create ", ""), "an argument less"),
            (text.replace("    fileinto", "  fileinto"), "other spaces"),
            (text.replace('"mailbox"', '"mailbox", "copy"'), "a require more"),
            ("", "nothing"),
        ]:
            self.assertNotEqual(changed, text)
            self.assertIsNone(read(changed), why)
        self.assertEqual(read(HEAD), Rules())

    def test_what_no_script_could_hold_is_no_rule(self):
        for make in (
            lambda: Fields((), "contains", ("x",)),
            lambda: Fields(("no field",), "contains", ("x",)),
            lambda: Fields(("Subject",), "regex", ("x",)),
            lambda: Fields(("Subject",), "is", ()),
            lambda: Fields(("Subject",), "is", ("a\0",)),
            lambda: Fields(("Subject",), "is", ("a\nb",)),
            lambda: Fields(("To",), "is", ("a",), "detail"),
            lambda: Size("over", -1),
            lambda: Size("over", 1 << 31),
            lambda: Size("is", 1),
            lambda: Today("ge", "tomorrow"),
            lambda: File(""),
            lambda: File("a\r\nb"),
            lambda: Send("nobody"),
            lambda: Mark(()),
            lambda: Mark(("two words",)),
            lambda: Mark(("\\Recent",)),
            lambda: Answer("x", 0),
            lambda: Answer("x", subject="two\r\nlines"),
            lambda: Answer("x", addresses=("nobody",)),
            lambda: Rule("two\r\nlines"),
            lambda: Rule(" spaces "),
            lambda: Rules((), "a/b"),
        ):
            with self.assertRaises(ValueError):
                made = make()
                self.fail(made)


class MeaningTests(SynchronousTestCase):
    def done(self, *rules, then=""):
        return actions(written(Rules(rules, then)))

    def test_what_rules_do(self):
        ann = Condition(Fields(("From",), "is", ("ann@example.org",), "all"))
        never = Condition(Exists(("X-None",)))
        for rule, want in [
            (Rule("", (ann,), (File("A"),)), ["fileinto A"]),
            (Rule("", (ann, never), (File("A"),)), ["implicit keep"]),
            (Rule("", (ann, never), (File("A"),), every=False), ["fileinto A"]),
            (Rule("", (), (File("A", copy=True),)), ["fileinto A", "implicit keep"]),
            (Rule("", (), (Discard(),), enabled=False), ["implicit keep"]),
            (Rule("", (evolve(never, negated=True),), (Discard(),)), ["discard"]),
            (Rule("", (), (Mark(("x",)), File("A"))), ["fileinto A [x]"]),
            (
                Rule("", (), (Send("a@b.example"), Keep())),
                ["redirect a@b.example", "keep"],
            ),
            (Rule("", (), (Refuse("No"),)), ["reject No"]),
            (
                Rule("", (Condition(Body("contains", ("the text",))),), (Discard(),)),
                ["discard"],
            ),
            (
                Rule("", (Condition(Today("ge", "2026-03-02")),), (Discard(),)),
                ["implicit keep"],
            ),
            (
                Rule("", (Condition(Today("le", "2026-03-01")),), (Discard(),)),
                ["discard"],
            ),
            (Rule("", (), (Answer("Away"),)), ["vacation Away", "implicit keep"]),
        ]:
            self.assertEqual(self.done(rule), want, rule)

    def test_later_rules_see_what_is_not_stopped(self):
        first, second = Rule("1", (), (File("A"),)), Rule("2", (), (File("B"),))
        self.assertEqual(self.done(first, second), ["fileinto A"])
        going_on = evolve(first, stops=False)
        self.assertEqual(self.done(going_on, second), ["fileinto A", "fileinto B"])

    def test_the_script_behind_need_not_be_there(self):
        self.assertEqual(self.done(then="gone"), ["implicit keep"])
