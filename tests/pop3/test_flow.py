"""Large maildrops and messages, slow readers, many commands, the end of the server."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.dialogue.outflow import MOST_HELD
from mailtwist.errors import MessageGone
from mailtwist.mailbox.model import MessageRows
from mailtwist.pop3.maildrop import CHUNK, MOST_AHEAD

from .world import SMALL, WaryTransport, World, body_of, now


class Watched:
    """A mailbox that notes what is read of it."""

    def __init__(self, mailbox):
        self.mailbox, self.asked = mailbox, []

    def __getattr__(self, name):
        return getattr(self.mailbox, name)

    async def octets(self, ranges):
        self.asked.append(list(ranges))
        return await self.mailbox.octets(ranges)

    @property
    def reads(self):
        return len(self.asked)


class FlowTestCase(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def log_in(self, transport=None):
        """A session whose reads of the store are counted."""
        wire = self.world.connect(transport)
        wire.log_in()
        drop = wire.protocol._session._drop
        drop.mailbox = self.watched = Watched(drop.mailbox)
        return wire


def large(octets):
    """A message of about so many octets with a dot at many line starts."""
    line = b".dots " + b"x" * 70 + b"\r\n"
    return b"Subject: large\r\n\r\n" + line * (octets // len(line))


class PausingTransport(WaryTransport):
    """Stops its producer after every write of `most` octets or more until `read`."""

    most = 1

    def write(self, data):
        super().write(data)
        if self.producer is not None and len(data) >= self.most:
            self.producer.pauseProducing()

    def read(self):
        self.producer.resumeProducing()


class BackPressureTests(FlowTestCase):
    def test_a_large_message_waits_for_its_reader(self):
        message = large(40 * CHUNK)
        self.world.put(message)
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"RETR 1")
        self.assertLessEqual(self.watched.reads, 2)
        self.assertLess(len(transport.value()), 4 * CHUNK)
        turns = 0
        while not transport.value().endswith(b"\r\n.\r\n"):
            before = self.watched.reads
            transport.read()
            self.assertLessEqual(self.watched.reads, before + 1)
            turns += 1
            self.assertLess(turns, 100)
        answer = transport.value().partition(b"+OK %d octets\r\n" % len(message))[2]
        self.assertEqual(body_of(b"+OK\r\n" + answer), message)

    def test_no_read_is_larger_than_a_chunk(self):
        self.world.put(large(10 * CHUNK))
        wire = self.log_in()
        wire.ask(b"RETR 1")
        for ranges in self.watched.asked:
            self.assertLessEqual(sum(r.count for r in ranges), CHUNK)

    def test_sizes_around_the_chunk(self):
        for size in (CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1):
            world = World()
            message = b"a: b\r\n\r\n" + b"." * (size - 10) + b"\r\n"
            self.assertEqual(len(message), size)
            world.put(message)
            self.assertEqual(body_of(world.logged_in().ask(b"RETR 1")), message)

    def test_the_listing_waits_for_its_reader(self):
        self.world.put(*[b"\r\n"] * 30_000)
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"LIST", b"UIDL")
        self.assertNotIn(b"\r\n30000 ", transport.value())
        for _ in range(40):
            transport.read()
        self.assertEqual(transport.value().count(b"\r\n30000 "), 2)
        self.assertTrue(transport.value().endswith(b"\r\n.\r\n"))

    def test_small_answers_wait_too(self):
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        transport.producer.pauseProducing()
        answer = wire.ask(*[b"NOOP"] * 100)
        self.assertLessEqual(answer.count(b"+OK"), 1)
        for _ in range(5):
            transport.read()
        self.assertEqual((answer + wire.said()).count(b"+OK"), 100)

    def test_a_reader_that_reads_nothing_is_cut_off(self):
        self.world.put(large(10 * CHUNK))
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"DELE 1", b"RSET", b"RETR 1")
        self.world.clock.advance(299)
        self.assertFalse(transport.aborted)
        self.world.clock.advance(2)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.world.factory.sessions, set())
        self.world.logged_in()  # the lock is gone

    def test_a_connection_lost_in_mid_message(self):
        self.world.put(large(10 * CHUNK))
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"RETR 1")
        wire.close()
        self.assertEqual(self.world.factory.sessions, set())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.world.logged_in()

    def test_a_message_expunged_in_mid_message_never_looks_whole(self):
        self.world.put(large(10 * CHUNK))
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"RETR 1")
        now(self.world.open().expunge([1]))
        transport.read()
        self.assertTrue(transport.aborted)
        self.assertFalse(transport.value().endswith(b"\r\n.\r\n"))

    def test_a_fault_in_mid_message_is_logged(self):
        self.world.put(large(10 * CHUNK))
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"RETR 1")

        async def broken(ranges):
            raise RuntimeError("disk")

        self.watched.octets = broken
        transport.read()
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_fault_before_the_message_is_told(self):
        self.world.put_small(1)
        wire = self.log_in()

        async def broken(ranges):
            raise RuntimeError("disk")

        self.watched.octets = broken
        self.assertEqual(
            wire.ask(b"RETR 1"), b"-ERR [SYS/TEMP] Internal error, try again later\r\n"
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIn(b"+OK 1", wire.ask(b"STAT"))


class TopFlowTests(FlowTestCase):
    def test_TOP_of_a_large_message_reads_little(self):
        self.world.put(large(40 * CHUNK))
        wire = self.log_in()
        answer = wire.ask(b"TOP 1 1")
        self.assertEqual(answer.count(b"\r\n"), 5)
        self.assertEqual(self.watched.reads, 1)
        self.assertLess(self.watched.asked[0][0].count, CHUNK)

    def test_TOP_of_a_huge_header(self):
        message = b"X: " + b"y" * (3 * CHUNK) + b"\r\n\r\nbody\r\nmore\r\n"
        self.world.put(message)
        wire = self.log_in()
        self.assertEqual(body_of(wire.ask(b"TOP 1 1")), message[: -len(b"more\r\n")])

    def test_TOP_of_a_huge_line(self):
        message = b"a: b\r\n\r\n" + b"y" * (3 * CHUNK) + b"\r\nmore\r\n"
        self.world.put(message)
        wire = self.log_in()
        self.assertEqual(body_of(wire.ask(b"TOP 1 1")), message[: -len(b"more\r\n")])

    def test_TOP_where_a_chunk_ends_at_any_place_of_the_blank_line(self):
        for extra in range(6):
            head = b"X: ".ljust(16 * 1024 - extra, b"y")
            message = head + b"\r\n\r\none\r\ntwo\r\n"
            world = World()
            world.put(message)
            answer = world.logged_in().ask(b"TOP 1 1")
            self.assertEqual(body_of(answer), head + b"\r\n\r\none\r\n")


class ReadAheadTests(FlowTestCase):
    def test_pipelined_RETRs_share_their_reads(self):
        self.world.put_small(100)
        wire = self.log_in()
        answer = wire.ask(*[b"RETR %d" % n for n in range(1, 101)])
        self.world.clock.advance(0)
        answer += wire.said()
        self.assertEqual(answer.count(b"\r\n.\r\n"), 100)
        for n in (1, 50, 100):
            self.assertIn(b"Hello %d\r\n" % n, answer)
        self.assertLessEqual(self.watched.reads, 3)

    def test_RETR_and_DELE_by_turns(self):
        self.world.put_small(20)
        wire = self.log_in()
        for n in range(1, 21):
            self.assertIn(b"Hello %d\r\n" % n, wire.ask(b"RETR %d" % n))
            wire.ask(b"DELE %d" % n)
        self.assertLessEqual(self.watched.reads, 2)

    def test_TOPs_share_their_reads(self):
        self.world.put_small(20)
        wire = self.log_in()
        wire.ask(*[b"TOP %d 0" % n for n in range(1, 21)])
        self.assertLessEqual(self.watched.reads, 7)

    def test_TOP_then_RETR_is_the_whole_message(self):
        self.world.put_small(3)
        wire = self.log_in()
        wire.ask(b"TOP 1 0")
        self.assertEqual(body_of(wire.ask(b"RETR 2")), SMALL % (2, 2))
        self.assertEqual(body_of(wire.ask(b"TOP 3 9")), SMALL % (3, 3))

    def test_out_of_order_nothing_is_read_ahead(self):
        self.world.put_small(9)
        wire = self.log_in()
        for n in (5, 2, 9):
            wire.ask(b"RETR %d" % n)
        self.assertEqual([len(ranges) for ranges in self.watched.asked], [1, 1, 1])

    def test_what_is_read_ahead_is_bounded(self):
        self.world.put(*[large(20_000)] * 30)
        wire = self.log_in()
        for n in range(1, 31):
            wire.ask(b"RETR %d" % n)
        for ranges in self.watched.asked:
            self.assertLessEqual(sum(r.count for r in ranges), MOST_AHEAD)

    def test_a_message_that_went_while_it_was_read_ahead(self):
        self.world.put_small(5)
        wire = self.log_in()
        now(self.world.open().expunge([3]))
        answers = [wire.ask(b"RETR %d" % n) for n in range(1, 6)]
        self.assertEqual(
            [a.startswith(b"+OK") for a in answers], [True, True, False, True, True]
        )
        self.assertEqual(answers[2], b"-ERR %s\r\n" % MessageGone.public.encode())

    def test_answers_are_written_together(self):
        self.world.put_small(50)
        wire = self.log_in()
        before = wire.transport.writes
        wire.ask(*[b"RETR %d" % n for n in range(1, 51)])
        self.assertLessEqual(wire.transport.writes - before, 2)


class LargeMaildropTests(FlowTestCase):
    def test_100_000_messages(self):
        from time import process_time

        count = 100_000
        wire = self.world.connect()
        tree = self.world.tree()
        mailbox = self.world.open()

        async def rows(uids=None):
            return MessageRows(
                list(range(1, count + 1)),
                [1] * count,
                [frozenset()] * count,
                [1000] * count,
                [0] * count,
            )

        async def opened(path, **how):
            return mailbox

        mailbox.rows, tree.open = rows, opened
        begun = process_time()
        self.assertEqual(wire.log_in(), b"+OK 100000 messages (100000000 octets)")
        uidl = wire.ask(b"UIDL")
        spent = process_time() - begun
        self.assertEqual(uidl.count(b"\r\n"), count + 2)
        self.assertLess(spent, 2.0)
        answer = wire.ask(b"DELE 50000", b"STAT", b"LIST 100000")
        self.assertIn(b"+OK 99999 99999000\r\n+OK 100000 1000\r\n", answer)
        self.assertNotIn(b"\r\n50000 ", wire.ask(b"LIST"))


class LimitTests(FlowTestCase):
    def test_too_many_errors(self):
        world = World(errors=3)
        wire = world.connect()
        answer = wire.ask(*[b"bogus"] * 10)
        self.assertEqual(answer.count(b"-ERR"), 3)
        self.assertTrue(wire.is_closed())

    def test_a_missing_message_is_no_error(self):
        world = World(errors=3)
        wire = world.logged_in()
        wire.ask(*[b"LIST 1"] * 10)
        self.assertFalse(wire.is_closed())

    def test_a_line_without_end(self):
        wire = self.world.connect()
        wire.said()
        for _ in range(50):
            wire.send(b"x" * 10_000)
        self.assertEqual(wire.said(), b"-ERR Line too long\r\n")
        self.assertLess(wire.protocol._engine.pending, 13_000)
        self.assertIn(b"+OK", wire.ask(b"", b"CAPA"))

    def test_input_is_paused_while_a_command_waits(self):
        waiting = Deferred()

        async def slow(*args):
            await waiting

        self.world.authenticator.login_password = slow
        wire = self.world.connect()
        wire.ask(b"USER ann@example.test", b"PASS demo")
        wire.send(b"NOOP\r\n" * 12_000)
        self.assertEqual(wire.transport.producerState, "paused")
        wire.close()

    def test_many_commands_leave_others_their_turn(self):
        wire = self.world.logged_in()
        answer = wire.ask(*[b"NOOP"] * 1000)
        self.assertLess(answer.count(b"+OK"), 200)
        for _ in range(10):
            self.world.clock.advance(0)
        self.assertEqual((answer + wire.said()).count(b"+OK"), 1000)

    def test_the_idle_timer_starts_anew_with_each_command(self):
        wire = self.world.logged_in()
        for _ in range(4):
            self.world.clock.advance(500)
            wire.ask(b"NOOP")
        self.assertFalse(wire.is_closed())
        self.world.clock.advance(599)
        self.assertFalse(wire.is_closed())
        self.world.clock.advance(1)
        self.assertTrue(wire.is_closed())

    def test_half_a_command_is_no_command(self):
        wire = self.world.logged_in()
        self.world.clock.advance(599)
        wire.send(b"NO")
        self.world.clock.advance(1)
        self.assertTrue(wire.is_closed())

    def test_a_SASL_exchange_does_not_wait_for_ever(self):
        wire = self.world.connect()
        wire.ask(b"AUTH PLAIN")
        self.world.clock.advance(600)
        self.assertTrue(wire.is_closed())
        self.assertEqual(self.world.factory.sessions, set())

    def test_a_slow_command_is_not_idle(self):
        waiting = Deferred()

        async def slow(*args):
            await waiting

        self.world.authenticator.login_password = slow
        wire = self.world.connect()
        wire.ask(b"USER ann@example.test", b"PASS demo")
        self.world.clock.advance(600)
        self.assertFalse(wire.is_closed())
        wire.close()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_a_bug_is_logged_and_hidden(self):
        async def broken(*args):
            raise RuntimeError("mysql://root:secret@db")

        self.world.authenticator.login_password = broken
        answer = self.world.connect().ask(b"USER ann@example.test", b"PASS demo")
        self.assertIn(b"-ERR [SYS/TEMP] Internal error, try again later\r\n", answer)
        self.assertNotIn(b"secret", answer)
        (failure,) = self.flushLoggedErrors(RuntimeError)
        self.assertNotIn("demo", failure.getErrorMessage())


class StopTests(FlowTestCase):
    def test_idle_sessions_close_at_once(self):
        wire, other = self.world.logged_in(), self.world.connect()
        self.world.factory.stop()
        self.assertTrue(wire.is_closed())
        self.assertTrue(other.is_closed())

    def test_the_command_at_hand_is_answered(self):
        message = large(10 * CHUNK)
        self.world.put(message)
        transport = PausingTransport()
        transport.most = MOST_HELD
        wire = self.log_in(transport)
        wire.ask(b"DELE 1", b"RSET", b"RETR 1", b"DELE 1", b"QUIT")
        self.world.factory.stop()
        self.assertFalse(wire.is_closed())
        for _ in range(40):
            if not wire.is_closed():
                transport.read()
        self.assertTrue(wire.is_closed())
        self.assertTrue(transport.value().endswith(b"\r\n.\r\n"))
        self.assertEqual(self.world.subjects(), 1)

    def test_an_exchange_is_not_waited_for(self):
        wire = self.world.connect()
        wire.ask(b"AUTH PLAIN")
        self.world.factory.stop()
        self.assertTrue(wire.is_closed())
