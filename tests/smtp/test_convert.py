"""Large messages are converted a slice at a time, others have turns in between."""

from email import message_from_bytes
from email.policy import SMTP

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import MailError
from mailtwist.smtp.convert import ENCODED, SLICE, STEPS, converted
from mailtwist.smtp.convert_plan import Needs
from mailtwist.smtp.transport_look import look

from ..delivery.test_agent_pipe import Content

MB = 1 << 20
LINE = "Gr\u00fc\u00dfe an alle, die das hier lesen k\u00f6nnen\r\n".encode()
TEXT = (
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
)


class Turns(Clock):
    """Counts what waits for a next turn of the reactor."""

    count = 0

    def callLater(self, when, what, *arguments, **named):
        self.count += 1
        return super().callLater(when, what, *arguments, **named)


def mail(*parts, boundary=b"b"):
    head = (
        b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
        b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n" % boundary
    )
    return (
        head
        + b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
        + b"--%s--\r\n" % boundary
    )


class SliceTests(SynchronousTestCase):
    def converted(self, octets, needs=Needs.SEVEN_BIT, **options):
        """(the converted octets, turns that others had meanwhile)."""
        clock = Turns()

        async def run():
            content = await converted(
                clock, await look(Content(octets)), needs, **options
            )
            return await content.read(0, content.octets)

        result = Deferred.fromCoroutine(run())
        clock.advance(0)
        return self.successResultOf(result), clock.count

    def test_a_large_text_in_eight_bits_becomes_quoted_printable(self):
        body = LINE * (8 * MB // len(LINE))
        out, turns = self.converted(mail(TEXT + body))
        part = message_from_bytes(out, policy=SMTP).get_payload(0)
        self.assertEqual(part["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(part.get_payload(decode=True), body)
        # Copied, searched, looked at and written in slices.
        copied, written = len(body) // SLICE, len(out) // (2 * ENCODED)
        self.assertGreaterEqual(turns, copied + 8 // STEPS + written)

    def test_so_is_the_search_for_parts(self):
        body = b"x" * 76 + b"\r\n"
        large = b"\r\n" + body * (8 * MB // len(body))
        octets = mail(large, TEXT + LINE)
        for needs in (Needs.NO_BINARY, Needs.SEVEN_BIT):
            out, turns = self.converted(octets, needs)
            copied, looks = len(octets) // SLICE, len(octets) // SLICE
            self.assertGreaterEqual(turns, copied + (8 + looks) // STEPS - 1)
        self.assertTrue(out.isascii())

    def test_so_is_what_lies_around_parts(self):
        for needs in (Needs.SEVEN_BIT, Needs.NO_BINARY):
            octets = mail(TEXT + LINE) + b"\xff\0\r\n" * (MB // 2)
            out, turns = self.converted(octets, needs)
            end = b"??\r\n" if needs is Needs.SEVEN_BIT else b"\xff?\r\n"
            self.assertTrue(out.endswith(end * 1000))
            self.assertEqual(len(out) > len(octets), needs is Needs.SEVEN_BIT)
            self.assertGreaterEqual(turns, len(octets) // SLICE)

    def test_so_is_a_message_that_is_all_header(self):
        field = b"X-Field: " + b"x" * 60 + b"\r\n"
        octets = b"Subject: x\r\n" + field * (8 * MB // len(field)) + b"\r\n" + LINE
        for options in ({}, {"no_utf8_headers": True}):
            clock = Turns()
            looked = Deferred.fromCoroutine(look(Content(octets)))
            waiting = Deferred.fromCoroutine(
                converted(
                    clock, self.successResultOf(looked), Needs.SEVEN_BIT, **options
                )
            )
            clock.advance(0)
            fault = self.failureResultOf(waiting, MailError).value
            self.assertEqual(fault.status, "5.6.3")
            self.assertGreaterEqual(clock.count, len(octets) // SLICE)

    def test_a_wait_that_is_given_up_ends_it(self):
        clock = Clock()
        looked = self.successResultOf(
            Deferred.fromCoroutine(look(Content(mail(TEXT + LINE * 40_000))))
        )
        waiting = Deferred.fromCoroutine(converted(clock, looked, Needs.SEVEN_BIT))
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        self.assertEqual(clock.getDelayedCalls(), [])
