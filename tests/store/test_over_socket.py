"""The mailbox interface over a real socket: nothing in it needs one process."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.errors import MailError, OverQuota
from mailtwist.mailbox.model import (
    Changes,
    FlagAction,
    FlagChange,
    MailboxInfo,
    MessageRows,
    Range,
)
from mailtwist.store.memory import MemoryStore

from .contract import StoreContract
from .over_socket import RemoteStore, StoreClient, StoreServerFactory, decode, encode


class OverSocketTests(StoreContract, TestCase):
    """The whole contract, with a loopback connection between test and store."""

    def setUp(self):
        return Deferred.fromCoroutine(self.connect())

    async def connect(self):
        port = reactor.listenTCP(
            0, StoreServerFactory(MemoryStore()), interface="127.0.0.1"
        )
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        self.client = await connectProtocol(endpoint, StoreClient())
        self.addCleanup(port.stopListening)
        self.addCleanup(self.hang_up)
        super().setUp()

    def hang_up(self):
        self.client.transport.loseConnection()
        return self.client.lost

    def make_store(self):
        return RemoteStore(self.client)


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
        st.builds(MessageRows, st.lists(st.integers()), flags=st.lists(FLAGS)),
        st.lists(st.integers()),
    ),
)


class CodecTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(VALUES) | VALUES | st.lists(VALUES).map(tuple))
    def test_what_is_decoded_is_what_was_encoded(self, value):
        self.assertEqual(decode(encode(value)), value)

    def test_a_fault_keeps_its_class_status_and_words(self):
        fault = decode(encode(OverQuota("No room", status="5.2.2")))
        self.assertIs(type(fault), OverQuota)
        self.assertEqual((fault.status, fault.public), ("5.2.2", "No room"))

    def test_a_bug_is_not_sent(self):
        self.assertRaises(TypeError, encode, ValueError("secret"))
        self.assertIsInstance(decode(encode(MailError())), MailError)
