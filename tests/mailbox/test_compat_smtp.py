"""Twisted's own ESMTP server on our router and delivery."""

import smtplib

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.mail.interfaces import IMessageDelivery, IMessageSMTP
from twisted.mail.smtp import (
    ESMTP,
    Address,
    SMTPBadRcpt,
    SMTPBadSender,
    SMTPServerError,
)
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.errors import (
    AuthUnavailable,
    MailError,
    MessageTooBig,
    NoSuchUser,
    OverQuota,
    RelayDenied,
    StorageFull,
)
from mailtwist.mailbox.compat import message_delivery
from mailtwist.mailbox.compat_smtp import CompatMessage, code_for
from mailtwist.mailbox.model import INBOX, Range

from .compat_world import Box, Router, serve


class User:
    def __init__(self, to, origin=b"ann@example.test"):
        self.dest, self.orig, self.protocol = Address(to), Address(origin), None


class SlowSink:
    """Wants a wait after every write."""

    def __init__(self, verdict=None):
        self.octets, self.waits, self.aborted = b"", [], False
        self.verdict = verdict

    def write(self, octets):
        self.octets += octets
        self.waits.append(Deferred())
        return self.waits[-1]

    async def commit(self):
        return [self.verdict]

    def abort(self):
        self.aborted = True


class Transport:
    paused = 0

    def pauseProducing(self):
        self.paused += 1

    def resumeProducing(self):
        self.paused -= 1


class CompatSmtpTests(TestCase):
    timeout = 30

    def setUp(self):
        self.box = Box()
        self.delivery = message_delivery(
            self.box.avatar, Router(), self.box.store.delivery()
        )

    async def faulty(self, fault, waiting):
        try:
            await waiting
        except fault as raised:
            return raised
        raise self.failureException(f"{fault.__name__} not raised")

    def test_the_interfaces(self):
        verifyObject(IMessageDelivery, self.delivery)
        verifyObject(IMessageSMTP, CompatMessage(SlowSink()))

    def test_codes(self):
        for fault, code in (
            (NoSuchUser(), 550),
            (RelayDenied(), 550),
            (OverQuota(), 452),
            (StorageFull(), 452),
            (AuthUnavailable(), 451),
            (MailError(), 451),
            (MessageTooBig(), 554),
        ):
            self.assertEqual(code_for(fault), code)

    async def test_senders(self):
        for origin in (b"ann@example.test", b""):
            sender = Address(origin)
            self.assertIs(
                await self.delivery.validateFrom((b"c", b"1"), sender), sender
            )
        fault = await self.faulty(
            SMTPBadSender,
            self.delivery.validateFrom((b"c", b"1"), Address(b"bob@example.test")),
        )
        self.assertEqual(fault.code, 550)

    async def test_any_sender_without_a_login(self):
        delivery = message_delivery(None, Router(), self.box.store.delivery())
        sender = Address(b"bob@elsewhere.test")
        self.assertIs(await delivery.validateFrom((b"c", b"1"), sender), sender)

    async def test_recipients_who_are_not_here(self):
        for to, words in (
            (b"bob@example.test", "No such user here"),
            (b"x@elsewhere.test", "Relay access denied"),
        ):
            fault = await self.faulty(SMTPBadRcpt, self.delivery.validateTo(User(to)))
            self.assertEqual((fault.code, fault.resp), (550, words))

    async def test_a_message(self):
        make = await self.delivery.validateTo(User(b"ann@example.test"))
        message = make()
        for line in (b"Subject: x", b"", b"Hello"):
            message.lineReceived(line)
        await message.eomReceived()
        mailbox = await self.box.tree.open(INBOX)
        (octets,) = await mailbox.octets([Range(1)])
        self.assertTrue(octets.startswith(b"Return-Path: <ann@example.test>\r\n"))
        self.assertTrue(octets.endswith(b"Subject: x\r\n\r\nHello\r\n"))

    async def test_a_lost_connection_leaves_nothing(self):
        message = (await self.delivery.validateTo(User(b"ann@example.test")))()
        message.lineReceived(b"Subject: x")
        message.connectionLost()
        self.assertEqual(await self.box.count(), 0)

    async def test_the_verdict_becomes_a_code(self):
        message = CompatMessage(SlowSink(OverQuota()))
        fault = await self.faulty(SMTPServerError, message.eomReceived())
        self.assertEqual((fault.code, fault.resp), (452, "Mailbox full"))

    def test_a_slow_sink_pauses_the_client(self):
        sink, transport = SlowSink(), Transport()
        message = CompatMessage(sink, transport)
        line = b"x" * 1022
        for _ in range(200):
            message.lineReceived(line)
        self.assertEqual((len(sink.waits), transport.paused), (1, 1))
        done = message.eomReceived()
        self.assertNoResult(done)
        for _ in range(10):
            if sink.waits:
                sink.waits.pop().callback(None)
        self.successResultOf(done)
        self.assertEqual(transport.paused, 0)
        self.assertEqual(sink.octets, (line + b"\r\n") * 200)

    def test_Received_names_both_ends(self):
        field = self.delivery.receivedHeader((b"client", b"127.0.0.1"), None, [])
        self.assertRegex(
            field,
            rb"\AReceived: from client \(\[127.0.0.1\]\)\r\n\tby .+ with ESMTPA; .+",
        )

    async def test_Twisteds_own_server(self):
        box, delivery = self.box, self.delivery

        class Realm:
            def requestAvatar(self, who, mind, *interfaces):
                return succeed((IMessageDelivery, delivery, lambda: None))

        def server():
            made = ESMTP()
            made.host = b"mx.example.test"
            made.delivery = delivery
            made.portal = Portal(Realm())
            return made

        port = serve(self, server)

        def talk():
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.sendmail(
                    "ann@example.test",
                    ["ann@example.test"],
                    b"Subject: real\r\n\r\n.dot\r\n" + b"line\r\n" * 30_000,
                )
                try:
                    client.sendmail("ann@example.test", ["no@example.test"], b"x")
                except smtplib.SMTPRecipientsRefused as refused:
                    return refused.recipients["no@example.test"][0]

        self.assertEqual(await deferToThread(talk), 550)
        mailbox = await box.tree.open(INBOX)
        (octets,) = await mailbox.octets([Range(1)])
        self.assertIn(b"\r\nReceived: from ", octets)
        self.assertTrue(
            octets.endswith(b"\r\nSubject: real\r\n\r\n.dot\r\n" + b"line\r\n" * 30_000)
        )
