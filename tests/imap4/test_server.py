from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from mailtwist.imap4.factory import IMAP4Factory
from mailtwist.imap4.server import LAST_WORDS_S
from mailtwist.store.memory import MemoryMailboxes
from mailtwist.store.memory_mailbox import MemoryMailbox
from tests.transcript import MemoryTransport

from .room import HELLO, Accounts, Client, Room, small


class HeldTestCase(SynchronousTestCase):
    """A room in which a method of the store can be made to wait."""

    def setUp(self):
        self.room = Room()

    def hold(self, owner, name):
        """Calls of owner.name wait for the Deferreds that are put into the list."""
        waiting, method = [], getattr(owner, name)

        async def held(*args, **kwargs):
            waiting.append(Deferred())
            await waiting[-1]
            return await method(*args, **kwargs)

        self.patched = self.patch(owner, name, held)
        return waiting


class OrderTests(HeldTestCase):
    def test_pipelined_commands_are_answered_in_order_however_long_one_takes(self):
        client = self.room.login()
        client.append()
        waiting = self.hold(MemoryMailboxes, "open")
        client.send(b"a SELECT INBOX\r\nb FETCH 1 UID\r\nc NOOP\r\n")
        self.assertEqual(client.hear(), [])
        waiting.pop().callback(None)
        self.assertEqual(
            [line for line in client.hear() if not line.startswith(b"* ")],
            [
                b"a OK [READ-WRITE] SELECT completed",
                b"b OK FETCH completed",
                b"c OK NOOP completed",
            ],
        )

    def test_answers_to_one_segment_go_out_in_one_write(self):
        client = self.room.login()
        written = []
        client.transport.write = written.append
        client.send(b"a NOOP\r\nb NOOP\r\nc CAPABILITY\r\n")
        self.assertEqual(len(written), 1)

    def test_reading_is_paused_while_much_is_pipelined(self):
        client = self.room.login()
        waiting = self.hold(MemoryMailboxes, "listed")
        client.send(b'a LIST "" *\r\n')
        client.send(b"b NOOP\r\n" * 10_000)
        self.assertEqual(client.transport.producerState, "paused")
        waiting.pop().callback(None)
        self.room.settle()
        self.assertEqual(client.transport.producerState, "producing")
        self.assertEqual(client.hear().count(b"b OK NOOP completed"), 10_000)


class LostTests(HeldTestCase):
    """The client goes away: nothing stays open, whatever was under way."""

    def lose(self, client):
        client.transport.connected = False
        client.protocol.connectionLost(Failure(ConnectionLost()))
        self.room.settle()

    def check_nothing_left(self):
        self.assertFalse(self.room.folder()._watchers)
        self.assertEqual(self.room.accounts.logouts, 1)
        self.assertEqual(self.room.factory.sessions, set())
        self.assertEqual(self.room.clock.getDelayedCalls(), [])

    def test_idle_and_between_commands(self):
        for last in (b"", b"a IDLE\r\n", b"a FETCH 1 (FL", b"a APPEND INBOX {9}\r\nx"):
            self.setUp()
            client = self.room.selected()
            client.send(last)
            self.lose(client)
            self.check_nothing_left()

    def test_in_the_middle_of_commands(self):
        for owner, name, command in (
            (MemoryMailbox, "rows", b"a FETCH 1:* UID\r\n"),
            (MemoryMailbox, "octets", b"a FETCH 1 BODY[]\r\n"),
            (MemoryMailbox, "changes", b"a IDLE\r\n"),
            (MemoryMailboxes, "open", b"a SELECT INBOX\r\n"),
            (MemoryMailbox, "status", b"a SELECT INBOX\r\n"),
            (MemoryMailboxes, "append", b"a APPEND INBOX {1+}\r\nx\r\n"),
        ):
            self.setUp()
            client = self.room.selected(messages=1)
            waiting = self.hold(owner, name)
            client.send(command)
            self.assertEqual(len(waiting), 1, command)
            self.lose(client)
            self.check_nothing_left()
            self.patched.restore()

    def test_in_the_middle_of_a_login(self):
        client = self.room.connect()
        client.send(b"a AUTHENTICATE ASK\r\n")
        self.lose(client)
        self.assertEqual(self.room.accounts.logouts, 0)
        self.assertEqual(self.room.clock.getDelayedCalls(), [])

    def test_in_the_middle_of_a_slow_password_check(self):
        waiting = self.hold(Accounts, "login_password")
        client = self.room.connect()
        client.send(b"a LOGIN ann demo\r\n")
        self.assertEqual(len(waiting), 1)
        self.lose(client)
        self.assertEqual(self.room.clock.getDelayedCalls(), [])

    def test_a_client_that_half_closes_gets_its_answers(self):
        client = self.room.login()
        client.hear()
        waiting = self.hold(MemoryMailboxes, "listed")
        client.send(b'a LIST "" *\r\nb NOOP\r\n')
        client.protocol.readConnectionLost()
        self.assertFalse(client.is_closed())
        waiting.pop().callback(None)
        self.assertEqual(client.hear()[-1], b"b OK NOOP completed")
        self.assertTrue(client.is_closed())

    def test_half_closed_in_authenticate_or_idle(self):
        for command in (b"a AUTHENTICATE ASK\r\n", b"a LOGIN ann demo\r\na IDLE\r\n"):
            client = self.room.connect()
            client.send(command)
            client.protocol.readConnectionLost()
            self.assertTrue(client.is_closed())


class TimerTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room(config=small(login_s=60, idle_s=1800, stalled_s=300))
        self.clock = self.room.clock

    def wait(self, seconds):
        """Time passes in steps, as a reactor has it."""
        for _ in range(int(seconds)):
            self.clock.advance(1)

    def test_time_to_log_in_is_limited_whatever_is_said(self):
        client = self.room.connect()
        client.hear()
        for _ in range(5):
            self.wait(11)
            self.assertEqual(client.ask("NOOP"), [b"OK NOOP completed"])
        self.wait(6)
        self.assertEqual(client.hear(), [b"* BYE Waited too long for you"])
        self.assertTrue(client.is_closed())

    def test_autologout_counts_from_the_last_octet(self):
        client = self.room.login()
        self.wait(1700)
        client.ask("NOOP")
        self.wait(1799)
        self.assertFalse(client.is_closed())
        self.wait(2)
        self.assertEqual(client.hear(), [b"* BYE Waited too long for you"])
        self.assertTrue(client.is_closed())
        self.assertEqual(self.room.accounts.logouts, 1)

    def test_idle_is_logged_out_too(self):
        client = self.room.selected()
        client.send(b"a IDLE\r\n")
        self.wait(1801)
        self.assertEqual(client.hear()[-1], b"* BYE Waited too long for you")
        self.assertTrue(client.is_closed())

    def test_a_client_that_does_not_read_is_cut_off(self):
        client = self.room.selected()
        client.protocol.pauseProducing()  # the transport is full
        self.wait(299)
        self.assertFalse(client.is_closed())
        self.wait(2)
        self.assertTrue(client.is_closed())

    def test_a_client_that_reads_in_time_is_not(self):
        client = self.room.selected()
        for _ in range(5):
            client.protocol.pauseProducing()
            self.wait(200)
            client.protocol.resumeProducing()
        self.assertFalse(client.is_closed())

    def test_one_that_does_not_take_bye_is_cut_off(self):
        client = self.room.login()
        cut = []
        client.transport.loseConnection = lambda: None
        client.transport.abortConnection = lambda: cut.append(self.clock.seconds())
        client.send(b"a LOGOUT\r\n")
        self.wait(LAST_WORDS_S + 5)
        self.assertEqual(cut, [LAST_WORDS_S])


class BackPressureTests(SynchronousTestCase):
    def test_nothing_is_read_for_a_client_that_is_slow(self):
        room = Room()
        client = room.selected(messages=1)
        for _ in range(20):
            client.append(HELLO + b"x" * 100_000)
        client.ask("NOOP")
        reads = []
        octets = MemoryMailbox.octets

        async def noted(mailbox, ranges):
            reads.append(len(ranges))
            return await octets(mailbox, ranges)

        self.patch(MemoryMailbox, "octets", noted)
        client.protocol.pauseProducing()
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        self.assertEqual(len(reads), 1)
        for most in range(2, 20):
            client.protocol.resumeProducing()
            if len(reads) < most:
                break
            client.protocol.pauseProducing()
        self.assertEqual(client.hear()[-1], b"a OK FETCH completed")
        self.assertEqual(sum(reads), 21)

    def test_long_work_lets_others_have_a_turn(self):
        room = Room(clock=Slow())
        client = room.selected(messages=3)
        client.protocol._slice = -1.0
        room.clock.step = 0.006
        client.transport.clear()
        client.read = 0
        client.protocol.dataReceived(b"a FETCH 1 UID\r\nb FETCH 2 UID\r\n")
        self.assertNotIn(b"b OK", client.transport.value())
        room.clock.step = 0.0
        self.assertEqual(client.hear()[-1], b"b OK FETCH completed")


