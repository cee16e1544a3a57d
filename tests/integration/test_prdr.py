"""PRDR between two hosts: each recipient's answer comes after the data."""

from tests.integration.smtp_peer import Script
from tests.integration.wishes import WishesTestCase
from tests.integration.world import World

PIECE = "x" * 70 + "\n"


class Picky(Script):
    """Refuses bea for good, once it has seen the message."""

    extensions = ("PRDR",)

    def end(self, recipients, octets):
        super().end(recipients, octets)
        each = [
            "550 5.7.1 not this" if one.startswith("bea") else "250 2.1.5 taken"
            for one in recipients
        ]
        return "\r\n".join(("353 each:", *each, "250 2.0.0 done"))


class ShortTriesWorld(World):
    """What is refused for a while is given up after a few attempts."""

    def configuration(self):
        return super().configuration() + "expire_s = 4\n"


class PrdrTests(WishesTestCase):
    kind = ShortTriesWorld

    def announced(self, ann, bob):
        """A message, and its octets when servidorA announces it with SIZE."""
        octets = self.letter(ann, bob, body=PIECE * 100)
        self.ask(ann, (bob, self.user(self.world.b)), octets)
        (copy,) = self.arrived(self.world.b, bob)
        ours, field, theirs = copy.rpartition(b"\r\nReceived: ")
        self.assertIn(b"by servidorb.test", ours)
        return octets, len(field + theirs) - 2

    def test_only_the_recipient_that_was_refused_after_the_data_is_told_of(self):
        """bea has room for what servidorA announces, and not for what servidorB adds;
        that servidorA reports shows that it heard of each."""
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b)
        octets, size = self.announced(ann, bob)
        bea = self.user(b, "--storage-limit", str(size + 10))
        told = self.ask(ann, (bob, bea), octets)
        self.assertEqual(told[0], 250, told)
        (report,) = self.arrived(a, ann)
        self.assertIn(b"\r\nReporting-MTA: dns; servidora.test\r\n", report)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;%s\r\n" % bea.encode(), report)
        self.assertNotIn(b"Final-Recipient: rfc822;%s" % bob.encode(), report)
        self.assertIn(b"452 4.2.2 Mailbox full", report)
        self.assertIn(f"not delivered to <{bea}>: 4.2.2", b.log.read_text())
        self.assertEqual(self.count(b, bea), 0)
        self.assertEqual(self.count(b, bob), 2)

    def test_a_recipient_that_is_refused_for_good_after_the_data_is_told_of_at_once(
        self,
    ):
        a = self.world.a
        ann, peer = self.user(a), self.world.peer(Picky(), "picky.test")
        bob, bea = "bob@picky.test", "bea@picky.test"
        told = self.ask(ann, (bob, bea), self.letter(ann, bob, bea))
        self.assertEqual(told[0], 250, told)
        (report,) = self.arrived(a, ann)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;%s\r\n" % bea.encode(), report)
        self.assertIn(b"550 5.7.1 not this", report)
        self.assertNotIn(b"Final-Recipient: rfc822;%s" % bob.encode(), report)
        self.assertEqual(len(peer.script.messages), 1)
        (mail,) = (line for line in peer.script.lines if line.startswith("MAIL"))
        self.assertIn(" PRDR", mail)
