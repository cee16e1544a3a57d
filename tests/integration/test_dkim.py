"""What leaves is signed, what is sent on is sealed: seen by dkimpy, opendkim and us."""

import re
import smtplib
import subprocess
import tempfile
from pathlib import Path

import dkim

from tests.integration.programs import message, run
from tests.integration.smtp_peer import Script
from tests.integration.world import WorldTestCase, until

DATE = "Fri, 11 Jul 2003 21:00:37 -0700"
LARGE = "A line of a message that does not fit into memory.\n" * 3000
RECORD = re.compile(r"^(\S+)\. IN TXT \( (.*) \)$", re.M)


def records(told):
    """{name: text} of what `mailtwist dkim` printed."""
    return {
        name: "".join(re.findall(r'"([^"]*)"', strings))
        for name, strings in RECORD.findall(told)
    }


class DkimTestCase(WorldTestCase):
    extra = """
[trust]
exempt_networks = []
[[table]]
name = "out"
kind = "inline"
entries = ["forged@a.test bob@far.test", "sent-on@a.test bob@far.test"]
[alias]
virtual = ["out"]
"""

    def setUp(self):
        super().setUp()
        world = self.world
        if not hasattr(world, "far"):
            world.far = world.peer(Script(), "far.test")
            told = world.a.command("dkim", "keygen", "a.test", "--selector", "s1")
            world.records = records(told)
            self.publish()
            told = world.a.command("dkim", "rotate", "a.test")
            self.assertIn("a.test signs with s1e now", told)
            world.dns.set({"TXT carol.test": ["v=spf1 +all"]})
        self.far = world.far.script

    def publish(self):
        self.world.dns.set(
            {f"TXT {name}": [text] for name, text in self.world.records.items()}
        )

    def answer(self, name, timeout=5):
        """DNS for dkimpy."""
        found = self.world.records.get(name.decode().removesuffix("."))
        return found.encode() if found else None

    def left(self, subject):
        """The message with this subject, as the far host got it."""

        def found():
            wanted = f"\nSubject: {subject}".encode()
            got = [octets for _, octets in self.far.messages if wanted in octets]
            return got[0] if got else None

        return until(found, self.world.logs)

    def verify(self, octets):
        """By dkimpy, which knows only RSA as it is installed here."""
        kinds = [b"rsa-sha256" in each for each in self.signatures(octets)]
        found = dkim.DKIM(octets).verify(kinds.index(True), dnsfunc=self.answer)
        self.assertTrue(found)

    def signatures(self, octets):
        return re.findall(rb"^DKIM-Signature:.*?\r\n(?=\S)", octets, re.S | re.M)

    def opendkim(self, octets, more="", mode="v"):
        """(exit status, what it says) of opendkim, which reads keys from a file."""
        folder = Path(tempfile.mkdtemp(prefix="mailtwist-opendkim-"))
        self.addCleanup(lambda: run("rm", "-r", folder))
        names = folder / "dns"
        names.write_text(
            "".join(f"{name} {text}\n" for name, text in self.world.records.items())
        )
        config = folder / "conf"
        config.write_text(
            f"Mode {mode}\nBackground no\nTestDNSData {names}\nRequireSafeKeys no\n"
            f"SoftwareHeader no\nAuthservID seen.test\nAlwaysAddARHeader yes\n{more}"
        )
        mail = folder / "mail"
        mail.write_bytes(octets)
        return run("opendkim", "-x", config, "-t", mail, "-vvv", ok=False)


