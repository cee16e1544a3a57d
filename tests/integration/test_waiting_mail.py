"""Mail that waits, and what brings it before its time: ETRN, sendmail -q, a hold's end.

Nothing is tried again within an hour by itself here, so what comes was asked for.
"""

import smtplib
import time

from tests.integration.smtp_peer import Script, SmtpPeer
from tests.integration.wishes import WishesTestCase
from tests.integration.world import World, until


class PatientWorld(World):
    def configuration(self):
        return (
            super()
            .configuration()
            .replace(
                "first_retry_s = 0.5\nmost_retry_s = 1\n",
                'first_retry_s = "1 h"\nmost_retry_s = "1 h"\ndrop = "drop"\n',
            )
        )

    def start_hosts(self):
        super().start_hosts()
        self.c = self.host(
            "servidorc.test",
            "c.test",
            extra='[restrictions]\netrn_domains = ["b.test", "d.test"]\n'
            f'etrn_networks = ["{self.b.address}/32"]\n',
        )


class WaitingMailTests(WishesTestCase):
    kind = PatientWorld

    def put_off(self, host, domain):
        """Wait until a host has tried to reach a domain in vain."""
        words, log = f"@{domain}> put off", host.log
        until(lambda: words in log.read_text(), log.read_text)

    def etrn(self, domain, source=""):
        """servidorC's reply to ETRN from an address, that of servidorB by default."""
        b, c = self.world.b, self.world.c
        source = (source or b.address, 0)
        with smtplib.SMTP(
            c.address, c.port("smtp"), b.hostname, source_address=source
        ) as client:
            client.ehlo()
            return client.docmd(f"ETRN {domain}")

    def test_ETRN_brings_the_mail_that_waits_for_a_host_that_was_away(self):
        b, c = self.world.b, self.world.c
        cora, bob = self.user(c), self.user(b)
        b.stop()
        self.send(c, cora, bob, subject="Waiting")
        self.put_off(c, "b.test")
        b.start()
        self.assertEqual(self.count(b, bob), 0)
        code, text = self.etrn("b.test")
        self.assertEqual(code, 250, text)
        (got,) = self.arrived(b, bob)
        self.assertIn(b"\r\nSubject: Waiting\r\n", got)

    def test_ETRN_brings_no_mail_of_other_domains_and_is_not_for_everybody(self):
        b, c = self.world.b, self.world.c
        cora, bob = self.user(c), self.user(b, domain="b2.test")
        b.stop()
        self.send(c, cora, bob)
        self.put_off(c, "b2.test")
        b.start()
        self.assertEqual(self.etrn("d.test")[0], 250)
        self.assertEqual(self.etrn("b2.test")[0], 459)
        code, text = self.etrn("b.test", source="127.0.0.1")
        self.assertEqual((code, text[:5]), (502, b"5.5.1"), text)
        self.assertIn(bob, c.command("queue", "list"))
        self.assertEqual(self.count(b, bob), 0)

    def away(self, *domains):
        """The address of a host that is the MX of these domains, and not there."""
        return self.world.address(f"mx.{domains[0]}", *domains)

    def back(self, address):
        """What takes the mail of `away` from now on."""
        peer = SmtpPeer("mx.test", address, self.world.port, Script())
        self.addCleanup(peer.stop)
        return peer.script

    def test_sendmail_q_brings_everything_that_waits(self):
        a = self.world.a
        ann, away = self.user(a), self.away("down.test")
        self.send(a, ann, "bob@down.test", subject="Late")
        self.put_off(a, "down.test")
        script = self.back(away)
        self.sendmail(a, "-q")
        until(lambda: script.messages, self.world.logs)
        ((recipients, octets),) = script.messages
        self.assertEqual(recipients, ["bob@down.test"])
        self.assertIn(b"\r\nSubject: Late\r\n", octets)

    def test_sendmail_qR_brings_what_waits_for_some(self):
        a = self.world.a
        ann, away = self.user(a), self.away("one.test", "two.test")
        for domain in ("one.test", "two.test"):
            self.send(a, ann, f"bob@{domain}")
            self.put_off(a, domain)
        script = self.back(away)
        self.sendmail(a, "-qRtwo.test")
        until(lambda: script.messages, self.world.logs)
        self.assertEqual([to for to, _ in script.messages], [["bob@two.test"]])
        self.assertIn("bob@one.test", a.command("queue", "list"))

    def sendmail(self, host, *arguments):
        host.command("sendmail", *arguments)

    def test_mail_for_later_leaves_when_its_time_has_come(self):
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b)
        begun = time.monotonic()
        self.ask(ann, bob, self.letter(ann, bob, subject="Later"), "HOLDFOR=3")
        self.assertIn(bob, a.command("queue", "list"))
        (got,) = self.arrived(b, bob)
        self.assertGreaterEqual(time.monotonic() - begun, 3)
        self.assertIn(b"\r\nSubject: Later\r\n", got)

    def test_mail_for_later_is_kept_over_a_restart(self):
        a, b = self.world.a, self.world.b
        ann, al, bob = self.user(a), self.user(a), self.user(b)
        begun = time.monotonic()
        octets = self.letter(ann, al, bob)
        until_s = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 8))
        self.ask(ann, (al, bob), octets, f"HOLDUNTIL={until_s}")
        a.kill()
        a.start()
        self.assertEqual(self.count(a, al), 0)
        self.arrived(a, al)
        self.arrived(b, bob)
        self.assertGreaterEqual(time.monotonic() - begun, 7)
        a.sound(2)

    def test_mail_may_not_wait_longer_than_the_host_says(self):
        a = self.world.a
        ann = self.user(a)
        with smtplib.SMTP(a.address, a.port("submission")) as client:
            self.log_in(client, ann)
            client.ehlo()
            longest_s, _ = client.esmtp_features["futurerelease"].split()
            self.assertEqual(
                client.docmd(f"MAIL FROM:<{ann}> HOLDFOR={longest_s}")[0], 250
            )
            client.docmd("RSET")
            code, _ = client.docmd(f"MAIL FROM:<{ann}> HOLDFOR={int(longest_s) + 60}")
            self.assertGreaterEqual(code, 500)
