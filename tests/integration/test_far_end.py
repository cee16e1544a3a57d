"""What the far end hears of a sender's wishes: the host behind the host that was asked.

servidorB forwards what comes for an alias, so a wish that its next hop hears was said
by servidorA, understood by servidorB, and kept through both queues.
"""

import re

from tests.integration.smtp_peer import Script
from tests.integration.wishes import WishesTestCase
from tests.integration.world import World, until


class Knowing(Script):
    """A host that knows every word that a relay may pass on."""

    extensions = (
        *("8BITMIME", "DSN", "MT-PRIORITY", "DELIVERBY 5"),
        *("FUTURERELEASE 604800 2099-01-01T00:00:00Z",),
    )


class Unknowing(Script):
    extensions = ("8BITMIME",)


class ForwardingWorld(World):
    """far@b.test goes on from servidorB to a peer that knows much, near@b.test to one
    that knows little."""

    def start(self):
        super().start()
        self.far = self.peer(Knowing(), "far.test")
        self.near = self.peer(Unknowing(), "near.test")
        (self.b.folder / "aliases").write_text(
            "far: bob@far.test\nnear: bob@near.test\n"
        )

    def start_hosts(self):
        """servidorB lets servidorA say how urgent its mail is."""
        super().start_hosts(
            extra_b='[alias]\nfiles = ["aliases"]\n',
            top_b='trusted_networks = ["127.0.0.0/8"]\n',
        )


class FarEndTests(WishesTestCase):
    kind = ForwardingWorld

    def setUp(self):
        super().setUp()
        for peer in (self.world.far, self.world.near):
            peer.script.lines.clear()
            peer.script.messages.clear()

    def mail(self, peer):
        """The MAIL command that a peer heard, once its message is there."""
        until(lambda: peer.script.messages, self.world.logs)
        (mail,) = [line for line in peer.script.lines if line.startswith("MAIL ")]
        return mail

    def forwarded(self, name, *wishes, rcpt=()):
        ann = self.user(self.world.a)
        to = f"{name}@b.test"
        told = self.ask(ann, to, self.letter(ann, to), *wishes, rcpt=rcpt)
        self.assertEqual(told[0], 250, told)
        return ann

    def test_a_deadline_is_told_on_with_the_time_that_is_left(self):
        """And each relay tells the sender of it, as a trace was asked for."""
        ann = self.forwarded("far", "BY=600;RT")
        left_s, mode = re.search(r" BY=(\d+);(\w+)", self.mail(self.world.far)).groups()
        self.assertEqual(mode, "RT")
        self.assertTrue(560 < int(left_s) <= 600, left_s)
        relays = set()
        for report in self.arrived(self.world.a, ann, 2):
            self.assertIn(b"\r\nAction: relayed\r\n", report)
            relays |= set(re.findall(rb"Reporting-MTA: dns; (\S+)", report))
        self.assertEqual(relays, {b"servidora.test", b"servidorb.test"})

    def test_a_deadline_in_mode_N_goes_to_a_host_that_does_not_know_it(self):
        self.forwarded("near", "BY=600;N")
        self.assertNotIn(" BY=", self.mail(self.world.near))

    def test_a_deadline_in_mode_R_keeps_mail_from_a_host_that_does_not_know_it(self):
        ann = self.forwarded("near", "BY=600;R")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"Reporting-MTA: dns; servidorb.test\r\n", report)
        self.assertIn(b"\r\nStatus: 5.3.3\r\n", report)
        self.assertEqual(self.world.near.script.messages, [])

    def test_a_priority_is_told_on(self):
        self.forwarded("far", "MT-PRIORITY=3")
        self.assertTrue(self.mail(self.world.far).endswith(" MT-PRIORITY=3"))

    def test_a_priority_below_normal_is_told_on(self):
        self.forwarded("far", "MT-PRIORITY=-4")
        self.assertTrue(self.mail(self.world.far).endswith(" MT-PRIORITY=-4"))

    def test_a_priority_is_kept_from_a_host_that_does_not_know_it(self):
        self.forwarded("near", "MT-PRIORITY=3")
        self.assertNotIn("MT-PRIORITY", self.mail(self.world.near))

    def test_the_wishes_about_reports_are_told_on(self):
        rcpt = ("NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;first@x.example")
        self.forwarded("far", "RET=HDRS", "ENVID=a+2Bb", rcpt=rcpt)
        mail = self.mail(self.world.far)
        self.assertIn(" RET=HDRS", mail)
        self.assertIn(" ENVID=a+2Bb", mail)
        (said,) = [
            line for line in self.world.far.script.lines if line.startswith("RCPT ")
        ]
        self.assertIn(" NOTIFY=FAILURE,DELAY", said)
        self.assertIn(" ORCPT=rfc822;first@x.example", said)

    def test_a_hold_ends_at_the_host_of_the_sender(self):
        """It is a word of submission only (RFC 4865), so no relay is told of it."""
        self.forwarded("far", "HOLDFOR=1")
        self.assertNotIn("HOLD", self.mail(self.world.far))
