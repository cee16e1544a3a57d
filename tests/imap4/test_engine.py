"""One IMAP conversation: order, states, and nothing executed that was no command."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.reading import Imap4
from mailtwist.errors import (
    BadMailboxName,
    BadParameter,
    BadSequence,
    LineTooLong,
    MessageTooBig,
    NoSuchMailbox,
    OverQuota,
    SyntaxFault,
    UnknownCommand,
)
from mailtwist.imap4.commands import COMMANDS, State
from mailtwist.imap4.engine import IMAP4Engine
from mailtwist.imap4.events import (
    AppendEnd,
    AppendOctets,
    AppendStart,
    Asked,
    AuthResponse,
    Continue,
    IdleDone,
    Refused,
)
from mailtwist.imap4.response import answer_for, bad, no, no_for, ok
from mailtwist.imap4.types import Append, Login, Noop, Select, StartTls
from mailtwist.imap4.types_append import MessageEnd, MessageStart, TextPart

from .talk import SMALL, Conversation, cuts, split

STREAM = st.lists(
    st.sampled_from(
        [
            b"a NOOP\r\n",
            b"b SELECT INBOX\r\n",
            b"c FETCH 1 FLAGS\n",
            b"d UID SEARCH SUBJECT {3+}\r\nabc\r\n",
            b"e SEARCH SUBJECT {3}\r\nabc\r\n",
            b"f APPEND x (\\Seen) {12+}\r\nz LOGOUT\r\n..\r\n",
            b"g APPEND x {70000}\r\n",
            b"q APPEND x {2+}\r\nhi (\\Seen) ~{3+}\r\nz\0z\r\n",
            b"r APPEND x {2+}\r\nhi {3}\r\nabc\r\n",
            b"s APPEND x CATENATE (URL /a TEXT {3+}\r\nabc URL {2+}\r\n/b)\r\n",
            b"u UID REPLACE 7 x CATENATE (URL /a URL /b)\r\n",
            b"v REPLACE 7 x {2+}\r\nhi {2+}\r\nhi\r\n",
            b"h APPEND // {5+}\r\nabcde\r\n",
            b"i IDLE\r\n",
            b"DONE\r\n",
            b"done\n",
            b"j CLOSE\r\n",
            b"k WHAT {3+}\r\nz X\r\n",
            b"l STARTTLS\r\n",
            b"m FETCH 1 (BODY[\r\n",
            b"\xff\xfe\x00\r\n",
            b"n SELECT a//b\r\n",
            b"o " + b"x" * 1200 + b"\r\n",
            b"p UNSELECT \r\n",
            b"zz",
            b"{5+}\r\n",
            b"\r\n",
        ]
    ),
    max_size=10,
).map(b"".join)

BEFORE = State.NOT_AUTHENTICATED


def engine(state=State.SELECTED, **options):
    return IMAP4Engine(SMALL, state=state, **options)


class OrderTests(SynchronousTestCase):
    def test_one_command_at_a_time_until_it_is_finished(self):
        one = engine()
        one.receive(b"a SELECT x\r\nb NOOP\r\n")
        event = one.next_event()
        self.assertEqual((event.tag, event.command), (b"a", Select(("x",))))
        self.assertIsNone(one.next_event())
        self.assertEqual(one.finish(ok("Done")), b"a OK Done\r\n")
        self.assertEqual(one.next_event().command, Noop())

    @settings(max_examples=200)
    @given(stream=STREAM, at=cuts())
    def test_any_split_gives_the_same_events_and_answers(self, stream, at):
        whole = Conversation().hear(stream)
        parts = Conversation().hear(*split(stream, at))
        if b"STARTTLS" not in stream:
            self.assertEqual(parts.events, whole.events)
            self.assertEqual(parts.sent, whole.sent)

    @settings(max_examples=200)
    @given(
        stream=st.lists(STREAM | st.binary(max_size=30), max_size=4).map(b"".join),
        state=st.sampled_from(State),
        refuse=st.booleans(),
    )
    def test_any_octets_are_answered_without_a_crash(self, stream, state, refuse):
        found = Conversation(state=state, refuse_appends=refuse).hear(stream)
        for line in found.sent.split(b"\r\n")[:-1]:
            self.assertRegex(line, rb"^(\+ |[!-~]+ (OK|NO|BAD) )")

    @settings(max_examples=300)
    @given(
        name=st.sampled_from(sorted(COMMANDS)),
        rest=st.lists(
            st.sampled_from(
                [b" ", b"(", b")", b"1", b"1:*", b"x", b'"y"', b"[", b"]", b"<0.1>"]
                + [b"FLAGS", b"NOT", b"OR", b"BODY", b"RETURN", b"INBOX", b"\\Seen"]
                + [
                    b"{1+}\r\nz",
                    b"NIL",
                    b"=",
                    b"*",
                    b"%",
                    b"CHARSET",
                    b"UTF-8",
                    b"\xe4",
                ]
            ),
            max_size=12,
        ).map(b"".join),
    )
    def test_any_arguments_give_a_command_or_a_fault(self, name, rest):
        row = COMMANDS[name]
        one = engine(sorted(row.states, key=lambda s: s.value)[-1])
        one.receive(b"t " + name.encode() + b" " + rest + b"\r\n")
        event = one.next_event()
        self.assertIsInstance(event, Asked | Refused | AppendStart)
        self.assertEqual(event.tag, b"t")


class StateTests(SynchronousTestCase):
    def test_the_table_says_where_a_command_may_stand(self):
        for row in COMMANDS.values():
            for state in (BEFORE, State.AUTHENTICATED, State.SELECTED):
                one = engine(state)
                one.receive(b"t " + row.name.encode() + b" \r\n")
                event = one.next_event()
                fault = event.fault if isinstance(event, Refused) else None
                self.assertEqual(
                    isinstance(fault, BadSequence), state not in row.states, row.name
                )

    def test_answers_move_the_state(self):
        for line, before, answer, after in [
            (b"LOGIN a b", BEFORE, ok("x"), State.AUTHENTICATED),
            (b"LOGIN a b", BEFORE, no("x"), BEFORE),
            (b"SELECT a", State.AUTHENTICATED, ok("x"), State.SELECTED),
            (b"EXAMINE a", State.SELECTED, ok("x"), State.SELECTED),
            (b"SELECT a", State.SELECTED, no("x"), State.AUTHENTICATED),
            (b"SELECT a", State.SELECTED, bad("x"), State.SELECTED),
            (b"SELECT a//b", State.SELECTED, no("x"), State.AUTHENTICATED),
            (b"SELECT a//b", State.AUTHENTICATED, no("x"), State.AUTHENTICATED),
            (b"STATUS a//b (UIDNEXT)", State.SELECTED, no("x"), State.SELECTED),
            (b"CLOSE", State.SELECTED, ok("x"), State.AUTHENTICATED),
            (b"UNSELECT", State.SELECTED, ok("x"), State.AUTHENTICATED),
            (b"NOOP", State.SELECTED, ok("x"), State.SELECTED),
            (b"LOGOUT", BEFORE, ok("x"), State.LOGOUT),
        ]:
            one = engine(before)
            one.receive(b"t " + line + b"\r\n")
            self.assertIsNotNone(one.next_event())
            one.finish(answer)
            self.assertIs(one.state, after, line)

    def test_nothing_is_heard_after_logout(self):
        one = engine()
        one.receive(b"a LOGOUT\r\nb NOOP\r\n")
        one.next_event()
        one.finish(ok("Bye"))
        one.receive(b"c NOOP\r\n")
        self.assertIsNone(one.next_event())

    def test_a_pipelined_command_sees_the_state_before_it(self):
        found = Conversation(state=BEFORE)
        found.hear(b"a LOGIN x y\r\nb SELECT z\r\nc FETCH 1 FLAGS\r\n")
        self.assertEqual([e[1] for e in found.events], ["LOGIN", "SELECT", "FETCH"])

    def test_bad_answers_are_counted(self):
        found = Conversation().hear(b"a WHAT\r\nb NOOP\r\nc FETCH\r\n")
        self.assertEqual(found.engine.bads, 2)


class FaultTests(SynchronousTestCase):
    def test_faults_name_their_tag_when_there_is_one(self):
        for line, tag, fault, why in [
            (b"a WHAT", b"a", UnknownCommand, "unknown"),
            (b"a UID", b"a", SyntaxFault, "UID alone"),
            (b"a UID NOOP", b"a", UnknownCommand, "no UID form"),
            (b"a", b"a", SyntaxFault, "tag alone"),
            (b"\xff\xfe", None, SyntaxFault, "no ASCII at all"),
            (b"* NOOP", None, SyntaxFault, "no tag"),
            (b"+ NOOP", None, SyntaxFault, "a continuation from a client"),
            (b"a  NOOP", b"a", SyntaxFault, "two spaces"),
            (b"a NOOP x", b"a", SyntaxFault, "too much"),
            (b"a NOOP\x00", b"a", SyntaxFault, "NUL"),
            (b"a SELECT {-1}", b"a", SyntaxFault, "negative literal"),
            (b"a SELECT b&c", b"a", BadMailboxName, "bad modified UTF-7"),
            (b"a FETCH 1 X", b"a", BadParameter, "unknown attribute"),
        ]:
            one = engine()
            one.receive(line + b"\r\n")
            event = one.next_event()
            self.assertEqual((event.tag, type(event.fault)), (tag, fault), why)

    def test_an_answer_without_a_tag_is_untagged(self):
        found = Conversation().hear(b"\xff\r\n")
        self.assertEqual(found.sent, b"* BAD Expected a tag at octet 0\r\n")

    def test_trailing_spaces_are_forgiven(self):
        found = Conversation().hear(b"a NOOP \r\nb FETCH 1 FLAGS  \r\n")
        self.assertEqual([e[1] for e in found.events], ["NOOP", "FETCH"])


class LiteralTests(SynchronousTestCase):
    def test_a_literal_is_never_executed_whatever_its_command(self):
        """Twisted's server answered BAD to {5+} and then ran the octets."""
        for line in (
            b"a LOGIN {10+}\r\nz LOGOUT\r\n x\r\n",
            b"a NOSUCH {10+}\r\nz LOGOUT\r\n\r\n",
            b"a FETCH {10+}\r\nz LOGOUT\r\n {10+}\r\nz LOGOUT\r\n\r\n",
            b"\xff {10+}\r\nz LOGOUT\r\n\r\n",
        ):
            one = Conversation().hear(line)
            self.assertEqual(len(one.events), 1, line)
            self.assertIs(one.engine.state, State.SELECTED)

    def test_the_continuation_comes_after_the_answers_before_it(self):
        one = engine(BEFORE)
        one.receive(b"a NOOP\r\nb LOGIN {3}\r\n")
        one.next_event()
        self.assertIsNone(one.next_event())
        one.finish(ok("x"))
        self.assertEqual(one.next_event(), Continue())
        self.assertIsNone(one.next_event())
        one.receive(b"ann {2}\r\n")
        self.assertEqual(one.next_event(), Continue())
        one.receive(b"pw\r\n")
        command = one.next_event().command
        self.assertIsInstance(command, Login)
        self.assertEqual((command.user, command.password.reveal()), ("ann", b"pw"))

    def test_quoted_passwords_are_unescaped(self):
        """Twisted's server refused such passwords."""
        one = engine(BEFORE)
        one.receive(b'a LOGIN "a\\\\b" "p\\"q"\r\n')
        command = one.next_event().command
        self.assertEqual((command.user, command.password.reveal()), ("a\\b", b'p"q'))
        self.assertNotIn('p"q', repr(command))


