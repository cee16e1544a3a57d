"""What a sender asked for reaches the far end: through intake, queue, relay, intake."""

from base64 import b64encode
from email import message_from_bytes

from tests.integration import ways_in
from tests.integration.programs import message
from tests.integration.wishes import WishesTestCase

UTF8 = "Gr\u00fc\u00dfe".encode()


class WishesTests(WishesTestCase):
    def people(self):
        return self.user(self.world.a), self.user(self.world.b)

    def test_a_report_of_success_comes_from_the_host_that_delivered(self):
        ann, bob = self.people()
        octets = message(sender=ann, to=bob)
        rcpt = ("NOTIFY=SUCCESS", f"ORCPT=rfc822;{bob}")
        self.ask(ann, bob, octets, "RET=HDRS", "ENVID=a+2Bb", rcpt=rcpt)
        self.arrived(self.world.b, bob)
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"Reporting-MTA: dns;servidorb.test", report.replace(b"; ", b";"))
        self.assertIn(b"Original-Envelope-Id: a+b", report)
        self.assertIn(b"Action: delivered", report)

    def test_tls_that_nobody_can_prove_brings_the_mail_back(self):
        ann, bob = self.people()
        self.ask(ann, bob, message(sender=ann, to=bob), "REQUIRETLS")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nStatus: 5.7.10\r\n", report)

    def test_binary_octets_go_all_the_way_in_chunks(self):
        ann, bob = self.people()
        body = bytes(range(256)) * 3000
        octets = (
            b"From: <%s>\r\nMIME-Version: 1.0\r\nContent-Type: image/x\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n" % ann.encode()
        ) + body
        told = self.ask(ann, bob, octets, "BODY=BINARYMIME", bdat=True)
        self.assertEqual(told[0], 250, told)
        client = ways_in.imapclient(self.world.b, bob)[0]
        (by_pop3,) = self.arrived(self.world.b, bob)
        client.select_folder("INBOX")
        by_imap = client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"]
        for got in (by_pop3, by_imap):  # the mailbox holds lines, whatever was sent
            told = message_from_bytes(got)
            self.assertEqual(told["Content-Transfer-Encoding"], "base64")
            self.assertEqual(told.get_payload(decode=True), body)

    def test_utf8_headers_go_all_the_way(self):
        ann, bob = self.people()
        octets = b"From: <%s>\r\nSubject: %s\r\n\r\nx\r\n" % (ann.encode(), UTF8)
        self.ask(ann, bob, octets, "SMTPUTF8", "BODY=8BITMIME")
        (got,) = self.arrived(self.world.b, bob)
        # POP3 without UTF8 shows it encoded (RFC 6856 §2)
        self.assertIn(b"\r\nSubject: =?utf-8?B?%s?=\r\n" % b64encode(UTF8), got)
        self.assertIn(b"with UTF8SMTPS", got.partition(b"\r\nReceived: ")[2])
