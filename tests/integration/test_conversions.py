"""Mail for hosts that lack what it was sent with: converted, or brought back."""

from email import message_from_bytes, policy

from tests.integration.smtp_peer import Script
from tests.integration.wishes import WishesTestCase
from tests.integration.world import World, until

UTF8 = "Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e"
IDN = "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.test"
A_LABELS = "xn--bcher-kva.test"


class Few(Script):
    """A host with the commands of 1982, which takes two recipients at a time."""

    extensions = ("LIMITS RCPTMAX=2",)


class OldWorld(World):
    def start(self):
        super().start()
        self.old = self.peer(Few(), "old.test", A_LABELS)


class ConversionTests(WishesTestCase):
    kind = OldWorld

    def setUp(self):
        super().setUp()
        self.script = self.world.old.script
        self.script.lines.clear()
        self.script.messages.clear()
        self.ann = self.user(self.world.a)

    def said(self, *wishes, to="bob@old.test", body=b"x\r\n", fields=b"", **more):
        """Submit a message with these parameters."""
        octets = b"From: <%s>\r\n%s\r\n" % (self.ann.encode(), fields) + body
        told = self.ask(self.ann, to, octets, *wishes, **more)
        self.assertEqual(told[0], 250, told)

    def taken(self):
        """(MAIL as the old host heard it, what it took)."""
        until(lambda: self.script.messages, self.world.logs)
        ((_, octets),) = self.script.messages
        self.assertTrue(octets.isascii(), octets)
        (mail,) = [line for line in self.script.lines if line.startswith("MAIL ")]
        return mail, message_from_bytes(octets, policy=policy.default)

    def assertReturned(self, status):
        (report,) = self.arrived(self.world.a, self.ann)
        self.assertIn(b"\r\nStatus: %s\r\n" % status, report)
        self.assertEqual(self.script.messages, [])

    def test_eight_bit_text_becomes_seven_bit(self):
        text = f"{UTF8}\r\n" * 3
        self.said(
            "BODY=8BITMIME",
            body=text.encode(),
            fields=b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n",
        )
        mail, got = self.taken()
        self.assertNotIn("BODY", mail)
        self.assertIn(got["Content-Transfer-Encoding"], ("quoted-printable", "base64"))
        self.assertEqual(got.get_content(), text)

    def test_binary_octets_become_base64(self):
        octets = bytes(range(256)) * 300
        self.said(
            "BODY=BINARYMIME",
            body=octets,
            fields=b"MIME-Version: 1.0\r\nContent-Type: image/x\r\n"
            b"Content-Transfer-Encoding: binary\r\n",
            bdat=True,
        )
        mail, got = self.taken()
        self.assertNotIn("BODY", mail)
        self.assertEqual(got["Content-Transfer-Encoding"], "base64")
        self.assertEqual(got.get_payload(decode=True), octets)

    def test_mail_that_needs_no_SMTPUTF8_goes_without(self):
        self.said("SMTPUTF8")
        self.assertNotIn("SMTPUTF8", self.taken()[0])

    def test_the_domain_of_an_address_is_said_as_A_labels(self):
        self.said("SMTPUTF8", to=f"bob@{IDN}")
        self.taken()
        ((recipients, _),) = self.script.messages
        self.assertEqual(recipients, [f"bob@{A_LABELS}"])

    def test_header_fields_in_utf8_come_back(self):
        self.said("SMTPUTF8", fields=b"Subject: %s\r\n" % UTF8.encode())
        self.assertReturned(b"5.6.9")

    def test_an_address_in_utf8_comes_back_alone(self):
        self.said("SMTPUTF8", to=(f"{UTF8}@old.test", "bob@old.test"))
        self.taken()
        (report,) = self.arrived(self.world.a, self.ann)
        self.assertIn(b"\r\nStatus: 5.6.7\r\n", report)
        final = b"\r\nFinal-Recipient: utf-8;Gr\\x{FC}\\x{DF}e@old.test\r\n"
        self.assertIn(final, report)  # for any reader (RFC 6533 §3)
        text = next(message_from_bytes(report, policy=policy.default).iter_parts())
        self.assertIn(f"<{UTF8}@old.test>:", text.get_content())
        ((recipients, _),) = self.script.messages
        self.assertEqual(recipients, ["bob@old.test"])

    def test_the_limits_of_the_host_are_kept(self):
        to = tuple(f"{name}@old.test" for name in "abcde")
        self.said(to=to)
        until(lambda: len(self.script.messages) == 3, self.world.logs)
        sizes = [len(recipients) for recipients, _ in self.script.messages]
        self.assertEqual(sizes, [2, 2, 1])
        taken = sorted(r for some, _ in self.script.messages for r in some)
        self.assertEqual(taken, sorted(to))
