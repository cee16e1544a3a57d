"""INPROGRESS (RFC 9585): a long command says that it goes on, between its lines."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.server import PROGRESS_S
from mailtwist.store.memory import MemoryMailboxes
from mailtwist.store.memory_mailbox import MemoryMailbox

from .room import HELLO, Room


class ProgressTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.selected(messages=1)
        self.client.hear()

    def hold(self, owner, name):
        """Calls of owner.name wait for the last Deferred in the list."""
        waiting, method = [], getattr(owner, name)

        async def held(*args, **kwargs):
            waiting.append(Deferred())
            await waiting[-1]
            return await method(*args, **kwargs)

        self.patch(owner, name, held)
        return waiting

    def test_a_long_copy_is_told_with_its_tag_every_ten_seconds(self):
        waiting = self.hold(MemoryMailbox, "copy")
        self.client.send(b"c COPY 1 INBOX\r\n")
        self.room.clock.advance(PROGRESS_S - 1)
        self.assertEqual(self.client.hear(), [])
        for _ in range(2):
            self.room.clock.advance(PROGRESS_S)
            self.assertEqual(
                self.client.hear(),
                [b'* OK [INPROGRESS ("c" NIL NIL)] Still at work'],
            )
        waiting.pop().callback(None)
        self.assertTrue(self.client.hear()[-1].startswith(b"c OK [COPYUID "))
        self.room.clock.advance(PROGRESS_S * 3)
        self.assertEqual(self.client.hear(), [])

    def test_a_tag_that_a_code_cannot_hold_is_left_out(self):
        waiting = self.hold(MemoryMailboxes, "listed")
        self.client.send(b'a]b LIST "" *\r\n')
        self.room.clock.advance(PROGRESS_S)
        self.assertEqual(
            self.client.hear(), [b"* OK [INPROGRESS (NIL NIL NIL)] Still at work"]
        )
        waiting.pop().callback(None)

    def test_no_word_comes_between_the_octets_of_a_message(self):
        body = HELLO + b"0123456789abcdef\r\n" * 40_000
        self.client.append(body)
        self.client.ask("NOOP")
        octets = MemoryMailbox.octets
        waiting, calls = Deferred(), []

        async def held(mailbox, ranges):
            calls.append(ranges)
            if len(calls) == 3:
                await waiting
            return await octets(mailbox, ranges)

        self.patch(MemoryMailbox, "octets", held)
        self.client.send(b"f FETCH 2 BODY.PEEK[]\r\n")
        self.room.clock.advance(PROGRESS_S * 2)
        waiting.callback(None)
        for _ in range(10):
            self.room.settle()
        said = self.client.hear()
        self.assertEqual(said[0], b"* 2 FETCH (BODY[] {%d}\r\n%b)" % (len(body), body))
        self.assertEqual(said[-1], b"f OK FETCH completed")

    def test_nothing_is_told_before_login_or_while_the_client_is_asked(self):
        client = self.room.connect()
        client.hear()
        client.send(b"a AUTHENTICATE ASK\r\n")
        client.hear()
        self.room.clock.advance(PROGRESS_S)
        self.assertEqual(client.hear(), [])

    def test_a_client_that_leaves_leaves_no_timer(self):
        self.hold(MemoryMailboxes, "listed")
        self.client.send(b'a LIST "" *\r\n')
        self.room.clock.advance(PROGRESS_S)
        self.client.transport.connected = False
        self.client.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.room.clock.getDelayedCalls(), [])
