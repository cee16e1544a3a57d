from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.trial.unittest import TestCase

from mailtwist.delivery.model import Wishes
from mailtwist.lmtp.transport import LmtpTransport

from ..smtp.next_hop import (
    ANSWERS,
    CLOSE,
    MAIL,
    NextHop,
    World,
    job,
    run,
    statuses,
)

LHLO = {"LHLO": ANSWERS["EHLO"]}
TWO = b"250 2.0.0 first kept\r\n452 4.2.2 second full\r\n"


class LmtpTests(TestCase):
    @run
    async def test_each_recipient_has_a_reply_of_its_own(self):
        world = World(self, kind=LmtpTransport)
        hop = await world.next_hop(LHLO | {"end": TWO})
        outcomes = await world.send(
            job("a@b.test", "b@b.test", next_hop="[next.test]:24")
        )
        self.assertEqual(statuses(outcomes), [None, "4.2.2"])
        self.assertEqual(outcomes[0].reply, "250 2.0.0 first kept")
        self.assertEqual(outcomes[0].action, "delivered")
        self.assertEqual(hop.lines[0], b"LHLO me.test")
        self.assertEqual(world.hosts.asked, ["[next.test]:24"])

    @run
    async def test_over_a_unix_socket(self):
        world = World(self, kind=LmtpTransport)
        hop = NextHop(LHLO)
        world.hops.append(hop)
        path = self.mktemp()[-60:].replace("/", "-")
        port = await UNIXServerEndpoint(reactor, path).listen(hop)
        self.addCleanup(port.stopListening)
        where = f"unix:{Path(path).absolute()}"
        (outcome,) = await world.send(job(next_hop=where))
        self.assertIsNone(outcome.fault)
        self.assertEqual(hop.messages, [MAIL.replace(b"\r\n.", b"\r\n..")])

    @run
    async def test_a_socket_that_is_not_there_is_temporary(self):
        world = World(self, kind=LmtpTransport)
        (outcome,) = await world.send(job(next_hop="unix:/nowhere/lmtp"))
        self.assertEqual(outcome.fault.status, "4.4.1")

    @run
    async def test_lost_between_two_replies_only_the_second_is_in_doubt(self):
        def one_then_close(peer):
            peer.transport.write(b"250 2.0.0 kept\r\n")
            peer.transport.loseConnection()

        world = World(self, kind=LmtpTransport)
        await world.next_hop(LHLO | {"end": one_then_close})
        outcomes = await world.send(job("a@b.test", "b@b.test"))
        self.assertEqual(statuses(outcomes), [None, "4.4.2"])

    @run
    async def test_what_binds_relays_does_not_bind_a_mailbox(self):
        world = World(self, kind=LmtpTransport)
        hop = await world.next_hop(LHLO)
        outcomes = await world.send(job(wishes=Wishes(require_tls=True)))
        self.assertEqual(statuses(outcomes), [None])
        self.assertEqual(len(hop.messages), 1)

    @run
    async def test_a_host_that_does_not_speak_it_keeps_the_mail(self):
        world = World(self, kind=LmtpTransport)
        for answer in (b"500 what\r\n", CLOSE):
            await world.next_hop({"LHLO": answer})
        (outcome,) = await world.send(job())
        self.assertTrue(outcome.fault.temporary)
