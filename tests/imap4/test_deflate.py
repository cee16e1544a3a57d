"""Both directions of COMPRESS: what goes in comes out, in pieces of any size."""

import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.deflate import MOST_PIECE, BadCompression, Deflater, Inflater

from .talk import cuts, split

WRITES = st.lists(st.binary(max_size=300), max_size=8)


def deflated(octets):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(octets) + stream.flush(zlib.Z_SYNC_FLUSH)


def taken(inflater):
    """All that can be taken now, in its pieces."""
    pieces = []
    while inflater.pending:
        pieces.append(inflater.take())
    return pieces


class DeflaterTests(SynchronousTestCase):
    @given(writes=WRITES, rests=st.sets(st.integers(0, 8)))
    def test_each_write_can_be_read_at_once_also_after_a_rest(self, writes, rests):
        deflater, client = Deflater(), zlib.decompressobj(-15)
        for at, octets in enumerate(writes):
            if at in rests:
                deflater.rest()
            self.assertEqual(client.decompress(deflater.write(octets)), octets)
        client.decompress(deflater.end())
        self.assertTrue(client.eof)

    def test_what_was_said_before_makes_what_comes_smaller(self):
        deflater, line = Deflater(), b'* LIST (\\HasNoChildren) "/" "Work/2026"\r\n'
        first = len(deflater.write(line))
        self.assertLess(len(deflater.write(line)) * 3, first)

    def test_a_rest_gives_the_dictionary_back(self):
        deflater = Deflater()
        deflater.write(b"x")
        self.assertFalse(deflater.rests)
        deflater.rest()
        self.assertTrue(deflater.rests)


class InflaterTests(SynchronousTestCase):
    @given(octets=st.binary(max_size=3000), at=cuts(3000))
    def test_any_split_gives_the_same_octets(self, octets, at):
        inflater, found = Inflater(), b""
        for piece in split(deflated(octets), at):
            inflater.feed(piece)
            found += b"".join(taken(inflater))
        self.assertEqual(found, octets)

    def test_a_bomb_comes_in_pieces(self):
        inflater, most = Inflater(), 10 * MOST_PIECE
        inflater.feed(deflated(bytes(most)))
        pieces = taken(inflater)
        self.assertEqual(sum(map(len, pieces)), most)
        self.assertLessEqual(max(map(len, pieces)), MOST_PIECE)

    @given(octets=st.binary(max_size=200))
    def test_arbitrary_octets_raise_nothing_else(self, octets):
        inflater = Inflater()
        inflater.feed(octets)
        try:
            taken(inflater)
        except BadCompression:
            inflater.clear()
        self.assertFalse(inflater.pending and inflater.ended)

    def test_what_stands_behind_the_end_is_clear_text(self):
        inflater = Inflater()
        inflater.feed(zlib.compress(b"a NOOP\r\n", wbits=-15) + b"b LO")
        self.assertEqual(taken(inflater), [b"a NOOP\r\n"])
        inflater.feed(b"GIN\r\n")
        self.assertTrue(inflater.ended)
        self.assertEqual(inflater.pending, 0)
        self.assertEqual(inflater.clear(), b"b LOGIN\r\n")
