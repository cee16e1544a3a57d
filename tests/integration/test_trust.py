"""Mail of strangers that passes and fails each check of its origin, over the wire."""

import atexit
import re
import shutil
import smtplib
import tempfile
from pathlib import Path

import dkim

from mailtwist.trust.keys import new_key, private_key
from mailtwist.trust.results import parsed
from tests.integration import ways_in
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.world import Dns

ALLOWED, FORBIDDEN = "127.0.0.21", "127.0.0.22"
RSA = new_key("rsa")
KEY = private_key("strict.test", "s1", RSA)
ZONE = {
    "PTR 21.0.0.127.in-addr.arpa": ["mx.strict.test"],
    "A mx.strict.test": [ALLOWED],
    "TXT mx.strict.test": ["v=spf1 a -all"],
    "TXT s1._domainkey.strict.test": [KEY.record],
    **{
        f"TXT {name}.test": [f"v=spf1 ip4:{ALLOWED} -all"]
        for name in ("strict", "milder", "silent", "list")
    },
    "TXT _dmarc.strict.test": ["v=DMARC1; p=reject"],
    "TXT _dmarc.milder.test": ["v=DMARC1; p=quarantine"],
    "TXT s1._domainkey.list.test": [KEY.record],
}
FOLDER = Path(tempfile.mkdtemp(prefix="mailtwist-zone-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
DNS = Dns(FOLDER)
atexit.register(DNS.stop)
DNS.set(ZONE)
LARGE = "A line of a message that does not fit into memory.\n" * 12_000


def signed(octets, domain="strict.test"):
    """By dkimpy, as a stranger signs."""
    field = dkim.sign(
        octets, b"s1", domain.encode(), RSA, include_headers=[b"from", b"subject"]
    )
    return field + octets


class TrustTestCase(DaemonTestCase):
    extra = f"""
[dns]
servers = ["{DNS.address}"]
[trust]
exempt_networks = []
forwarders = ["list.test"]
received_spf = true
"""

    def send(self, octets, sender, to, source=ALLOWED):
        """A stranger's message; what is answered to its end."""
        port = self.daemon.port("smtp")
        with smtplib.SMTP("127.0.0.1", port, source_address=(source, 0)) as client:
            client.ehlo("mx.strict.test")
            for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
                self.assertEqual(client.docmd(line)[0], 250)
            code, text = client.data(octets)
        return f"{code} {text.decode()}"

    def taken(self, octets, sender, source=ALLOWED):
        """What a new user has of it: (octets, results by method)."""
        ann = self.user()
        told = self.send(octets, sender, ann, source)
        self.assertEqual(told[:3], "250", told)
        (got,) = ways_in.messages(self.daemon, ann)
        return got, self.results(got)

    def results(self, octets):
        field = re.search(
            rb"^Authentication-Results:(.*?)\r\n(?=\S)", octets, re.S | re.M
        )
        name, found = parsed(field[1].decode())
        self.assertEqual(name, "mail.example.test")
        return {one.method: one.result for one in reversed(found)}

    def junk(self, user):
        with ways_in.imapclient(self.daemon, user)[1] as client:
            return client.select_folder("Junk")[b"EXISTS"]


class OriginTests(TrustTestCase):
    def test_what_is_proven_is_written_down(self):
        octets = signed(message("Proven", sender="carol@strict.test"))
        got, found = self.taken(octets, "carol@strict.test")
        self.assertEqual(
            found, {"iprev": "pass", "spf": "pass", "dkim": "pass", "dmarc": "pass"}
        )
        self.assertIn(b"\r\nReceived-SPF: pass", got)
        self.assertTrue(got.endswith(octets))

    def test_a_forged_author_is_refused_as_the_domain_asks(self):
        for source, octets, why in (
            (FORBIDDEN, message(sender="carol@strict.test"), "SPF fails, no DKIM"),
            (
                FORBIDDEN,
                signed(message("One", sender="carol@strict.test")).replace(
                    b"One", b"Two"
                ),
                "DKIM fails",
            ),
        ):
            told = self.send(octets, "carol@strict.test", self.user(), source)
            self.assertEqual(told[:10], "550 5.7.1 ", why)
            self.assertIn("strict.test", told)

    def test_a_signature_is_enough_where_SPF_fails(self):
        octets = signed(message(sender="carol@strict.test"))
        _, found = self.taken(octets, "carol@strict.test", FORBIDDEN)
        self.assertEqual(
            (found["spf"], found["dkim"], found["dmarc"]), ("fail", "pass", "pass")
        )

    def test_what_is_to_be_quarantined_goes_to_Junk(self):
        ann = self.user()
        octets = message(sender="carol@milder.test")
        told = self.send(octets, "carol@milder.test", ann, FORBIDDEN)
        self.assertEqual(told[:3], "250")
        self.assertEqual(ways_in.messages(self.daemon, ann), [])
        self.assertEqual(self.junk(ann), 1)

    def test_a_domain_that_asks_for_nothing_gets_its_mail_through(self):
        _, found = self.taken(
            message(sender="carol@silent.test"), "carol@silent.test", FORBIDDEN
        )
        self.assertEqual((found["spf"], found["dmarc"]), ("fail", "none"))
        self.assertEqual(found["iprev"], "permerror")

    def test_the_null_sender_is_checked_by_its_helo(self):
        _, found = self.taken(message(sender="mailer-daemon@silent.test"), "")
        self.assertEqual(found["spf"], "pass")

    def test_results_that_claim_to_be_ours_are_taken_out(self):
        forged = (
            b"Authentication-Results: Mail.Example.TEST (x) 1;\r\n\tdmarc=pass\r\n"
            b"Authentication-Results: other.test; spf=pass\r\n"
        )
        octets = forged + message(sender="carol@silent.test")
        got, found = self.taken(octets, "carol@silent.test", FORBIDDEN)
        self.assertEqual(found["dmarc"], "none")
        self.assertEqual(got.lower().count(b"mail.example.test (x)"), 0)
        self.assertIn(b"Authentication-Results: other.test; spf=pass\r\n", got)

    def test_a_large_message_is_checked_and_whole(self):
        octets = signed(message("Large", sender="carol@strict.test", body=LARGE))
        got, found = self.taken(octets, "carol@strict.test", FORBIDDEN)
        self.assertEqual(found["dkim"], "pass")
        self.assertTrue(got.endswith(octets))

    def test_a_trusted_forwarder_may_have_changed_it(self):
        body = message("Of a list", sender="carol@strict.test")
        told = b"Authentication-Results: list.test; dmarc=pass header.from=strict.test"
        changed = body + b"-- \r\nThe list\r\n"
        sets = dkim.arc_sign(
            told + b"\r\n" + changed, b"s1", b"list.test", RSA, b"list.test"
        )
        _, found = self.taken(b"".join(sets) + changed, "bounce@list.test")
        self.assertEqual((found["arc"], found["dmarc"]), ("pass", "fail"))
        told = self.send(changed, "bounce@list.test", self.user())
        self.assertEqual(told[:3], "550")

    def test_swaks_is_told_the_same(self):
        ann = self.user()
        swaks = ("swaks", "--server", "127.0.0.1", "-p", self.daemon.port("smtp"))
        for source, exit_, sender in (
            (ALLOWED, 0, "carol@strict.test"),
            (FORBIDDEN, 26, "carol@strict.test"),
        ):
            status, told = run(
                *swaks,
                *("--local-interface", source, "--from", sender, "--to", ann),
                *("--ehlo", "mx.strict.test"),
                ok=False,
            )
            self.assertEqual(status, exit_, told)

    def test_the_log_tells_every_check(self):
        self.taken(signed(message(sender="carol@strict.test")), "carol@strict.test")
        log = self.daemon.log.read_text()
        line = re.findall(r".* checked: .*", log)[-1]
        for word in ("iprev", "spf", "dkim", "dmarc"):
            self.assertIn(f"{word} ", line)
