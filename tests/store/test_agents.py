"""Agents are started when wanted, limited in number, and ended when idle."""

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.directory.model import Account
from mailtwist.errors import MailboxUnreachable, SystemBusy
from mailtwist.mailbox.model import INBOX
from mailtwist.store.agent import agents
from mailtwist.store.agent.codec import MOST_OCTETS, packed
from mailtwist.store.agent.frames import Frames
from mailtwist.store.agent.served import StoreServer
from mailtwist.store.agent.store import AgentStore
from mailtwist.store.memory import MemoryStore

ANN = Account("ann@example.test", "/home/ann", uid=7001, gid=7001)
BOB = Account("bob@example.test", "/home/bob", uid=7002, gid=7002)


class StartTests(SynchronousTestCase):
    """Starts that come to nothing, with a clock."""

    def make(self, spawn, most=1):
        self.clock = Clock()
        return agents.Agents(self.clock, spawn, most=most, idle_s=60.0)

    def test_starts_that_fail_are_tried_more_and_more_rarely(self):
        tried = []

        def spawn(uid, gid, spool):
            tried.append(self.clock.seconds())
            return fail(MailboxUnreachable())

        made = self.make(spawn)
        for _ in range(400):
            try:
                made.connection(ANN)
            except MailboxUnreachable:
                self.clock.advance(0.25)
        pauses = [b - a for a, b in zip(tried, tried[1:], strict=False)]
        self.assertEqual(pauses[:3], [0.25, 0.5, 1.0])
        self.assertEqual(max(pauses), agents.MOST_PAUSE_S)

    def test_what_waits_for_an_agent_that_cannot_start_fails_for_now(self):
        starting = Deferred()
        asked = self.make(lambda uid, gid, spool: starting).connection(ANN).call("tree")
        self.assertNoResult(asked)
        starting.errback(MailboxUnreachable())
        self.failureResultOf(asked, MailboxUnreachable)

    def test_one_that_does_not_answer_is_given_up(self):
        made = self.make(lambda uid, gid, spool: Deferred())
        connection = made.connection(ANN)
        asked = connection.call("tree")
        self.clock.advance(120)
        self.failureResultOf(asked, MailboxUnreachable)
        self.assertIsNot(made.connection(BOB), connection)

    def test_there_are_no_more_than_allowed(self):
        made = self.make(lambda uid, gid, spool: Deferred())
        made.connection(ANN).held += 1
        self.assertRaises(SystemBusy, made.connection, BOB)

    def test_an_account_without_a_uid_has_no_agent(self):
        made = self.make(lambda uid, gid, spool: Deferred())
        self.assertRaises(
            MailboxUnreachable, made.connection, Account("c@example.test", "/c")
        )


class RunningTests(TestCase):
    timeout = 10

    def setUp(self):
        self.memory, self.servers, self.spawned = MemoryStore(), [], []
        self.agents = agents.Agents(reactor, self.spawn, most=1, idle_s=60.0)
        self.store = AgentStore(self.memory, self.agents)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.agents.close()))

    def spawn(self, uid, gid, spool):
        self.spawned.append(uid)
        ours, theirs = socket.socketpair()
        server = StoreServer(self.memory, forward=self.forward)
        self.servers.append(server)
        reactor.adoptStreamConnection(
            theirs.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: server)
        )
        theirs.close()
        done = Deferred()
        reactor.callLater(0, done.callback, ours.detach())
        return done

    async def forward(self, account, names):
        return f"{account.home}/{names[0]}", "bob"

    async def test_an_idle_one_makes_room_for_another(self):
        await self.store.mailboxes(ANN).status(INBOX)
        await self.store.mailboxes(BOB).status(INBOX)
        await self.store.mailboxes(ANN).status(INBOX)
        self.assertEqual(self.spawned, [7001, 7002, 7001])

    async def test_one_that_dies_after_it_served_is_started_again_soon(self):
        for _ in range(4):
            await self.store.mailboxes(ANN).status(INBOX)
            lost = Deferred()
            connection = self.agents.connection(ANN)
            connection.when_lost.append(lambda lost=lost: lost.callback(None))
            self.servers[-1].transport.abortConnection()
            await lost
            (failed,) = self.agents._failed.values()
            wait_s = failed.next_s - reactor.seconds()
            self.assertLessEqual(wait_s, agents.FIRST_PAUSE_S)
            with self.assertRaises(MailboxUnreachable):
                self.agents.connection(ANN)
            failed.next_s = 0.0

    async def test_one_with_an_open_mailbox_stays(self):
        mailbox = await self.store.mailboxes(ANN).open(INBOX)
        with self.assertRaises(SystemBusy):
            await self.store.mailboxes(BOB).status(INBOX)
        await mailbox.close()
        await self.store.mailboxes(BOB).status(INBOX)

    async def test_it_reads_the_lists_of_its_user(self):
        asked = self.agents.connection(ANN).call("forward", ANN, [".forward"])
        self.assertEqual(await asked, ("/home/ann/.forward", "bob"))

    async def test_what_it_logs_is_in_our_log(self):
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        await self.store.mailboxes(ANN).status(INBOX)
        self.servers[0].send([0, "log", ["warn", "disk {is} slow"]])
        await self.store.mailboxes(ANN).status(INBOX)
        told = [line["text"] for line in lines if "text" in line]
        self.assertEqual(told, ["disk {is} slow"])

    async def test_it_cannot_fill_our_log(self):
        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        await self.store.mailboxes(ANN).status(INBOX)
        for _ in range(1000):
            self.servers[0].send([0, "log", ["info", "x" * 10_000]])
        await self.store.mailboxes(ANN).status(INBOX)
        told = [line["text"] for line in lines if "text" in line]
        self.assertEqual(len(told), agents.MOST_LINES)
        self.assertEqual({len(text) for text in told}, {agents.MOST_LINE})

    async def test_what_no_agent_says_ends_the_connection(self):
        for value in ([0], "word", [0, "log", [7]], {"rows": 1}, [0, [], 1]):
            await self.store.mailboxes(ANN).status(INBOX)
            connection = self.agents.connection(ANN)
            lost = Deferred()
            connection.when_lost.append(lambda lost=lost: lost.callback(None))
            if isinstance(value, dict):
                self.servers[-1].transport.write((MOST_OCTETS + 1).to_bytes(4))
            else:
                self.servers[-1].send(value)
            await lost
            self.agents._failed.clear()

    async def test_any_split_of_frames_is_read(self):
        values = [[1, "two", b"three"], [b"x" * 5000], "four"]
        stream = b"".join(map(packed, values))
        for size in (1, 3, 4096, len(stream)):
            heard = Heard()
            for at in range(0, len(stream), size):
                heard.dataReceived(stream[at : at + size])
            self.assertEqual(heard.heard, values)


class Heard(Frames):
    def __init__(self):
        super().__init__()
        self.heard = []

    def received(self, value):
        self.heard.append(value)