class AppendTests(SynchronousTestCase):
    def start(self, line):
        one = engine()
        one.receive(line)
        event = one.next_event()
        self.assertIsInstance(event, AppendStart)
        return one, event

    def test_flags_and_date_may_be_left_out(self):
        """Twisted's server answered BAD to the common form."""
        one, event = self.start(b"a APPEND Sent {5}\r\n")
        self.assertEqual(event.command, Append(("Sent",)))
        self.assertEqual(event.steps, (MessageStart(), TextPart(5)))
        self.assertEqual(one.accept_append(), b"+ Ready for the literal\r\n")
        one.receive(b"hel")
        self.assertEqual(one.next_event(), AppendOctets(b"hel"))
        self.assertIsNone(one.next_event())
        one.receive(b"lo\r\nb NOOP\r\n")
        self.assertEqual(one.next_event(), AppendOctets(b"lo"))
        self.assertEqual(one.next_event(), AppendEnd((MessageEnd(),)))
        self.assertIsNone(one.next_event())
        self.assertEqual(one.finish(ok("x", b"APPENDUID 1 2")).split()[0], b"a")
        self.assertEqual(one.next_event().tag, b"b")

    def test_a_refusal_comes_before_the_message_is_sent(self):
        one, event = self.start(b"a APPEND nowhere {5}\r\n")
        answer = no_for(NoSuchMailbox(), try_create=event.row.try_create)
        self.assertIn(b"a NO [TRYCREATE]", one.finish(answer))
        one.receive(b"b NOOP\r\n")
        self.assertEqual(one.next_event().tag, b"b")

    def test_a_refused_message_that_comes_unasked_is_swallowed(self):
        one, _ = self.start(b"a APPEND x {10+}\r\nz LOGOUT\r\n\r\nb NOOP\r\n")
        one.finish(no_for(OverQuota()))
        self.assertEqual(one.next_event().tag, b"b")

    def test_a_fault_while_the_message_comes_skips_the_rest(self):
        one, _ = self.start(b"a APPEND x {10+}\r\nz LOG")
        self.assertEqual(one.accept_append(), b"")
        self.assertEqual(one.next_event(), AppendOctets(b"z LOG"))
        self.assertTrue(one.finish(no_for(OverQuota())).startswith(b"a NO [OVERQUOTA]"))
        one.receive(b"OUT\r\n\r\nb NOOP\r\n")
        self.assertEqual(one.next_event().tag, b"b")

    def test_too_big_is_told_before_it_is_sent(self):
        found = Conversation().hear(b"a APPEND x {65537}\r\nb NOOP\r\n")
        self.assertEqual(found.events[0], (b"a", MessageTooBig, False))
        self.assertTrue(found.sent.startswith(b"a NO [TOOBIG]"))
        self.assertEqual(found.events[1][0], b"b")

    def test_too_big_and_unasked_is_swallowed(self):
        found = Conversation()
        found.hear(b"a APPEND x {65537+}\r\n", b"z NOOP\r\n" * 8192, b"!\r\nb NOOP\r\n")
        self.assertEqual(found.events[0], (b"a", MessageTooBig, False))
        self.assertEqual([e[0] for e in found.events], [b"a", b"b"])

    def test_far_too_big_and_unasked_ends_the_conversation(self):
        found = Conversation().hear(b"a APPEND x {99999999+}\r\nb NOOP\r\n")
        self.assertEqual(found.events[1], (None, LineTooLong, True))
        self.assertIs(found.engine.state, State.LOGOUT)

    def test_a_bad_append_swallows_its_message(self):
        for line, fault in [
            (b"a APPEND // {10+}\r\n", BadMailboxName),
            (b"a APPEND x (\\Foo) {10+}\r\n", BadParameter),
            (b'a APPEND x "yesterday" {10+}\r\n', SyntaxFault),
            (b"a APPEND x ~~{10+}\r\n", SyntaxFault),
        ]:
            found = Conversation().hear(line + b"z LOGOUT\r\n\r\nb NOOP\r\n")
            self.assertEqual(found.events[0], (b"a", fault, False))
            self.assertEqual([e[0] for e in found.events], [b"a", b"b"], line)

    def test_text_behind_the_message_is_bad(self):
        found = Conversation().hear(b"a APPEND x {2+}\r\nhi more\r\nb NOOP\r\n")
        self.assertEqual(found.events[1], b"hi")
        self.assertEqual(found.events[2], (b"a", SyntaxFault, False))
        self.assertEqual(found.events[3][0], b"b")

    def test_an_empty_message_is_announced_as_such(self):
        one, event = self.start(b"a APPEND x {0}\r\n")
        self.assertEqual(event.steps[-1].octets, 0)
        one.accept_append()
        one.receive(b"\r\n")
        self.assertEqual(one.next_event(), AppendEnd((MessageEnd(),)))


