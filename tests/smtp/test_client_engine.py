from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.smtp.client_engine import (
    END_OF_DATA,
    Challenge,
    Finished,
    LoggedIn,
    Ready,
    Refused,
    SendContent,
    SMTPClientEngine,
    TlsReady,
    Transaction,
)
from mailtwist.smtp.client_reply import BadReply

from .splits import CUTS, pieces

TWO = Transaction(b"MAIL FROM:<>", (b"RCPT TO:<a@b.test>", b"RCPT TO:<c@b.test>"))
CHUNKED = Transaction(TWO.mail, TWO.recipients, chunking=True)
EHLO = b"220 hi\r\n250-mx\r\n250 %s\r\n"


def engine(*offer, lmtp=False):
    """One that was greeted."""
    made = SMTPClientEngine("mx.test", "me.test", lmtp=lmtp)
    words = b"\r\n250-".join(word.encode() for word in offer)
    made.receive(b"220 hi\r\n250-mx\r\n250-%s\r\n250 NOOP\r\n" % words)
    if not isinstance(made.next_event(), Ready):
        raise AssertionError("not ready")
    made.output()
    return made


def told(made, octets):
    """The next event after these octets."""
    made.receive(octets)
    return made.next_event()


def statuses(finished):
    return [
        None if result.fault is None else result.fault.status
        for result in finished.results
    ]


class HelloTests(SynchronousTestCase):
    def test_ehlo_then_helo_where_it_is_not_known(self):
        made = SMTPClientEngine("mx.test", "me.test")
        self.assertIsNone(told(made, b"220 hi\r\n"))
        self.assertEqual(made.output(), b"EHLO me.test\r\n")
        self.assertIsNone(told(made, b"500 what\r\n"))
        self.assertEqual(made.output(), b"HELO me.test\r\n")
        self.assertIsInstance(told(made, b"250-x\r\n250 PIPELINING\r\n"), Ready)
        self.assertFalse(made.extended)
        self.assertNotIn("PIPELINING", made.offer)

    def test_lmtp_says_lhlo_and_nothing_else(self):
        made = SMTPClientEngine("mx.test", "me.test", lmtp=True)
        told(made, b"220 hi\r\n")
        self.assertEqual(made.output(), b"LHLO me.test\r\n")
        self.assertIsInstance(told(made, b"500 what\r\n"), Refused)

    def test_greetings_that_refuse(self):
        for octets, status in (
            (b"554 no\r\n", "4.3.2"),  # this host, now
            (b"554 5.7.1 no\r\n", "4.3.2"),
            (b"521 never\r\n", "5.3.2"),  # RFC 7504 §3
            (b"450 4.3.2 busy\r\n", "4.3.2"),
        ):
            made = SMTPClientEngine("mx.test", "me.test")
            event = told(made, octets)
            self.assertIsInstance(event, Refused)
            self.assertEqual(event.fault.status, status, octets)
            self.assertTrue(made.closed)

    def test_421_ends_it_anywhere(self):
        made = SMTPClientEngine("mx.test", "me.test")
        fault = self.assertRaises(MailError, told, made, b"421 4.3.2 busy\r\n")
        self.assertEqual(fault.status, "4.3.2")
        made = engine("PIPELINING")
        made.begin(TWO)
        event = told(made, b"250 ok\r\n250 ok\r\n421 4.3.2 gone\r\n")
        self.assertEqual(statuses(event), ["4.3.2", "4.3.2"])
        self.assertTrue(made.closed)
        made = engine()
        self.assertRaises(MailError, told, made, b"421 4.4.2 idle\r\n")
        self.assertTrue(made.closed)


class TlsTests(SynchronousTestCase):
    def test_what_was_said_in_clear_is_forgotten(self):
        made = engine("STARTTLS", "SIZE 10")
        made.starttls()
        self.assertEqual(made.output(), b"STARTTLS\r\n")
        self.assertIsInstance(told(made, b"220 go\r\n"), TlsReady)
        made.tls_started()
        self.assertEqual(made.output(), b"EHLO me.test\r\n")
        self.assertEqual(made.offer.size_octets, 0)

    def test_octets_behind_the_reply_to_starttls_are_a_fault(self):
        for more in (b"250-mx\r\n250 AUTH PLAIN\r\n", b"2", b"250-x\r\n"):
            made = engine("STARTTLS")
            made.starttls()
            self.assertRaises(BadReply, told, made, b"220 go\r\n" + more)
            self.assertTrue(made.closed)

    def test_octets_in_clear_before_the_handshake_are_a_fault(self):
        made = engine("STARTTLS")
        made.starttls()
        told(made, b"220 go\r\n")
        made.receive(b"250 injected\r\n")
        self.assertRaises(BadReply, made.tls_started)

    def test_a_refused_starttls_leaves_the_conversation(self):
        made = engine("STARTTLS")
        made.starttls()
        self.assertIsInstance(told(made, b"454 4.7.0 no\r\n"), Refused)
        self.assertTrue(made.idle)


