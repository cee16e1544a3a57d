"""Many messages at once to a host that fails in every way it can."""

from collections import Counter
from random import Random

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.trial.unittest import TestCase

from mailtwist.config.relaying import Relay

from .next_hop import CLOSE, SILENCE, Content, World, job, offering, run

JOBS = 100
LIMIT_S = 0.2
FAILURES = (
    CLOSE,
    SILENCE,
    b"421 4.3.2 no\r\n",
    b"451 4.3.0 no\r\n",
    b"550 5.0.0 no\r\n",
    b"nonsense\r\n",
    b"250-half",
)
NO_SEQUENCE = b"503 5.5.1 bad sequence\r\n"
OFFERS = (
    offering("PIPELINING"),
    offering("NOTHING"),
    offering("PIPELINING", "CHUNKING", "8BITMIME"),
    offering("CHUNKING", "LIMITS MAILMAX=2 RCPTMAX=2"),
)


class BadHost:
    """A script in which one answer of ten is a failure; `taken` counts how often a 250
    was given for (content, recipient)."""

    def __init__(self, random):
        self.random, self.taken = random, Counter()

    def script(self):
        return {
            "greeting": self.answer(b"220 hi\r\n"),
            "EHLO": lambda peer: self.random.choice(OFFERS),
            "MAIL": self.answer(b"250 ok\r\n", self.begin),
            "RCPT": self.answer(b"250 ok\r\n", self.accept),
            "DATA": self.answer(b"354 go\r\n", self.need),
            "BDAT": self.answer(b"250 ok\r\n", self.take),
            "RSET": self.answer(b"250 ok\r\n", self.forget),
            "end": self.answer(b"250 ok\r\n", self.take),
        }

    def answer(self, good, note=lambda peer: None):
        """`good`, or what `note` says instead, or a failure."""

        def said(peer):
            if self.random.random() < 0.1:
                return self.random.choice(FAILURES)
            return note(peer) or good

        return said

    def begin(self, peer):
        peer.accepted = []

    def forget(self, peer):
        peer.accepted = None

    def accept(self, peer):
        if peer.accepted is None:
            return NO_SEQUENCE
        peer.accepted.append(peer.factory.lines[-1][9:-1].decode())
        return None

    def need(self, peer):
        return None if peer.accepted else NO_SEQUENCE

    def take(self, peer):
        for recipient in peer.accepted:
            self.taken[peer.last, recipient] += 1
        peer.accepted = None


class StormTests(TestCase):
    timeout = 60

    @run
    async def test_every_recipient_has_its_true_outcome_and_nothing_stays_open(self):
        for seed in range(2):
            await self.storm(Random(seed))

    async def storm(self, random):
        limits = dict.fromkeys(("command_s", "greeting_s", "end_s", "data_s"), LIMIT_S)
        world = World(self, relay=Relay(idle_s=0.1, **limits))
        bad = BadHost(random)
        hop = await world.next_hop(bad.script())
        world.hosts.answer *= 3
        sent = []
        for number in range(JOBS):
            names = [f"u{n}@b.test" for n in range(random.randrange(1, 5))]
            line = b"%d\r\n" % number
            octets = b"a: b\r\n\r\n" + line * random.choice((1, 9999))
            sending = Deferred.fromCoroutine(
                world.send(job(*names, octets=len(octets)), Content(octets))
            )
            sent.append((octets, names, sending))
            if random.random() < 0.1:
                reactor.callLater(random.random() * 0.2, sending.cancel)
        results = await DeferredList([one[2] for one in sent], consumeErrors=True)
        good = cancelled = 0
        for (octets, names, _), (ended, found) in zip(sent, results, strict=True):
            if not ended:
                found.trap(CancelledError)
                cancelled += 1
                continue
            for name, outcome in zip(names, found, strict=True):
                said = outcome.fault is None
                good += said
                self.assertEqual(bad.taken[octets, name], said, outcome)
        self.assertGreater(good, JOBS // 2)
        self.assertGreater(cancelled, 0)
        world.connections.close()
        await hop.lost()
