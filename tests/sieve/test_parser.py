"""Tests for mailtwist.sieve.lexer, .parser and .syntax."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.sieve.faults import ScriptError
from mailtwist.sieve.lexer import MOST_NUMBER, tokens
from mailtwist.sieve.parser import MOST_DEPTH, parse
from mailtwist.sieve.syntax import Command, Number, Tag, Test, Text, TextList, printed

from .writing import PATIENT, PIECES, SCRIPTS


def strings(script):
    return [token.text for token in tokens(script) if token.kind == "string"]


class LexerTests(SynchronousTestCase):
    def test_strings(self):
        for script, value, reason in [
            (b'"a"', "a", "as it stands"),
            (b'""', "", "empty"),
            (rb'"a\"b\\c"', 'a"b\\c', "the two escapes"),
            (rb'"\a\*"', "a*", "a backslash before anything else goes"),
            (b'"a\r\nb\nc\rd"', "a\r\nb\r\nc\r\nd", "every line end is CRLF"),
            ('"\u00e9"'.encode(), "\u00e9", "UTF-8"),
            (b"text:\r\nline\r\n.\r\n", "line\r\n", "whole lines"),
            (b"text: \t# why\nline\n.\n", "line\r\n", "a comment behind it"),
            (b"TEXT:\n.\n", "", "no line"),
            (b"text:\n..x\n.y\n.", ".x\r\n.y\r\n", "dots, and no last line end"),
        ]:
            self.assertEqual(strings(script), [value], reason)

    def test_numbers(self):
        for script, value in [
            (b"0", 0),
            (b"12", 12),
            (b"00000000000000000000000000012", 12),
            (b"1K", 1024),
            (b"2m", 2 << 20),
            (b"3G", 3 << 30),
            (b"2147483647", 2**31 - 1),
            (b"9223372036854775807", MOST_NUMBER),
        ]:
            self.assertEqual(next(tokens(script)).number, value)

    def test_words_are_in_lower_case_and_comments_are_nothing(self):
        script = b"\xef\xbb\xbfKeep/* ; */:OVER# ;\r\n/**/;#"
        found = [(t.kind, t.text) for t in tokens(script)]
        want = [("name", "keep"), ("tag", "over"), (";", ""), ("end", "")]
        self.assertEqual(found, want)

    def test_places_count_lines_and_characters_from_1(self):
        found = list(tokens('"\u00e9"\r\n "\r\n" x'.encode()))
        self.assertEqual([t.place for t in found], [(1, 1), (2, 2), (3, 3), (3, 4)])


class ParserTests(SynchronousTestCase):
    def test_a_script(self):
        found = parse(
            b'if anyof (not header :is ["a", "b"] "c", size :over 1K) { keep; } stop;'
        )
        header = Test(
            "header",
            (Tag("is"), TextList((Text("a"), Text("b"))), Text("c")),
        )
        size = Test("size", (Tag("over"), Number(1024)))
        tests = (Test("anyof", (), (Test("not", (), (header,)), size), True),)
        want = (Command("if", (), tests, False, (Command("keep"),)), Command("stop"))
        self.assertEqual(found, want)

    def test_mistakes_have_a_place_and_a_reason(self):
        for script, told in [
            (b"keep", '1, column 5: expected ";" or a block, found the end of'),
            (b"keep\n  }", '2, column 3: expected ";" or a block, found "}"'),
            (b"if {", "1, column 5: expected a command, found the end of the script"),
            (b"\n;", '2, column 1: expected a command, found ";"'),
            (b'x ["a" "b"];', '1, column 8: expected "," or "]", found a string'),
            (b"x [];", '1, column 4: expected a string, found "]"'),
            (b"x (true;", '1, column 8: expected "," or ")", found ";"'),
            (b"x ();", '1, column 4: expected a test, found ")"'),
            (b'x "a', "1, column 3: a string that does not end"),
            (b"x text:\na\n;", '1, column 3: text: without a line of "." that ends it'),
            (b"x /* a", "1, column 3: a comment that does not end"),
            (b"x 12a;", "1, column 3: a number with something behind it"),
            ("x 1\u212a;".encode(), '1, column 4: unexpected "\\u212a"'),
            (b"x 9223372036854775808;", "1, column 3: a number too large"),
            (b"x 9999999999999999999999G;", "1, column 3: a number too large"),
            (b"x :;", '1, column 3: unexpected ":"'),
            (b"\xc3\xa9\nab\xff", "2, column 3: not UTF-8"),
            (b"a\0", "1, column 2: a NUL character"),
        ]:
            fault = self.assertRaises(ScriptError, parse, script)
            self.assertIn(f"line {told}", fault.public)
            self.assertTrue(fault.public.isascii())

    def test_blocks_and_tests_nest_to_a_limit(self):
        for depth, fits in [(15, True), (MOST_DEPTH, True), (MOST_DEPTH + 1, False)]:
            blocks = b"if true {" * depth + b"}" * depth
            tests = b"if " + b"not " * (depth - 1) + b"true {}"
            lists = b"if " + b"anyof(" * (depth - 1) + b"true" + b")" * (depth - 1)
            for script in (blocks, tests, lists + b"{}"):
                if fits:
                    parse(script)
                else:
                    fault = self.assertRaises(ScriptError, parse, script)
                    self.assertIn("nested too deeply", fault.public)

    def test_hostile_depth_is_refused_at_once(self):
        for octets in (b"if true {", b"not ", b"anyof(", b"[", b"(", b"{", b"/*", b'"'):
            self.assertRaises(ScriptError, parse, b"if " + octets * 100_000)

    def test_a_script_has_a_limit(self):
        parse(b"#" * 100, most_octets=100)
        fault = self.assertRaises(ScriptError, parse, b"#" * 101, most_octets=100)
        self.assertIn("more than 100 octets", fault.public)

    @PATIENT
    @given(script=st.one_of(st.binary(max_size=200), PIECES))
    def test_any_octets_raise_only_script_errors(self, script):
        try:
            parse(script)
        except ScriptError as fault:
            self.assertTrue(fault.faults)

    @PATIENT
    @given(script=SCRIPTS)
    def test_what_was_printed_reads_the_same(self, script):
        self.assertEqual(parse(printed(script).encode()), script)

    @PATIENT
    @given(script=PIECES)
    def test_print_is_stable(self, script):
        try:
            once = printed(parse(script))
        except ScriptError:
            return
        self.assertEqual(printed(parse(once.encode())), once)