class Slow(Clock):
    """A clock on which every look takes `step` seconds."""

    step = 0.0

    def seconds(self):
        self.rightNow += self.step
        return super().seconds()


class EndTests(HeldTestCase):
    def test_stop_says_bye_to_who_waits_at_once(self):
        clients = [self.room.connect(), self.room.login(), self.room.selected()]
        clients[2].send(b"a IDLE\r\n")
        asking = self.room.connect()
        asking.send(b"a AUTHENTICATE ASK\r\n")
        self.room.factory.stop()
        for client in (*clients, asking):
            self.assertEqual(
                client.hear()[-1], b"* BYE [UNAVAILABLE] Server is stopping"
            )
            self.assertTrue(client.is_closed())
        self.assertEqual(self.room.factory.sessions, set())
        self.assertEqual(self.room.accounts.logouts, 2)

    def test_stop_lets_a_command_end(self):
        client = self.room.login()
        client.hear()
        waiting = self.hold(MemoryMailboxes, "listed")
        client.send(b'a LIST "" *\r\nb NOOP\r\n')
        self.room.factory.stop()
        self.assertFalse(client.is_closed())
        waiting.pop().callback(None)
        self.assertEqual(
            client.hear()[-2:],
            [b"a OK LIST completed", b"* BYE [UNAVAILABLE] Server is stopping"],
        )
        self.assertTrue(client.is_closed())

    def test_stop_comes_behind_news_on_their_way_to_an_idle_client(self):
        client = self.room.selected()
        waiting = self.hold(MemoryMailbox, "changes")
        client.send(b"a IDLE\r\n")
        self.assertEqual(len(waiting), 1)
        self.room.factory.stop()
        self.assertFalse(client.is_closed())
        waiting.pop().callback(None)
        self.assertEqual(client.hear()[-1], b"* BYE [UNAVAILABLE] Server is stopping")
        self.assertTrue(client.is_closed())

    def test_too_many_bad_commands_end_it(self):
        room = Room(config=small(errors=3))
        client = room.login()
        client.hear()
        client.send(b"a FOO\r\nb FOO\r\nc FOO\r\nd NOOP\r\n")
        lines = client.hear()
        self.assertEqual(lines[-1], b"* BYE Too many errors")
        self.assertEqual(len(lines), 4)
        self.assertTrue(client.is_closed())

    def test_what_cannot_be_read_any_more_ends_it(self):
        room = Room(config=small(message_octets=65536))
        client = room.login()
        client.hear()
        client.send(b"a APPEND INBOX {9999999999+}\r\n")
        lines = client.hear()
        self.assertTrue(lines[-1].startswith(b"* BYE "), lines)
        self.assertTrue(client.is_closed())

    def test_a_bug_is_told_without_its_cause_and_the_session_goes_on(self):
        client = self.room.login()
        client.hear()

        async def broken(mailboxes):
            raise ZeroDivisionError("secret")

        self.patch(MemoryMailboxes, "listed", broken)
        self.assertEqual(
            client.ask('LIST "" *'),
            [b"NO [SERVERBUG] Internal error, try again later"],
        )
        self.assertEqual(client.ask("NOOP"), [b"OK NOOP completed"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_line_for_a_peer_too_many(self):
        self.assertTrue(IMAP4Factory.too_many.startswith(b"* BYE [UNAVAILABLE] "))


class TlsTests(SynchronousTestCase):
    def test_implicit_tls_is_seen(self):
        room = Room(tls=object())
        room.accounts.plaintext_without_tls = False
        transport = MemoryTransport()
        directlyProvides(transport, ISSLTransport)
        client = Client(room, transport)
        (greeting,) = client.hear()
        self.assertNotIn(b"STARTTLS", greeting)
        self.assertNotIn(b"LOGINDISABLED", greeting)
        self.assertIn(b"OK [CAPABILITY", client.ask("LOGIN ann demo")[0])
