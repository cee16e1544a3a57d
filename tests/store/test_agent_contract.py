"""The whole contract with an agent's socket between test and store; and the codec."""

import os
import socket

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.errors import AuthUnavailable, MailboxUnreachable, MailError, OverQuota
from mailtwist.interfaces import IDelivery, IMessageSink
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes, IStore, IUpload
from mailtwist.mailbox.model import (
    INBOX,
    Changes,
    FlagAction,
    FlagChange,
    MailboxInfo,
    MessageRows,
    Range,
)
from mailtwist.mailbox.rights import Action, RightsChange
from mailtwist.store.agent.agents import Agents
from mailtwist.store.agent.codec import NotOurs, packed, unpacked
from mailtwist.store.agent.served import StoreServer
from mailtwist.store.agent.shared_limit import SharedLimits
from mailtwist.store.agent.store import AgentStore
from mailtwist.store.memory import MemoryStore

from .contract import StoreContract
from .on_disk import OnDisk


class OverSocket:
    """Comes before a StoreContract: what would be an agent is in this process."""

    own_uid = 1  # of nobody in these tests

    def make_store(self):
        self.behind = super().make_store()
        self.servers = []
        self.agents = Agents(reactor, self.spawn, most=9, idle_s=60.0)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.agents.close()))
        shared = SharedLimits(execute, "4.2.2")
        return AgentStore(self.behind, self.agents, lambda: self.own_uid, shared)

    def account_of(self, *arguments, **named):
        return evolve(super().account_of(*arguments, **named), uid=7001, gid=7001)

    def spawn(self, uid, gid, spool):
        """What the root side does, without a process."""
        ours, theirs = socket.socketpair()
        server = StoreServer(self.behind)
        self.servers.append(server)
        reactor.adoptStreamConnection(
            theirs.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: server)
        )
        theirs.close()
        done = Deferred()
        reactor.callLater(0, done.callback, ours.detach())
        return done

    async def crash(self):
        """The agent is gone without a word."""
        lost = Deferred()
        (known,) = self.agents._known.values()
        known.when_lost.append(lambda: lost.callback(None))
        self.servers[-1].transport.abortConnection()
        await lost
        self.agents._failed.clear()


class InMemory:
    def make_store(self):
        return MemoryStore()


class AgentOverMemoryTests(OverSocket, InMemory, StoreContract, TestCase):
    timeout = 10

    async def test_interfaces(self):
        verifyObject(IStore, self.store)
        verifyObject(IMailboxes, self.tree)
        verifyObject(IMailbox, await self.open(INBOX))
        upload = self.tree.upload()
        verifyObject(IUpload, upload)
        upload.abort()
        delivery = self.store.delivery()
        verifyObject(IDelivery, delivery)


class AgentOverMaildirTests(OverSocket, OnDisk, StoreContract, TestCase):
    """The store that agents run."""

    async def test_an_open_mailbox_outlives_its_agent(self):
        await self.put()
        mailbox = await self.open()
        before = await mailbox.rows()
        await self.crash()
        self.assertEqual(await mailbox.rows(), before)
        self.assertEqual(len(self.servers), 2)

    async def test_an_open_mailbox_whose_agent_cannot_start_fails_for_now(self):
        mailbox = await self.open()
        await self.crash()
        self.patch(self.agents, "_spawn", lambda *_: fail(MailboxUnreachable()))
        for _ in range(2):  # it fails to start, and then is not tried
            await self.faulty(MailboxUnreachable, mailbox.rows())
        self.agents._failed.clear()
        self.patch(self.agents, "_spawn", self.spawn)
        self.assertEqual((await mailbox.rows()).uids, [])

    async def test_a_watcher_is_told_to_look_when_the_agent_is_gone(self):
        mailbox = await self.open()
        told = []
        mailbox.watch(told.append)
        await self.crash()
        self.assertEqual(told, [0])
        await mailbox.changes(0)  # opens it again, and watches
        await self.put()
        await self.until(lambda: len(told) > 1, "the change")

    async def test_a_watch_of_the_account_is_lost_with_the_agent(self):
        told, end = await self.watched()
        await self.crash()
        self.assertEqual(told, ["lost"])
        end()
        again, _ = await self.watched()
        await self.told_of(again, INBOX, self.put())

    async def test_an_agent_ends_what_its_sessions_watched(self):
        _, end = await self.watched()
        held = self.tree.reach().held
        end()
        self.assertEqual(self.tree.reach().held, held - 1)
        await self.tree.status(INBOX)  # the agent has heard of the end
        self.assertEqual(self.servers[-1]._watches, {})

    async def test_a_message_in_flight_fails_for_now(self):
        await self.tree.status(INBOX)
        sink = self.store.delivery().begin(self.envelope())
        sink.write(b"Subject: half\r\n")
        await self.crash()
        fault = await self.faulty(MailboxUnreachable, sink.commit())
        self.assertTrue(fault.temporary)
        self.assertEqual(await self.deliver(self.account), [None])
        self.assertEqual((await self.tree.status(INBOX)).messages, 1)

    def envelope(self):
        to = LocalRecipient(Address.parse(self.name), self.account)
        return Envelope("m1", "s1", None, (to,))

    async def test_a_large_message_waits_for_the_agent(self):
        sink = self.store.delivery().begin(self.envelope())
        verifyObject(IMessageSink, sink)
        waited = 0
        for _ in range(64):
            wait = sink.write(b"x" * 65_534 + b"\r\n")
            if wait is not None:
                waited += 1
                await wait
        self.assertEqual(await sink.commit(), [None])
        self.assertGreater(waited, 2)
        self.assertEqual((await self.tree.status(INBOX)).messages, 1)


