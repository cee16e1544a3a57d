"""ManageSieve sessions in memory: what happens when things go wrong or take long."""

from base64 import b64encode

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.sieve import Sieve
from mailtwist.errors import StorageFull
from mailtwist.manage_sieve.grammar import parse
from mailtwist.manage_sieve.server import STALLED_S, ManageSieveFactory
from mailtwist.manage_sieve.session import Offer
from mailtwist.sieve.check import compiled
from tests.pop3.world import WaryTransport, World
from tests.transcript import MemoryWire

LOGIN = b'AUTHENTICATE "PLAIN" "%b"' % b64encode(b"\0ann@example.test\0demo")


async def check(octets):
    return compiled(octets)


class Wire(MemoryWire):
    """One client; `said` gives what came since it was last asked."""

    def __init__(self, factory):
        super().__init__(factory.buildProtocol(None), WaryTransport())
        self.at = 0

    def said(self):
        value = self.transport.value()
        new, self.at = value[self.at :], len(value)
        return new

    def ask(self, *lines):
        self.said()
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.said()


class ServerTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.tree = self.world.tree()
        self.factory = ManageSieveFactory(
            reactor=self.world.clock,
            config=Sieve(script_octets=2000, scripts=3, session_errors=3),
            hostname="mx.example.test",
            authenticator=self.world.authenticator,
            tls=None,
            offer=Offer(("fileinto",), 5, 3, 2000, check, lambda account: self.tree),
        )
        self.wire = Wire(self.factory)

    def logged_in(self):
        self.assertEqual(self.wire.ask(LOGIN), b'OK "logged in"\r\n')
        return self.wire

    def test_the_greeting_tells_what_there_is(self):
        told = self.wire.said()
        self.assertTrue(told.startswith(b'"IMPLEMENTATION" "mailtwist"\r\n'))
        self.assertIn(b'"SIEVE" "fileinto"\r\n', told)
        self.assertNotIn(b"STARTTLS", told)
        self.assertNotIn(b"NOTIFY", told)
        self.assertTrue(told.endswith(b'OK "mx.example.test ManageSieve ready"\r\n'))

    def test_scripts_are_the_accounts(self):
        wire = self.logged_in()
        self.assertEqual(
            wire.ask(b'PUTSCRIPT "a" "keep;"', b'SETACTIVE "a"', b"LISTSCRIPTS"),
            b'OK "done"\r\nOK "done"\r\n"a" ACTIVE\r\nOK\r\n',
        )
        self.assertEqual(self.tree.active, b"keep;")

    def test_a_wrong_password_is_told_after_its_delay(self):
        wrong = b'AUTHENTICATE "PLAIN" "%b"' % b64encode(b"\0ann@example.test\0no")
        self.assertEqual(self.wire.ask(wrong), b"")
        self.world.clock.advance(10)
        self.assertEqual(self.wire.said(), b'NO "Authentication failed"\r\n')
        self.logged_in()

    def test_a_client_takes_its_login_back(self):
        self.assertEqual(self.wire.ask(b'AUTHENTICATE "PLAIN"'), b'""\r\n')
        self.assertTrue(self.wire.ask(b'"*"').startswith(b"NO"))
        self.assertEqual(self.wire.ask(b'AUTHENTICATE "PLAIN"'), b'""\r\n')
        said = self.wire.ask(b'"%b"' % b64encode(b"\0ann@example.test\0demo"))
        self.assertEqual(said, b'OK "logged in"\r\n')

    def test_wrong_commands_have_a_limit(self):
        self.wire.ask(b"NONSENSE", b"NONSENSE")
        said = self.wire.ask(b"NONSENSE")
        self.assertTrue(said.endswith(b'BYE (TRYLATER) "too many errors"\r\n'))
        self.assertFalse(self.wire.transport.connected)

    def test_a_storage_that_is_full_is_told_and_the_session_goes_on(self):
        wire = self.logged_in()

        async def full(*arguments):
            raise StorageFull()

        self.patch(self.tree, "put_script", full)
        self.assertTrue(wire.ask(b'PUTSCRIPT "a" "keep;"').startswith(b"NO (TRYLATER)"))
        self.assertTrue(wire.ask(b"NOOP").startswith(b"OK"))

    def test_a_fault_of_ours_is_logged_and_told_as_one(self):
        wire = self.logged_in()

        async def broken():
            raise KeyError

        self.patch(self.tree, "scripts", broken)
        told = wire.ask(b"LISTSCRIPTS")
        self.assertEqual(told, b'NO (TRYLATER) "Internal error, try again later"\r\n')
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_silent_client_is_logged_out(self):
        self.logged_in()
        self.world.clock.advance(Sieve().session_idle_s + 1)
        self.assertEqual(self.wire.said(), b'BYE (TRYLATER) "idle too long"\r\n')
        self.assertFalse(self.wire.transport.connected)

    def test_a_connection_that_is_lost_in_a_command_ends_it(self):
        wire = self.logged_in()
        waiting = Deferred()

        async def slow():
            await waiting
            return []

        self.patch(self.tree, "scripts", slow)
        self.assertEqual(wire.ask(b"LISTSCRIPTS", b"NOOP"), b"")
        wire.transport.loseConnection()
        self.assertTrue(waiting.called)  # cancelled
        self.assertEqual(self.factory.sessions, set())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_what_is_pipelined_has_a_limit(self):
        wire = self.logged_in()
        waiting = Deferred()

        async def slow():
            await waiting
            return []

        self.patch(self.tree, "scripts", slow)
        wire.ask(b"LISTSCRIPTS")
        wire.send(b"NOOP\r\n" * 20_000)
        self.assertEqual(wire.transport.producerState, "paused")
        waiting.callback(None)
        self.assertEqual(wire.said().count(b"\r\n"), 20_001)
        self.assertEqual(wire.transport.producerState, "producing")

    def test_a_client_that_does_not_read_is_cut_off(self):
        self.logged_in()
        self.wire.transport.producer.pauseProducing()
        self.world.clock.advance(STALLED_S + 1)
        self.assertTrue(self.wire.transport.aborted)

    def test_a_server_that_stops_says_bye(self):
        self.logged_in()
        self.factory.stop()
        self.assertEqual(self.wire.said(), b'BYE (TRYLATER) "server stops"\r\n')

    def test_no_password_is_in_the_representation_of_a_command(self):
        self.assertNotIn("demo", repr(parse(LOGIN)))
