"""DANE (RFC 7672): TLSA records of a signed zone, by a resolver that validates."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.authority import Authority
from tests.integration.signed_dns import SignedDns
from tests.integration.smtp_peer import Script
from tests.integration.world import World, WorldTestCase, until

WRONG, FORGED = "AB" * 32, "CD" * 32


class DaneWorld(World):
    """servidorB has four names: with its TLSA, with another's, with one that was forged
    on the way, and with one of its authority; a peer without TLS has TLSA too."""

    def start(self):
        self.dns = SignedDns(self.folder)
        self.at_end(self.dns.stop)
        self.dns_options = "validating = true\n"
        authority = Authority()
        certificate, key = authority.issue_files(
            self.folder, "servidorb.test", "anchor.test"
        )
        self.start_hosts(
            "b3.test",
            "b4.test",
            extra_b=f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n',
        )
        self.plain = self.peer(Script(), "plain.test")
        rows = {
            "servidorb.test": f"3 1 1 {digest_of_file(certificate)}",
            "wrong.test": f"3 1 1 {WRONG}",
            "forged.test": f"3 1 1 {FORGED}",
            "anchor.test": f"2 1 1 {digest(authority.certificate)}",
            self.plain.name: f"3 1 1 {WRONG}",
        }
        for name, record in rows.items():
            self.dns.set({f"TLSA _{self.port}._tcp.{name}": [record]})
        for name in ("wrong.test", "forged.test", "anchor.test"):
            self.dns.set({f"A {name}": [self.b.address]})
        for domain, host in (
            ("b.test", "servidorb.test"),
            ("b2.test", "wrong.test"),
            ("b3.test", "forged.test"),
            ("b4.test", "anchor.test"),
        ):
            self.dns.set({f"MX {domain}": [[10, host]]})
        self.dns.start({FORGED[:40]: WRONG[:40]})  # the zone has it in two pieces


def digest(certificate):
    key = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(key).hexdigest().upper()


def digest_of_file(path):
    return digest(x509.load_pem_x509_certificate(path.read_bytes()))


class DaneTests(WorldTestCase):
    kind = DaneWorld

    def sent(self, domain):
        """The recipient of a message that was sent to a domain of servidorB."""
        bob = self.user(self.world.b, domain=domain)
        self.send(self.world.a, self.user(self.world.a), bob)
        return bob

    def told(self, words):
        log = self.world.a.log
        until(lambda: words in log.read_text(), log.read_text)

    def test_a_host_with_the_certificate_of_its_record_gets_mail(self):
        (got,) = self.arrived(self.world.b, self.sent("b.test"))
        self.assertIn(b"with ESMTPS", got.split(b"\r\nReceived: ")[1])

    def test_a_host_with_a_certificate_of_the_authority_of_its_record_gets_mail(self):
        self.arrived(self.world.b, self.sent("b4.test"))

    def test_a_host_with_another_certificate_gets_none(self):
        bob = self.sent("b2.test")
        self.told("wrong.test fits none of its TLSA records")
        self.assertEqual(self.count(self.world.b, bob), 0)

    def test_a_host_with_a_record_that_was_forged_gets_none(self):
        bob = self.sent("b3.test")
        self.told(f"to <{bob}> put off")
        self.assertEqual(self.count(self.world.b, bob), 0)

    def test_a_host_that_hides_its_tls_gets_none(self):
        self.send(self.world.a, self.user(self.world.a), "bob@plain.test")
        self.told("offers no TLS, which is needed")
        self.assertEqual(self.world.plain.script.messages, [])
