"""Whatever a client sends, however the network splits it."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from .world import ANN, World, plain

LOGIN = b'AUTHENTICATE "PLAIN" "%b"\r\n' % plain()
COMMANDS = (  # but STARTTLS, which forgets what came with it
    LOGIN,
    b'AUTHENTICATE "PLAIN" "%b"\r\n' % plain(ANN, b"wrong"),
    b'AUTHENTICATE "PLAIN"\r\n"%b"\r\n' % plain(),
    b'AUTHENTICATE "LOGIN"\r\n"*"\r\n',
    b"UNAUTHENTICATE\r\n",
    b"LOGOUT\r\n",
    b"NOOP\r\n",
    b'NOOP "tag"\r\n',
    b"LISTSCRIPTS\r\n",
    b'PUTSCRIPT "a" "keep;"\r\n',
    b'PUTSCRIPT "b" {12+}\r\nstop;\r\nkeep;\r\n',
    b"PUTSCRIPT {1+}\r\na {9+}\r\nnonsense;\r\n",
    b'PUTSCRIPT "a" {5}\r\nkeep;\r\n',
    b"CHECKSCRIPT {2000+}\r\n%b\r\n" % (b"#" * 2000),
    b'SETACTIVE "a"\r\n',
    b'SETACTIVE ""\r\n',
    b'GETSCRIPT "a"\r\n',
    b'DELETESCRIPT "a"\r\n',
    b'RENAMESCRIPT "a" "b"\r\n',
    b'HAVESPACE "a" 10\r\n',
    b"{3+}\r\n",
    b'"x',
    b"\r\n",
    b"\xff\0",
)
STREAMS = st.lists(
    st.sampled_from(COMMANDS) | st.binary(max_size=6), min_size=1, max_size=8
).map(b"".join)
STRING = rb'(?:"(?:[^"\\]|\\["\\])*"|\{\})'
LINE = (  # RFC 5804 §4, literals without what they hold
    rb"(?:OK|NO|BYE)(?: \([A-Z/-]+(?: %b)?\))?(?: %b)?|%b(?: ACTIVE| %b)?"
    % ((STRING,) * 4)
)


def lines(octets):
    """Whole lines of a server, each literal in them as {}."""
    line, at = b"", 0
    while at < len(octets):
        end = octets.index(b"\r\n", at)
        line += octets[at:end]
        at = end + 2
        literal = re.search(rb"\{(\d+)\}\Z", line)
        if literal is None:
            yield line
            line = b""
        else:
            line = line[: literal.start()] + b"{}"
            at += int(literal[1])


def said(pieces):
    """All that a server says to octets in pieces."""
    world = World(script_octets=1024)
    wire = world.connect()
    wire.unread()
    for piece in pieces:
        wire.send(piece)
    for _ in range(9):  # what a wrong password costs
        world.clock.advance(10)
    return wire.unread(), world


class AnyOctetsTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(logged_in=st.booleans(), stream=STREAMS, cut=st.integers(0, 99))
    def test_any_split_gets_the_same_answers(self, logged_in, stream, cut):
        stream = LOGIN * logged_in + stream
        whole, _ = said([stream])
        self.assertEqual(said([stream[:cut], stream[cut:]])[0], whole)
        self.assertEqual(
            said([stream[n : n + 1] for n in range(len(stream))])[0], whole
        )

    @settings(deadline=None)
    @given(stream=STREAMS)
    def test_each_answer_ends_as_the_RFC_says_and_nothing_is_logged(self, stream):
        answer, world = said([LOGIN + stream])
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertTrue(answer.startswith(b'OK "logged in"\r\n'))
        for line in lines(answer):
            self.assertRegex(line, rb"\A(?:%b)\Z" % LINE)
        for one in (ANN, "bob@example.test"):
            for name in world.names(one):
                self.assertIn(name, ("a", "b"))
