"""REQUIRETLS (RFC 8689) from host to host: by MTA-STS, by DANE, and to the last hop.

servidorB forwards what comes for an alias, so its next hop shows whether the wish was
kept: servidorC gets the mail, and a host that cannot promise TLS does not.
"""

from tests.authority import Authority
from tests.integration.smtp_peer import Script
from tests.integration.test_dane import DaneWorld, digest_of_file
from tests.integration.test_mta_sts import StsWorld
from tests.integration.wishes import WishesTestCase
from tests.integration.world import until


class ChainWorld(DaneWorld):
    """servidorA, servidorB and servidorC prove their names by DANE; at servidorC there
    are aliases for the peer without TLS, and for one whose name nobody can prove."""

    def start_hosts(self, *more, extra_b):
        super().start_hosts(*more, extra_b=extra_b + '[alias]\nfiles = ["aliases"]\n')
        (self.b.folder / "aliases").write_text("far: cora@c.test\nleak: leak@c.test\n")
        certificate, key = Authority().issue_files(self.folder, "servidorc.test")
        self.c = self.host(
            "servidorc.test",
            "c.test",
            extra=f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
            '[alias]\nfiles = ["aliases"]\n',
        )
        (self.c.folder / "aliases").write_text("leak: bob@open.test\n")
        self.open = self.peer(Script(), "open.test")
        self.dns.set(
            {
                f"TLSA _{self.port}._tcp.servidorc.test": [
                    f"3 1 1 {digest_of_file(certificate)}"
                ]
            }
        )


class ChainTests(WishesTestCase):
    kind = ChainWorld

    def test_it_goes_to_the_last_hop_over_tls_that_is_proven(self):
        ann, cora = self.user(self.world.a), "cora@c.test"
        self.world.c.add_user(cora)
        octets = self.letter(ann, "far@b.test", subject="Secret")
        self.ask(ann, "far@b.test", octets, "REQUIRETLS")
        (got,) = self.arrived(self.world.c, cora)
        self.assertIn(b"\r\nSubject: Secret\r\n", got)
        *hops, submitted = got.split(b"\r\nReceived: ")[1:]
        self.assertEqual(len(hops), 2)
        for hop in hops:
            self.assertIn(b"with ESMTPS", hop)
        self.assertIn(b"with ESMTPSA", submitted)

    def test_the_last_hop_is_not_reached_without_it(self):
        """servidorC was told by servidorB, who was told by servidorA."""
        ann = self.user(self.world.a)
        octets = self.letter(ann, "leak@b.test", body="Only for bob.\n")
        self.ask(ann, "leak@b.test", octets, "REQUIRETLS", "RET=FULL")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nReporting-MTA: dns; servidorc.test\r\n", report)
        self.assertIn(b"\r\nStatus: 5.7.10\r\n", report)
        self.assertNotIn(b"Only for bob.", report)
        self.assertEqual(self.world.open.script.messages, [])

    def test_the_same_message_without_the_wish_goes_through(self):
        ann = self.user(self.world.a)
        octets = self.letter(ann, "leak@b.test", subject="Open")
        self.ask(ann, "leak@b.test", octets)
        script = self.world.open.script
        until(lambda: script.messages, self.world.logs)
        ((_, taken),) = script.messages
        self.assertIn(b"\r\nSubject: Open\r\n", taken)
        script.messages.clear()


class StsTests(WishesTestCase):
    kind = StsWorld

    def sent(self, domain):
        ann, bob = self.user(self.world.a), self.user(self.world.b, domain=domain)
        self.ask(ann, bob, self.letter(ann, bob), "REQUIRETLS")
        return ann, bob

    def test_a_policy_that_is_enforced_proves_the_host(self):
        _, bob = self.sent("good.test")
        (got,) = self.arrived(self.world.b, bob)
        self.assertIn(b"with ESMTPS", got.split(b"\r\nReceived: ")[1])

    def test_a_policy_in_testing_proves_nothing(self):
        ann, bob = self.sent("testing.test")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nStatus: 5.7.10\r\n", report)
        self.assertEqual(self.count(self.world.b, bob), 0)
