"""The asking side, with a keeper that the test plays."""

import os
import socket

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailboxUnreachable, SourceDown, SystemBusy
from mailtwist.keeper import client
from mailtwist.keeper.packets import packed, receive, send


class Readers(Clock):
    """A clock that also keeps what a reactor would watch."""

    def __init__(self):
        super().__init__()
        self.readers, self.writers = set(), set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class ClientTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = Readers()
        ours, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer.setblocking(False)
        self.addCleanup(self.peer.close)
        self.keeper = client.Keeper(self.reactor, ours)
        self.addCleanup(self.keeper.close)

    def verify(self, password=b"pass", limit_s=5.0):
        return Deferred.fromCoroutine(
            self.keeper.verify("mail", "ann", password, host="::1", limit_s=limit_s)
        )

    def asked(self):
        return receive(self.peer)[0]

    def answer(self, number, result, descriptors=()):
        send(self.peer, packed([number, result]), descriptors)
        self.keeper.doRead()

    def test_answers_in_any_order_find_who_asked(self):
        first, second = self.verify(), self.verify()
        numbers = [self.asked()[0], self.asked()[0]]
        self.answer(numbers[1], {"verdict": "wrong"})
        self.answer(numbers[0], {"verdict": "right"})
        self.assertEqual(self.successResultOf(second), "wrong")
        self.assertEqual(self.successResultOf(first), "right")

    def test_any_octets_may_be_a_password(self):
        self.verify(bytes(range(1, 256))).addErrback(lambda failure: None)
        _, kind, arguments = self.asked()
        self.assertEqual(kind, "verify")
        self.assertEqual(arguments["password"].encode("latin-1"), bytes(range(1, 256)))
        self.assertEqual(arguments["host"], "::1")

    def test_no_verdict_is_down(self):
        asked = self.verify()
        self.answer(self.asked()[0], {"fault": "PAM service mail: no"})
        self.failureResultOf(asked, SourceDown)

    def test_a_busy_keeper_is_busy_and_not_down(self):
        asked, spawned = self.verify(), self.keeper.spawn(1000, 1000)
        self.answer(self.asked()[0], {"busy": True})
        self.answer(self.asked()[0], {"busy": True})
        self.failureResultOf(asked, SystemBusy)
        self.failureResultOf(spawned, SystemBusy)

    def test_no_answer_in_time_is_down(self):
        asked = self.verify(limit_s=5.0)
        self.reactor.advance(5.0 + client.SLACK_S)
        self.failureResultOf(asked, SourceDown)

    def test_an_agent_comes_as_a_descriptor(self):
        spawned = self.keeper.spawn(1001, 1002)
        number, kind, arguments = self.asked()
        self.assertEqual(
            (kind, arguments["uid"], arguments["gid"]), ("agent", 1001, 1002)
        )
        read, write = os.pipe()
        self.answer(number, {"good": True}, [read])
        os.close(read)
        descriptor = self.successResultOf(spawned)
        os.write(write, b"x")
        self.assertEqual(os.read(descriptor, 1), b"x")
        os.close(descriptor)
        os.close(write)

    def test_an_agent_that_comes_too_late_is_let_go(self):
        spawned = self.keeper.spawn(1001, 1002)
        spawned.addErrback(lambda failure: None)
        spawned.cancel()
        read, write = os.pipe()
        self.answer(self.asked()[0], {"good": True}, [write])
        os.close(write)
        self.assertEqual(os.read(read, 1), b"")
        os.close(read)

    def test_no_agent_is_a_mailbox_out_of_reach(self):
        spawned = self.keeper.spawn(0, 0)
        self.answer(self.asked()[0], {"fault": "the uid is below 1000"})
        self.failureResultOf(spawned, MailboxUnreachable)

    def test_a_file_that_is_missing_is_missing(self):
        opened = Deferred.fromCoroutine(self.keeper.open("/key"))
        self.answer(self.asked()[0], {"errno": 2, "fault": "No such file"})
        self.failureResultOf(opened, FileNotFoundError)

    def test_its_end_fails_what_waits_and_what_comes(self):
        ends = []
        self.keeper.when_lost.append(lambda: ends.append(True))
        asked, spawned = self.verify(), self.keeper.spawn(1000, 1000)
        self.peer.close()
        self.keeper.doRead()
        self.failureResultOf(asked, SourceDown)
        self.failureResultOf(spawned, MailboxUnreachable)
        self.failureResultOf(self.verify(), SourceDown)
        self.assertEqual(ends, [True])
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_an_end_that_is_wanted_is_not_told(self):
        ends = []
        self.keeper.when_lost.append(lambda: ends.append(True))
        self.keeper.close()
        self.assertEqual(ends, [])

    def test_what_is_no_answer_ends_it(self):
        self.peer.send(b"no json")
        self.keeper.doRead()
        self.assertTrue(self.keeper.lost)

    def test_requests_wait_while_the_socket_is_full(self):
        asked = [self.verify(b"x" * 30_000) for _ in range(50)]
        self.assertIn(self.keeper, self.reactor.writers)
        for _ in asked:
            number = self.asked()[0]
            self.keeper.doWrite()
            self.answer(number, {"verdict": "right"})
        self.assertEqual(
            [self.successResultOf(each) for each in asked], ["right"] * len(asked)
        )
        self.assertEqual(self.reactor.writers, set())

    def test_requests_without_end_are_refused(self):
        self.patch(client, "MOST_CALLS", 2)
        self.verify().addErrback(lambda failure: None)
        self.verify().addErrback(lambda failure: None)
        self.failureResultOf(self.verify(), SystemBusy)

    def test_a_password_longer_than_a_packet_is_refused(self):
        self.failureResultOf(self.verify(b"x" * 100_000), SystemBusy)
