from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from mailtwist.config.relaying import Relay
from mailtwist.delivery.model import DeliverBy, Notify, Wishes
from mailtwist.errors import NoSuchDomain, StorageFull
from mailtwist.queue.model import Host
from mailtwist.smtp.client import CHUNK, PIECE

from .next_hop import CLOSE, MAIL, SILENCE, Content, World, job, offering, run, statuses

GOOD_RCPT, BAD_RCPT = b"250 2.1.5 ok\r\n", b"550 5.1.1 no such user\r\n"
BIG = b"From: <ann@a.test>\r\n\r\n" + b"x" * 76 + b"\r\n.\r\n" * 200_000


def message_lines(hop):
    """The commands but for EHLO and QUIT."""
    return [line for line in hop.lines if line[:4] not in (b"EHLO", b"QUIT")]


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

    @run
    async def test_one_transaction_for_several_recipients_each_with_its_outcome(self):
        world = World(self)
        hop = await world.next_hop(
            {
                "RCPT TO:<b@b.test>": BAD_RCPT,
                "RCPT TO:<c@b.test>": b"450 4.2.0 later\r\n",
            }
        )
        outcomes = await world.send(job("a@b.test", "b@b.test", "c@b.test"))
        self.assertEqual(statuses(outcomes), [None, "5.1.1", "4.2.0"])
        self.assertEqual(outcomes[1].reply, "550 5.1.1 no such user")
        self.assertEqual(len(hop.messages), 1)

    @run
    async def test_recipients_of_several_domains_go_each_to_its_hosts(self):
        world = World(self)
        await world.next_hop()
        outcomes = await world.send(job("a@b.test", "a@c.test", "x@b.test"))
        self.assertEqual(statuses(outcomes), [None] * 3)
        self.assertEqual(world.hosts.asked, ["b.test", "c.test"])

    @run
    async def test_a_large_message_is_read_in_pieces(self):
        for offer in (offering("PIPELINING"), offering("PIPELINING", "CHUNKING")):
            world = World(self)
            hop = await world.next_hop({"EHLO": offer})
            content = Content(BIG + b"y" * CHUNK)
            (outcome,) = await world.send(job(), content)
            self.assertIsNone(outcome.fault)
            if hop.messages:
                sent = hop.messages[0].replace(b"\r\n..", b"\r\n.")
                self.assertEqual(sent, BIG + b"y" * CHUNK + b"\r\n")
            else:
                self.assertEqual(b"".join(hop.chunks), BIG + b"y" * CHUNK)
                self.assertEqual(len(hop.chunks[0]), CHUNK)
            self.assertLessEqual(max(count for _, count in content.reads), PIECE)

    @run
    async def test_mail_in_a_loop_comes_back(self):
        world = World(self)
        (outcome,) = await world.send(job(), Content(b"Received: x\r\n" * 51))
        self.assertEqual(outcome.fault.status, "5.4.6")
        self.assertEqual(world.hosts.asked, [])

    @run
    async def test_what_the_look_up_says_is_the_outcome(self):
        world = World(self)
        world.hosts.answer = (NoSuchDomain(),)
        self.assertEqual(statuses(await world.send(job())), ["5.1.2"])

    @run
    async def test_a_spool_that_cannot_be_read_is_temporary_and_cuts_off(self):
        class Broken(Content):
            async def read(self, start, count):
                if start:
                    raise StorageFull()
                return await super().read(start, count)

        world = World(self)
        hop = await world.next_hop()
        (outcome,) = await world.send(job(), Broken(BIG))
        self.assertTrue(outcome.fault.temporary)
        self.assertEqual(hop.messages, [])

    @run
    async def test_a_fault_of_ours_keeps_the_mail(self):
        world = World(self)
        world.hosts.answer = (ZeroDivisionError(),)
        self.assertEqual(statuses(await world.send(job())), ["4.3.0"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @run
    async def test_a_cancelled_attempt_is_cut_off(self):
        world = World(self)
        hop = await world.next_hop({"MAIL": SILENCE})
        sending = Deferred.fromCoroutine(world.send(job()))
        await hop.said(b"MAIL")
        sending.cancel()
        await self.assertFailure(sending, CancelledError)
        await hop.lost()


class NextHostTests(TestCase):
    @run
    async def test_what_fails_for_a_while_goes_to_the_next_host(self):
        for script, why in (
            ({"greeting": b"421 4.3.2 busy\r\n"}, "busy"),
            ({"greeting": b"554 5.7.1 not you\r\n"}, "this host does not want us"),
            ({"greeting": b"521 never\r\n"}, "RFC 7504: the next may"),
            ({"greeting": CLOSE}, "closes at once"),
            ({"greeting": b"SSH-2.0\r\n"}, "no SMTP"),
            ({"EHLO": CLOSE}, "closes at EHLO"),
            ({"MAIL": b"451 4.3.0 no\r\n"}, "no mail now"),
            ({"RCPT": b"450 4.2.0 later\r\n"}, "greylisted"),
            ({"DATA": b"451 4.3.0 no\r\n"}, "no content now"),
            ({"end": b"451 4.3.0 no\r\n"}, "said so after the content"),
            ({"RCPT": CLOSE}, "closes at RCPT"),
            ({"MAIL": b"421 4.3.2 bye\r\n"}, "421 in the middle"),
        ):
            world = World(self)
            await world.next_hop(script)
            second = await world.next_hop(name="second.test")
            (outcome,) = await world.send(job())
            self.assertIsNone(outcome.fault, why)
            self.assertEqual(outcome.host, "second.test", why)
            self.assertEqual(len(second.messages), 1, why)

    @run
    async def test_what_is_refused_for_good_does_not(self):
        for script in (
            {"MAIL": b"550 5.7.1 no\r\n"},
            {"RCPT": BAD_RCPT},
            {"DATA": b"554 5.7.1 no\r\n"},
            {"end": b"554 5.7.1 spam\r\n"},
        ):
            world = World(self)
            await world.next_hop(script)
            second = await world.next_hop(name="second.test")
            (outcome,) = await world.send(job())
            self.assertFalse(outcome.fault.temporary)
            self.assertEqual(second.lines, [])

    @run
    async def test_only_who_is_left_goes_to_the_next(self):
        world = World(self)
        await world.next_hop({"RCPT TO:<b@b.test>": b"450 4.2.0 later\r\n"})
        second = await world.next_hop(name="second.test")
        outcomes = await world.send(job("a@b.test", "b@b.test"))
        self.assertEqual([o.host for o in outcomes], ["next.test", "second.test"])
        self.assertIn(b"RCPT TO:<b@b.test>", second.lines)
        self.assertNotIn(b"RCPT TO:<a@b.test>", second.lines)

    @run
    async def test_behind_the_dot_nobody_knows_so_nobody_else_gets_it(self):
        world = World(self)
        first = await world.next_hop({"end": CLOSE})
        second = await world.next_hop(name="second.test")
        (outcome,) = await world.send(job())
        self.assertEqual(outcome.fault.status, "4.4.2")  # RFC 1047: to be tried again
        self.assertEqual((len(first.messages), second.lines), (1, []))

    @run
    async def test_a_host_that_is_not_there_gives_way_to_the_next_address(self):
        world = World(self)
        hop = await world.next_hop()
        (host,) = world.hosts.answer
        world.hosts.answer = (
            evolve(host, name="dead.test", addresses=("127.0.0.2", "127.0.0.1")),
        )
        (outcome,) = await world.send(job())
        self.assertIsNone(outcome.fault)
        self.assertEqual(len(hop.messages), 1)

    @run
    async def test_a_dead_host_with_many_addresses_does_not_hide_the_next(self):
        world = World(self)
        hop = await world.next_hop()
        (host,) = world.hosts.answer
        many = tuple(f"127.0.0.{n}" for n in range(2, 10))
        for addresses in (many, ("::1", *many), (*many, "::1")):
            dead = evolve(host, name="dead.test", addresses=addresses)
            world.hosts.answer = (dead, host)
            self.assertEqual(statuses(await world.send(job())), [None])
        self.assertEqual(len(hop.messages), 3)

    @run
    async def test_it_sends_from_the_address_it_is_told(self):
        world = World(self, relay=Relay(source_ipv4="127.0.0.7"))
        hop = await world.next_hop()
        self.assertEqual(statuses(await world.send(job())), [None])
        self.assertEqual(hop.peers[0].transport.getPeer().host, "127.0.0.7")

    @run
    async def test_over_ipv6(self):
        world = World(self)
        hop = await world.next_hop(address="::1")
        self.assertEqual(statuses(await world.send(job())), [None])
        self.assertEqual(hop.peers[0].transport.getPeer().host, "::1")

    @run
    async def test_no_host_that_answers_is_temporary(self):
        world = World(self)
        world.hosts.answer = (Host("dead.test", 1, ("127.0.0.1",)),)
        (outcome,) = await world.send(job())
        self.assertEqual((outcome.fault.status, outcome.reply), ("4.4.1", ""))
        self.assertIn("dead.test", outcome.fault.public)

    @run
    async def test_all_hosts_that_never_take_mail_are_permanent(self):
        world = World(self)
        await world.next_hop({"greeting": b"521 never\r\n"})
        await world.next_hop({"greeting": b"521 never\r\n"}, name="second.test")
        self.assertEqual(statuses(await world.send(job())), ["5.3.2"])

    @run
    async def test_one_host_that_may_take_it_later_keeps_it(self):
        world = World(self)
        await world.next_hop({"greeting": b"421 busy\r\n"})
        await world.next_hop({"greeting": b"521 never\r\n"}, name="second.test")
        self.assertEqual(statuses(await world.send(job())), ["4.3.2"])

    @run
    async def test_a_slow_peer_costs_its_time_limit_and_not_more(self):
        relay = Relay(command_s=0.1, greeting_s=0.1, end_s=0.1, data_s=0.1, idle_s=0)
        for script, why in (
            ({"greeting": SILENCE}, "says nothing"),
            ({"greeting": b"220-we"}, "does not end its line"),
            ({"EHLO": SILENCE}, "EHLO"),
            ({"MAIL": SILENCE}, "MAIL"),
            ({"RCPT": SILENCE}, "RCPT"),
            ({"end": SILENCE}, "the dot"),
        ):
            world = World(self, relay=relay)
            hop = await world.next_hop(script)
            (outcome,) = await world.send(job())
            self.assertEqual(outcome.fault.status, "4.4.1", why)
            await hop.lost()

    @run
    async def test_a_refusal_in_the_middle_of_the_content_is_heard(self):
        offer = offering("PIPELINING", "8BITMIME")
        for more, status in (
            (b"552 5.3.4 too big\r\n", "5.3.4"),
            (b"421 4.3.2 going down\r\n", "4.3.2"),
            (b"250 2.0.0 thank you\r\n", "4.5.0"),  # nothing of the sort was asked
        ):
            world = World(self)
            script = {"EHLO": offer, "DATA": b"354 go\r\n" + more}
            hop = await world.next_hop(script)
            content = Content(b"x" * 50_000_000)
            (outcome,) = await world.send(job(), content)
            self.assertEqual(outcome.fault.status, status)
            self.assertLess(len(content.reads), 200)
            await hop.lost()

    @run
    async def test_a_refusal_is_heard_while_nothing_is_taken(self):
        def stop_reading(peer):
            peer.transport.pauseProducing()
            reactor.callLater(0.2, peer.transport.write, b"552 5.3.4 too big\r\n")
            return b"354 go\r\n"

        world = World(self)  # which waits 3 min for octets to be taken
        offer = offering("PIPELINING", "8BITMIME")
        hop = await world.next_hop({"EHLO": offer, "DATA": stop_reading})
        (outcome,) = await world.send(job(), Content(b"x" * 50_000_000))
        self.assertEqual(outcome.fault.status, "5.3.4")
        hop.peers[0].transport.resumeProducing()
        await hop.lost()

    @run
    async def test_what_is_known_stays_known_whatever_comes_then(self):
        world = World(self)
        first = {"RCPT TO:<b@b.test>": b"450 4.2.0 later\r\n"}
        await world.next_hop(first)
        (host,) = world.hosts.answer
        world.hosts.answer = (host, evolve(host, port=None))  # as no look-up gives it
        outcomes = await world.send(job("a@b.test", "b@b.test"))
        self.assertEqual(statuses(outcomes), [None, "4.3.0"])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    @run
    async def test_a_peer_that_takes_no_octets_is_cut_off(self):
        world = World(self, relay=Relay(data_s=0.2, idle_s=0))

        def stop_reading(peer):
            peer.transport.pauseProducing()
            return b"354 go\r\n"

        offer = offering("PIPELINING", "8BITMIME")
        hop = await world.next_hop({"EHLO": offer, "DATA": stop_reading})
        content = Content(b"x" * 50_000_000)
        (outcome,) = await world.send(job(), content)
        self.assertEqual(outcome.fault.status, "4.4.1")
        self.assertLess(len(content.reads), 200)  # it was not read ahead of the peer
        hop.peers[0].transport.resumeProducing()
        await hop.lost()


class KeptConnectionTests(TestCase):
    @run
    async def test_the_next_message_takes_the_same_connection(self):
        world = World(self)
        hop = await world.next_hop()
        for _ in range(3):
            self.assertEqual(statuses(await world.send(job())), [None])
        self.assertEqual((len(hop.peers), len(hop.messages)), (1, 3))

    @run
    async def test_it_says_quit_when_nothing_comes(self):
        world = World(self, relay=Relay(idle_s=0.05))
        hop = await world.next_hop()
        await world.send(job())
        await hop.lost()
        self.assertEqual(hop.lines[-1], b"QUIT")

    @run
    async def test_one_that_died_meanwhile_is_replaced_unseen(self):
        for way in ("closed", "cut at MAIL", "421"):
            world = World(self)
            hop = await world.next_hop()
            await world.send(job())
            if way == "closed":
                hop.peers[0].transport.loseConnection()
                await hop.lost()
            elif way == "421":
                hop.peers[0].say(b"421 4.4.2 idle too long\r\n")
            else:
                hop.peers[0].mute = CLOSE
            self.assertEqual(statuses(await world.send(job())), [None], way)
            self.assertEqual((len(hop.peers), len(hop.messages)), (2, 2), way)

    @run
    async def test_it_is_not_used_for_another_rule(self):
        world = World(self)
        hop = await world.next_hop()
        await world.send(job())
        (host,) = world.hosts.answer
        world.hosts.answer = (evolve(host, rule=evolve(host.rule, level="none")),)
        await world.send(job())
        self.assertEqual(len(hop.peers), 2)

    @run
    async def test_the_limits_of_the_host_are_kept(self):
        world = World(self)
        limits = offering("PIPELINING", "LIMITS MAILMAX=3 RCPTMAX=2")
        hop = await world.next_hop({"EHLO": limits})
        outcomes = await world.send(job(*(f"u{n}@b.test" for n in range(5))))
        self.assertEqual(statuses(outcomes), [None] * 5)
        mails = [line[:4] for line in message_lines(hop)]
        self.assertEqual(mails.count(b"MAIL"), 3)
        await world.send(job())
        self.assertEqual(len(hop.peers), 2)

    @run
    async def test_a_host_that_takes_few_domains_gets_them_one_by_one(self):
        world = World(self)
        limits = offering("PIPELINING", "PRDR", "LIMITS RCPTDOMAINMAX=1")
        hop = await world.next_hop({"EHLO": limits})
        outcomes = await world.send(
            job("a@b.test", "b@b.test", "a@c.test", next_hop="[next.test]:25")
        )
        self.assertEqual(statuses(outcomes), [None] * 3)
        mails = [line for line in hop.lines if line.startswith(b"MAIL")]
        self.assertEqual(
            mails, [b"MAIL FROM:<ann@a.test> PRDR", b"MAIL FROM:<ann@a.test>"]
        )

    @run
    async def test_recipients_that_were_too_many_are_asked_again_at_once(self):
        counted = []

        def two(peer):
            counted.append(1)
            return b"452 4.5.3 too many\r\n" if len(counted) in (3, 4) else GOOD_RCPT

        world = World(self)
        hop = await world.next_hop({"RCPT": two})
        outcomes = await world.send(job(*(f"u{n}@b.test" for n in range(4))))
        self.assertEqual(statuses(outcomes), [None] * 4)
        self.assertEqual((len(hop.messages), len(hop.peers)), (2, 1))

    @run
    async def test_nothing_is_kept_after_the_end(self):
        world = World(self)
        hop = await world.next_hop()
        await world.send(job())
        world.connections.close()
        await hop.lost()
        self.assertEqual(hop.lines[-1], b"QUIT")


class WishesTests(TestCase):
    """What MAIL and RCPT say, by what the host offers and the sender asked for."""

    async def said(self, wishes, *offer, **options):
        world = World(self)
        hop = await world.next_hop({"EHLO": offering("PIPELINING", *offer)})
        content = options.pop("content", Content())
        outcomes = await world.send(job(wishes=wishes, **options), content)
        return message_lines(hop), outcomes

    @run
    async def test_parameters(self):
        by = DeliverBy(reactor.seconds() + 3600.5, "R", True)
        for wishes, offer, mail in (
            (Wishes(), ("SIZE 0",), b" SIZE=%d" % len(MAIL)),
            (Wishes(), ("8BITMIME",), b""),
            (Wishes(body="8BITMIME"), ("8BITMIME",), b" BODY=8BITMIME"),
            (Wishes(ret="HDRS", envid="a+b=c d"), ("DSN",), b" RET=HDRS "
             b"ENVID=a+2Bb+3Dc+20d"),
            (Wishes(ret="HDRS", envid="x"), (), b""),
            (Wishes(priority=-3), ("MT-PRIORITY",), b" MT-PRIORITY=-3"),
            (Wishes(priority=-3), (), b""),
            (Wishes(deliver_by=by), ("DELIVERBY 240",), b" BY=3600;RT"),
            (Wishes(smtputf8=True), ("SMTPUTF8",), b" SMTPUTF8"),
            (Wishes(auth="ann@a.test"), ("AUTH PLAIN",), b""),  # we did not log in
            (Wishes(hold_until_s=5.0), ("FUTURERELEASE 9 9",), b""),  # we held it
        ):  # fmt: skip
            lines, outcomes = await self.said(wishes, *offer)
            self.assertEqual(statuses(outcomes), [None], offer)
            self.assertEqual(lines[0], b"MAIL FROM:<ann@a.test>" + mail)

    @run
    async def test_reports_are_asked_of_hosts_that_can_make_them(self):
        for notify, said in (
            (Notify(), b" ORCPT=rfc822;bob@b.test"),
            (
                Notify(frozenset({"DELAY", "SUCCESS"}), "rfc822;b+c@x.test"),
                b" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@x.test",
            ),
            (Notify(frozenset({"NEVER"})), b" NOTIFY=NEVER ORCPT=rfc822;bob@b.test"),
        ):
            lines, (outcome,) = await self.said(Wishes(), "DSN", notify=notify)
            self.assertEqual(lines[1], b"RCPT TO:<bob@b.test>" + said)
            self.assertEqual(outcome.action, "passed")
            lines, (outcome,) = await self.said(Wishes(), notify=notify)
            self.assertEqual(lines[1], b"RCPT TO:<bob@b.test>")
            self.assertEqual(outcome.action, "relayed")

    @run
    async def test_what_a_host_cannot_promise_comes_back(self):
        now_s = reactor.seconds()
        for wishes, offer, status in (
            (Wishes(require_tls=True), ("REQUIRETLS",), "5.7.10"),
            (Wishes(deliver_by=DeliverBy(now_s + 60, "R")), (), "5.3.3"),
            (Wishes(deliver_by=DeliverBy(now_s - 1, "R")), ("DELIVERBY",), "5.4.7"),
            (Wishes(deliver_by=DeliverBy(now_s + 60, "R")), ("DELIVERBY 99",), "5.4.7"),
            (Wishes(), ("SIZE 10",), "5.3.4"),
        ):
            lines, outcomes = await self.said(wishes, *offer)
            self.assertEqual(statuses(outcomes), [status], offer)
            self.assertEqual(lines, [])

    @run
    async def test_mail_that_only_wants_to_be_told_of_delays_goes_on(self):
        wishes = Wishes(deliver_by=DeliverBy(reactor.seconds() - 99.5, "N"))
        lines, outcomes = await self.said(wishes)
        self.assertEqual(statuses(outcomes), [None])
        lines, _ = await self.said(wishes, "DELIVERBY 240")
        self.assertEqual(lines[0], b"MAIL FROM:<ann@a.test> BY=-99;N")

    @run
    async def test_reports_without_a_way_back_need_no_promise(self):
        lines, outcomes = await self.said(Wishes(require_tls=True), sender="")
        self.assertEqual(statuses(outcomes), [None])
        self.assertEqual(lines[0], b"MAIL FROM:<>")


EIGHT = (
    "From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
GREETINGS = "Viele herzliche Gr\u00fc\u00dfe aus dem Norden\r\n".encode()
EIGHT = EIGHT.encode() + GREETINGS
NEEDS_UTF8 = "From: \u00fc <a@b.test>\r\n\r\nhello\r\n".encode()


class FormTests(TestCase):
    """The content in a form that the host can take."""

    async def sent(self, content, wishes, *offer, **options):
        world = World(self)
        hop = await world.next_hop({"EHLO": offering("PIPELINING", *offer)})
        asked = job(wishes=wishes, octets=len(content), **options)
        outcomes = await world.send(asked, Content(content))
        messages = hop.messages or [b"".join(hop.chunks)]
        return outcomes, messages[0], message_lines(hop)

    @run
    async def test_eight_bit_mail_is_converted_where_it_must_be(self):
        for wishes in (Wishes(), Wishes(body="8BITMIME")):
            outcomes, message, lines = await self.sent(EIGHT, wishes)
            self.assertEqual(statuses(outcomes), [None])
            self.assertIn(
                b"quoted-printable\r\n\r\nViele herzliche Gr=C3=BC=C3=9Fe", message
            )
            self.assertNotIn(b"BODY", lines[0])
            outcomes, message, lines = await self.sent(EIGHT, wishes, "8BITMIME")
            self.assertEqual(message, EIGHT)
            self.assertIn(b" BODY=8BITMIME", lines[0])

    @run
    async def test_the_size_that_is_told_is_that_of_the_converted_message(self):
        _, message, lines = await self.sent(EIGHT, Wishes(), "SIZE 1000")
        self.assertEqual(lines[0], b"MAIL FROM:<ann@a.test> SIZE=%d" % len(message))
        grown = f"SIZE {len(EIGHT) + 1}"
        outcomes, _, lines = await self.sent(EIGHT, Wishes(), grown)
        self.assertEqual((statuses(outcomes), lines), (["5.3.4"], []))

    @run
    async def test_a_large_message_is_converted_too(self):
        content = EIGHT + GREETINGS * 100_000
        outcomes, message, _ = await self.sent(content, Wishes())
        self.assertEqual(statuses(outcomes), [None])
        self.assertTrue(message.isascii())
        self.assertEqual(message.count(b"Gr=C3=BC=C3=9Fe aus"), 100_001)

    @run
    async def test_binary_mail_goes_as_it_is_or_as_base64(self):
        content = EIGHT.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: binary"
            b"\r\n\r\n\0a\nb")  # fmt: skip
        wishes = Wishes(body="BINARYMIME")
        _, message, lines = await self.sent(content, wishes, "CHUNKING", "BINARYMIME")
        self.assertEqual(message, content)
        self.assertIn(b" BODY=BINARYMIME", lines[0])
        for offer in ((), ("8BITMIME",), ("CHUNKING",), ("CHUNKING", "8BITMIME")):
            _, message, lines = await self.sent(content, wishes, *offer)
            self.assertIn(b"Content-Transfer-Encoding: base64\r\n", message)
            self.assertNotIn(b"BINARYMIME", lines[0])

    @run
    async def test_mail_that_cannot_be_converted_comes_back(self):
        signed = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
        signed += EIGHT + b"\r\n--b--\r\n"
        outcomes, _, lines = await self.sent(signed, Wishes())
        self.assertEqual((statuses(outcomes), lines), (["5.6.3"], []))

    @run
    async def test_smtputf8_is_given_up_where_it_is_not_needed(self):
        wishes = Wishes(smtputf8=True, body="8BITMIME")
        content = EIGHT
        asked = {"sender": "ann@b\u00fccher.test"}
        outcomes, message, lines = await self.sent(content, wishes, "8BITMIME", **asked)
        self.assertEqual(statuses(outcomes), [None])
        self.assertEqual(lines[0], b"MAIL FROM:<ann@xn--bcher-kva.test> BODY=8BITMIME")
        outcomes, message, lines = await self.sent(
            content, wishes, "8BITMIME", "SMTPUTF8", **asked
        )
        self.assertIn("<ann@b\u00fccher.test>".encode(), lines[0])

    @run
    async def test_utf8_addresses_and_headers_need_it(self):
        utf8 = Wishes(smtputf8=True)
        inside = b"Content-Type: message/global\r\n\r\n" + NEEDS_UTF8
        for content, sender, status in (
            (MAIL, "\u00e4nn@a.test", "5.6.7"),
            (NEEDS_UTF8, "ann@a.test", "5.6.9"),
            (inside, "ann@a.test", "5.6.9"),
        ):
            outcomes, _, lines = await self.sent(
                content, utf8, "8BITMIME", sender=sender
            )
            self.assertEqual((statuses(outcomes), lines), ([status], []))

    @run
    async def test_only_the_recipient_with_the_utf8_address_comes_back(self):
        world = World(self)
        await world.next_hop()
        outcomes = await world.send(
            job("b\u00f6b@b.test", "bob@b.test", wishes=Wishes(smtputf8=True))
        )
        self.assertEqual(statuses(outcomes), ["5.6.7", None])
