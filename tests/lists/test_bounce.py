from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.errors import MailError
from mailtwist.lists.bounce import DELAYED, HARD, SOFT, Bounce, Failed, parsed
from mailtwist.mime.dsn import RecipientStatus, Report, compose

ANN = Address("ann", "a.test")


def report(*statuses):
    return compose(
        Report(
            message_id="1",
            hostname="mx.test",
            recipient=Address("dev-bounces", "lists.test"),
            subject="Undelivered mail",
            text="Sorry.\n",
            date=b"Wed, 25 Nov 2026 00:00:00 +0000",
            arrival=b"Wed, 25 Nov 2026 00:00:00 +0000",
            statuses=statuses,
            returned=b"Subject: x\r\n\r\n",
        )
    )


def text(body, subject="failure notice"):
    return f"From: MAILER-DAEMON@x.test\nSubject: {subject}\n\n{body}".encode()


class StandardTests(SynchronousTestCase):
    def test_each_status_has_its_kind(self):
        for action, status, diagnostic, kind in (
            ("failed", "5.1.1", "550 No such user", HARD),
            ("failed", "5.2.2", "552 Mailbox full", SOFT),
            ("failed", "4.4.1", "", SOFT),
            ("delayed", "4.4.1", "", DELAYED),
            ("failed", "5.0.0", "451 4.3.0 Try later", SOFT),
        ):
            one = RecipientStatus(ANN, action, status, "", "mx.a.test", diagnostic)
            (found,) = parsed(report(one)).failed
            self.assertEqual((found.address, found.kind), (ANN, kind), (action, status))

    def test_the_address_that_was_sent_to_counts(self):
        one = RecipientStatus(
            Address("inner", "b.test"), "failed", "5.1.1", original="rfc822;ann@a.test"
        )
        self.assertEqual(parsed(report(one)).failed[0].address, ANN)

    def test_each_recipient_is_told(self):
        found = parsed(
            report(
                RecipientStatus(ANN, "failed", "5.1.1"),
                RecipientStatus(Address("bob", "b.test"), "failed", "4.2.2"),
            )
        )
        self.assertEqual([one.kind for one in found.failed], [HARD, SOFT])

    def test_a_success_is_no_failure(self):
        found = parsed(report(RecipientStatus(ANN, "delivered", "2.0.0")))
        self.assertEqual(found, Bounce((), "a success"))

    def test_the_returned_message_is_not_read(self):
        octets = report(RecipientStatus(ANN, "failed", "5.1.1"))
        inner = octets.replace(b"\r\nSubject: x", b"\r\nFinal-Recipient: x; b@b.test")
        self.assertEqual(len(parsed(inner).failed), 1)


UGLY = {
    "qmail": (
        "Hi. This is the qmail-send program at x.test.\nI'm afraid I wasn't able to "
        "deliver your message.\n\n<ann@a.test>:\n192.0.2.1 does not like recipient.\n"
        "Remote host said: 550 5.1.1 User unknown\nGiving up.\n\n"
        "--- Below this line is a copy of the message.\n\nTo: bob@b.test\n",
        HARD,
    ),
    "Exim": (
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        "  ann@a.test\n    SMTP error: 550 unknown user\n\n"
        "------ This is a copy of the message, including all the headers. ------\n"
        "To: bob@b.test\n",
        HARD,
    ),
    "a sentence": ("Delivery to ann@a.test failed: no such user here.\n", HARD),
    "a full mailbox": ("ann@a.test: mailbox is full, quota exceeded\n", SOFT),
    "a status": ("<ann@a.test>... 452 4.2.2 try again\n", SOFT),
    "a warning": (
        "Warning: message still undelivered after 4 hours, will keep trying\n"
        "ann@a.test: 4.4.1 timed out\n",
        DELAYED,
    ),
}


class UglyTests(SynchronousTestCase):
    def test_what_other_hosts_write(self):
        for name, (body, kind) in UGLY.items():
            (found,) = parsed(text(body)).failed
            self.assertEqual((found.address, found.kind), (ANN, kind), name)

    def test_x_failed_recipients(self):
        octets = b"X-Failed-Recipients: ann@a.test,\r\n\tbob@b.test\r\n\r\nSorry.\r\n"
        found = [one.address for one in parsed(octets).failed]
        self.assertEqual(found, [ANN, Address("bob", "b.test")])

    def test_several_addresses_say_nothing_of_one(self):
        (found,) = parsed(text("ann@a.test bob@b.test: user unknown\n")).failed
        self.assertIs(found.address, None)

    def test_an_answer_of_a_person_s_program_is_no_bounce(self):
        for subject in ("Out of office", "Automatic reply: hello"):
            octets = text("I am away. 5.1.1 ann@a.test", subject)
            self.assertEqual(parsed(octets).failed, ())

    def test_a_letter_is_no_bounce(self):
        octets = text("Please take me off, ann@a.test", "A request")
        self.assertEqual(parsed(octets), Bounce((), "no report"))

    @given(st.binary(max_size=2000))
    def test_any_octets_raise_only_mail_errors(self, octets):
        try:
            found = parsed(octets)
        except MailError:
            return
        self.assertTrue(all(isinstance(one, Failed) for one in found.failed))

    @given(st.binary(max_size=300))
    def test_any_report_is_read(self, octets):
        head = b"Content-Type: message/delivery-status\r\n\r\n"
        for one in parsed(head + octets).failed:
            self.assertIn(one.kind, (HARD, SOFT, DELAYED))
