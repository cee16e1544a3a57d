"""Flags of a client."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault
from mailtwist.flags import DELETED, SEEN, SYSTEM
from mailtwist.imap4.framer import Frame
from mailtwist.imap4.grammar.flag import flags
from mailtwist.imap4.grammar.scanner import CommandScanner
from mailtwist.imap4.response import flag_list

KEYWORDS = st.text("abc$-_.ZY09", min_size=1, max_size=10)


def parse(text):
    s = CommandScanner(Frame(text))
    found = flags(s)
    s.end()
    return found


class FlagTests(SynchronousTestCase):
    def test_forms(self):
        for text, wanted, why in [
            (b"()", set(), "none"),
            (b"(\\seen \\DELETED)", {SEEN, DELETED}, "any case"),
            (b"\\Seen $Junk", {SEEN, "$Junk"}, "STORE without parentheses"),
            (b"(\\Recent \\Seen)", {SEEN}, "quirk: \\Recent is dropped"),
            (b"(ToDo todo)", {"ToDo"}, "one flag whatever its case"),
            (b"($forwarded)", {"$Forwarded"}, "one spelling where Maildir has one"),
        ]:
            self.assertEqual(parse(text), wanted, why)

    def test_what_is_no_flag_is_refused(self):
        for text, fault in [
            (b"(\\Foo)", BadParameter),
            (b"(\\*)", SyntaxFault),
            (b"(\\)", SyntaxFault),
            (b"(\\Seen", SyntaxFault),
            (b'("x")', SyntaxFault),
            (b"(" + b"x" * 129 + b")", BadParameter),
            (b"", SyntaxFault),
        ]:
            with self.assertRaises(fault, msg=text):
                parse(text)

    @settings(max_examples=100)
    @given(found=st.sets(st.sampled_from(SYSTEM) | KEYWORDS, max_size=6))
    def test_flags_come_back(self, found):
        once = frozenset({flag.lower(): flag for flag in found}.values())
        self.assertEqual(parse(flag_list(once)), once)
