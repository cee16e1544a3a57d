"""Faults seen in other POP3 servers on Twisted, each shown to be absent here.

Chunk boundaries, APOP and TOP have their tests in test_text, test_server and test_flow
as well; here is one short case for every known fault.
"""

from hashlib import md5

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase

from .world import ANN, World, body_of


class HoleTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.world.put_small(3)

    def test_APOP_can_succeed(self):
        wire = self.world.connect()
        timestamp = wire.said().split()[-1]
        digest = md5(timestamp + b"demo").hexdigest().encode()
        self.assertIn(b"+OK 3", wire.ask(b"APOP %s %s" % (ANN.encode(), digest)))

    def test_AUTH_takes_PLAIN_an_initial_response_and_a_star(self):
        wire = self.world.connect()
        self.assertIn(b"cancelled", wire.ask(b"AUTH PLAIN", b"*"))
        self.assertIn(
            b"+OK 3", wire.ask(b"AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAZGVtbw==")
        )

    def test_wrong_arguments_do_not_end_the_connection(self):
        wire = self.world.connect()
        for line in (b"USER", b"AUTH PLAIN xx", b"AUTH PLAIN =", b"QUIT x"):
            self.assertTrue(wire.ask(line).startswith(b"-ERR"), line)
        wire.log_in()
        for line in (b"DELE x", b"LIST 1 2", b"DELE 99", b"RETR", b"TOP 1"):
            self.assertTrue(wire.ask(line).startswith(b"-ERR"), line)
        self.assertTrue(wire.ask(b"RETR  1").startswith(b"+OK"))
        self.assertFalse(wire.is_closed())

    def test_CAPA_tells_PIPELINING_and_nothing_made_up(self):
        tags = {
            row.split(b" ")[0]
            for row in body_of(self.world.connect().ask(b"CAPA")).split(b"\r\n")[:-1]
        }
        self.assertIn(b"PIPELINING", tags)
        self.assertEqual(
            tags & {b"PIPELINE", b"CELERITY", b"AUSPEX", b"POTENCE"}, set()
        )

    def test_a_bad_command_in_a_pipeline_is_answered(self):
        wire = self.world.logged_in()
        answer = wire.ask(b"STAT", b"bogus", b"STAT")
        self.assertEqual(
            [row[:4] for row in answer.split(b"\r\n")], [b"+OK ", b"-ERR", b"+OK ", b""]
        )
        self.world.clock.advance(600)
        self.assertTrue(wire.is_closed(), "the idle timer runs")

    def test_a_pipelined_STAT_waits_for_a_slow_password_check(self):
        login, waiting = self.world.authenticator.login_password, Deferred()

        async def slow(*args):
            await waiting
            return await login(*args)

        self.world.authenticator.login_password = slow
        wire = self.world.connect()
        self.assertEqual(wire.ask(b"USER " + ANN.encode(), b"PASS demo", b"STAT"), b"")
        waiting.callback(None)
        rows = wire.said().split(b"\r\n")
        self.assertEqual(len(rows), 4)
        self.assertTrue(all(row.startswith(b"+OK") for row in rows[:3]))

    def test_a_client_that_sent_all_it_has_to_say_is_answered(self):
        login, waiting = self.world.authenticator.login_password, Deferred()

        async def slow(*args):
            await waiting
            return await login(*args)

        self.world.authenticator.login_password = slow
        wire = self.world.connect()
        self.assertTrue(IHalfCloseableProtocol.providedBy(wire.protocol))
        wire.ask(b"USER " + ANN.encode(), b"PASS demo", b"DELE 1", b"STAT")
        wire.protocol.readConnectionLost()
        self.assertFalse(wire.is_closed())
        waiting.callback(None)
        self.assertRegex(wire.said(), rb"\r\n\+OK 2 \d+\r\n\Z")
        self.assertTrue(wire.is_closed())
        self.assertEqual(self.world.subjects(), 3, "there was no QUIT")

    def test_a_client_that_closed_its_side_is_let_go(self):
        for lines in ([], [b"AUTH PLAIN"]):
            wire = self.world.connect()
            wire.ask(*lines)
            wire.protocol.readConnectionLost()
            self.assertTrue(wire.is_closed(), lines)

    def test_a_dot_at_a_chunk_boundary_is_stuffed(self):
        for size in (16 * 1024, 64 * 1024, 128 * 1024):
            message = b"a: b\r\n\r\n".ljust(size - 2, b"x") + b"\r\n.\r\nDELE 1\r\n"
            world = World()
            world.put(message)
            answer = world.logged_in().ask(b"RETR 1")
            self.assertIn(b"\r\n..\r\nDELE 1\r\n.\r\n", answer)
            self.assertEqual(body_of(answer), message)

    def test_mail_with_CRLF_has_no_CR_CR_LF(self):
        self.assertNotIn(b"\r\r\n", self.world.logged_in().ask(b"RETR 1", b"TOP 1 9"))

    def test_TOP_with_a_blank_line_over_a_chunk_boundary(self):
        for size in range(16 * 1024 - 4, 16 * 1024 + 2):
            message = b"X: ".ljust(size, b"y") + b"\r\n\r\n" + b"line\r\n" * 5000
            world = World()
            world.put(message)
            answer = world.logged_in().ask(b"TOP 1 0")
            self.assertEqual(body_of(answer), message[: size + 4])

    def test_TOP_gives_a_long_line_whole(self):
        message = b"a: b\r\n\r\n" + b"z" * 40_012 + b"\r\nnext\r\n"
        world = World()
        world.put(message)
        self.assertEqual(body_of(world.logged_in().ask(b"TOP 1 1")), message[:40_022])

    def test_a_message_of_no_octets_is_a_message(self):
        world = World()
        world.put(b"")
        wire = world.logged_in()
        self.assertEqual(wire.ask(b"LIST"), b"+OK 1 messages\r\n1 0\r\n.\r\n")
        self.assertEqual(wire.ask(b"RETR 1"), b"+OK 0 octets\r\n.\r\n")

    def test_USER_after_login_is_refused(self):
        wire = self.world.logged_in()
        self.assertTrue(wire.ask(b"USER bob@example.test").startswith(b"-ERR"))
        self.assertTrue(wire.ask(b"STAT").startswith(b"+OK 3"))

    def test_no_answer_names_a_class_and_no_unknown_command_is_logged(self):
        wire = self.world.connect()
        answer = wire.ask(b"XYZZY", b"\xff\xfe", b"USER \xff", b"STAT", b"RETR x")
        for word in (b"Error", b"Exception", b"Fault", b"Traceback", b"twisted"):
            self.assertNotIn(word, answer)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_STLS_UTF8_LANG_and_response_codes_are_there(self):
        world = World(tls=object())
        rows = body_of(world.connect().ask(b"CAPA")).split(b"\r\n")
        for row in (b"STLS", b"UTF8 USER", b"LANG", b"RESP-CODES", b"AUTH-RESP-CODE"):
            self.assertIn(row, rows)

    def test_small_answers_are_not_held_back_by_the_network(self):
        self.assertTrue(self.world.connect().transport.no_delay)
