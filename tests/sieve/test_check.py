"""Tests for mailtwist.sieve.check, .bind and .strings."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.check import MOST_FAULTS, check, compiled
from mailtwist.sieve.compiled import Match
from mailtwist.sieve.extensions import EXTENSIONS
from mailtwist.sieve.faults import ScriptError
from mailtwist.sieve.strings import (
    BadCharacter,
    Expansion,
    Matched,
    UnknownNamespace,
    Variable,
    decoded,
    template,
)

from .writing import PATIENT, PIECES, REQUIRES, SCRIPTS


def faults(script):
    """What is told of a script, each with its column."""
    try:
        compiled(script.encode())
    except ScriptError as fault:
        return [f"{each.place.column}: {each.text}" for each in fault.faults]
    return []


def only(script):
    """The last call of a script."""
    return compiled(script.encode()).calls[-1]


class MistakeTests(SynchronousTestCase):
    def test_each_is_told(self):
        for script, told in [
            ('require "nonsense";', '1: extension "nonsense" is not known here'),
            ("require 1;", "9: extensions has to be a string-list"),
            ('keep; require "copy";', '7: "require" behind other commands'),
            ("nonsense;", '1: unknown command "nonsense"'),
            ("header;", '1: unknown command "header"'),
            ("if keep {}", '4: unknown test "keep"'),
            ('fileinto "x";', '1: "fileinto" needs require "fileinto"'),
            (
                'if spamtest "1" {}',
                '4: "spamtest" needs require "spamtest" or "spamtestplus"',
            ),
            ("else {}", '1: "else" without an "if"'),
            ("elsif true {}", '1: "elsif" without an "if"'),
            ("if true {} else {} else {}", '20: "else" without an "if"'),
            ("if true {} keep; elsif true {}", '18: "elsif" without an "if"'),
            ("if {}", '1: "if" takes one test'),
            ("if true;", '1: "if" needs a block'),
            ("if (true) {}", '1: "if" takes one test'),
            ("if not (true) {}", '4: "not" takes one test'),
            ("if allof true {}", '4: "allof" takes tests in parentheses'),
            ("keep true;", '6: "keep" takes no test'),
            ("keep {}", '1: "keep" takes no block'),
            ("if true not true {}", '9: "true" takes no test'),
            ('keep "x";', '6: too many arguments for "keep"'),
            ("redirect;", '1: "redirect" needs a string, its address'),
            ('redirect "nobody";', '10: "nobody" is not an address'),
            ('redirect ["a@b.c"];', "10: address has to be a string"),
            ('redirect :copy "a@b.c";', '10: :copy needs require "copy"'),
            ("keep :nonsense;", '6: "keep" has no :nonsense'),
            ("if size 1 {}", '4: "size" needs :over or :under'),
            ("if size :over :under 1 {}", "15: :under and :over"),
            ('if size :over "1" {}', "15: limit has to be a number"),
            ('if header "a" {}', '4: "header" needs a string-list, its keys'),
            ('if header :is :contains "a" "b" {}', "15: :contains and :is"),
            ('if header :is :is "a" "b" {}', "15: :is twice"),
            ('if header "a" :is "b" {}', "15: :is behind an argument without a tag"),
            ("if header :comparator {}", "11: :comparator needs a string"),
            (
                'if header :comparator "i;nonsense" "a" "b" {}',
                '23: "i;nonsense" is not a comparator that is known',
            ),
            (
                'if header :comparator "i;unicode-casemap" "a" "b" {}',
                '4: this comparator needs require "comparator-i;unicode-casemap"',
            ),
            (
                'require "comparator-i;ascii-numeric";'
                'if header :contains :comparator "i;ascii-numeric" "a" "b" {}',
                "41: :contains does not go with i;ascii-numeric",
            ),
            (
                'require "relational"; if header :count "more" "a" "b" {}',
                '40: "more" is not one of gt, ge, lt, le, eq, ne',
            ),
            (
                'require "regex"; if header :regex "a" "(" {}',
                "21: not a regular expression: missing ): (",
            ),
            (
                'require "index"; if header :last "a" "b" {}',
                "21: :last needs :index",
            ),
            (
                'require "index"; if header :index 0 "a" "b" {}',
                "35: an index counts from 1",
            ),
            (
                'require "variables"; set "1a" "x";',
                '26: "1a" is not the name of a variable',
            ),
            (
                'require "variables"; set "a${b}" "x";',
                "26: name may hold no variables",
            ),
            (
                'require "variables"; set :lower :upper "a" "b";',
                "33: :upper and :lower",
            ),
            (
                'require "variables"; redirect "${x.y}";',
                '31: unknown namespace "x"',
            ),
            (
                'require "encoded-character"; redirect "${unicode:d800}";',
                "39: ${unicode:d800} is no character",
            ),
            (
                'require "envelope"; if envelope "to" "a" {} if envelope "cc" "a" {}',
                '57: "cc" is not a part of an envelope',
            ),
            (
                'require "envelope"; if envelope "ret" "a" {}',
                '33: "ret" needs require "envelope-dsn"',
            ),
            (
                'require "date"; if currentdate "century" "a" {}',
                '32: "century" is not a part of a date',
            ),
            (
                'require "date"; if date :zone "+0100" :originalzone "a" "year" "b" {}',
                "39: :originalzone and :zone",
            ),
            (
                'require "date"; if currentdate :zone "+9900" "year" "b" {}',
                '38: "+9900" is not a zone such as "+0100"',
            ),
            (
                'require ["vacation", "vacation-seconds"];'
                'vacation :days 1 :seconds 1 "a";',
                "59: :seconds and :days",
            ),
            (
                'require ["vacation", "imap4flags"]; vacation :flags "a" "b";',
                "37: :flags needs :fcc",
            ),
            (
                'require "spamtest"; if spamtest :percent "1" {}',
                '33: :percent needs require "spamtestplus"',
            ),
            (
                'require ["include"]; include "a/b";',
                '30: "a/b" is not the name of a script',
            ),
            (
                'require "include"; global "a";',
                '20: "global" needs require "variables"',
            ),
            (
                'require "imap4flags"; setflag "a" "b";',
                '23: a variable needs require "variables"',
            ),
            (
                'require "foreverypart"; break;',
                '25: "break" outside of a "foreverypart"',
            ),
            (
                'require "foreverypart"; foreverypart :name "a" {break :name "b";}',
                '49: no "foreverypart" around is named "b"',
            ),
            (
                'require "editheader"; addheader "a:" "b";',
                '33: "a:" is not the name of a header field',
            ),
        ]:
            self.assertEqual(faults(script), [told], script)

    def test_all_are_told_in_their_order_up_to_a_limit(self):
        self.assertEqual(
            faults('fileinto "x"; if size 1 { foo; } bar;'),
            [
                '1: "fileinto" needs require "fileinto"',
                '18: "size" needs :over or :under',
                '34: unknown command "bar"',
            ],
        )
        self.assertEqual(len(faults("foo;" * 1000)), MOST_FAULTS)

    def test_a_server_may_know_less(self):
        script = b'require "copy"; redirect :copy "a@b.c";'
        compiled(script)
        known = frozenset(EXTENSIONS) - {"copy"}
        fault = self.assertRaises(ScriptError, compiled, script, known)
        self.assertIn('"copy" is not known here', fault.public)


class CompiledTests(SynchronousTestCase):
    def test_arguments_have_names(self):
        call = only(
            'require ["fileinto", "copy", "imap4flags"];'
            'fileinto :copy :flags ["a", "b"] "Lists";'
        )
        self.assertEqual(call.tags, {"copy", "flags"})
        self.assertEqual(call.texts, {"flags": ("a", "b"), "mailbox": ("Lists",)})

    def test_an_optional_argument_stands_first(self):
        head = 'require ["imap4flags", "variables"]; '
        self.assertEqual(only(head + 'setflag "a";').texts, {"flags": ("a",)})
        call = only(head + 'setflag "v" "a";')
        self.assertEqual(call.texts, {"variable": ("v",), "flags": ("a",)})

    def test_branches_are_one_call(self):
        call = only("if true { keep; } elsif false { stop; } else { discard; }")
        found = [
            (test and test.name, [each.name for each in block])
            for test, block in call.branches
        ]
        want = [("true", ["keep"]), ("false", ["stop"]), (None, ["discard"])]
        self.assertEqual(found, want)

    def test_how_to_match(self):
        head = 'require ["relational", "comparator-i;ascii-numeric"]; if header '
        for tags, want in [
            ("", Match()),
            (":matches", Match("matches")),
            (':comparator "i;octet"', Match("is", "i;octet")),
            (
                ':value "GE" :comparator "i;ascii-numeric"',
                Match("value", "i;ascii-numeric", "ge"),
            ),
        ]:
            test = only(f'{head} {tags} "a" "b" {{}}').branches[0][0]
            self.assertEqual(test.match, want)

    def test_built_in_comparators_need_no_require(self):
        self.assertEqual(faults('require "comparator-i;octet";'), [])
        self.assertEqual(faults('if header :comparator "i;octet" "a" "b" {}'), [])

    def test_mistakes_under_ihave_wait_until_they_are_reached(self):
        script = 'require "ihave"; if ihave "later" { later :x 1; } else { foo; } keep;'
        call, keep = compiled(script.encode()).calls
        (test, block), (_, other) = call.branches
        self.assertEqual(
            (test.name, block[0].name, other[0].name), ("ihave", *["error"] * 2)
        )
        self.assertEqual(block[0].texts, {"message": ('unknown command "later"',)})
        self.assertEqual(keep.name, "keep")

    def test_ihave_requires_what_there_is(self):
        script = 'require "ihave"; if ihave "copy" { redirect :copy "a@b.c"; }'
        (_, block) = only(script).branches[0]
        self.assertEqual(block[0].name, "redirect")

    @PATIENT
    @given(script=PIECES)
    def test_any_octets_raise_only_script_errors(self, script):
        try:
            compiled(script)
        except ScriptError as fault:
            self.assertTrue(fault.faults)

    @PATIENT
    @given(script=st.tuples(REQUIRES, SCRIPTS))
    def test_any_commands_raise_only_script_errors(self, script):
        try:
            check(script[0] + script[1])
        except ScriptError as fault:
            self.assertLessEqual(len(fault.faults), MOST_FAULTS)


class StringTests(SynchronousTestCase):
    def test_encoded_characters(self):  # the examples of RFC 5228 §2.4.2.4 and more
        for text, want in [
            ("$${hex:40}", "$@"),
            ("${hex: 40 }", "@"),
            ("${HEX: 40}", "@"),
            ("${hex:40", "${hex:40"),
            ("${hex:400}", "${hex:400}"),
            ("${hex:4${hex:30}}", "${hex:40}"),
            ("${hex:}", "${hex:}"),
            ("${hex:c3 a9}", "\u00e9"),
            ("${hex:c3a9}", "${hex:c3a9}"),
            ("${hex:ff}", "\udcff"),
            ("${unicode:40}", "@"),
            ("${ unicode:40}", "${ unicode:40}"),
            ("${UNICODE:40}", "@"),
            ("${UnICoDE:0000040}", "@"),
            ("${Unicode:40\r\n 41}", "@A"),
            ("${Unicode:Cool}", "${Unicode:Cool}"),
            ("${unicode:}", "${unicode:}"),
            ("${unicode:10ffff}", "\U0010ffff"),
        ]:
            self.assertEqual(decoded(text), want, text)
        for text in ("${unicode:200000}", "${Unicode:DF01}", "${unicode:1000000041}"):
            self.assertRaises(BadCharacter, decoded, text)

    def test_references(self):  # RFC 5229 §3
        for text, want in [
            ("plain", "plain"),
            ("${A}", [Variable("a")]),
            ("a${b}c", ["a", Variable("b"), "c"]),
            ("${1}${23}", [Matched(1), Matched(23)]),
            ("&%${}!", "&%${}!"),
            ("${doh!}", "${doh!}"),
            ("${foo${bar}", ["${foo", Variable("bar")]),
            ("${global.x}", [Variable("x", True)]),
        ]:
            made = template(text)
            self.assertEqual(
                list(made.pieces) if isinstance(made, Expansion) else made, want
            )
        self.assertRaises(UnknownNamespace, template, "${env.x}")

    @given(text=st.text(max_size=60))
    def test_any_text_has_a_meaning(self, text):
        for part in (
            text,
            text.replace("a", "${hex:"),
            text.replace("b", "${unicode:"),
        ):
            try:
                template(decoded(part))
            except (BadCharacter, UnknownNamespace):
                self.assertIn("${", part)