INTEGERS = st.integers(0, 2**63 - 1)
FLAGS = st.frozensets(st.text(max_size=5), max_size=3)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(),
    st.binary(),
    st.builds(Range, st.integers(1), st.integers(0), st.none() | st.integers(0)),
    st.builds(FlagChange, st.sampled_from(FlagAction), FLAGS),
    st.builds(
        MailboxInfo,
        st.lists(st.text(), min_size=1).map(tuple),
        st.text(),
        st.booleans(),
    ),
    st.builds(
        Changes,
        st.integers(0),
        st.builds(
            MessageRows,
            st.lists(INTEGERS),
            st.lists(INTEGERS),
            flags=st.lists(FLAGS),
            octets=st.lists(INTEGERS),
        ),
        st.lists(INTEGERS, max_size=40),
    ),
    st.dictionaries(
        st.lists(st.text()).map(tuple), st.dictionaries(st.text(), FLAGS), max_size=3
    ),
    st.builds(RightsChange, st.sampled_from(Action), FLAGS),
)


class CodecTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(st.lists(VALUES) | VALUES | st.lists(VALUES).map(tuple))
    def test_what_is_read_is_what_was_written(self, value):
        frame = packed(value)
        self.assertEqual(int.from_bytes(frame[:4]), len(frame) - 4)
        self.assertEqual(unpacked(frame[4:]), value)

    @settings(max_examples=100, deadline=None)
    @given(st.binary() | st.lists(VALUES).map(packed).map(lambda frame: frame[5:]))
    def test_whatever_comes_is_read_or_refused(self, octets):
        try:
            unpacked(octets)
        except NotOurs:
            return

    def test_what_no_codec_wrote_is_refused(self):
        for text, why in (
            (b'{"value":["Config"]}', "a value that is not one of the interfaces'"),
            (b'{"value":["Range",1,2,3,4]}', "more fields than there are"),
            (b'{"fault":["SystemExit","4.0.0",""]}', "a fault that is none"),
            (b'{"octets":9}', "more octets than came"),
            (b'{"octets":-1}', "less than none"),
            (b'{"numbers":1}', "half a number"),
            (b'{"rows":[[],0,0,0,0]}', "a column is missing"),
            (b'{"shell":"true"}', "an unknown tag"),
            (b"[" * 100_000, "too deep"),
            (b"{}", "no tag"),
            (b"", "nothing"),
        ):
            frame = len(text).to_bytes(4) + text
            self.assertRaises(NotOurs, unpacked, frame)
            del why

    def test_a_fault_keeps_its_class_status_and_words(self):
        fault = unpacked(packed(OverQuota("No room", status="5.2.2"))[4:])
        self.assertIs(type(fault), OverQuota)
        self.assertEqual((fault.status, fault.public), ("5.2.2", "No room"))

    def test_a_fault_of_a_kind_that_is_not_known_is_the_kind_above(self):
        class Odd(AuthUnavailable):
            pass

        self.assertIs(type(unpacked(packed(Odd())[4:])), AuthUnavailable)

    def test_a_bug_is_not_sent(self):
        self.assertRaises(TypeError, packed, ValueError("secret"))
        self.assertRaises(TypeError, packed, os.environ)
        self.assertIsInstance(unpacked(packed(MailError())[4:]), MailError)
