"""Tests for mailtwist.manage_sieve.grammar, .response and .engine."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import (
    BadParameter,
    BadSequence,
    LineTooLong,
    MailError,
    NoSuchScript,
    OverQuota,
    SaslCancelled,
    ScriptActive,
    SyntaxFault,
    TooManyScripts,
    UnknownCommand,
)
from mailtwist.manage_sieve import grammar as g
from mailtwist.manage_sieve.engine import ManageSieveEngine, State
from mailtwist.manage_sieve.response import Reply, no_for, string
from mailtwist.sieve.faults import Fault, Place, ScriptError

STREAM = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [
                *(b"NOOP\r\n", b'PUTSCRIPT "a" {5+}\r\nkeep;\r\n', b'"x{3+}"\r\n'),
                *(
                    b"{3+}\r\n",
                    b"{30+}\r\n",
                    b"\r\n",
                    b"CHECKSCRIPT ",
                    b'"',
                    b"{0+}\r\n",
                    b"{3}\r\n",
                ),
            ]
        ),
    ),
    max_size=12,
).map(b"".join)


def read(pieces, most=20):
    """The commands and faults of octets in pieces."""
    framer, found = g.Framer(), []
    framer.allow(most, g.ScriptTooLarge)
    for piece in pieces:
        framer.feed(piece)
        while True:
            try:
                command = framer.next_command()
            except MailError as fault:
                found.append(type(fault))
                continue
            if command is None:
                break
            found.append(command)
    return found


class FramerTests(SynchronousTestCase):
    def test_commands_with_literals(self):
        for octets, want in [
            (b"NOOP\r\nLOGOUT\r\n", [b"NOOP", b"LOGOUT"]),
            (
                b'PUTSCRIPT "a" {6+}\r\nkeep\r\n\r\nNOOP\r\n',
                [b'PUTSCRIPT "a" {6+}\r\nkeep\r\n', b"NOOP"],
            ),
            (b"X {1+}\r\na {1+}\r\nb c\r\n", [b"X {1+}\r\na {1+}\r\nb c"]),
            (b"X {1}\r\nNOOP\r\n", [g.BadLiteral, b"NOOP"]),
            (b"X {99999999999+}\r\nNOOP\r\n", [g.BadLiteral, b"NOOP"]),
            (b'X "{1}"\r\n', [b'X "{1}"']),
            (b"X {0+}\r\n\r\n", [b"X {0+}\r\n"]),
            (b'PUTSCRIPT "a" {6+}\r\nke', []),
            (b"X {21+}\r\n" + b"a" * 21 + b"\r\nNOOP\r\n", [g.ScriptTooLarge, b"NOOP"]),
            (
                b"X {11+}\r\n"
                + b"a" * 11
                + b" {10+}\r\n"
                + b"b" * 10
                + b"\r\nNOOP\r\n",
                [g.ScriptTooLarge, b"NOOP"],
            ),
        ]:
            self.assertEqual(read([octets]), want, octets)

    def test_a_line_that_is_too_long_costs_itself(self):
        long = b"x" * (g.MOST_LINE * 3)
        self.assertEqual(read([long, b"\r\nNOOP\r\n"]), [LineTooLong, b"NOOP"])
        self.assertEqual(read([long + b"\r\nNOOP\r\n"]), [LineTooLong, b"NOOP"])

    def test_what_is_skipped_is_not_held(self):
        framer = g.Framer()
        framer.feed(b"X {1000000+}\r\n")
        for _ in range(999):
            self.assertIsNone(framer.next_command())
            framer.feed(b"y" * 1000)
            self.assertIsNone(framer.next_command())
            self.assertEqual(framer.pending, 0)

    def test_any_split_at_the_limit_gives_the_same_commands(self):
        for line in (
            b"x" * g.MOST_LINE,
            b"x" * (g.MOST_LINE + 1),
            b"x" * (g.MOST_LINE + 2),
            b"x" * 2 * g.MOST_LINE + b" {8+}\r\n\r\nNOOP\r\n",
            b"x" * (g.MOST_LINE - 10) + b" {3+}\r\nabc defgh",
            b"x" * (g.MOST_LINE + 10) + b" {3}",
            b"X" + b" {0+}\r\n" * 4000,
        ):
            data = line + b"\r\nLOGOUT\r\n"
            whole = read([data])
            self.assertEqual(whole[-1], b"LOGOUT")
            around = {0, 1, g.MOST_LINE - 1, *range(len(line) - 20, len(data))}
            around.update(range(g.MOST_LINE - 12, min(len(data), g.MOST_LINE + 20)))
            for cut in around:
                self.assertEqual(read([data[:cut], data[cut:]]), whole, cut)

    @given(data=STREAM, cut=st.integers(0, 99))
    def test_any_split_gives_the_same_commands(self, data, cut):
        whole = read([data])
        self.assertEqual(read([data[:cut], data[cut:]]), whole)
        self.assertEqual(read([data[at : at + 1] for at in range(len(data))]), whole)


class ParseTests(SynchronousTestCase):
    def test_commands(self):
        for octets, want in [
            (b'AUTHENTICATE "PLAIN"', g.Authenticate("PLAIN")),
            (b'authenticate "PLAIN" "AGEAYg=="', g.Authenticate("PLAIN", b"\0a\0b")),
            (b'Authenticate "X" {0+}\r\n', g.Authenticate("X", b"")),
            (b"STARTTLS", g.StartTls()),
            (b"LOGOUT", g.Logout()),
            (b"CAPABILITY", g.Capability()),
            (b"UNAUTHENTICATE", g.Unauthenticate()),
            (b"NOOP", g.Noop()),
            (b'NOOP "x y"', g.Noop(b"x y")),
            (b'HAVESPACE "a" 4294967295', g.HaveSpace("a", 4294967295)),
            (b'PUTSCRIPT "a" "keep;"', g.PutScript("a", b"keep;")),
            (b'PUTSCRIPT "a\\"b" {3+}\r\na\r\n', g.PutScript('a"b', b"a\r\n")),
            (b'CHECKSCRIPT ""', g.CheckScript(b"")),
            (b"LISTSCRIPTS", g.ListScripts()),
            (b'SETACTIVE "a"', g.SetActive("a")),
            (b'SETACTIVE ""', g.SetActive(None)),
            (b'GETSCRIPT "a"', g.GetScript("a")),
            (b'DELETESCRIPT "a"', g.DeleteScript("a")),
            (b'RENAMESCRIPT "a" {1+}\r\nb', g.RenameScript("a", "b")),
            ('GETSCRIPT "\u00e9"'.encode(), g.GetScript("\u00e9")),
        ]:
            self.assertEqual(g.parse(octets), want)

    def test_what_is_wrong_says_so(self):
        for octets, fault in [
            (b"", SyntaxFault),
            (b"NONSENSE", UnknownCommand),
            (b"LOGOUT now", SyntaxFault),
            (b"GETSCRIPT", SyntaxFault),
            (b"GETSCRIPT a", SyntaxFault),
            (b'GETSCRIPT ""', BadParameter),
            (b'GETSCRIPT "\xff"', BadParameter),
            (b'GETSCRIPT "a\x01"', BadParameter),
            (b'GETSCRIPT "%b"' % (b"a" * 129), BadParameter),
            (b'HAVESPACE "a" x', SyntaxFault),
            (b'HAVESPACE "a" 01', SyntaxFault),
            (b'HAVESPACE "a" 4294967296', SyntaxFault),
            (b'PUTSCRIPT "a" {1}\r\na', SyntaxFault),
            (b'AUTHENTICATE "PLAIN" "%"', SyntaxFault),
        ]:
            self.assertRaises(fault, g.parse, octets)

    @given(octets=st.binary(max_size=60))
    def test_any_octets_raise_only_mail_errors(self, octets):
        for work in (g.parse, g.response):
            try:
                work(octets)
            except MailError:
                continue

    @given(octets=st.binary(max_size=60))
    def test_strings_come_back_as_they_were(self, octets):
        command = b'PUTSCRIPT "a" ' + string(octets).replace(b"}\r\n", b"+}\r\n", 1)
        self.assertEqual(g.parse(command), g.PutScript("a", octets))


class ReplyTests(SynchronousTestCase):
    def test_replies(self):
        fault = ScriptError(Fault(Place(1, 2), "a"), Fault(Place(3, 4), '"b"'))
        for reply, want in [
            (Reply("OK"), b"OK\r\n"),
            (Reply("OK", "done"), b'OK "done"\r\n'),
            (Reply("OK", data=b'"a" ACTIVE\r\n'), b'"a" ACTIVE\r\nOK\r\n'),
            (Reply("NO", 'a"b', b"QUOTA"), b'NO (QUOTA) {3}\r\na"b\r\n'),
            (
                no_for(fault),
                b'NO {42}\r\nline 1, column 2: a\r\nline 3, column 4: "b"\r\n',
            ),
            (
                no_for(NoSuchScript()),
                b'NO (NONEXISTENT) "There is no such script"\r\n',
            ),
            (
                no_for(ScriptActive()),
                b'NO (ACTIVE) "The active script cannot be deleted"\r\n',
            ),
            (
                no_for(TooManyScripts()),
                b'NO (QUOTA/MAXSCRIPTS) "There may not be more scripts"\r\n',
            ),
            (no_for(OverQuota()), b'NO (QUOTA) "Mailbox full"\r\n'),
            (
                no_for(MailError()),
                b'NO (TRYLATER) "Internal error, try again later"\r\n',
            ),
        ]:
            self.assertEqual(reply.encode(), want)


class EngineTests(SynchronousTestCase):
    def event(self, engine, octets):
        engine.receive(octets)
        return engine.next_event()

    def test_commands_have_their_state(self):
        engine = ManageSieveEngine(100)
        self.assertIsInstance(self.event(engine, b"LISTSCRIPTS\r\n"), BadSequence)
        engine.reply(Reply("NO"))
        self.event(engine, b'AUTHENTICATE "PLAIN"\r\n')
        engine.reply(Reply("NO"))
        self.assertEqual(engine.state, State.BEFORE)
        self.event(engine, b'AUTHENTICATE "PLAIN"\r\n')
        engine.reply(Reply("OK"))
        self.assertEqual(engine.state, State.AFTER)
        for again in (b'AUTHENTICATE "PLAIN"\r\n', b"STARTTLS\r\n"):
            self.assertIsInstance(self.event(engine, again), BadSequence)
            engine.reply(Reply("NO"))
        self.assertEqual(self.event(engine, b"LISTSCRIPTS\r\n"), g.ListScripts())
        self.assertIsNone(self.event(engine, b"NOOP\r\n"))  # one after the other
        engine.reply(Reply("OK"))
        self.assertEqual(engine.next_event(), g.Noop())
        engine.reply(Reply("OK"))
        self.event(engine, b"UNAUTHENTICATE\r\n")
        engine.reply(Reply("OK"))
        self.assertEqual(engine.state, State.BEFORE)
        self.event(engine, b"LOGOUT\r\nNOOP\r\n")
        engine.reply(Reply("OK"))
        self.assertIsNone(engine.next_event())

    def test_nothing_in_clear_counts_behind_STARTTLS(self):
        engine = ManageSieveEngine(100)
        event = self.event(engine, b'STARTTLS\r\nPUTSCRIPT "a" "discard;"\r\n')
        self.assertIsInstance(event, SyntaxFault)
        engine.reply(Reply("NO"))
        self.assertIsNone(engine.next_event())
        self.assertEqual(engine.pending, 0)

    def test_a_sasl_exchange(self):
        engine = ManageSieveEngine(100)
        self.event(engine, b'AUTHENTICATE "X"\r\n')
        self.assertEqual(engine.challenge(b"abc"), b'"YWJj"\r\n')
        self.assertEqual(engine.challenge(b""), b'""\r\n')
        self.assertIsNone(engine.next_response())
        engine.receive(b'"YWJj"\r\n{4+}\r\nYWJj\r\n"*"\r\n')
        self.assertEqual(engine.next_response(), b"abc")
        self.assertEqual(engine.next_response(), b"abc")
        self.assertRaises(SaslCancelled, engine.next_response)
