"""Answers that take time, peers that take time, and limits."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.smtp.server import MOST_PENDING

from .rooms import PLAIN, House

FROM, ANN = "MAIL FROM:<c@client.test>", "RCPT TO:<ann@example.test>"


def slow(number):
    return f"RCPT TO:<slow{number}@example.test>"


class SlowAnswerTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()

    def answer(self, name, result=None):
        self.house.router.slow[name].callback(result)

    def test_pipelined_commands_are_answered_in_order(self):
        told = self.client.codes(FROM, slow(1), ANN, "DATA", "QUIT", ".", "QUIT")
        self.assertEqual(told, ["250 2.1.0"])
        self.answer("slow1")
        self.assertEqual(
            self.client.codes(),
            ["250 2.1.5", "250 2.1.5", "354", "250 2.0.0", "221 2.0.0"],
        )
        self.assertEqual(self.house.messages(), [b"\r\nQUIT\r\n"])

    def test_the_delivery_is_answered_before_what_follows(self):
        self.house.delivery.commit = Deferred()
        self.client.ask(FROM, ANN, "DATA")
        self.assertEqual(self.client.ask("x: y", ".", "NOOP", "QUIT"), "")
        self.house.delivery.commit.callback(None)
        self.assertEqual(self.client.codes(), ["250 2.0.0", "250 2.0.0", "221 2.0.0"])

    def test_look_ups_of_waiting_recipients_start_together(self):
        self.client.ask(FROM, *(slow(n) for n in range(50)), ANN)
        self.assertEqual(len(self.house.router.asked), 51)
        for n in reversed(range(50)):
            self.answer(f"slow{n}")
        self.assertEqual(self.client.codes(), ["250 2.1.5"] * 51)
        self.assertEqual(len(self.house.router.asked), 51)

    def test_recipients_that_arrive_while_one_is_looked_up_start_too(self):
        self.client.ask(FROM, slow(1))
        self.client.ask(slow(2))
        self.assertEqual(len(self.house.router.asked), 2)

    def test_looking_ahead_stops_at_any_other_command_and_answers_nothing(self):
        self.assertEqual(
            self.client.codes(FROM, slow(1), "RSET", slow(2)), ["250 2.1.0"]
        )
        self.assertEqual(len(self.house.router.asked), 1)
        self.answer("slow1")
        self.assertEqual(self.client.codes(), ["250 2.1.5", "250 2.0.0", "503 5.5.1"])

    def test_look_ups_that_nobody_asked_for_are_dropped(self):
        self.client.ask(FROM, slow(1), slow(2))
        self.client.close()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.house.router.slow), 2)
        for waiting in self.house.router.slow.values():
            self.assertTrue(waiting.called)  # cancelled

    def test_a_login_that_is_slow_blocks_what_follows(self):
        checked = self.house.authenticator.login_sasl
        waiting = Deferred()

        async def login(*args):
            await waiting
            return await checked(*args)

        self.house.authenticator.login_sasl = login
        client = self.house.connect().begin(tls=True)
        self.assertEqual(
            client.ask(f"AUTH PLAIN {PLAIN}", "MAIL FROM:<ann@example.test>", "NOOP"),
            "",
        )
        waiting.callback(None)
        self.assertEqual(client.codes(), ["235 2.7.0", "250 2.1.0", "250 2.0.0"])

    def test_an_answer_that_never_comes_is_451_in_time(self):
        self.client.ask(FROM, slow(1))
        self.house.clock.advance(239)
        self.assertEqual(self.client.said(), "")
        self.house.clock.advance(2)
        self.assertEqual(self.client.codes(), ["451 4.3.0"])
        self.assertEqual(self.client.codes(ANN, "DATA"), ["250 2.1.5", "354"])

    def test_a_delivery_that_never_comes_is_451_in_time(self):
        self.house.delivery.commit = Deferred()
        self.client.ask(FROM, ANN, "DATA", ".")
        self.client.said()
        self.house.clock.advance(539)
        self.assertEqual(self.client.said(), "")
        self.house.clock.advance(2)
        self.assertEqual(self.client.codes("NOOP"), ["451 4.3.0", "250 2.0.0"])

    def test_a_delivery_goes_on_when_the_client_is_gone(self):
        self.house.delivery.commit = commit = Deferred()
        self.client.ask(FROM, ANN, "DATA", ".")
        self.client.close()
        commit.callback(None)
        self.assertEqual(len(self.house.delivery.messages), 1)
        self.assertEqual(self.house.delivery.sinks[0].state, "committed")


class BackPressureTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()

    @property
    def reading(self):
        return self.client.transport.producerState == "producing"

    def test_a_slow_storage_pauses_the_client(self):
        self.client.ask(FROM, ANN, "DATA")
        self.house.delivery.wait = waiting = Deferred()
        self.client.send(b"x: y\r\n\r\n")
        block = (b"z" * 98 + b"\r\n") * 400
        self.client.send(block)  # the storage asks to wait
        self.client.send(block)
        self.assertTrue(self.reading)
        self.client.send(block)
        self.assertFalse(self.reading)
        self.house.delivery.wait = None
        waiting.callback(None)
        self.assertTrue(self.reading)
        self.client.send(b".\r\n")
        self.assertEqual(self.client.codes(), ["250 2.0.0"])
        self.assertEqual(len(self.house.messages()[0]), 8 + 3 * len(block))

    def test_commands_behind_a_slow_one_are_bounded(self):
        self.client.ask(FROM, "RCPT TO:<slow@example.test>")
        self.client.send(b"NOOP\r\n" * (MOST_PENDING // 6 + 1))
        self.assertFalse(self.reading)
        self.house.router.slow["slow"].callback(None)
        self.assertTrue(self.reading)
        self.assertEqual(len(self.client.codes()), MOST_PENDING // 6 + 2)

    def test_a_peer_that_does_not_read_is_not_answered_and_then_cut_off(self):
        producer = self.client.transport.producer
        producer.pauseProducing()
        self.assertEqual(self.client.ask("NOOP"), "")
        self.client.send(b"NOOP\r\n" * MOST_PENDING)
        self.assertFalse(self.reading)
        producer.resumeProducing()
        self.assertTrue(self.reading)
        self.assertEqual(len(self.client.codes()), 1 + MOST_PENDING)
        producer.pauseProducing()
        self.house.clock.advance(301)
        self.assertTrue(self.client.transport.aborted)

    def test_a_peer_that_does_not_take_the_last_reply_is_cut_off(self):
        self.client.transport.loseConnection = lambda: None  # octets are left to send
        self.client.ask("QUIT")
        self.house.clock.advance(9)
        self.assertFalse(self.client.transport.aborted)
        del self.client.transport.loseConnection
        self.house.clock.advance(2)
        self.assertTrue(self.client.transport.aborted)


class TimeoutTests(SynchronousTestCase):
    def setUp(self):
        self.house = House(command_s=300, data_s=180)
        self.client = self.house.connect().begin()

    def test_an_idle_client_is_told_421(self):
        self.house.clock.advance(299)
        self.client.codes("NOOP")
        self.house.clock.advance(299)
        self.assertFalse(self.client.is_closed())
        self.house.clock.advance(2)
        self.assertEqual(self.client.codes(), ["421 4.4.2"])
        self.assertTrue(self.client.is_closed())
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_half_a_command_does_not_count_as_one(self):
        for _ in range(11):
            self.client.send(b"N")
            self.house.clock.advance(30)
        self.assertEqual(self.client.codes(), ["421 4.4.2"])

    def test_a_message_that_stops_is_forgotten(self):
        self.client.ask(FROM, ANN, "DATA", "x: y")
        for _ in range(3):
            self.house.clock.advance(179)
            self.client.send(b"more\r\n")
        self.assertFalse(self.client.is_closed())
        self.house.clock.advance(181)
        self.assertEqual(self.client.codes(), ["421 4.4.2"])
        self.assertEqual(self.house.delivery.sinks[0].state, "aborted")

    def test_an_exchange_that_stops_ends(self):
        client = self.house.connect().begin(tls=True)
        client.ask("AUTH LOGIN")
        self.house.clock.advance(301)
        self.assertEqual(client.codes(), ["421 4.4.2"])
        self.assertTrue(client.is_closed())
        self.assertEqual(self.flushLoggedErrors(), [])


class LimitTests(SynchronousTestCase):
    def test_SIZE_over_the_limit_is_refused_at_MAIL(self):
        client = House(message_octets=100_000).connect()
        self.assertIn("250-SIZE 100000\r\n", client.ask("EHLO me"))
        self.assertEqual(
            client.codes("MAIL FROM:<> SIZE=100001", "MAIL FROM:<> SIZE=100000"),
            ["552 5.3.4", "250 2.1.0"],
        )

    def test_a_message_over_the_limit_is_swallowed_without_memory(self):
        house = House(message_octets=100_000)
        client = house.connect().begin()
        client.ask(FROM, ANN, "DATA")
        for _ in range(200):
            client.send(b"z" * 998 + b"\r\n")
            self.assertLess(client.protocol._engine.pending, 1000)
        self.assertEqual(house.delivery.sinks[0].state, "aborted")
        self.assertEqual(house.delivery.sinks[0].parts, [])
        self.assertEqual(client.codes(".", "NOOP"), ["552 5.3.4", "250 2.0.0"])

    def test_octets_without_a_line_end_are_not_kept(self):
        client = House().connect().begin()
        for _ in range(100):
            client.send(b"x" * 10_000)
            self.assertLess(client.protocol._engine.pending, 25_000)
        self.assertEqual(client.codes("", "NOOP"), ["500 5.5.2", "250 2.0.0"])

    def test_recipients_over_the_limit_are_452_and_the_others_stay(self):
        house = House(recipients=100)
        client = house.connect().begin()
        client.ask(FROM)
        paths = [f"RCPT TO:<slow{n}@example.test>" for n in range(101)]
        client.ask(*paths)
        for waiting in list(house.router.slow.values()):
            waiting.callback(None)
        self.assertEqual(client.codes(), ["250 2.1.5"] * 100 + ["452 4.5.3"])
        client.ask("DATA", "x: y", ".")
        self.assertEqual(len(house.delivery.messages[0][0].recipients), 100)

    def test_too_many_errors_end_the_connection(self):
        client = House(errors=3).connect().begin()
        self.assertEqual(
            client.codes("FOO", "NOOP", "BAR", "BAZ", "NOOP"),
            ["500 5.5.1", "250 2.0.0", "500 5.5.1", "500 5.5.1", "421 4.7.0"],
        )
        self.assertTrue(client.is_closed())

    def test_failed_logins_are_errors(self):
        client = House(errors=3).connect().begin(tls=True)
        told = client.codes(*["AUTH PLAIN AGEAYg=="] * 4)
        self.assertEqual(told, ["535 5.7.8"] * 3 + ["421 4.7.0"])

    def test_a_message_taken_pays_for_errors_before_it(self):
        client = House(errors=3).connect().begin()
        for _ in range(5):
            told = client.codes("FOO", "BAR", FROM, ANN, "DATA", ".")
            self.assertEqual(told[-1], "250 2.0.0")

    def test_messages_in_one_connection_are_counted(self):
        client = House(messages=1).connect().begin()
        client.ask(FROM, ANN, "DATA", ".")
        self.assertEqual(client.codes(FROM), ["421 4.7.0"])
        self.assertTrue(client.is_closed())

    def test_a_longer_text_line_is_taken_where_that_is_configured(self):
        house = House(text_line_octets=2000)
        client = house.connect().begin()
        client.ask(FROM, ANN, "DATA")
        self.assertEqual(client.codes("x" * 2000, "."), ["250 2.0.0"])


class StopTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()

    def test_an_idle_session_is_told_at_once(self):
        self.house.factory.stop()
        self.assertEqual(self.client.codes(), ["421 4.3.2"])
        self.assertTrue(self.client.is_closed())
        self.assertEqual(self.house.factory.sessions, set())
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_a_command_in_hand_is_answered_first(self):
        self.client.ask(FROM, "RCPT TO:<slow@example.test>", "NOOP")
        self.house.factory.stop()
        self.assertEqual(self.client.said(), "")
        self.house.router.slow["slow"].callback(None)
        self.assertEqual(self.client.codes(), ["250 2.1.5", "421 4.3.2"])

    def test_a_message_on_its_way_is_taken_to_its_end(self):
        self.client.ask(FROM, ANN, "DATA", "x: y")
        self.house.factory.stop()
        self.assertFalse(self.client.is_closed())
        self.assertEqual(
            self.client.codes("z", ".", "NOOP"), ["250 2.0.0", "421 4.3.2"]
        )
        self.assertEqual(len(self.house.delivery.messages), 1)

    def test_a_login_on_its_way_is_ended(self):
        client = self.house.connect().begin(tls=True)
        client.ask("AUTH LOGIN")
        self.house.factory.stop()
        self.assertEqual(client.codes(), ["421 4.3.2"])
        self.assertTrue(client.is_closed())


class HalfCloseTests(SynchronousTestCase):
    """A client that sends all it has and shuts its side, as `printf ... | nc` does."""

    def test_everything_is_answered_first(self):
        house = House()
        client = house.connect().begin()
        client.ask(FROM, "RCPT TO:<slow@example.test>", "DATA", "x: y", ".")
        client.protocol.readConnectionLost()
        house.router.slow["slow"].callback(None)
        self.assertEqual(client.codes(), ["250 2.1.5", "354", "250 2.0.0"])
        self.assertTrue(client.is_closed())

    def test_half_a_message_is_forgotten(self):
        house = House()
        client = house.connect().begin()
        client.ask(FROM, ANN, "DATA", "x: y")
        client.protocol.readConnectionLost()
        self.assertTrue(client.is_closed())
        self.assertEqual(house.delivery.messages, [])
