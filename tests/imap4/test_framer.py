"""Whole commands out of any stream, with literals never read as commands."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.reading import Imap4
from mailtwist.errors import LineTooLong, MessageTooBig
from mailtwist.imap4.framer import (
    Broken,
    CommandFramer,
    Frame,
    MessageHead,
    MessageOctets,
    MessageTail,
    Wanted,
    tag_of,
)

from .talk import SMALL, cuts, split

TOO_LONG = b"x" * (SMALL.line_octets + 5)

STREAM = st.lists(
    st.sampled_from(
        [
            b"a NOOP\r\n",
            b"b NOOP\n",
            b"c LOGIN {3+}\r\nx\r\n {4}\r\n{2+}\r\n",
            b"d APPEND x {10+}\r\n",
            b"e APPEND {1+}\r\nx (\\Seen) {6}\r\n",
            b"k APPEND x {3+}\r\nabc {4+}\r\ndefg (\\Seen) ~{2+}\r\nhi\r\n",
            b"l APPEND x CATENATE (URL {2+}\r\n/x TEXT {3+}\r\nabc URL {2}\r\n",
            b"m UID REPLACE 5 {1+}\r\nx {6+}\r\n",
            b"f LOGIN {2000+}\r\n",
            b"g LOGIN {2000}\r\n",
            b"h " + TOO_LONG + b"{7+}\r\n",
            b"{5+}",
            b"\r\n",
            b"\n",
            b"\r",
            b"0123456789",
            b"i LOGIN {99999999999999999999999999999999999999+}\r\n",
            b"j " + TOO_LONG,
            b"~{3}\r\n",
        ]
    ),
    max_size=12,
).map(b"".join)


def read(chunks, *, accept=True, config=SMALL):
    """The pieces of a stream; octets of a message joined, faults by their class."""
    framer, pieces = CommandFramer(config), []
    for chunk in chunks:
        framer.feed(chunk)
        while (piece := framer.next_piece()) is not None:
            if isinstance(piece, MessageHead):
                if accept:
                    framer.accept()
                else:
                    framer.refuse()
            if isinstance(piece, Broken):
                piece = (piece.tag, type(piece.fault), piece.fatal)
            last = pieces[-1] if pieces else None
            if isinstance(piece, MessageOctets) and isinstance(last, MessageOctets):
                pieces[-1] = MessageOctets(last.octets + piece.octets)
            else:
                pieces.append(piece)
    return pieces


class FramerTests(SynchronousTestCase):
    @settings(max_examples=300)
    @given(stream=STREAM, at=cuts(), accept=st.booleans())
    def test_any_split_gives_the_same_pieces(self, stream, at, accept):
        whole = read([stream], accept=accept)
        self.assertEqual(read(split(stream, at), accept=accept), whole)
        self.assertEqual(
            read([stream[i : i + 1] for i in range(len(stream))], accept=accept), whole
        )

    def test_lines_end_in_crlf_or_lf(self):
        wanted = [Frame(b"a NOOP"), Frame(b"b NOOP")]
        self.assertEqual(read([b"a NOOP\r\nb NOOP\n"]), wanted)

    def test_literals_stand_behind_their_markers(self):
        wanted = Frame(b"a LOGIN {3+}\r\n {2+}\r\n", {14: b"x\r\n", 21: b"{1"})
        self.assertEqual(read([b"a LOGIN {3+}\r\nx\r\n {2+}\r\n{1\r\n"]), [wanted])

    def test_a_synchronizing_literal_is_waited_for(self):
        pieces = read([b"a LOGIN {3}\r\n", b"ann x\r\n"])
        self.assertEqual(pieces, [Wanted(), Frame(b"a LOGIN {3}\r\n x", {13: b"ann"})])

    def test_an_empty_line_is_nothing(self):
        self.assertEqual(read([b"\r\n\n\r\na NOOP\r\n"]), [Frame(b"a NOOP")])

    def test_what_is_no_marker_is_text(self):
        for line in (b"a {-1}", b"a {}", b"a {1", b"a {1} ", b"a {+}", b"a {1-}"):
            self.assertEqual(read([line + b"\r\nb NOOP\r\n"])[0], Frame(line), line)

    def test_the_message_of_an_append_is_announced_and_streamed(self):
        pieces = read([b"a APPEND x {5}\r\n", b"he", b"llo\r\n"])
        head = MessageHead(Frame(b"a APPEND x {5}\r\n"))
        self.assertEqual(
            pieces, [head, MessageOctets(b"hello"), MessageTail(Frame(b""))]
        )

    def test_the_mailbox_of_an_append_may_be_a_literal(self):
        pieces = read([b"a append {1+}\r\nx {2+}\r\nhi\r\n"])
        head = MessageHead(Frame(b"a append {1+}\r\n {2+}\r\n", {15: b"x"}))
        self.assertEqual(pieces, [head, MessageOctets(b"hi"), MessageTail(Frame(b""))])

    def test_a_refused_synchronizing_message_is_not_waited_for(self):
        pieces = read([b"a APPEND x {5}\r\nb NOOP\r\n"], accept=False)
        self.assertEqual(pieces[1:], [Frame(b"b NOOP")])

    def test_a_refused_message_that_comes_unasked_is_skipped(self):
        stream = b"a APPEND x {8+}\r\nz NOOP\r\n {3+}\r\nabc\r\nb NOOP\r\n"
        self.assertEqual(read([stream], accept=False)[1:], [Frame(b"b NOOP")])

    def test_a_large_message_is_not_held(self):
        framer = CommandFramer(Imap4())
        framer.feed(b"a APPEND x {50000000+}\r\n")
        self.assertIsInstance(framer.next_piece(), MessageHead)
        framer.accept()
        for _ in range(10):
            framer.feed(bytes(65536))
            self.assertEqual(framer.next_piece(), MessageOctets(bytes(65536)))
            self.assertEqual(framer.pending, 0)

    def test_each_message_is_announced(self):
        pieces = read([b"a APPEND x {2+}\r\nhi {8+}\r\nz NOOP\r\n ~{1+}\r\n\0\r\n"])
        wanted = [
            MessageHead(Frame(b" {8+}\r\n")),
            MessageOctets(b"z NOOP\r\n"),
            MessageHead(Frame(b" ~{1+}\r\n")),
            MessageOctets(b"\0"),
            MessageTail(Frame(b"")),
        ]
        self.assertEqual(pieces[2:], wanted)

    def test_a_url_is_kept_and_a_text_is_streamed(self):
        for stream, wanted, why in [
            (
                b"a APPEND x CATENATE (URL {2+}\r\n/y TEXT {1+}\r\n"
                b"z URL {1+}\r\n/)\r\n",
                [
                    MessageHead(
                        Frame(
                            b"a APPEND x CATENATE (URL {2+}\r\n TEXT {1+}\r\n",
                            {31: b"/y"},
                        )
                    ),
                    MessageOctets(b"z"),
                    MessageTail(Frame(b" URL {1+}\r\n)", {11: b"/"})),
                ],
                "before and behind a text",
            ),
            (
                b"a APPEND URL {1+}\r\nz\r\n",
                [
                    MessageHead(Frame(b"a APPEND URL {1+}\r\n")),
                    MessageOctets(b"z"),
                    MessageTail(Frame(b"")),
                ],
                "a mailbox of that name",
            ),
            (
                b"a UID REPLACE 4 {1+}\r\nx {1+}\r\nz\r\n",
                [
                    MessageHead(
                        Frame(b"a UID REPLACE 4 {1+}\r\n {1+}\r\n", {22: b"x"})
                    ),
                    MessageOctets(b"z"),
                    MessageTail(Frame(b"")),
                ],
                "the mailbox of REPLACE",
            ),
        ]:
            self.assertEqual(read([stream]), wanted, why)

    def test_what_is_refused_within_a_command_is_skipped_to_its_end(self):
        framer = CommandFramer(SMALL)
        framer.feed(b"a APPEND x {2+}\r\nhi")
        while not isinstance(framer.next_piece(), MessageOctets):
            framer.accept()
        framer.refuse()
        framer.feed(b" {8+}\r\nz NOOP\r\n (\\Seen) {1+}\r\nx\r\nb NOOP\r\n")
        self.assertEqual(framer.next_piece(), Frame(b"b NOOP"))

    def test_a_long_line_costs_its_tag_and_no_memory(self):
        framer = CommandFramer(SMALL)
        framer.feed(b"a1 " + TOO_LONG)
        piece = framer.next_piece()
        self.assertEqual((piece.tag, type(piece.fault)), (b"a1", LineTooLong))
        for _ in range(50):
            framer.feed(b"y" * 1000)
            self.assertIsNone(framer.next_piece())
            self.assertEqual(framer.pending, 0)
        framer.feed(b"\r\nb NOOP\r\n")
        self.assertEqual(framer.next_piece(), Frame(b"b NOOP"))

    def test_a_literal_behind_a_long_line_is_no_command(self):
        stream = b"a " + TOO_LONG + b"{8+}\r\nz NOOP\r\n\r\nb NOOP\r\n"
        wanted = [(b"a", LineTooLong, False), Frame(b"b NOOP")]
        self.assertEqual(read([stream]), wanted)

    def test_the_line_limit_counts_the_whole_command(self):
        stream = b"a LOGIN " + b" {1+}\r\nx" * 200 + b"\r\nb NOOP\r\n"
        wanted = [(b"a", LineTooLong, False), Frame(b"b NOOP")]
        self.assertEqual(read([stream]), wanted)

    def test_literals_over_the_limit_are_refused_and_skipped(self):
        for stream, why in [
            (b"a LOGIN {2000}\r\n", "synchronizing: it is never sent"),
            (b"a LOGIN {2000+}\r\n" + b"z NOOP\r\n" * 250 + b" p\r\n", "sent unasked"),
            (b"a X {600+}\r\n" + b"x" * 600 + b" {600}\r\n", "all literals together"),
            (b"a X {2000+}\r\n" + b"x" * 2000 + b" {3+}\r\nb X\r\n", "one more"),
        ]:
            wanted = [(b"a", MessageTooBig, False), Frame(b"b NOOP")]
            self.assertEqual(read([stream + b"b NOOP\r\n"]), wanted, why)

    def test_what_is_sent_unasked_beyond_all_measure_ends_the_stream(self):
        for stream in (
            b"a LOGIN {9999999999+}\r\n",
            b"a LOGIN {" + b"9" * 50 + b"+}\r\n",
            b"a " + TOO_LONG + b"{" + b"9" * 50 + b"+}\r\n",
        ):
            pieces = read([stream, b"b NOOP\r\n"])
            self.assertEqual(pieces[-1], (None, LineTooLong, True))
        refused = read([b"a APPEND x {9999999999+}\r\nb NOOP\r\n"], accept=False)
        self.assertEqual(refused[-1], (None, LineTooLong, True))

    def test_an_absurd_count_is_a_literal_that_is_too_big(self):
        pieces = read([b"a LOGIN {" + b"9" * 900 + b"}\r\nb NOOP\r\n"])
        self.assertEqual(pieces, [(b"a", MessageTooBig, False), Frame(b"b NOOP")])

    def test_zeros_before_a_count_mean_nothing(self):
        pieces = read([b"a LOGIN {" + b"0" * 60 + b"2+}\r\nhi\r\n"])
        self.assertEqual(list(pieces[0].literals.values()), [b"hi"])

    def test_a_line_is_read_in_pieces_without_searching_twice(self):
        framer = CommandFramer(Imap4(line_octets=1_000_000))
        for _ in range(50_000):
            framer.feed(b"x" * 10)
            self.assertIsNone(framer.next_piece())
        framer.feed(b"\r\n")
        self.assertEqual(len(framer.next_piece().text), 500_000)

    def test_tags_are_found_only_where_a_command_could_be(self):
        for text, tag in [
            (b"a1 NOOP", b"a1"),
            (b"a1", None),
            (b"+ x", None),
            (b" x", None),
            (b"* x", None),
            (b"\xff x", None),
            (b"x" * 101 + b" y", None),
        ]:
            self.assertEqual(tag_of(text), tag)