class SignTests(DkimTestCase):
    def test_what_a_login_sends_is_signed_twice(self):
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@far.test", subject="Signed")
        octets = self.left("Signed")
        self.assertEqual(octets.count(b"DKIM-Signature:"), 2)
        self.verify(octets)
        status, told = self.opendkim(octets)
        self.assertEqual(status, 0, told)
        for algorithm in ("rsa", "ed25519"):
            passed = "dkim=pass[^;]* header.a=" + algorithm
            self.assertRegex(told, passed)

    def test_another_mailtwist_believes_it(self):
        ann, bob = self.user(self.world.a), self.user(self.world.b)
        self.send(self.world.a, ann, bob, subject="Believed")
        (octets,) = self.arrived(self.world.b, bob)
        found = re.search(
            rb"^Authentication-Results:.*?\r\n(?=\S)", octets, re.S | re.M
        )
        self.assertEqual(found[0].count(b"dkim=pass"), 2, found[0])

    def test_what_opendkim_signs_is_believed(self):
        pem = self.world.a.folder / "data/dkim/a.test/s1r.pem"
        made = message("Theirs", sender="x@a.test", Date=DATE)
        _, told = self.opendkim(
            made, f"Domain a.test\nSelector s1r\nKeyFile {pem}\n", mode="s"
        )
        value = re.search("hname='DKIM-Signature' hvalue='(.*?)'", told, re.S)[1]
        field = "DKIM-Signature: " + value.replace("\n", "\r\n") + "\r\n"
        bob = self.user(self.world.b)
        with smtplib.SMTP(self.world.b.address, self.world.b.port("smtp")) as client:
            client.sendmail("x@carol.test", [bob], field.encode() + made)
        (got,) = self.arrived(self.world.b, bob)
        self.assertIn(b"dkim=pass header.d=a.test header.s=s1r", got)

    def test_a_large_message_is_signed(self):
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@far.test", subject="Large", body=LARGE)
        octets = self.left("Large")
        self.verify(octets)

    def test_what_a_stranger_sends_in_our_name_is_not_signed(self):
        ann = self.user(self.world.a)
        alias = "forged@a.test"
        port = self.world.a.port("smtp")
        with smtplib.SMTP(self.world.a.address, port) as client:
            client.sendmail(
                "x@carol.test", [alias], message("Forged", to=alias, sender=ann)
            )
        self.assertNotIn(b"DKIM-Signature:", self.left("Forged"))

    def test_what_is_sent_on_is_sealed(self):
        alias = "sent-on@a.test"
        port = self.world.a.port("smtp")
        octets = message("Sealed", to=alias, sender="x@carol.test")
        with smtplib.SMTP(self.world.a.address, port) as client:
            client.sendmail("x@carol.test", [alias], octets)
        got = self.left("Sealed")
        verdict, _, why = dkim.arc_verify(got, dnsfunc=self.answer)
        self.assertEqual(verdict, dkim.CV_Pass, why)
        self.assertIn(b"i=1; servidora.test", got)
        self.assertIn(b"spf=pass", got)


class RotateTests(DkimTestCase):
    def test_a_key_is_used_only_when_DNS_has_it(self):
        world = self.world
        made = records(world.a.command("dkim", "keygen", "a2.test"))
        with self.assertRaises(AssertionError) as told:
            world.a.command("dkim", "rotate", "a2.test")
        self.assertIn("is not in DNS", str(told.exception))
        ann = self.user(world.a, domain="a2.test")
        self.send(world.a, ann, "bob@far.test", subject="Before")
        self.assertNotIn(b"DKIM-Signature:", self.left("Before"))
        world.records |= made
        self.publish()
        until(lambda: self.rotated("a2.test"), world.logs)

        def signed():
            self.send(world.a, ann, "bob@far.test", subject="After")
            return b"DKIM-Signature:" in self.left("After") or self.far.messages.pop()

        until(lambda: signed() is True, world.logs)
        self.verify(self.left("After"))
        told = world.a.command("dkim", "list", "a2.test")
        self.assertEqual(told.count("active: signs"), 2)

    def rotated(self, domain):
        """Once DNS has forgotten that there was nothing."""
        try:
            return self.world.a.command("dkim", "rotate", domain)
        except AssertionError:
            return ""

    def test_no_key_is_in_the_log(self):
        folder = self.world.a.folder / "data/dkim"
        for path in folder.rglob("*.pem"):
            inside = path.read_text().splitlines()[1]
            self.assertNotIn(inside, self.world.logs())
        self.assertEqual(
            subprocess.check_output(["stat", "-c%a", folder], text=True).strip(), "700"
        )
