"""Twisted's own SMTP, POP3 and IMAP clients against the daemon, over both ways in."""

from io import BytesIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.ssl import CertificateOptions
from twisted.mail.imap4 import IMAP4Client, PLAINAuthenticator, Query
from twisted.mail.pop3 import AdvancedPOP3Client
from twisted.mail.smtp import ESMTPSenderFactory
from twisted.trial.unittest import TestCase

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message

OPEN = CertificateOptions(verify=False)  # the certificate is self-signed


def runs(test):
    """The test as a Deferred for trial."""

    def run(self):
        return Deferred.fromCoroutine(test(self))

    run.__name__ = test.__name__
    return run


class Sender(ESMTPSenderFactory):
    """Tells when its connection is gone, which is after the mail was sent."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.gone = Deferred()

    def clientConnectionLost(self, connector, reason):
        super().clientConnectionLost(connector, reason)
        self.gone.callback(None)


class TwistedClientTests(DaemonTestCase, TestCase):
    def connect(self, port, protocol):
        endpoint = HostnameEndpoint(reactor, ways_in.HOST, self.daemon.port(port))
        if port.endswith("s"):
            endpoint = wrapClientTLS(OPEN, endpoint)
        return connectProtocol(endpoint, protocol)

    @runs
    async def test_SMTP_submits(self):
        ann, bob = self.user(), self.user()
        for port in ("submission", "submissions"):
            sent = Deferred()
            octets = message("By Twisted", sender=bob).replace(b"\r\n", b"\n")
            factory = Sender(
                bob.encode(),
                PASSWORD.encode(),
                bob,
                ann,
                BytesIO(octets),
                sent,
                contextFactory=OPEN,
            )
            where = (ways_in.HOST, self.daemon.port(port), factory)
            if port == "submissions":
                reactor.connectSSL(*where, OPEN)
            else:
                reactor.connectTCP(*where)
            accepted, _ = await sent
            self.assertEqual(accepted, 1)
            await factory.gone
        self.assertEqual(len(ways_in.messages(self.daemon, ann)), 2)

    @runs
    async def test_POP3_retrieves_and_deletes(self):
        for port in ("pop3", "pop3s"):
            ann = self.user()
            ways_in.deliver(self.daemon, ann, message("one"), message("two"))
            client = await self.connect(port, AdvancedPOP3Client())
            if port == "pop3":
                await client.startTLS(OPEN)
            self.assertIn(b"PIPELINING", await client.capabilities())
            await client.login(ann.encode(), PASSWORD.encode())
            self.assertEqual((await client.stat())[0], 2)
            self.assertEqual(len(set(await client.listUID())), 2)
            self.assertIn(b"Subject: one", await client.retrieve(0))
            await client.delete(0)
            await client.quit()
            (left,) = ways_in.messages(self.daemon, ann)
            self.assertIn(b"\r\nSubject: two\r\n", left)

    @runs
    async def test_IMAP_appends_searches_and_fetches(self):
        for port in ("imap", "imaps"):
            ann = self.user()
            client = await self.connect(port, IMAP4Client())
            await client.getCapabilities()
            if port == "imap":
                await client.startTLS(OPEN)
            client.registerAuthenticator(PLAINAuthenticator(ann.encode()))
            await client.authenticate(PASSWORD.encode())
            await client.create("Work")
            for subject in ("one", "two"):
                mail = BytesIO(message(subject))
                when = "01-Jan-2026 00:00:00 +0000"
                await client.append("Work", mail, ("\\Seen",), when)
            self.assertEqual((await client.select("Work"))["EXISTS"], 2)
            self.assertEqual(await client.search(Query(subject="two")), [2])
            await client.addFlags("1", ["\\Deleted"])
            self.assertEqual(await client.expunge(), [1])
            envelopes = await client.fetchEnvelope("1:*")
            self.assertEqual(envelopes[1]["ENVELOPE"][1], "two")
            names = {name for _, _, name in await client.list("", "*")}
            uses = {"Archive", "Drafts", "Junk", "Sent", "Trash"}
            self.assertEqual(names, {"INBOX", "Work", *uses})
            await client.logout()
