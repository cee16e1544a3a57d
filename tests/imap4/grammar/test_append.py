"""What stands between the literals of APPEND and REPLACE."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.reading import Imap4
from mailtwist.errors import BadParameter, MailError, MessageTooBig, SyntaxFault
from mailtwist.imap4.commands import State
from mailtwist.imap4.engine import IMAP4Engine
from mailtwist.imap4.events import (
    AppendEnd,
    AppendMore,
    AppendOctets,
    AppendStart,
    Continue,
    Refused,
)
from mailtwist.imap4.types_append import (
    Append,
    MessageEnd,
    MessageStart,
    TextPart,
    UrlPart,
)
from mailtwist.seqset import STAR, SequenceSet

SMALL = Imap4(message_octets=65536)
END = MessageEnd()
START = MessageStart()


def said(line, *, utf8=False):
    """(command, its steps); raises the first fault."""
    engine = IMAP4Engine(SMALL, state=State.SELECTED)
    engine.enabled = frozenset({"UTF8=ACCEPT"} if utf8 else ())
    engine.receive(b"t " + line + b"\r\n")
    command, steps = None, []
    while (event := engine.next_event()) is not None:
        match event:
            case AppendStart():
                command = event.command
                steps += event.steps
                engine.accept_append()
            case AppendMore():
                steps += event.steps
                engine.accept_append()
            case AppendEnd():
                return command, [*steps, *event.steps]
            case Refused():
                raise event.fault
            case _:
                assert isinstance(event, AppendOctets | Continue)
    raise AssertionError("the command has no end")


def text(octets, *, binary=False):
    return TextPart(octets, synchronizing=False, binary=binary)


SEEN = frozenset({"\\Seen"})


class AppendGrammarTests(SynchronousTestCase):
    def test_messages_and_their_parts(self):
        for line, wanted in [
            (b"x {1+}\r\nz", [START, text(1), END]),
            (b"x {1+}\r\nz ", [START, text(1), END]),
            (b"x ~{1+}\r\n\0", [START, text(1, binary=True), END]),
            (
                b'x (\\Seen) " 1-Jan-1970 00:00:09 +0000" {0+}\r\n',
                [MessageStart(SEEN, 9), text(0), END],
            ),
            (
                b"x {1+}\r\nz (\\Seen) {2+}\r\nzz {3+}\r\nzzz",
                [START, text(1), END, MessageStart(SEEN), text(2), END]
                + [START, text(3), END],
            ),
            (b"x {1+}\r\nz  {2+}\r\nzz", [START, text(1), END, START, text(2), END]),
            (b"x CATENATE (URL /a)", [START, UrlPart(b"/a"), END]),
            (b'x catenate (url "/a b")', [START, UrlPart(b"/a b"), END]),
            (
                b"x (\\Seen) CATENATE (TEXT {1+}\r\nz URL {2+}\r\n/a TEXT {2+}\r\nzz)",
                [MessageStart(SEEN), text(1), UrlPart(b"/a"), text(2), END],
            ),
            (
                b"x CATENATE (URL /a) CATENATE (URL /b TEXT {1+}\r\nz) {1+}\r\nz",
                [START, UrlPart(b"/a"), END]
                + [START, UrlPart(b"/b"), text(1), END, START, text(1), END],
            ),
        ]:
            command, steps = said(b"APPEND " + line)
            self.assertEqual((command, steps), (Append(("x",)), wanted), line)

    def test_replace_names_one_message(self):
        for line, number, uid in [
            (b"REPLACE 4 x {0+}\r\n", 4, False),
            (b"UID REPLACE 4294967295 x {0+}\r\n", 4294967295, True),
            (b"REPLACE * x CATENATE (URL /a)", STAR, False),
        ]:
            command, _ = said(line)
            numbers = SequenceSet.of_numbers([number])
            self.assertEqual(command, Append(("x",), numbers, uid), line)

    def test_utf8_stands_in_parentheses_once_it_is_enabled(self):
        line = b"APPEND x UTF8 (~{1+}\r\nz)"
        wanted = [START, text(1, binary=True), END]
        self.assertEqual(said(line, utf8=True)[1], wanted)
        self.assertRaises(SyntaxFault, said, line)

    def test_what_is_not_understood(self):
        for line, fault, why in [
            (b"APPEND x", SyntaxFault, "nothing to append"),
            (b"APPEND x CATENATE ()", SyntaxFault, "no part"),
            (b"APPEND x CATENATE (URL /a", SyntaxFault, "no end of the parts"),
            (b"APPEND x CATENATE (URL /a TEXT {1+}\r\nz", SyntaxFault, "no end"),
            (b"APPEND x CATENATE (FILE /a)", SyntaxFault, "neither TEXT nor URL"),
            (b"APPEND x CATENATE (URL /a)URL", SyntaxFault, "no space"),
            (b"APPEND x {1+}\r\nz(\\Seen) {1+}\r\nz", SyntaxFault, "no space"),
            (b"APPEND x {1+}\r\nz (\\Foo) {1+}\r\nz", BadParameter, "an unknown flag"),
            (b"APPEND x {1+}\r\nz more", SyntaxFault, "no literal"),
            (
                b"APPEND x {40000+}\r\n"
                + b"z" * 40000
                + b" CATENATE (TEXT {30000+}\r\n"
                + b"z" * 30000
                + b" TEXT {40000+}\r\n"
                + b"z" * 40000
                + b")",
                MessageTooBig,
                "its parts together",
            ),
            (b"REPLACE 1:2 x {1+}\r\nz", SyntaxFault, "two messages"),
            (b"REPLACE $ x {1+}\r\nz", SyntaxFault, "a saved search"),
            (b"REPLACE 1 x {1+}\r\nz {1+}\r\nz", BadParameter, "two for one"),
        ]:
            self.assertRaises(fault, said, line)
            self.assertTrue(why)

    @given(
        st.lists(
            st.sampled_from(
                [b" ", b"(", b")", b"x", b"CATENATE (", b"URL ", b"TEXT ", b"/a"]
                + [b"{1+}\r\nz", b"~{2+}\r\n\0z", b"(\\Seen)", b"UTF8 (", b'"', b"{"]
            ),
            max_size=12,
        ).map(b"".join)
    )
    def test_anything_gives_steps_or_a_fault(self, rest):
        try:
            _, steps = said(b"APPEND x" + rest)
        except MailError:
            return
        starts = [step for step in steps if isinstance(step, MessageStart)]
        self.assertEqual(steps.count(END), len(starts))
