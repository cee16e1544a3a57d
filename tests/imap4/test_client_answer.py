"""Tests for mailtwist.imap4.client_answer: what servers say."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError, SyntaxFault
from mailtwist.imap4 import client_answer
from mailtwist.imap4.client_answer import Answers, code_of, pairs, quoted, values

STREAM = (
    b"* OK [CAPABILITY IMAP4rev1] hi\r\n"
    b"* 1 FETCH (UID 5 BODY[] {12}\r\n* x\r\n\r\nabc)d BODY[1] ~{3}\r\n\0\r\n)\r\n"
    b"+ \r\nm1 OK done\r\n"
)
ANSWERS = [
    b"* OK [CAPABILITY IMAP4rev1] hi",
    b"* 1 FETCH (UID 5 BODY[] {12}\r\n* x\r\n\r\nabc)d BODY[1] ~{3}\r\n\0\r\n)",
    b"+ ",
    b"m1 OK done",
]


class AnswersTests(SynchronousTestCase):
    def test_any_split_gives_the_same_answers(self):
        @given(st.lists(st.integers(0, len(STREAM))))
        def check(cuts):
            places = [0, *sorted(cuts), len(STREAM)]
            answers, found = Answers(), []
            for start, end in zip(places, places[1:], strict=False):
                found += answers.take(STREAM[start:end])
            self.assertEqual(found, ANSWERS)

        check()

    def test_octet_by_octet_is_the_same(self):
        answers, found = Answers(), []
        for octet in STREAM:
            found += answers.take(bytes([octet]))
        self.assertEqual(found, ANSWERS)

    def test_what_is_too_long_is_refused(self):
        self.patch(client_answer, "MOST_LINE", 100)
        self.patch(client_answer, "MOST_LITERAL", 1000)
        for octets in (b"x" * 101, b"* 1 {1001}\r\n", b"* {3}\r\nabc" * 20):
            self.assertRaises(SyntaxFault, Answers().take, octets)
        self.assertEqual(Answers().take(b"* {500}\r\n" + b"x" * 400), [])

    def test_any_octets_are_answers_values_or_a_fault(self):
        @given(st.binary(max_size=60))
        def check(octets):
            try:
                for answer in Answers().take(octets + b"\r\n"):
                    values(answer)
                    code_of(answer)
            except MailError:
                pass

        check()


class ValueTests(SynchronousTestCase):
    def test_values_are_read(self):
        for octets, wanted in [
            (b"", []),
            (b"a NIL nil 5", [b"a", None, None, b"5"]),
            (rb'"a \"b\\" "NIL"', [rb'a "b\ '[:-1], b"NIL"]),
            (b"(a (b) ())", [[b"a", [b"b"], []]]),
            (b"{3}\r\na)b c", [b"a)b", b"c"]),
            (b"~{2}\r\n\0\0", [b"\0\0"]),
            (b"(\\Seen $Work \\*)", [[b"\\Seen", b"$Work", b"\\*"]]),
            (b"BODY[HEADER.FIELDS (TO)]<0> {1}\r\nx", [b"BODY[HEADER.FIELDS (TO)]<0>",
                                                       b"x"]),
        ]:  # fmt: skip
            self.assertEqual(values(octets), wanted, octets)

    def test_broken_ones_are_refused(self):
        for octets in (b"(a", b"a)", b"{9}\r\nabc", b"(" * 60 + b")" * 60, b'"abc'):
            self.assertRaises(SyntaxFault, values, octets)

    def test_quoted_comes_back(self):
        @given(st.binary())
        def check(octets):
            text = quoted(octets)
            if text is not None:
                self.assertEqual(values(text), [octets])

        check()

    def test_pairs_and_codes(self):
        self.assertEqual(pairs([b"uid", b"5", b"x"]), {b"UID": b"5"})
        self.assertEqual(pairs(None), {})
        self.assertEqual(code_of(b"[AppendUid 1 2] ok"), (b"APPENDUID", b"1 2"))
        self.assertEqual(code_of(b"[ALERT] x"), (b"ALERT", b""))
        self.assertEqual(code_of(b"plain [x]"), (b"", b""))
