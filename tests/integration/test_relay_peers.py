"""Mail to real next hops: Postfix, as a smarthost too, Dovecot, smtp-sink."""

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailtwist.auth.checkers.hash_pool import HashPool
from mailtwist.config.relaying import Relay, Smarthost
from mailtwist.delivery.model import Notify, Wishes
from mailtwist.lmtp.transport import LmtpTransport
from mailtwist.queue.model import Host, TlsRule
from mailtwist.secret import Secret
from mailtwist.smtp.client_login import PasswordLogin
from mailtwist.smtp.client_offer import PeerOffer
from mailtwist.smtp.client_tls import ClientTls
from mailtwist.smtp.transport_smarthost import Exit, SmarthostTransport

from ..bench.peers import DovecotLmtp, DovecotSasl, SmtpSink
from ..smtp.next_hop import Content, World, job, run, statuses
from .daemon import DOMAIN, PASSWORD
from .next_hops import ANN, BOB, PostfixSmarthost, Watch, peer, postfix

NOBODY = f"nobody@{DOMAIN}"
HEADER = b"From: <ann@a.test>\r\nMessage-ID: <1@a.test>\r\n"
HEADER += b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n"
MAIL = HEADER + b"Hello\r\n.\r\n"
LARGE = HEADER + b"many lines\r\n.\r\n" * 600_000


class PeerTestCase(TestCase):
    timeout = 120

    def world(self, port, **options):
        relay = options.pop("relay", Relay(idle_s=1))
        rule = options.pop("rule", TlsRule("none"))
        world = World(self, relay=relay, **options)
        world.hosts.answer = (Host("hub.test", port, ("127.0.0.1",), rule),)
        return world


class PostfixTests(PeerTestCase):
    @run
    async def test_mail_arrives_whole_however_it_goes(self):
        peer = postfix()
        for content in (MAIL, LARGE):
            watch = Watch(peer.folder / "mail")
            world = self.world(peer.port)
            asked = job(ANN, BOB, octets=len(content))
            outcomes = await world.send(asked, Content(content))
            self.assertEqual(statuses(outcomes), [None, None])
            self.assertEqual(outcomes[0].action, "passed")  # Postfix offers DSN
            got = await watch.arrived(2)
            self.assertTrue(all(one.endswith(content) for one in got))

    @run
    async def test_refusals_are_told_in_its_own_words(self):
        world = self.world(postfix().port)
        outcomes = await world.send(job(ANN, NOBODY, "x@elsewhere.test"))
        self.assertEqual(outcomes[0].fault, None)
        self.assertEqual(outcomes[1].fault.status, "5.1.1")
        self.assertIn("User unknown", outcomes[1].reply)
        self.assertTrue(outcomes[1].reply.startswith("550 5.1.1"), outcomes[1].reply)

    @run
    async def test_a_message_over_its_limit_is_not_even_sent(self):
        world = self.world(postfix().port)
        content = Content(b"x: y\r\n\r\n" + b"x" * 20_100_000)
        (outcome,) = await world.send(job(ANN), content)
        self.assertEqual(outcome.fault.status, "5.3.4")
        self.assertLess(len(content.reads), 10)

    @run
    async def test_many_messages_over_one_connection(self):
        peer = postfix()
        watch = Watch(peer.folder / "mail")
        world = self.world(peer.port)
        for _ in range(20):
            outcomes = await world.send(job(ANN), Content(MAIL))
            self.assertEqual(statuses(outcomes), [None])
        await watch.arrived(20)

    @run
    async def test_wishes_are_words_it_knows(self):
        wishes = Wishes(body="8BITMIME", smtputf8=True, ret="HDRS", envid="a b+c=d")
        notify = Notify(frozenset({"SUCCESS", "DELAY"}), "rfc822;a+b=c@x.test")
        world = self.world(postfix().port)
        outcomes = await world.send(job(ANN, wishes=wishes, notify=notify))
        self.assertEqual(statuses(outcomes), [None], outcomes)


class SmarthostTests(PeerTestCase):
    async def sent(self, password=PASSWORD, **config):
        peer_ = peer(PostfixSmarthost)
        ca = Path(self.mktemp())
        ca.write_bytes(peer_.authority.pem)
        pool = HashPool(reactor, 1)
        self.addCleanup(pool.stop)
        known = Smarthost(host=f"hub.test:{peer_.port}", **config)
        ours = PasswordLogin(reactor, pool, ANN, Secret((password or "").encode()))
        world = self.world(
            peer_.port,
            kind=SmarthostTransport,
            exits=[
                Exit(known, ClientTls(str(ca)), (lambda: ours) if password else None)
            ],
            relay=Relay(idle_s=0),
        )
        watch = Watch(peer_.folder / "mail")
        outcomes = await world.send(job(BOB), Content(MAIL))
        if statuses(outcomes) == [None]:
            (got,) = await watch.arrived()
            self.assertTrue(got.endswith(MAIL))
        return outcomes[0]

    @run
    async def test_it_takes_mail_over_tls_with_a_login(self):
        outcome = await self.sent()
        self.assertIsNone(outcome.fault)

    @run
    async def test_every_mechanism_it_offers(self):
        for mechanism in DovecotSasl.mechanisms.upper().split():
            self.patch(PeerOffer, "mechanisms", (mechanism,))  # as if it were alone
            outcome = await self.sent()
            self.assertIsNone(outcome.fault, mechanism)

    @run
    async def test_a_wrong_password_keeps_the_mail(self):
        outcome = await self.sent("wrong")
        self.assertEqual(outcome.fault.status, "4.7.0")

    @run
    async def test_without_a_login_it_refuses(self):
        outcome = await self.sent("")
        self.assertFalse(outcome.fault.temporary)

    @run
    async def test_without_tls_nothing_is_said(self):
        outcome = await self.sent(tls="none")
        self.assertEqual(outcome.fault.status, "4.7.0")


class LmtpTests(PeerTestCase):
    @run
    async def test_dovecot_takes_mail_for_each_recipient(self):
        peer_ = peer(DovecotLmtp, [ANN, BOB])
        for next_hop in ("[hub.test]:24", f"unix:{peer_.socket}"):
            for content in (MAIL, LARGE):
                watch = Watch(peer_.folder / "mail")
                world = self.world(peer_.port, kind=LmtpTransport)
                asked = job(ANN, NOBODY, BOB, octets=len(content), next_hop=next_hop)
                outcomes = await world.send(asked, Content(content))
                self.assertEqual(statuses(outcomes), [None, "5.1.1", None])
                self.assertEqual(outcomes[0].action, "delivered")
                got = await watch.arrived(2)
                self.assertTrue(all(one.endswith(content) for one in got))


class SinkTests(PeerTestCase):
    @run
    async def test_with_and_without_each_extension(self):
        for options in ((), ("-8",), ("-p",), ("-e",), ("-8", "-p")):
            sink = SmtpSink(*options)
            try:
                world = self.world(sink.port)
                for content in (MAIL, "From: a\r\n\r\nGr\u00fc\u00dfe\r\n".encode()):
                    asked = job(octets=len(content))
                    outcomes = await world.send(asked, Content(content))
                    self.assertEqual(statuses(outcomes), [None], options)
            finally:
                sink.stop()
