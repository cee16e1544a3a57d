"""Tests for mailtwist.mailbox.foreign_smtp: their IMessageDelivery, our mail."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.mail.interfaces import IMessageDelivery, IMessageSMTP
from twisted.mail.smtp import SMTPBadRcpt, SMTPBadSender, SMTPServerError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope
from mailtwist.errors import BadMessage, MailError, NoSuchUser, RelayDenied
from mailtwist.mailbox.foreign_smtp import MOST_LINE, ForeignWayIn, NoWayIn

ANN, BOB = Address("ann", "example.test"), Address("bob", "example.test")


@implementer(IMessageSMTP)
class Message:
    def __init__(self, fault=None):
        self.lines, self.ended, self.lost, self.fault = [], 0, 0, fault

    def lineReceived(self, line):
        self.lines.append(line)

    def eomReceived(self):
        self.ended += 1
        return succeed(None) if self.fault is None else fail(self.fault)

    def connectionLost(self):
        self.lost += 1


@implementer(IMessageDelivery)
class Avatar:
    def __init__(self, *messages, sender=None, recipient=None):
        self.messages, self.asked = list(messages), []
        self.sender, self.recipient = sender, recipient

    def validateFrom(self, helo, origin):
        self.asked.append(bytes(origin))
        if self.sender is not None:
            raise self.sender
        return origin

    def validateTo(self, user):
        self.asked.append((bytes(user.dest), bytes(user.orig)))
        if self.recipient is not None:
            raise self.recipient
        return lambda: self.messages.pop(0)

    def receivedHeader(self, helo, origin, recipients):
        return b""


class WayInTests(SynchronousTestCase):
    def result(self, work):
        return self.successResultOf(Deferred.fromCoroutine(work))

    def fault(self, work, kind):
        return self.failureResultOf(Deferred.fromCoroutine(work), kind).value

    def sink(self, avatar, *addresses, trace=b""):
        way = ForeignWayIn(avatar, "mx.example.test")
        to = tuple(
            self.result(way.resolve(a, may_relay=False, sender=ANN)) for a in addresses
        )
        return way.begin(Envelope("m", "s", ANN, to, trace))

    def test_the_avatar_hears_sender_and_recipient(self):
        avatar = Avatar()
        way = ForeignWayIn(avatar, "mx.example.test")
        self.assertTrue(self.result(way.may_send_as(ANN)))
        self.result(way.resolve(BOB, may_relay=False, sender=ANN))
        self.result(way.resolve(BOB, may_relay=False))
        bob, ann = b"bob@example.test", b"ann@example.test"
        self.assertEqual(avatar.asked, [ann, (bob, ann), (bob, b"")])

    def test_what_it_refuses_is_refused_for_good_or_for_now(self):
        for code, status in ((550, "5.1.1"), (451, "4.3.0")):
            avatar = Avatar(recipient=SMTPBadRcpt(b"x@y.test", code, b"No\r\nway"))
            way = ForeignWayIn(avatar, "mx.example.test")
            told = self.fault(way.resolve(BOB, may_relay=True), MailError)
            self.assertEqual((told.status, told.public), (status, "No way"))
        avatar = Avatar(sender=SMTPBadSender(b"x@y.test", 550))
        way = ForeignWayIn(avatar, "mx.example.test")
        self.assertFalse(self.result(way.may_send_as(ANN)))
        way = ForeignWayIn(Avatar(sender=SMTPBadSender(b"x@y.test", 450)), "mx")
        self.assertTrue(self.fault(way.may_send_as(ANN), MailError).temporary)

    def test_each_recipient_gets_its_own_verdict(self):
        messages = (
            Message(),
            Message(SMTPServerError(452, "full")),
            Message(SMTPServerError(554, "no")),
        )
        sink = self.sink(Avatar(*messages), ANN, BOB, Address("c", "d.test"))
        sink.write(b"Subject: x\r\n\r\nHi\r\n")
        verdicts = self.result(sink.commit())
        self.assertEqual(
            [v and (v.status, v.public) for v in verdicts],
            [None, ("4.3.0", "full"), ("5.3.0", "no")],
        )

    @given(st.lists(st.binary(max_size=12)))
    def test_any_split_of_octets_gives_the_same_lines(self, pieces):
        pieces = [piece.replace(b"\r", b"").replace(b"\n", b"\r\n") for piece in pieces]
        message = Message()
        sink = self.sink(Avatar(message), BOB, trace=b"Received: here\r\n")
        for piece in pieces:
            for i in range(len(piece)):
                sink.write(piece[i : i + 1])
        self.assertEqual(self.result(sink.commit()), [None])
        whole = b"Received: here\r\n" + b"".join(pieces)
        lines = whole.split(b"\r\n")
        self.assertEqual(message.lines, lines if lines[-1] else lines[:-1])

    def test_an_endless_line_ends_the_message_and_leaves_nothing(self):
        message = Message()
        sink = self.sink(Avatar(message), BOB)
        for _ in range(3):
            sink.write(b"x" * MOST_LINE)
        self.fault(sink.commit(), BadMessage)
        self.assertEqual((message.lines, message.ended, message.lost), ([], 0, 1))

    def test_an_aborted_message_is_lost_once(self):
        message = Message()
        sink = self.sink(Avatar(message), BOB)
        sink.write(b"a\r\n")
        sink.abort()
        sink.abort()
        self.assertEqual((message.ended, message.lost), (0, 1))

    def test_without_a_login_nothing_comes_in(self):
        way = NoWayIn()
        self.fault(way.resolve(BOB, may_relay=True), RelayDenied)
        self.fault(way.mailbox(BOB), NoSuchUser)