class AuthTests(SynchronousTestCase):
    def test_a_conversation(self):
        made = engine("AUTH X")
        made.auth("X", b"")
        self.assertEqual(made.output(), b"AUTH X =\r\n")
        self.assertEqual(told(made, b"334 YWJj\r\n"), Challenge(b"abc"))
        made.respond(b"def")
        self.assertEqual(made.output(), b"ZGVm\r\n")
        self.assertIsInstance(told(made, b"235 in\r\n"), LoggedIn)

    def test_a_refusal_is_told_and_the_conversation_goes_on(self):
        made = engine("AUTH X")
        made.auth("X", None)
        self.assertEqual(made.output(), b"AUTH X\r\n")
        event = told(made, b"535 5.7.8 wrong\r\n")
        self.assertEqual(event.fault.status, "5.7.8")
        self.assertTrue(made.idle)

    def test_a_challenge_that_is_not_base64_is_a_fault(self):
        made = engine("AUTH X")
        made.auth("X", None)
        self.assertRaises(BadReply, told, made, b"334 a b\r\n")


class TransactionTests(SynchronousTestCase):
    def test_commands_go_out_at_once_where_that_is_offered(self):
        made = engine("PIPELINING")
        made.begin(TWO)
        self.assertEqual(
            made.output(),
            b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@b.test>\r\nDATA\r\n",
        )

    def test_commands_wait_for_replies_where_it_is_not(self):
        made = engine()
        made.begin(TWO)
        said = []
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"550 5.1.1 no\r\n"):
            said.append(made.output())
            self.assertIsNone(told(made, answer))
        said.append(made.output())
        self.assertEqual(
            said,
            [
                b"MAIL FROM:<>\r\n",
                b"RCPT TO:<a@b.test>\r\n",
                b"RCPT TO:<c@b.test>\r\n",
                b"DATA\r\n",
            ],
        )
        self.assertIsInstance(told(made, b"354 go\r\n"), SendContent)
        made.content_sent()
        self.assertEqual(statuses(told(made, b"250 ok\r\n")), [None, "5.1.1"])

    def test_what_comes_of_each_phase(self):
        for offer, octets, found, why in (
            ("PIPELINING", b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n", None, "content"),
            (
                "PIPELINING",
                b"550 5.7.1 no\r\n503 b\r\n503 c\r\n503 d\r\n",
                ["5.7.1", "5.7.1"],
                "the reply to MAIL is for all, not the 503 behind it",
            ),
            ("NONE", b"451 4.3.0 no\r\n", ["4.3.0", "4.3.0"], "RCPT is not said then"),
            (
                "PIPELINING",
                b"250 a\r\n552 b\r\n450 4.2.0 c\r\n554 5.5.1 none\r\n",
                ["4.5.3", "4.2.0"],
                "RFC 5321 §4.5.3.1.10: 552 is too many recipients",
            ),
            (
                "PIPELINING",
                b"250 a\r\n250 b\r\n550 5.1.1 c\r\n451 4.3.0 d\r\n",
                ["4.3.0", "5.1.1"],
                "DATA is refused for whom it was for",
            ),
            ("PIPELINING", b"250 a\r\nxyz\r\n", ["4.5.0", "4.5.0"], "no SMTP"),
            ("PIPELINING", b"354 a\r\n", ["4.5.0", "4.5.0"], "no answer to MAIL"),
        ):
            made = engine(offer)
            made.begin(TWO)
            event = told(made, octets)
            if found is None:
                self.assertIsInstance(event, SendContent, why)
            else:
                self.assertEqual(statuses(event), found, why)

    def test_data_accepted_for_nobody_gets_an_empty_message(self):
        made = engine("PIPELINING")
        made.begin(TWO)
        made.output()
        none = b"250 a\r\n550 5.1.1 b\r\n550 5.1.1 c\r\n354 go\r\n"
        self.assertIsNone(told(made, none))
        self.assertEqual(made.output(), b".\r\n")
        event = told(made, b"554 5.5.1 no recipients\r\n")
        self.assertEqual(statuses(event), ["5.1.1", "5.1.1"])
        self.assertTrue(made.idle)

    def test_a_transaction_that_was_broken_off_is_reset_before_the_next(self):
        made = engine("PIPELINING")
        made.begin(TWO)
        told(made, b"250 a\r\n550 b\r\n550 c\r\n503 d\r\n")
        made.output()
        made.begin(TWO)
        self.assertTrue(made.output().startswith(b"RSET\r\nMAIL"))
        event = told(made, b"250 r\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
        self.assertIsInstance(event, SendContent)
        made.content_sent()
        told(made, b"250 ok\r\n")
        made.begin(TWO)
        self.assertTrue(made.output().startswith(b"MAIL"))

    def test_a_reply_too_many_is_no_answer_to_the_next_message(self):
        made = engine("PIPELINING")
        made.begin(TWO)
        told(made, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
        made.content_sent()
        event = told(made, b"250 ok\r\n250 ok\r\n")
        self.assertEqual(statuses(event), [None, None])
        self.assertFalse(made.idle)

    def test_nobody_knows_what_a_connection_lost_behind_the_dot_means(self):
        for sent, uncertain in ((False, False), (True, True)):
            made = engine("PIPELINING")
            made.begin(TWO)
            told(made, b"250 a\r\n250 b\r\n550 5.1.1 c\r\n354 d\r\n")
            if sent:
                made.content_sent()
            event = made.lost(MailError("gone", status="4.4.2"))
            self.assertEqual(statuses(event), ["4.4.2", "5.1.1"])
            self.assertEqual(event.results[0].uncertain, uncertain)

    def test_a_reply_while_content_is_sent_ends_it(self):
        for octets, status in (
            (b"552 5.3.4 big\r\n", "5.3.4"),
            (b"250 ok\r\n", "4.5.0"),
        ):
            made = engine("PIPELINING")
            made.begin(TWO)
            told(made, b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
            made.receive(octets)
            self.assertTrue(made.interrupted)
            self.assertEqual(statuses(made.next_event()), [status] * 2)
            self.assertTrue(made.closed)

    def test_lmtp_has_a_reply_for_each_accepted_recipient(self):
        made = engine("PIPELINING", lmtp=True)
        made.begin(
            Transaction(b"MAIL FROM:<>", tuple(b"RCPT TO:<%d>" % n for n in range(3)))
        )
        told(made, b"250 a\r\n250 b\r\n550 5.1.1 c\r\n250 d\r\n354 go\r\n")
        made.content_sent()
        self.assertIsNone(told(made, b"250 2.0.0 first\r\n"))
        event = told(made, b"452 4.2.2 full\r\n")
        self.assertEqual(statuses(event), [None, "5.1.1", "4.2.2"])

    def test_lmtp_lost_between_two_replies_keeps_the_first(self):
        made = engine("PIPELINING", lmtp=True)
        made.begin(TWO)
        told(made, b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n")
        made.content_sent()
        told(made, b"250 2.0.0 first\r\n")
        event = made.lost(MailError("gone", status="4.4.2"))
        self.assertEqual(statuses(event), [None, "4.4.2"])
        self.assertTrue(event.results[1].uncertain)

    def test_prdr_has_a_reply_for_each_and_one_for_all(self):
        two = Transaction(b"MAIL FROM:<> PRDR", TWO.recipients, prdr=True)
        for end, found, why in (
            (b"353 go\r\n250 a\r\n550 5.7.1 b\r\n250 ok\r\n", [None, "5.7.1"], "each"),
            (b"250 2.0.0 for all\r\n", [None, None], "the server need not"),
            (b"554 5.7.1 for all\r\n", ["5.7.1", "5.7.1"], "the server need not"),
            (b"353 go\r\n250 a\r\n421 4.3.2 x\r\n", [None, "4.3.2"], "cut in between"),
            (b"353 a\r\n353 b\r\n", ["4.5.0", "4.5.0"], "no reply to anything"),
        ):
            made = engine("PIPELINING", "PRDR")
            made.begin(two)
            told(made, b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n")
            made.content_sent()
            self.assertEqual(statuses(told(made, end)), found, why)
        made = engine("PIPELINING")
        made.begin(TWO)
        told(made, b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n")
        made.content_sent()
        event = told(made, b"353 nobody asked for that\r\n")
        self.assertEqual(statuses(event), ["4.5.0", "4.5.0"])

    def test_no_line_end_gets_into_a_command(self):
        for line in (b"RCPT TO:<a>\r\nDATA", b"RCPT TO:<a>\n", b"RCPT TO:<\0>", b""):
            made = engine("PIPELINING")
            self.assertRaises(
                ValueError, made.begin, Transaction(b"MAIL FROM:<>", (line,))
            )


class ChunkTests(SynchronousTestCase):
    def begun(self):
        made = engine("PIPELINING", "CHUNKING")
        made.begin(CHUNKED)
        self.assertNotIn(b"DATA", made.output())
        event = told(made, b"250 a\r\n250 b\r\n250 c\r\n")
        self.assertIsInstance(event, SendContent)
        return made

    def test_chunk_by_chunk(self):
        made = self.begun()
        self.assertEqual(made.chunk(5, last=False), b"BDAT 5\r\n")
        made.chunk_sent()
        self.assertIsInstance(told(made, b"250 ok\r\n"), SendContent)
        self.assertEqual(made.chunk(2, last=True), b"BDAT 2 LAST\r\n")
        self.assertEqual(made.chunked_octets, 7)
        made.content_sent()
        self.assertEqual(statuses(told(made, b"250 ok\r\n")), [None, None])

    def test_a_refused_chunk_ends_it_and_is_reset(self):
        made = self.begun()
        made.chunk(5, last=False)
        made.chunk_sent()
        event = told(made, b"552 5.3.4 too big\r\n")
        self.assertEqual(statuses(event), ["5.3.4", "5.3.4"])
        made.begin(CHUNKED)
        self.assertTrue(made.output().startswith(b"RSET\r\n"))

    def test_nothing_is_sent_for_nobody(self):
        made = engine("PIPELINING", "CHUNKING")
        made.begin(CHUNKED)
        event = told(made, b"250 a\r\n550 5.1.1 b\r\n550 5.1.1 c\r\n")
        self.assertEqual(statuses(event), ["5.1.1", "5.1.1"])


CONVERSATION = b"".join(
    (
        b"220 hi\r\n250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n",
        b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n450-4.2.0 grey\r\n450 4.2.0 list\r\n",
        b"354 go\r\n250 2.0.0 queued\r\n",
    )
)


def play(segments):
    """Every event of CONVERSATION, and all that was said."""
    made = SMTPClientEngine("mx.test", "me.test")
    events, said = [], b""
    for segment in segments:
        made.receive(segment)
        while True:
            event = made.next_event()
            said += made.output()
            if event is None:
                break
            events.append(repr(event))
            if isinstance(event, Ready):
                made.begin(TWO)
            elif isinstance(event, SendContent):
                made.content_sent()
            said += made.output()
    return events, said


class PropertyTests(SynchronousTestCase):
    @given(CUTS)
    @settings(max_examples=200)
    def test_any_split_gives_the_same_events(self, cuts):
        whole = play([CONVERSATION])
        self.assertIn("Finished", whole[0][-1])
        self.assertIn(END_OF_DATA, whole[0][-1])
        self.assertEqual(play(pieces(CONVERSATION, cuts)), whole)

    @given(
        st.lists(st.sampled_from([250, 354, 421, 450, 503, 550, 220, 334]), max_size=8),
        st.booleans(),
        st.booleans(),
    )
    @settings(max_examples=300)
    def test_any_replies_end_in_a_result_for_everybody(self, codes, lmtp, chunking):
        made = engine("PIPELINING", lmtp=lmtp)
        made.begin(CHUNKED if chunking else TWO)
        made.receive(b"".join(b"%d x\r\n" % code for code in codes))
        finished = None
        while finished is None:
            event = made.next_event()
            if isinstance(event, SendContent):
                made.content_sent()
            elif isinstance(event, Finished):
                finished = event
            elif event is None:
                finished = made.lost(MailError("gone", status="4.4.2"))
        self.assertEqual(len(finished.results), 2)
        for result in finished.results:
            good = result.reply is not None and result.reply.good
            self.assertEqual(result.fault is None, good)
            if result.fault is None:
                self.assertEqual(result.command, END_OF_DATA)