class StartTlsTests(SynchronousTestCase):
    def test_what_stands_behind_starttls_is_never_executed(self):
        one = engine(BEFORE)
        one.receive(b"a STARTTLS\r\nb LOGIN x y\r\n")
        event = one.next_event()
        self.assertIsInstance(event.fault, SyntaxFault)
        one.finish(answer_for(event.fault))
        self.assertIsNone(one.next_event())
        self.assertFalse(one.tls)

    def test_what_comes_before_the_answer_is_never_executed(self):
        one = engine(BEFORE)
        one.receive(b"a STARTTLS\r\n")
        self.assertEqual(one.next_event().command, StartTls())
        one.receive(b"b LOGIN x y\r\n")
        one.finish(ok("Go on"))
        self.assertTrue(one.tls)
        self.assertEqual(one.pending, 0)
        self.assertIsNone(one.next_event())
        one.receive(b"c NOOP\r\n")
        self.assertEqual(one.next_event().tag, b"c")

    def test_tls_is_started_once_and_before_login(self):
        for one in (engine(BEFORE, tls=True), engine(State.AUTHENTICATED)):
            one.receive(b"a STARTTLS\r\n")
            self.assertIsInstance(one.next_event().fault, BadSequence)


class AuthenticateTests(SynchronousTestCase):
    def start(self, line=b"a AUTHENTICATE PLAIN\r\n"):
        one = engine(BEFORE)
        one.receive(line)
        return one, one.next_event()

    def test_challenges_and_responses_take_turns(self):
        one, event = self.start(b"a AUTHENTICATE cram-md5\r\n")
        self.assertEqual(event.command.mechanism, "CRAM-MD5")
        self.assertIsNone(event.command.initial)
        self.assertEqual(one.challenge(b"<1@x>"), b"+ PDFAeD4=\r\n")
        one.receive(b"YW5u\r\n")
        event = one.next_event()
        self.assertIsInstance(event, AuthResponse)
        self.assertEqual(event.octets.reveal(), b"ann")
        self.assertIsNone(one.next_event())
        self.assertEqual(one.challenge(b""), b"+ \r\n")
        one.receive(b"\r\n")
        self.assertEqual(one.next_event().octets.reveal(), b"")
        self.assertEqual(one.finish(ok("In")), b"a OK In\r\n")
        self.assertIs(one.state, State.AUTHENTICATED)

    def test_initial_responses(self):
        for line, initial in [(b" AGEAYg==", b"\0a\0b"), (b" =", b""), (b"", None)]:
            _, event = self.start(b"a AUTHENTICATE PLAIN" + line + b"\r\n")
            found = event.command.initial
            self.assertEqual(found and found.reveal(), initial)
        _, event = self.start(b"a AUTHENTICATE PLAIN AG!\r\n")
        self.assertIsInstance(event.fault, SyntaxFault)

    def test_a_star_cancels(self):
        one, _ = self.start()
        one.challenge(b"")
        one.receive(b"*\r\nb NOOP\r\n")
        event = one.next_event()
        self.assertEqual(one.finish(answer_for(event.fault))[:6], b"a BAD ")
        self.assertIs(one.state, BEFORE)
        self.assertEqual(one.next_event().tag, b"b")

    def test_what_is_no_base64_is_bad(self):
        for line in (b"!!!!", b"YW5", b"YW5u YW5u", b"{5+}", b"a=b=", b"x" * 2000):
            one, _ = self.start()
            one.challenge(b"")
            one.receive(line + b"\r\nb NOOP\r\n")
            event = one.next_event()
            self.assertIsInstance(event, Refused, line)
            self.assertEqual(event.tag, b"a")
            one.finish(answer_for(event.fault))
            self.assertEqual(one.next_event().tag, b"b", line)

    def test_no_secret_stands_in_a_repr(self):
        one, event = self.start(b"a AUTHENTICATE PLAIN AGEAaHVudGVyMg==\r\n")
        self.assertNotIn("hunter2", repr(event))
        one.challenge(b"")
        one.receive(b"aHVudGVyMg==\r\n")
        self.assertNotIn("hunter2", repr(one.next_event()))


