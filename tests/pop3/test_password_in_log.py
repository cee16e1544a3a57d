"""No secret reaches the log, whatever the client does."""

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from .world import World


class SecretTests(SynchronousTestCase):
    def test_no_event_holds_a_password(self):
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        world = World()
        for lines in (
            [b"USER ann@example.test", b"PASS demo", b"QUIT"],
            [b"USER ann@example.test", b"PASS xdemox\x00"],
            [b"AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAZGVtbw==", b"QUIT"],
            [b"AUTH LOGIN", b"YW5uQGV4YW1wbGUudGVzdA==", b"ZGVtbw==", b"QUIT"],
            [b"PASS demo"],
        ):
            wire = world.connect()
            for line in lines:
                wire.ask(line)
            wire.close()

        async def broken(*args):
            raise RuntimeError("x")

        world.authenticator.login_password = broken
        world.authenticator.login_apop = world.authenticator.login_sasl = broken
        digest = b"c4c9334bac560ecc979e58001b3e22fb"  # of the password, to be guessed
        for lines in (
            [b"USER ann@example.test", b"PASS demo"],
            [b"APOP ann@example.test " + digest],
            [b"AUTH PLAIN AGFubkBleGFtcGxlLnRlc3QAZGVtbw=="],
        ):
            world.connect().ask(*lines)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        told = [repr(event) for event in events]
        self.assertTrue(any("logged_in" in t or "login" in t for t in told))
        for text in told:
            for secret in ("demo'", 'demo"', "xdemox", "ZGVtbw", digest.decode()):
                self.assertNotIn(secret, text)
