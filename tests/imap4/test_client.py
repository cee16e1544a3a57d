"""Tests for mailtwist.imap4.client: commands in, answers out."""

from base64 import b64encode

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError, OverQuota
from mailtwist.imap4.client import (
    IDLE_S,
    IMAPClient,
    Literal,
    ServerGone,
    ServerRefuses,
)
from mailtwist.sasl.client_mechanisms import Login, Plain
from mailtwist.secret import Secret


class Transport(StringTransport):
    aborted = False

    def abortConnection(self):
        self.aborted = True

    def startTLS(self, tls):
        self.tls = tls

    def getHandle(self):
        return "handle"


class World(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.client = IMAPClient(self.clock)
        self.transport = Transport()
        self.client.makeConnection(self.transport)
        self.left = []
        self.addCleanup(lambda: [one.addErrback(lambda _: None) for one in self.left])
        self.addCleanup(self.assertEqual, self.clock.getDelayedCalls(), [])
        self.addCleanup(self.client.connectionLost)

    def sent(self):
        octets = self.transport.value()
        self.transport.clear()
        return octets

    def hear(self, octets):
        self.client.dataReceived(octets)

    def greeted(self, *capabilities):
        self.hear(b"* OK hi\r\n")
        self.client.capabilities = frozenset(capabilities)


class CommandTests(World):
    def test_answers_go_to_who_asked(self):
        self.greeted()
        first, second = self.client.command(b"NOOP"), self.client.command(b"LIST")
        self.assertEqual(self.sent(), b"m1 NOOP\r\nm2 LIST\r\n")
        self.hear(b'* 3 EXISTS\r\nm1 OK [X y] done\r\n* LIST () "/" a\r\nm2 OK\r\n')
        done = self.successResultOf(first)
        self.assertEqual((done.untagged, done.text), ([b"3 EXISTS"], b"[X y] done"))
        self.assertEqual(self.successResultOf(second).untagged, [b'LIST () "/" a'])

    def test_a_literal_waits_for_the_server(self):
        self.greeted()
        self.left += [
            self.client.command(b"LOGIN ", Literal(b"ann"), b" ", Literal(b"x"))
        ]
        later = self.client.command(b"NOOP")
        self.assertEqual(self.sent(), b"m1 LOGIN {3}\r\n")
        self.hear(b"+ ok\r\n")
        self.assertEqual(self.sent(), b"ann {1}\r\n")
        self.hear(b"+ ok\r\n")
        self.assertEqual(self.sent(), b"x\r\nm2 NOOP\r\n")
        self.hear(b"m1 OK\r\nm2 OK\r\n")
        self.successResultOf(later)

    def test_a_refused_literal_holds_up_nothing(self):
        self.greeted()
        refused = self.client.command(b"APPEND a ", Literal(b"too large"))
        later = self.client.command(b"NOOP")
        self.sent()
        self.hear(b"m1 NO [TOOBIG] no\r\n")
        fault = self.failureResultOf(refused, ServerRefuses).value
        self.assertEqual(fault.code, b"TOOBIG")
        self.assertEqual(self.sent(), b"m2 NOOP\r\n")
        self.hear(b"m2 OK\r\n")
        self.successResultOf(later)

    def test_literals_go_at_once_where_the_server_takes_them(self):
        self.left.append(self.client.greeted)
        for capability, octets, wanted in [
            ("LITERAL+", b"x" * 5000, b"{5000+}\r\n"),
            ("LITERAL-", b"x" * 4096, b"{4096+}\r\n"),
            ("LITERAL-", b"x" * 4097, b"{4097}\r\n"),
            ("BINARY", b"\0", b"~{1}\r\n"),
            ("X", b"\0", b"{1}\r\n"),
        ]:
            self.client.capabilities = frozenset({capability})
            mark, _ = self.client._announced(octets)
            self.assertEqual(mark, wanted)

    def test_over_quota_is_told_as_such(self):
        self.greeted()
        refused = self.client.command(b"APPEND")
        self.hear(b"m1 NO [OVERQUOTA] full\r\n")
        self.failureResultOf(refused, OverQuota)

    def test_what_is_no_imap_ends_it(self):
        self.greeted()
        asked = self.client.command(b"NOOP")
        self.hear(b"220 mx ESMTP\r\n")
        self.assertIn("IMAP", self.failureResultOf(asked, MailError).value.public)
        self.assertTrue(self.transport.aborted)
        self.failureResultOf(self.client.command(b"NOOP"), MailError)

    def test_a_silent_server_is_given_up(self):
        self.greeted()
        asked = self.client.command(b"NOOP")
        self.clock.advance(IDLE_S / 2)
        self.hear(b"* 1 EXISTS\r\n")
        self.clock.advance(IDLE_S - 1)
        self.assertNoResult(asked)
        self.clock.advance(1)
        self.failureResultOf(asked, ServerGone)

    def test_a_refusal_is_printable(self):
        self.left.append(self.client.greeted)
        fault = ServerRefuses(b"bad \x1b[31m \xff" + b"x" * 999)
        self.assertTrue(fault.public.isascii() and fault.public.isprintable())
        self.assertLess(len(fault.public), 400)

    def test_a_greeting_that_says_no_is_told(self):
        self.hear(b"* BYE full\r\n")
        self.failureResultOf(self.client.greeted, ServerRefuses)


class LoginTests(World):
    def log_in(self, conversation, mechanism="PLAIN"):
        return Deferred.fromCoroutine(self.client.authenticate(mechanism, conversation))

    def test_with_an_initial_response(self):
        self.greeted("SASL-IR")
        logged_in = self.log_in(Plain("ann", Secret(b"pw")))
        self.assertEqual(
            self.sent(), b"m1 AUTHENTICATE PLAIN " + b64encode(b"\0ann\0pw") + b"\r\n"
        )
        self.hear(b"m1 OK [CAPABILITY IMAP4rev1 UIDPLUS] in\r\n")
        self.successResultOf(logged_in)
        self.assertIn("UIDPLUS", self.client.capabilities)

    def test_without_one_the_server_asks_first(self):
        self.greeted()
        self.left.append(self.log_in(Plain("ann", Secret(b"pw"))))
        self.assertEqual(self.sent(), b"m1 AUTHENTICATE PLAIN\r\n")
        self.hear(b"+ \r\n")
        self.assertEqual(self.sent(), b64encode(b"\0ann\0pw") + b"\r\n")

    def test_a_challenge_that_cannot_be_answered_ends_the_exchange(self):
        self.greeted()
        logged_in = self.log_in(Login("ann", Secret(b"pw")), "LOGIN")
        for _ in range(2):
            self.hear(b"+ " + b64encode(b"?") + b"\r\n")
        self.sent()
        self.hear(b"+ ?!\r\n")
        self.assertEqual(self.sent(), b"*\r\n")
        self.hear(b"m1 BAD\r\n")
        self.failureResultOf(logged_in, ServerRefuses)

    def test_what_stands_behind_starttls_in_clear_text_is_dropped(self):
        """Else a man in the middle says what the server can do."""
        self.greeted()

        class Tls:
            checks = []

            def checked(self, handle):
                self.checks.append(handle)

        tls = Tls()

        async def secure():
            await self.client.start_tls(tls)
            await self.client.learn()

        done = Deferred.fromCoroutine(secure())
        self.hear(b"m1 OK go\r\n* CAPABILITY AUTH=EVIL\r\nm2 OK\r\n")
        self.assertNoResult(done)
        self.assertEqual(tls.checks, [])
        self.hear(b"* CAPABILITY IMAP4rev1\r\nm2 OK\r\n")
        self.successResultOf(done)
        self.assertEqual(self.client.capabilities, {"IMAP4REV1"})
        self.assertEqual(tls.checks, ["handle"])
