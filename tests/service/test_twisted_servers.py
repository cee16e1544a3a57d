"""Twisted's own ESMTP, POP3 and IMAP4 servers on our portal, to Python's clients."""

import imaplib
import poplib
import smtplib

from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread
from twisted.mail.imap4 import IMAP4Server, LOGINCredentials, PLAINCredentials
from twisted.mail.pop3 import POP3
from twisted.mail.protocols import ESMTPFactory, POP3Factory
from twisted.trial.unittest import TestCase

from mailtwist.address import Address
from mailtwist.delivery.dispatch import Dispatch
from mailtwist.delivery.router import Router
from mailtwist.directory.userdb import UserDb
from mailtwist.service.auth import build_auth
from mailtwist.store.memory import MemoryStore
from tests.auth.rooms import configured

ANN, BOB = "ann@example.test", "bob@example.test"
HELLO = b"Subject: hello\r\n\r\nHello Bob\r\n.dot\r\n"
WAIT_S = 20


class TwistedServerTests(TestCase):
    timeout = 60

    def setUp(self):
        config = configured(self.mktemp())
        db = UserDb(config)
        for user in ("ann", "bob"):
            db.add(Address(user, "example.test"), b"pw")
        db.close()
        store = MemoryStore()
        auth = build_auth(reactor=reactor, config=config, store=store)
        self.addCleanup(lambda: Deferred.fromCoroutine(auth.close()))
        router = Router(auth.directory, store, config)
        auth.give_avatars(router, Dispatch(store.delivery()))
        self.portal = auth.portal

    def listen(self, factory):
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def smtp(self):
        factory = ESMTPFactory(None, self.portal)
        factory.challengers = {b"PLAIN": PLAINCredentials, b"LOGIN": LOGINCredentials}
        return self.listen(factory)

    def pop3(self):
        portal = self.portal

        def server():  # the factory's own protocol wants a service with domains
            server = POP3()
            server.portal = portal
            return server

        factory = POP3Factory(None)
        factory.protocol = server
        return self.listen(factory)

    def imap4(self):
        portal = self.portal

        class ServerFactory(Factory):
            def buildProtocol(self, address):
                server = IMAP4Server()
                server.portal = portal
                return server

        return self.listen(ServerFactory())

    async def send(self, recipient=BOB, login=ANN, sender=ANN):
        port = self.smtp()

        def send():
            with smtplib.SMTP("127.0.0.1", port, timeout=WAIT_S) as client:
                if login:
                    client.login(login, "pw")
                client.sendmail(sender, [recipient], HELLO)

        await deferToThread(send)

    def test_the_portal_takes_what_the_servers_ask_with(self):
        self.assertLessEqual(
            {IUsernamePassword, IAnonymous},
            set(self.portal.listCredentialsInterfaces()),
        )

    async def test_mail_by_ESMTPFactory_is_read_and_deleted_by_POP3Factory(self):
        await self.send()
        port = self.pop3()

        def read():
            client = poplib.POP3("127.0.0.1", port, timeout=WAIT_S)
            client.user(BOB)
            client.pass_("pw")
            count = client.stat()[0]
            lines = client.retr(1)[1] if count else []
            if count:
                client.dele(1)
            client.quit()
            return count, lines

        count, lines = await deferToThread(read)
        self.assertEqual(count, 1)
        self.assertEqual(lines[-4:], [b"Subject: hello", b"", b"Hello Bob", b".dot"])
        self.assertEqual(await deferToThread(read), (0, []))

    async def test_mail_by_ESMTPFactory_is_read_and_moved_by_IMAP4Server(self):
        await self.send()
        port = self.imap4()

        def read():
            with imaplib.IMAP4("127.0.0.1", port, timeout=WAIT_S) as client:
                client.login(BOB, "pw")
                client.create("Kept")
                count = client.select("INBOX")[1]
                body = client.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1]
                copied = client.copy("1", "Kept")[0]
                client.store("1", "+FLAGS", r"(\Deleted)")
                client.expunge()
                names = client.list()[1]
                return count, body, copied, names, client.select("Kept")[1]

        count, body, copied, names, kept = await deferToThread(read)
        self.assertEqual((count, body), ([b"1"], b"Hello Bob\r\n.dot\r\n"))
        self.assertEqual((copied, kept), ("OK", [b"1"]))
        self.assertTrue(any(b"Kept" in name for name in names))

    async def test_strangers_reach_local_recipients_only(self):
        await self.send(login=None, sender="a@away.test")
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            await self.send("x@elsewhere.test", login=None, sender="a@away.test")

    async def test_a_wrong_password_is_refused_by_each(self):
        smtp, pop3, imap4 = self.smtp(), self.pop3(), self.imap4()

        def by_smtp():
            with smtplib.SMTP("127.0.0.1", smtp, timeout=WAIT_S) as client:
                self.assertRaises(
                    smtplib.SMTPAuthenticationError, client.login, BOB, "wrong"
                )

        def by_pop3():
            client = poplib.POP3("127.0.0.1", pop3, timeout=WAIT_S)
            client.user(BOB)
            self.assertRaises(poplib.error_proto, client.pass_, "wrong")
            client.close()

        def by_imap4():
            with imaplib.IMAP4("127.0.0.1", imap4, timeout=WAIT_S) as client:
                self.assertRaises(imaplib.IMAP4.error, client.login, BOB, "wrong")

        for attempt in (by_smtp, by_pop3, by_imap4):
            await deferToThread(attempt)
