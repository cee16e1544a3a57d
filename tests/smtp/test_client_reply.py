from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.smtp.client_offer import peer_offer
from mailtwist.smtp.client_reply import (
    MOST_LINE,
    MOST_LINES,
    BadReply,
    PeerReply,
    ReplyReader,
)

from .splits import CUTS, pieces


def read(segments):
    """The replies, and at the end the fault if there was one."""
    reader, found = ReplyReader(), []
    for segment in segments:
        reader.feed(segment)
        try:
            while (told := reader.next_reply()) is not None:
                found.append(told)
        except MailError as fault:
            return [*found, type(fault).__name__]
    return found


TEXT = st.sampled_from(["", "ok", "5.1.1 no", "caf\u00e9", "2.0.0"])
REPLY = st.tuples(
    st.sampled_from([220, 250, 354, 421, 550]), st.lists(TEXT, min_size=1, max_size=4)
)


def encoded(replies):
    out = b""
    for code, lines in replies:
        for number, line in enumerate(lines, 1):
            mark = " " if number == len(lines) else "-"
            out += f"{code}{mark}{line}\r\n".encode()
    return out


class ReplyReaderTests(SynchronousTestCase):
    @given(st.lists(REPLY, max_size=4), CUTS)
    @settings(max_examples=200)
    def test_any_split_gives_the_same_replies(self, replies, cuts):
        octets = encoded(replies)
        whole = read([octets])
        self.assertEqual(len(whole), len(replies))
        self.assertEqual(read(pieces(octets, cuts)), whole)

    @given(st.binary(max_size=200), CUTS)
    @settings(max_examples=300)
    def test_arbitrary_octets_are_replies_or_one_fault(self, octets, cuts):
        self.assertEqual(read(pieces(octets, cuts)), read([octets]))

    def test_what_a_reply_is(self):
        for octets, code, status, lines in (
            (b"250 ok\r\n", 250, "", ("ok",)),
            (b"250 2.1.0 ok\r\n", 250, "2.1.0", ("ok",)),
            (b"250-2.1.0 a\r\n250 2.1.0 b\r\n", 250, "2.1.0", ("a", "b")),
            (b"550\r\n", 550, "", ("",)),  # RFC 5321 §4.2: the text may be missing
            (b"354 2.0.0 go\r\n", 354, "", ("2.0.0 go",)),  # RFC 2034 §3
            (b"250 ok\n", 250, "", ("ok",)),  # LF alone, as some send it
            (b"250 a\x07b\r\n", 250, "", ("a?b",)),  # no terminal is played with
            (b"250 192.168.1.1 x\r\n", 250, "", ("192.168.1.1 x",)),
        ):
            self.assertEqual(read([octets]), [PeerReply(code, status, lines)], octets)

    def test_what_no_reply_is(self):
        for octets in (
            b"hello\r\n",
            b"25 ok\r\n",
            b"250x\r\n",
            b"150 wait\r\n",
            b"250-a\r\n251 b\r\n",  # RFC 5321 §4.2.1: one code for all lines
            b"250 " + b"x" * MOST_LINE + b"\r\n",
            b"x" * (MOST_LINE + 2),
            b"250-x\r\n" * (MOST_LINES + 1),
        ):
            self.assertEqual(read([octets]), ["BadReply"], octets[:30])

    def test_the_status_of_a_fault_agrees_with_the_code(self):
        for octets, status in (
            (b"550 5.1.1 no\r\n", "5.1.1"),
            (b"450 5.1.1 no\r\n", "4.2.0"),  # the code counts
            (b"550 4.2.1 no\r\n", "5.0.0"),
            (b"552 full\r\n", "5.2.2"),
            (b"556 none\r\n", "5.1.10"),  # RFC 7504 §3
            (b"499 what\r\n", "4.0.0"),
        ):
            (told,) = read([octets])
            self.assertEqual(told.fault("mx", "RCPT").status, status, octets)

    def test_a_fault_is_printable_ascii_and_keeps_the_words(self):
        (told,) = read(["550 5.1.1 kein caf\u00e9\r\n".encode()])
        fault = told.fault("mx.test", "RCPT")
        self.assertTrue(fault.public.isascii())
        self.assertEqual(fault.reply, "550 5.1.1 kein caf\u00e9")

    def test_a_line_without_an_end_is_not_kept(self):
        reader = ReplyReader()
        reader.feed(b"2" * (MOST_LINE + 1))
        self.assertRaises(BadReply, reader.next_reply)


class PeerOfferTests(SynchronousTestCase):
    def test_keywords_and_their_words(self):
        offer = peer_offer(
            PeerReply(
                250,
                "",
                (
                    "mx.test greets",
                    "size 1000",
                    "PIPELINING",
                    "AUTH PLAIN LOGIN",
                    "AUTH=PLAIN CRAM-MD5",  # as very old servers say it
                    "LIMITS RCPTMAX=20 MAILMAX=x",
                    "DELIVERBY 240",
                    "",
                ),
            )
        )
        self.assertEqual(offer.size_octets, 1000)
        self.assertIn("PIPELINING", offer)
        self.assertNotIn("MX.TEST", offer)
        self.assertEqual(offer.mechanisms, ("PLAIN", "LOGIN", "CRAM-MD5"))
        self.assertEqual((offer.limit("RCPTMAX"), offer.limit("MAILMAX")), (20, 0))
        self.assertEqual(offer.least_by_s, 240)

    def test_a_size_that_is_no_number_is_no_limit(self):
        for text in ("SIZE", "SIZE 0", "SIZE many", "SIZE 99999999999999999999999"):
            offer = peer_offer(PeerReply(250, "", ("x", text)))
            self.assertEqual(offer.size_octets, 0, text)
