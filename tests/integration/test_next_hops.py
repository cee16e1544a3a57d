"""Hosts that are slow, full, suspicious or broken, and mail that reaches them all."""

import time

from tests.integration import ways_in
from tests.integration.smtp_peer import CLOSE, SILENCE, Script
from tests.integration.world import WorldTestCase, until


class Greylisting(Script):
    """Takes a recipient only on the second attempt."""

    def __init__(self):
        super().__init__()
        self.known = set()

    def rcpt(self, address):
        if address in self.known:
            return "250 2.1.5 ok"
        self.known.add(address)
        return "450 4.2.0 Greylisted, come back later"


class Dropping(Script):
    """Takes the message, and breaks off before it says so, the first time."""

    def __init__(self):
        super().__init__()
        self.dropped = []

    def end(self, recipients, octets):
        if not self.dropped:
            self.dropped.append(octets)
            return CLOSE
        return super().end(recipients, octets)


class Slow(Script):
    def greeting(self):
        time.sleep(1)
        return super().greeting()

    def rcpt(self, address):
        time.sleep(0.5)
        return super().rcpt(address)


class Silent(Script):
    """Says nothing for as long as anybody waits."""

    def greeting(self):
        self.lines.append("connected")
        return SILENCE


class Refusing(Script):
    def greeting(self):
        return "554 5.7.1 Go away"


class NextHopTests(WorldTestCase):
    relay = "greeting_s = 3\nend_s = 5\n"

    def taken(self, script, count=1):
        """The messages that a peer took, once there are so many."""
        until(lambda: len(script.messages) >= count, self.world.logs)
        self.assertEqual(len(script.messages), count)
        return script.messages

    def assertNoReport(self, user):
        self.assertEqual(ways_in.messages(self.world.a, user), [])

    def test_a_greylisting_host_gets_its_mail_at_the_second_attempt(self):
        peer = self.world.peer(Greylisting(), "grey.test")
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@grey.test", "bea@grey.test")
        ((recipients, octets),) = self.taken(peer.script)
        self.assertEqual(sorted(recipients), ["bea@grey.test", "bob@grey.test"])
        self.assertIn(b"Subject: Hello\r\n", octets)
        self.assertNoReport(ann)

    def test_recipients_that_were_taken_are_not_sent_again(self):
        peer = self.world.peer(Greylisting(), "half.test")
        peer.script.known.add("bob@half.test")
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@half.test", "bea@half.test")
        taken = self.taken(peer.script, 2)
        self.assertEqual(
            [to for to, _ in taken], [["bob@half.test"], ["bea@half.test"]]
        )

    def test_a_host_that_drops_after_the_dot_is_tried_again_and_nobody_else(self):
        """It may have the message (RFC 1047): no report, and no second host."""
        peer = self.world.peer(Dropping(), "drop.test")
        backup = self.world.peer(Script())
        self.world.dns.set({"MX drop.test": [[5, peer.name], [10, backup.name]]})
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@drop.test")
        ((_, octets),) = self.taken(peer.script)
        self.assertEqual(peer.script.dropped, [octets])
        self.assertEqual(backup.script.messages, [])
        self.assertNoReport(ann)

    def test_a_slow_host_does_not_hold_up_the_others(self):
        peer = self.world.peer(Slow(), "slow.test")
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b)
        begun = time.monotonic()
        self.send(a, ann, "bob@slow.test", bob)
        self.arrived(b, bob)
        self.assertLess(time.monotonic() - begun, 1)
        self.taken(peer.script)

    def test_a_host_that_says_nothing_is_left_for_its_backup(self):
        silent = self.world.peer(Silent())
        backup = self.world.peer(Script())
        self.world.dns.set({"MX silent.test": [[5, silent.name], [10, backup.name]]})
        self.send(self.world.a, self.user(self.world.a), "bob@silent.test")
        self.taken(backup.script)
        self.assertEqual(silent.script.lines, ["connected"])

    def test_a_host_that_refuses_everybody_is_left_for_its_backup(self):
        peer = self.world.peer(Refusing())
        backup = self.world.peer(Script())
        self.world.dns.set({"MX refusing.test": [[5, peer.name], [10, backup.name]]})
        self.send(self.world.a, self.user(self.world.a), "bob@refusing.test")
        self.taken(backup.script)

    def test_mail_waits_for_a_host_that_is_down(self):
        self.world.address("down.test", "down.test")
        ann, script = self.user(self.world.a), Script()
        self.send(self.world.a, ann, "bob@down.test")
        until(lambda: "down.test" in self.world.a.log.read_text())
        peer = self.world.peer(script)
        self.world.dns.set({"MX down.test": [[10, peer.name]]})
        self.taken(peer.script)
        self.assertNoReport(ann)

    def test_a_full_mailbox_gets_its_mail_when_there_is_room(self):
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b, "--storage-limit", "2000")
        self.send(a, ann, bob, subject="First", body="x\n" * 400)
        self.arrived(b, bob)
        self.send(a, ann, bob, subject="Second")
        until(lambda: "4.2.2" in a.log.read_text(), b.log.read_text)
        client = ways_in.pop3_login(b, bob)
        client.dele(1)
        client.quit()
        (got,) = self.arrived(b, bob)
        self.assertIn(b"Subject: Second\r\n", got)
        self.assertNoReport(ann)
