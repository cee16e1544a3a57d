"""What access tables order, on a running server with a second host behind it."""

import atexit
import json
import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import ways_in
from tests.integration.daemon import Daemon, free_port
from tests.integration.programs import message
from tests.integration.smtp_peer import CLOSE, Script, SmtpPeer
from tests.integration.world import until

SENDER = "carol@client.test"
CONFIG = """
[queue]
first_retry_s = 0.5
most_retry_s = 1
[restrictions]
sender = ["check_sender_access senders"]
[[table]]
name = "senders"
kind = "file"
source = "senders"
"""


class Filter(Script):
    """Takes mail while it is `open`."""

    open = True

    def end(self, recipients, octets):
        return super().end(recipients, octets) if self.open else CLOSE


class OrdersTests(SynchronousTestCase):
    """One server for each test: what its table says of the sender is one line."""

    timeout = 120

    def server(self, action):
        self.daemon = daemon = Daemon(CONFIG, hostname="mail.example.test")
        self.addCleanup(daemon.remove)
        atexit.register(daemon.remove)
        table = daemon.folder / "senders"
        table.write_text(f"{SENDER} {action}\n")
        table.chmod(0o644)
        self.ann, self.bob = daemon.add_user("ann"), daemon.add_user("bob")
        daemon.start()
        self.addCleanup(self.no_traceback)
        return daemon

    def no_traceback(self):
        self.assertNotIn("Traceback", self.daemon.log.read_text())

    def peer(self):
        script = Filter()
        peer = SmtpPeer("filter.test", "127.0.0.1", free_port(), script)
        self.addCleanup(peer.stop)
        return script, f"[127.0.0.1]:{peer.server_address[1]}"

    def send(self, *recipients, subject="Ordered"):
        daemon = self.daemon
        with smtplib.SMTP(daemon.address, daemon.port("smtp")) as client:
            octets = message(sender=SENDER, to=", ".join(recipients), subject=subject)
            client.sendmail(SENDER, list(recipients), octets)

    def got(self, user, count=1):
        """The messages of a user, once there are so many."""

        def enough():
            found = ways_in.messages(self.daemon, user)
            return found if len(found) >= count else None

        return until(enough, self.daemon.log.read_text)

    def queued(self):
        """What `queue list --json` tells."""
        told = self.daemon.command("queue", "list", "--json")
        return [json.loads(line) for line in told.splitlines()]

    def test_held_mail_is_delivered_after_its_release_also_after_a_crash(self):
        daemon = self.server("HOLD look at it")
        self.send(self.ann, self.bob)
        [one] = self.queued()
        self.assertTrue(one["held"])
        daemon.kill()
        daemon.start()
        self.assertEqual(ways_in.messages(daemon, self.ann), [])
        daemon.command("queue", "release", one["id"])
        for user in (self.ann, self.bob):
            self.assertIn(b"Subject: Ordered", self.got(user)[0])
        until(lambda: not self.queued())

    def test_mail_goes_to_another_with_a_field_on_top(self):
        self.server("REDIRECT bob@example.test")
        self.send(self.ann)
        [found] = self.got(self.bob)
        self.assertIn(b"Delivered-To: bob@example.test", found)
        self.assertEqual(ways_in.messages(self.daemon, self.ann), [])

    def test_a_field_stands_above_the_trace(self):
        self.server("PREPEND X-Seen: by the table")
        self.send(self.ann)
        [found] = self.got(self.ann)
        self.assertIn(b"X-Seen: by the table\r\nReceived: from", found)

    def test_a_copy_goes_along(self):
        self.server("BCC bob@example.test")
        self.send(self.ann)
        for user in (self.ann, self.bob):
            self.assertEqual(len(self.got(user)), 1)

    def test_mail_is_thrown_away_and_the_log_knows(self):
        self.server("DISCARD no more of it")
        self.send(self.ann)
        told = "<ann@example.test> discarded"
        until(lambda: told in self.daemon.log.read_text())
        self.assertEqual(ways_in.messages(self.daemon, self.ann), [])
        self.assertEqual(self.queued(), [])

    def test_mail_takes_the_way_to_a_filter_over_crash_and_requeue(self):
        script, place = self.peer()
        script.open = False
        daemon = self.server(f"FILTER smtp:{place}")
        self.send(self.ann, self.bob)
        until(lambda: self.queued()[0]["recipients"][0]["attempts"])
        daemon.kill()
        daemon.start()
        script.open = True
        daemon.command("queue", "requeue", "--all")
        until(lambda: script.messages, daemon.log.read_text)
        [(recipients, octets)] = script.messages
        self.assertEqual(sorted(recipients), [self.ann, self.bob])
        self.assertIn(b"Subject: Ordered", octets)
        until(lambda: not self.queued())
        self.assertEqual(ways_in.messages(daemon, self.ann), [])