class IdleTests(SynchronousTestCase):
    def start(self):
        one = engine()
        one.receive(b"a IDLE\r\n")
        one.next_event()
        self.assertEqual(one.start_idle(), b"+ idling\r\n")
        self.assertTrue(one.idling)
        return one

    def test_done_ends_it_in_any_case(self):
        for line in (b"DONE\r\n", b"done\n"):
            one = self.start()
            self.assertIsNone(one.next_event())
            one.receive(line)
            self.assertEqual(one.next_event(), IdleDone())
            self.assertFalse(one.idling)
            self.assertEqual(one.finish(ok("x")), b"a OK x\r\n")

    def test_anything_else_ends_it_with_bad(self):
        one = self.start()
        one.receive(b"b NOOP\r\nc NOOP\r\n")
        event = one.next_event()
        self.assertEqual((event.tag, type(event.fault)), (b"a", SyntaxFault))
        one.finish(answer_for(event.fault))
        self.assertEqual(one.next_event().tag, b"c")

    def test_idle_can_be_refused(self):
        one = engine()
        one.receive(b"a IDLE\r\nb NOOP\r\n")
        one.next_event()
        self.assertEqual(one.finish(no("Not now")), b"a NO Not now\r\n")
        self.assertEqual(one.next_event().tag, b"b")


class SpeedTests(SynchronousTestCase):
    def test_a_long_sequence_set_is_not_quadratic(self):
        """Twisted's server took 2.4 s for 3500 numbers."""
        one = IMAP4Engine(Imap4(), state=State.SELECTED)
        line = b",".join(b"%d" % n for n in range(20_000, 60_000, 4))
        one.receive(b"a FETCH " + line + b" FLAGS\r\n")
        self.assertEqual(len(one.next_event().command.sequence_set.ranges), 10_000)
