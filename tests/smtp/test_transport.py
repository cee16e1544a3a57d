from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from .next_hop import MAIL, World, job


def run(method):
    """A test that is a coroutine."""

    def test(self):
        return Deferred.fromCoroutine(method(self))

    test.__name__ = method.__name__
    return test


class SendTests(TestCase):
    @run
    async def test_a_message_reaches_the_next_hop_as_it_is(self):
        world = World(self)
        hop = await world.next_hop()
        (outcome,) = await world.send(job())
        self.assertIsNone(outcome.fault)
        self.assertEqual((outcome.host, outcome.reply), ("next.test", "250 2.0.0 ok"))
        self.assertEqual(hop.messages, [MAIL.replace(b"\r\n.", b"\r\n..")])
        self.assertEqual(
            hop.lines,
            [
                b"EHLO me.test",
                b"MAIL FROM:<ann@a.test>",
                b"RCPT TO:<bob@b.test>",
                b"DATA",
            ],
        )
        self.assertEqual(world.hosts.asked, ["b.test"])
