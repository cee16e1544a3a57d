"""COMPRESS=DEFLATE on a connection: begun, pipelined, abused, cut off and ended."""

import zlib

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.server import MOST_PENDING, REST_S
from mailtwist.store.memory import MemoryMailboxes

from .room import HELLO, Client, Room, small


class Compressed:
    """A transport's other end: `value` is what the client reads after inflating.

    `write` of a plain transport goes on under it.
    """

    def __init__(self, client):
        self.client, self.transport = client, client.transport
        self.stream = zlib.compressobj(wbits=-15)
        self.answers = zlib.decompressobj(-15)
        self.at = client.read

    def send(self, octets, *, flush=zlib.Z_SYNC_FLUSH):
        self.client.send(self.stream.compress(octets) + self.stream.flush(flush))

    def hear(self):
        """What the server said since, inflated."""
        self.client.room.settle()
        said = self.transport.value()[self.at :]
        self.at += len(said)
        return self.answers.decompress(said)


class CompressTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def compressed(self, client=None):
        client = client or self.client
        self.assertEqual(client.ask("COMPRESS DEFLATE"), [b"OK DEFLATE active"])
        return Compressed(client)

    def test_it_is_told_after_login_unless_it_is_off(self):
        self.assertIn(b" COMPRESS=DEFLATE", self.client.ask("CAPABILITY")[0])
        client = Room(small(compress=False)).login()
        client.hear()
        self.assertNotIn(b"COMPRESS", client.ask("CAPABILITY")[0])
        self.assertTrue(client.ask("COMPRESS DEFLATE")[0].startswith(b"BAD "))

    def test_it_needs_a_login_and_knows_one_algorithm(self):
        client = self.room.connect()
        client.hear()
        self.assertEqual(client.ask("COMPRESS DEFLATE"), [b"BAD Log in first"])
        self.assertTrue(self.client.ask("COMPRESS LZ4")[0].startswith(b"BAD "))
        self.assertEqual(self.client.ask("NOOP"), [b"OK NOOP completed"])

    def test_answers_and_commands_are_compressed_from_then_on(self):
        both = self.compressed()
        both.send(b"a CAPABILITY\r\nb NOOP\r\n")
        self.assertRegex(
            both.hear(), rb"\A\* CAPABILITY .*\r\na OK .*\r\nb OK NOOP completed\r\n"
        )

    def test_a_second_time_is_bad_and_changes_nothing(self):
        both = self.compressed()
        both.send(b"a COMPRESS DEFLATE\r\n")
        self.assertEqual(
            both.hear(), b"a BAD [COMPRESSIONACTIVE] DEFLATE is active\r\n"
        )
        both.send(b"b NOOP\r\n")
        self.assertEqual(both.hear(), b"b OK NOOP completed\r\n")

    def test_a_command_that_did_not_wait_is_answered_in_clear_text(self):
        """RFC 4978 §3: the client must wait; one that does not is told so."""
        self.client.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
        self.assertEqual(
            self.client.hear(),
            [b"a BAD Wait for the answer to COMPRESS", b"b OK NOOP completed"],
        )

    def test_compressed_octets_that_come_while_ok_is_under_way_are_read(self):
        self.client.ask("SELECT INBOX")
        (mailbox,) = [s._session.mailbox for s in self.room.factory.sessions]
        waiting = Deferred()
        changes = mailbox.changes

        async def held(modseq):
            await waiting
            return await changes(modseq)

        self.patch(mailbox, "changes", held)
        self.room.clock.advance(self.room.config.poll_s)
        self.client.send(b"a COMPRESS DEFLATE\r\n")
        both = Compressed(self.client)
        both.send(b"b NOOP\r\n")
        waiting.callback(None)
        said = self.client.transport.value()[both.at :]
        self.assertTrue(said.startswith(b"a OK DEFLATE active\r\n"))
        both.at += said.index(b"\r\n") + 2
        self.assertEqual(both.hear(), b"b OK NOOP completed\r\n")

    def test_thousands_of_commands_in_one_segment_are_answered_in_order(self):
        both = self.compressed()
        waiting = []

        async def listed():
            waiting.append(Deferred())
            await waiting[-1]
            return []

        self.patch(MemoryMailboxes, "listed", lambda _: listed())
        both.send(b'a LIST "" *\r\n')
        both.send(b"".join(b"t%d NOOP\r\n" % n for n in range(20_000)))
        waiting.pop().callback(None)
        self.room.settle()
        self.room.settle()
        answers = both.hear().splitlines()
        self.assertEqual(
            answers[1:], [b"t%d OK NOOP completed" % n for n in range(20_000)]
        )

    def test_a_message_goes_in_and_out(self):
        both = self.compressed()
        body = HELLO + b"0123456789abcdef\r\n" * 20_000
        both.send(
            b"a APPEND INBOX {%d+}\r\n%b\r\nb SELECT INBOX\r\n" % (len(body), body)
        )
        both.hear()
        both.send(b"c FETCH 1 BODY.PEEK[]\r\n")
        before = both.at
        self.assertIn(body, both.hear())
        self.assertLess((both.at - before) * 10, len(body))

    def test_a_bomb_is_read_in_bounded_memory_and_its_line_is_refused(self):
        both = self.compressed()
        most = 0
        engine = next(iter(self.room.factory.sessions))._engine
        receive = engine.receive

        def watched(data):
            nonlocal most
            receive(data)
            most = max(most, engine.pending)

        self.patch(engine, "receive", watched)
        both.send(b"a NOOP " + b"x" * 20_000_000 + b"\r\nb NOOP\r\n")
        answers = both.hear()
        self.assertTrue(answers.startswith(b"a BAD "), answers[:100])
        self.assertTrue(answers.endswith(b"b OK NOOP completed\r\n"))
        self.assertLess(most, 4 * MOST_PENDING)

    def test_what_is_no_deflate_stream_ends_the_connection(self):
        self.compressed()
        self.client.send(b"a NOOP\r\n" * 20)
        self.room.settle()
        self.assertTrue(self.client.transport.disconnected)
        self.assertFalse(self.room.factory.sessions)

    def test_a_stream_that_ends_is_a_client_that_left(self):
        both = self.compressed()
        both.send(b"a NOOP\r\n", flush=zlib.Z_FINISH)
        self.assertEqual(both.hear(), b"a OK NOOP completed\r\n")
        self.assertFalse(self.room.factory.sessions)

    def test_a_connection_lost_in_mid_command_leaves_nothing(self):
        both = self.compressed()
        waiting = []

        async def held(*_):
            waiting.append(Deferred())
            await waiting[-1]

        self.patch(MemoryMailboxes, "open", lambda *_, **__: held())
        both.send(b"a SELECT INBOX\r\nb NOOP\r\n")
        self.client.transport.connected = False
        self.client.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.room.accounts.logouts, 1)
        self.assertEqual(self.room.clock.getDelayedCalls(), [])

    def test_idle_is_told_compressed_and_an_idle_connection_rests(self):
        both = self.compressed()
        both.send(b"a SELECT INBOX\r\nb IDLE\r\n")
        both.hear()
        server = self.client.protocol
        self.assertFalse(server._deflater.rests)
        for _ in range(3):
            self.room.clock.advance(REST_S)
        self.assertTrue(server._deflater.rests)
        self.room.login().append()
        self.assertIn(b"* 1 EXISTS\r\n", both.hear())
        both.send(b"DONE\r\n")
        self.assertEqual(both.hear(), b"b OK IDLE completed\r\n")

    def test_bye_of_a_stopping_server_is_compressed(self):
        both = self.compressed()
        self.room.factory.stop()
        self.assertEqual(both.hear(), b"* BYE [UNAVAILABLE] Server is stopping\r\n")

    def test_unauthenticate_ends_it_both_ways_also_pipelined(self):
        """RFC 8437 §4.1."""
        both = self.compressed()
        stream = both.stream
        self.client.send(
            stream.compress(b"a UNAUTHENTICATE\r\n")
            + stream.flush(zlib.Z_FINISH)
            + b"b LOGIN ann demo\r\nc COMPRESS DEFLATE\r\n"
        )
        self.assertEqual(both.hear(), b"a OK UNAUTHENTICATE completed\r\n")
        self.assertTrue(both.answers.eof)
        self.assertRegex(
            both.answers.unused_data, rb"\Ab OK .*\r\nc OK DEFLATE active\r\n\Z"
        )

    def test_two_connections_have_streams_of_their_own(self):
        first, second = self.compressed(), self.compressed(self.second())
        for both in (first, second, first):
            both.send(b"a NOOP\r\n")
            self.assertEqual(both.hear(), b"a OK NOOP completed\r\n")

    def second(self) -> Client:
        client = self.room.login()
        client.hear()
        return client
