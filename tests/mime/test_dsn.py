import email
from email import policy

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.mime.dsn import RecipientStatus, Report, compose, utf8_addr_xtext

DATE = b"Tue, 24 Nov 2026 10:00:00 +0000"
HEADER = b"From: ann@example.test\r\nSubject: hello\r\n\r\n"
BOB = Address("bob", "else.test")


def status(final=BOB, **more):
    return RecipientStatus(final, "failed", "5.1.1", **more)


def report(*statuses, **more):
    values = {
        "message_id": "m7",
        "hostname": "mail.example.test",
        "recipient": Address("ann", "example.test"),
        "subject": "Not delivered: hello",
        "text": "Your message could not be delivered.\n",
        "date": DATE,
        "arrival": DATE,
        "returned": HEADER,
    }
    return Report(statuses=statuses or (status(),), **(values | more))


def parsed(one):
    return email.message_from_bytes(compose(one), policy=policy.default)


def groups(one):
    """The groups of fields in the second part."""
    return list(parsed(one).iter_parts())[1].get_payload()


class ComposeTests(SynchronousTestCase):
    def test_it_is_a_report_of_three_parts(self):
        message = parsed(report())
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "delivery-status")
        self.assertEqual(
            [part.get_content_type() for part in message.iter_parts()],
            ["text/plain", "message/delivery-status", "text/rfc822-headers"],
        )
        self.assertEqual(message["Auto-Submitted"], "auto-replied")
        self.assertEqual(message["To"], "ann@example.test")

    def test_every_recipient_has_a_group_of_its_own(self):
        first, *rest = groups(
            report(
                status(
                    original="rfc822;robert@else.test",
                    remote_mta="mx.else.test",
                    diagnostic="550 5.1.1 No such user",
                    last_attempt=DATE,
                ),
                status(Address("eve", "else.test"), diagnostic="Mailbox full"),
                envid="batch 7",
            )
        )
        self.assertEqual(
            first.items(),
            [
                ("Original-Envelope-Id", "batch 7"),
                ("Reporting-MTA", "dns; mail.example.test"),
                ("Arrival-Date", DATE.decode()),
            ],
        )
        self.assertEqual(
            [group.items() for group in rest],
            [
                [
                    ("Original-Recipient", "rfc822;robert@else.test"),
                    ("Final-Recipient", "rfc822;bob@else.test"),
                    ("Action", "failed"),
                    ("Status", "5.1.1"),
                    ("Remote-MTA", "dns; mx.else.test"),
                    ("Diagnostic-Code", "smtp; 550 5.1.1 No such user"),
                    ("Last-Attempt-Date", DATE.decode()),
                ],
                [
                    ("Final-Recipient", "rfc822;eve@else.test"),
                    ("Action", "failed"),
                    ("Status", "5.1.1"),
                    ("Diagnostic-Code", "x-mailtwist; Mailbox full"),
                ],
            ],
        )

    def test_a_whole_message_is_returned_as_it_was(self):
        octets = HEADER + b"caf\xc3\xa9\r\n"
        one = report(returned=octets, whole=True)
        message = parsed(one)
        (returned,) = list(message.iter_parts())[2].get_payload()
        self.assertEqual(returned["Subject"], "hello")
        self.assertIn(octets, compose(one))
        self.assertTrue(one.eight_bit)
        self.assertEqual(message["Content-Transfer-Encoding"], "8bit")

    def test_an_smtputf8_message_goes_back_in_seven_bits(self):
        octets = "Subject: größe\r\n\r\nä\r\n".encode()
        jose = Address("josé", "else.test")
        one = report(status(jose), returned=octets, whole=True, utf8=True)
        self.assertFalse(one.eight_bit)
        self.assertTrue(compose(one).isascii())
        returned = list(parsed(one).iter_parts())[2]
        self.assertEqual(returned.get_content_type(), "message/global")
        self.assertIn(b"utf-8;jos\\x{E9}@else.test", compose(one))

    def test_a_sender_with_utf8_is_named_in_utf8(self):
        one = report(recipient=Address("änn", "exämple.test"))
        self.assertTrue(one.eight_bit)
        self.assertIn("To: änn@exämple.test\r\n".encode(), compose(one))

    def test_text_with_other_letters_is_quoted_printable(self):
        first = next(parsed(report(text="An größe:\nnichts\n")).iter_parts())
        self.assertEqual(first.get_content(), "An größe:\r\nnichts\r\n")

    def test_the_boundary_stands_in_no_part(self):
        inner = compose(report())
        message = parsed(report(returned=inner, whole=True))
        self.assertEqual(len(list(message.iter_parts())), 3)

    def test_addresses_are_escaped_as_rfc_6533_says(self):
        for address, escaped in (
            ("ann@else.test", "ann@else.test"),
            ("josé@else.test", "jos\\x{E9}@else.test"),
            ("a+b=c d\\@else.test", "a\\x{2B}b\\x{3D}c\\x{20}d\\x{5C}@else.test"),
            ("\U0001f600@else.test", "\\x{1F600}@else.test"),
        ):
            self.assertEqual(utf8_addr_xtext(address), escaped)

    @given(st.text(max_size=3000), st.text(max_size=60), st.text(max_size=60))
    def test_no_word_of_a_peer_makes_a_field_of_its_own(self, diagnostic, mta, envid):
        one = report(
            status(diagnostic=diagnostic, remote_mta=mta, original=f"rfc822;{envid}"),
            envid=envid,
        )
        names = {name.lower() for group in groups(one) for name in group}
        self.assertLessEqual(
            names,
            {
                "original-envelope-id",
                "reporting-mta",
                "arrival-date",
                "original-recipient",
                "final-recipient",
                "action",
                "status",
                "remote-mta",
                "diagnostic-code",
            },
        )
        longest = max(map(len, compose(one).split(b"\r\n")))
        self.assertLessEqual(longest, 998)
