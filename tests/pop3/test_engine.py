from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import (
    BadSequence,
    LineTooLong,
    MailError,
    SaslCancelled,
    SyntaxFault,
    UnknownCommand,
)
from mailtwist.pop3 import grammar as g
from mailtwist.pop3.engine import STATES, POP3Engine, State
from mailtwist.pop3.response import Reply

OK, ERR = Reply(True, "yes"), Reply(False, "no")

STREAM = st.lists(
    st.sampled_from(
        [
            b"USER a\r\n",
            b"PASS b\n",
            b"STAT\r\n",
            b"STLS\r\n",
            b"LIST 1\r\n",
            b"bogus\r\n",
            b"\r\n",
            b"QUIT\r\n",
            b"UTF8\r\n",
            b"U" * 13_000 + b"\r\n",
            b"\xff\x00\r\n",
            b"NOOP",
        ]
    ),
    max_size=8,
).map(b"".join)


def events(chunks, reply=OK):
    """What an engine makes of these chunks when all is answered with `reply`."""
    engine, found = POP3Engine(), []
    for chunk in chunks:
        engine.receive(chunk)
        while (event := engine.next_event()) is not None:
            found.append(
                repr(event) if not isinstance(event, MailError) else event.public
            )
            engine.reply(reply)
    return found


class EngineTests(SynchronousTestCase):
    def setUp(self):
        self.engine = POP3Engine()

    def said(self, octets, reply=OK):
        """The next event after these octets; answered with `reply`."""
        self.engine.receive(octets)
        event = self.engine.next_event()
        self.engine.reply(reply)
        return event

    def logged_in(self):
        self.said(b"USER a\r\n")
        self.said(b"PASS b\r\n")

    # STLS is left out of the splits: it matters there what else is in the segment.
    @settings(max_examples=80, deadline=None)
    @given(STREAM.filter(lambda s: b"STLS" not in s), st.lists(st.integers(0, 30_000)))
    def test_any_split_gives_the_same_events(self, stream, cuts):
        at, chunks = 0, []
        for cut in sorted(cut for cut in cuts if cut < len(stream)):
            chunks.append(stream[at:cut])
            at = cut
        self.assertEqual(events([*chunks, stream[at:]]), events([stream]))

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.binary(max_size=40), max_size=5) | STREAM.map(lambda s: [s]))
    def test_arbitrary_octets_give_events_and_nothing_else(self, chunks):
        for reply in (OK, ERR):
            self.assertIsInstance(events(chunks, reply), list)

    def test_nothing_more_until_the_reply(self):
        self.engine.receive(b"CAPA\r\nQUIT\r\n")
        self.assertEqual(self.engine.next_event(), g.Capa())
        self.assertIsNone(self.engine.next_event())
        self.engine.begin(OK)
        self.assertIsNone(self.engine.next_event())
        self.engine.end()
        self.assertEqual(self.engine.next_event(), g.Quit())

    def test_LF_alone_ends_a_line(self):
        self.assertEqual(self.said(b"capa\n"), g.Capa())

    def test_nothing_after_QUIT(self):
        self.said(b"QUIT\r\nCAPA\r\n")
        self.assertIsNone(self.engine.next_event())
        self.assertIs(self.engine.state, State.OVER)

    def test_commands_out_of_their_state(self):
        lines = {
            g.User: b"USER a",
            g.Pass: b"PASS a",
            g.Apop: b"APOP a " + b"0" * 32,
            g.Auth: b"AUTH PLAIN",
            g.Stls: b"STLS",
            g.Utf8: b"UTF8",
            g.Stat: b"STAT",
            g.ListSizes: b"LIST",
            g.Uidl: b"UIDL",
            g.Retr: b"RETR 1",
            g.Top: b"TOP 1 1",
            g.Dele: b"DELE 1",
            g.Rset: b"RSET",
            g.Noop: b"NOOP",
        }
        for state in (State.AUTHORIZATION, State.TRANSACTION):
            if state is State.TRANSACTION:
                self.logged_in()
            for kind, line in lines.items():
                if state not in STATES[kind]:
                    self.assertIsInstance(
                        self.said(line + b"\r\n", ERR), BadSequence, line
                    )

    def test_every_command_has_its_states(self):
        self.assertEqual(set(STATES), set(g.Command.__args__))

    def test_PASS_wants_USER(self):
        self.assertIsInstance(self.said(b"PASS x\r\n", ERR), BadSequence)
        self.said(b"USER a\r\n", ERR)
        self.assertIsInstance(self.said(b"PASS x\r\n", ERR), BadSequence)

    def test_a_failed_PASS_forgets_USER(self):
        self.said(b"USER a\r\n")
        self.said(b"PASS x\r\n", ERR)
        self.assertIsInstance(self.said(b"PASS y\r\n", ERR), BadSequence)

    def test_the_list_of_mechanisms_is_no_login(self):
        self.said(b"AUTH\r\n")
        self.assertIs(self.engine.state, State.AUTHORIZATION)

    def test_octets_behind_STLS_are_never_commands(self):
        self.assertIsInstance(self.said(b"STLS\r\nUSER evil\r\n", ERR), SyntaxFault)
        self.assertIsNone(self.engine.next_event())
        self.assertEqual(self.engine.pending, 0)

    def test_STLS_forgets_USER(self):
        self.said(b"USER a\r\n")
        self.assertEqual(self.said(b"STLS\r\n"), g.Stls())
        self.assertIsInstance(self.said(b"PASS x\r\n", ERR), BadSequence)

    def test_no_STLS_after_UTF8(self):
        self.said(b"UTF8\r\n")
        self.assertTrue(self.engine.utf8)
        self.assertIsInstance(self.said(b"STLS\r\n", ERR), BadSequence)

    def test_a_long_line_costs_one_fault(self):
        self.engine.receive(b"x" * 100_000)
        self.assertIsInstance(self.engine.next_event(), LineTooLong)
        self.engine.reply(ERR)
        self.assertLess(self.engine.pending, 100)
        self.engine.receive(b"x" * 100_000 + b"\r\nCAPA\r\n")
        self.assertEqual(self.engine.next_event(), g.Capa())

    def test_a_challenge_and_its_response(self):
        self.engine.receive(b"AUTH CRAM-MD5\r\n")
        self.assertEqual(self.engine.next_event(), g.Auth("CRAM-MD5"))
        self.assertEqual(self.engine.challenge(b"<1@x>"), b"+ PDFAeD4=\r\n")
        self.assertEqual(self.engine.challenge(b""), b"+ \r\n")
        self.assertIsNone(self.engine.next_response())
        self.engine.receive(b"YW5uIDAw\r\nSTAT\r\n")
        self.assertEqual(self.engine.next_response(), b"ann 00")
        self.assertIsNone(self.engine.next_event())
        self.engine.reply(OK)
        self.assertEqual(self.engine.next_event(), g.Stat())

    def test_exchanges_that_end(self):
        for line, fault in ((b"*\r\n", SaslCancelled), (b"?\r\n", SyntaxFault)):
            self.engine.receive(b"AUTH PLAIN\r\n" + line)
            self.engine.next_event()
            self.assertRaises(fault, self.engine.next_response)
            self.engine.reply(ERR)
        self.assertIsInstance(self.said(b"FOO\r\n", ERR), UnknownCommand)

    def test_a_response_may_be_12288_octets(self):
        self.engine.receive(b"AUTH PLAIN\r\n" + b"AAAA" * 3072 + b"\r\n")
        self.engine.next_event()
        self.assertEqual(self.engine.next_response(), bytes(9216))
