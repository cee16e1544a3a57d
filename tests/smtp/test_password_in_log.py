"""No secret of a client comes into the log, whatever it does wrong."""

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from .rooms import PASSWORD, PLAIN, House

ENCODED = "czNjcmV0LW9mLWFubg=="  # PASSWORD


class PasswordInLogTests(SynchronousTestCase):
    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self):
        return "\n".join(f"{formatEvent(e)} {e!r}" for e in self.events)

    def test_neither_a_login_nor_a_slip_of_it(self):
        for lines in (
            [f"AUTH PLAIN {PLAIN}", "QUIT"],
            ["AUTH PLAIN", PLAIN, "QUIT"],
            ["AUTH LOGIN", "YW5uQGV4YW1wbGUudGVzdA==", ENCODED, "QUIT"],
            ["AUTH LOGIN", "YW5u", ENCODED, "QUIT"],  # wrong user
            [f"AUHT PLAIN {PLAIN}", "QUIT"],  # mistyped
            [f"AUTH PLAIN{PLAIN}", "QUIT"],
            [f"AUTH PLAIN {PLAIN} x", "QUIT"],
            [f"AUTH {ENCODED}", "QUIT"],
            ["AUTH LOGIN", "*", ENCODED, "QUIT"],  # a response too late
            [PLAIN, "QUIT"],
        ):
            client = House().connect().begin(tls=True)
            client.ask(*lines)
            self.assertTrue(client.is_closed())
        logged = self.logged()
        self.assertIn("disconnect", logged)
        for secret in (PASSWORD.decode(), ENCODED, ENCODED[:12], PLAIN, PLAIN[:24]):
            self.assertNotIn(secret, logged)

    def test_nor_a_fault_of_ours_while_it_is_checked(self):
        house = House()

        async def broken(mechanism, initial, converse, peer):
            raise RuntimeError("broken")

        house.authenticator.login_sasl = broken
        client = house.connect().begin(tls=True)
        self.assertEqual(client.codes(f"AUTH PLAIN {PLAIN}"), ["451 4.3.0"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        logged = self.logged()
        self.assertIn("Auth(mechanism='PLAIN')", logged)
        self.assertNotIn(PLAIN, logged)
        self.assertNotIn(PASSWORD.decode(), logged)

    def test_no_text_of_a_message(self):
        client = House().connect().begin()
        client.ask("MAIL FROM:<>", "RCPT TO:<ann@example.test>", "DATA")
        client.ask("my diary", ".", "QUIT")
        self.assertNotIn("diary", self.logged())

    def test_an_answered_message_costs_one_line(self):
        client = House().connect().begin()
        self.events.clear()
        client.ask("MAIL FROM:<>", "RCPT TO:<ann@example.test>", "DATA")
        client.ask("x: y", ".")
        (event,) = self.events
        self.assertIn("accepted from <> for 1, 6 octets", formatEvent(event))
