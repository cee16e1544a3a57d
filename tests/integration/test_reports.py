"""Reports of delays, of time that is over, and of reports that cannot be delivered."""

import smtplib
import time

from tests.integration.wishes import WishesTestCase
from tests.integration.world import World, until


class HurriedWorld(World):
    """A sender is told of a delay after two seconds, and gets mail back after six."""

    def configuration(self):
        return super().configuration() + "delay_notice_s = 2\nexpire_s = 6\n"

    def start(self):
        super().start()
        self.address("mx.away.test", "away.test")  # nobody listens there

    def start_hosts(self):
        super().start_hosts(top_b='trusted_networks = ["127.0.0.0/8"]\n')


class ReportTests(WishesTestCase):
    kind = HurriedWorld
    away = "bob@away.test"

    def told(self, *wishes, count=1, rcpt=()):
        """The reports about a message to a host that is away."""
        ann = self.user(self.world.a)
        self.ask(ann, self.away, self.letter(ann, self.away), *wishes, rcpt=rcpt)
        return self.arrived(self.world.a, ann, count)

    def assertSays(self, report, action, status):
        self.assertIn(b"\r\nAction: %s\r\n" % action, report)
        self.assertIn(b"\r\nStatus: %s\r\n" % status, report)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;bob@away.test\r\n", report)
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"), report)

    def test_a_delay_is_told_once_and_then_the_end(self):
        delayed, failed = self.told(count=2)
        self.assertSays(delayed, b"delayed", b"4.4.1")
        self.assertIn(b"\r\nWill-Retry-Until: ", delayed)
        self.assertSays(failed, b"failed", b"5.4.7")

    def test_who_asked_for_failures_alone_is_told_no_delay(self):
        (failed,) = self.told(rcpt=("NOTIFY=FAILURE",))
        self.assertSays(failed, b"failed", b"5.4.7")

    def test_who_asked_for_nothing_hears_nothing(self):
        a = self.world.a
        ann = self.user(a)
        self.ask(ann, self.away, self.letter(ann), rcpt=("NOTIFY=NEVER",))
        log = a.log
        until(lambda: "given up" in log.read_text(), log.read_text)
        until(lambda: ann not in a.command("queue", "list"))
        self.assertEqual(self.count(a, ann), 0)

    def test_a_message_comes_back_at_its_deadline(self):
        begun = time.monotonic()
        (failed,) = self.told("BY=1;R", rcpt=("NOTIFY=FAILURE",))
        self.assertSays(failed, b"failed", b"5.4.7")
        self.assertLess(time.monotonic() - begun, 5)

    def test_a_deadline_that_only_wants_to_be_told_is_told_and_ends_nothing(self):
        begun = time.monotonic()
        delayed, failed = self.told("BY=1;N", count=2)
        self.assertSays(delayed, b"delayed", b"4.4.1")
        self.assertSays(failed, b"failed", b"5.4.7")
        self.assertGreaterEqual(time.monotonic() - begun, 6)

    def test_a_report_that_nobody_takes_goes_to_postmaster_and_no_further(self):
        b = self.world.b
        boss = b.add_user("postmaster@b.test")
        with smtplib.SMTP(b.address, b.port("smtp")) as client:
            octets = self.letter("zoe@nowhere.test", "nobody@a.test", subject="Lost")
            client.sendmail("zoe@nowhere.test", ["nobody@a.test"], octets)
        (report,) = self.arrived(b, boss)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;zoe@nowhere.test\r\n", report)
        self.assertIn(b"\r\nStatus: 5.1.2\r\n", report)
        self.assertIn(b"Lost", report)
        until(lambda: "nowhere.test" not in b.command("queue", "list"))
