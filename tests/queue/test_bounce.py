import email
from email import policy

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.model import (
    DeliverBy,
    LocalRecipient,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from mailtwist.directory.model import Account
from mailtwist.errors import AuthUnavailable, MailError, NoSuchUser, OverQuota
from mailtwist.interfaces import IReporter, IRouter
from mailtwist.queue.bounce import MOST_RETURNED, Reporter
from mailtwist.queue.model import Outcome, QueuedMessage, QueuedRecipient

ANN = Address("ann", "example.test")
BOB = Address("bob", "else.test")
MESSAGE = b"Received: here\r\nMessage-ID: <1@else>\r\nSubject: hi\r\n\r\nbody\r\n"
NO_USER = Outcome(
    NoSuchUser(), host="mx.else.test", reply="550 5.1.1 Unknown", action="passed"
)
SUCCESS = frozenset({"SUCCESS"})


class Content:
    def __init__(self, octets):
        self.all, self.octets = octets, len(octets)

    async def read(self, start, count):
        return self.all[start : start + count]


@implementer(IRouter)
class OneAccount:
    """ann@example.test and postmaster live here; `fault` is raised if there is one."""

    fault = None

    async def resolve(self, address, **options):
        if self.fault is not None:
            raise self.fault
        if address.domain in ("example.test", ""):
            return LocalRecipient(address, Account(str(ANN), "/nowhere"))
        return RemoteRecipient(address)


def message(**changes):
    values = {
        "queue_id": "q1",
        "reverse_path": ANN,
        "octets": len(MESSAGE),
        "arrived_s": 1000.0,
        "expires_s": 5000.0,
    }
    return QueuedMessage(**(values | changes))


def recipient(address=BOB, **changes):
    values = {"number": 1, "route": Route("smtp"), "original": address}
    return QueuedRecipient(address=address, **(values | changes))


class ReporterTests(SynchronousTestCase):
    def setUp(self):
        self.router = OneAccount()
        ids = iter(f"r{number}" for number in range(9))
        self.reporter = Reporter(
            "mail.example.test",
            self.router,
            new_id=lambda: next(ids),
            now=lambda: 2000.0,
        )

    def reports(self, *told, kind="failed", octets=MESSAGE, **changes):
        asked = self.reporter.reports(
            message(octets=len(octets), **changes), Content(octets), told, kind
        )
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def report(self, *told, **more):
        ((envelope, octets),) = self.reports(*told, **more)
        parsed = email.message_from_bytes(octets, policy=policy.default)
        return envelope, parsed, list(parsed.iter_parts())

    def test_it_is_a_reporter(self):
        verifyObject(IReporter, self.reporter)

    def test_who_is_told_what(self):
        null = {"reverse_path": None}
        traced, timed = (
            {"wishes": Wishes(deliver_by=DeliverBy(9000.0, "N", trace))}
            for trace in (True, False)
        )
        never, failure, delay, success = (
            frozenset({word}) for word in ("NEVER", "FAILURE", "DELAY", "SUCCESS")
        )
        for changes, when, kind, action, wanted, why in (
            ({}, None, "failed", "passed", True, "failures are told by default"),
            ({}, never, "failed", "passed", False, "NEVER"),
            ({}, success, "failed", "passed", False, "only success was asked for"),
            ({}, failure, "failed", "passed", True, "asked for"),
            (null, None, "failed", "passed", True, "postmaster gets double bounces"),
            (null, never, "failed", "passed", False, "a double bounce is the end"),
            ({}, None, "delayed", "passed", True, "delays are told by default"),
            ({}, delay, "delayed", "passed", True, "asked for"),
            ({}, failure, "delayed", "passed", False, "not asked for"),
            (null, None, "delayed", "passed", False, "nobody waits for a bounce"),
            ({}, None, "succeeded", "delivered", False, "not asked for"),
            ({}, success, "succeeded", "delivered", True, "asked for"),
            ({}, success, "succeeded", "relayed", True, "no reports further on"),
            ({}, success, "succeeded", "passed", False, "the next hop will tell"),
            (null, success, "succeeded", "delivered", False, "nobody to tell"),
            (traced, None, "succeeded", "passed", True, "each relay tells (RFC 2852)"),
            (traced, failure, "succeeded", "relayed", True, "it is a trace"),
            (traced, None, "succeeded", "delivered", False, "the end of the trace"),
            (traced, never, "succeeded", "passed", False, "NEVER"),
            (null | traced, None, "succeeded", "passed", False, "nobody to tell"),
            (timed, None, "succeeded", "passed", False, "no trace was asked for"),
        ):
            told = (recipient(notify=Notify(when)), Outcome(action=action))
            said = self.reporter.wanted(message(**changes), told, kind)
            self.assertIs(said, wanted, why)

    def test_a_failure_goes_to_the_sender_with_the_message(self):
        envelope, parsed, parts = self.report((recipient(last_s=1500.0), NO_USER))
        self.assertIsNone(envelope.reverse_path)
        self.assertEqual(
            envelope.recipients,
            (RemoteRecipient(ANN, (Target(ANN, Route("mailbox")),)),),
        )
        self.assertEqual(parsed["To"], str(ANN))
        self.assertEqual(parsed["References"], "<1@else>")
        text, status, returned = parts
        self.assertIn(
            "<bob@else.test>: host mx.else.test said: 550 5.1.1 Unknown",
            text.get_content(),
        )
        self.assertEqual(status.get_payload()[1]["Status"], "5.1.1")
        self.assertEqual(status.get_payload()[1]["Remote-MTA"], "dns; mx.else.test")
        self.assertEqual(returned.get_content_type(), "message/rfc822")
        self.assertEqual(returned.get_payload()[0].get_payload(), "body\r\n")

    def test_only_the_header_goes_back_where_that_is_right(self):
        large = MESSAGE + b"x" * 70 + b"\r\n" * MOST_RETURNED
        endless = b"X: y\r\n" * MOST_RETURNED
        for kind, octets, wishes, why in (
            ("failed", MESSAGE, Wishes(ret="HDRS"), "asked for"),
            ("failed", large, Wishes(), "it is large"),
            ("failed", large, Wishes(ret="FULL"), "it is too large to send it back"),
            ("failed", MESSAGE, Wishes(body="BINARYMIME"), "no hop need take it"),
            (
                "failed",
                MESSAGE,
                Wishes(ret="FULL", require_tls=True),
                "it must not be read on a way back without TLS (RFC 8689 §5)",
            ),
            ("failed", endless, Wishes(), "no header ends"),
            ("delayed", MESSAGE, Wishes(ret="FULL"), "RET is for failures"),
        ):
            told = (recipient(), NO_USER)
            _, _, parts = self.report(told, kind=kind, octets=octets, wishes=wishes)
            self.assertEqual(parts[2].get_content_type(), "text/rfc822-headers", why)
            payload = parts[2].get_payload()
            self.assertTrue(payload.endswith("\r\n"), why)
            self.assertNotIn("body", payload, why)

    def test_reports_of_a_message_that_needs_tls_need_it_too(self):
        for kind in ("failed", "delayed", "succeeded"):
            told = (recipient(notify=Notify(SUCCESS)), NO_USER)
            envelope, _, _ = self.report(
                told, kind=kind, wishes=Wishes(require_tls=True)
            )
            self.assertTrue(envelope.wishes.require_tls, kind)
        envelope, _, _ = self.report((recipient(), NO_USER))
        self.assertFalse(envelope.wishes.require_tls)

    def test_a_delay_says_until_when_it_is_tried(self):
        told = (recipient(), Outcome(MailError("Connection refused", status="4.4.1")))
        _, _, (text, status, _) = self.report(told, kind="delayed")
        self.assertIn("1970", text.get_content())
        fields = status.get_payload()[1]
        self.assertEqual(fields["Action"], "delayed")
        self.assertEqual(fields["Status"], "4.4.1")
        diagnostic = "x-mailtwist; 4.4.1 Connection refused"
        self.assertEqual(fields["Diagnostic-Code"], diagnostic)
        self.assertIn(":23:20 ", fields["Will-Retry-Until"])

    def test_a_success_tells_what_kind_it_is(self):
        told = [
            (recipient(notify=Notify(SUCCESS, "rfc822;rob@x")), Outcome(action=action))
            for action in ("delivered", "relayed", "expanded")
        ]
        _, _, (_, status, _) = self.report(*told, kind="succeeded")
        groups = status.get_payload()[1:]
        self.assertEqual(
            [(group["Action"], group["Status"]) for group in groups],
            [("delivered", "2.0.0"), ("relayed", "2.0.0"), ("expanded", "2.0.0")],
        )
        self.assertEqual(groups[0]["Original-Recipient"], "rfc822;rob@x")

    def test_a_trace_tells_that_a_message_was_relayed(self):
        told = (recipient(), Outcome(host="mx.else.test", action="passed"))
        _, _, (text, status, _) = self.report(told, kind="succeeded")
        self.assertEqual(status.get_payload()[1]["Action"], "relayed")
        self.assertIn("<bob@else.test>: passed on", text.get_content())

    def test_each_reverse_path_gets_a_report_of_its_own(self):
        owner = "owner-list@example.test"
        found = self.reports(
            (recipient(), NO_USER),
            (recipient(sender=owner), NO_USER),
            (recipient(Address("eve", "else.test")), NO_USER),
        )
        self.assertEqual(
            [str(envelope.recipients[0].address) for envelope, _ in found],
            [str(ANN), owner],
        )
        self.assertIn(b"<eve@else.test>", found[0][1])

    def test_a_failed_report_goes_to_postmaster_and_no_further(self):
        ((envelope, octets),) = self.reports((recipient(), NO_USER), reverse_path=None)
        (to,) = envelope.recipients
        self.assertEqual(to.address.local_part, "postmaster")
        self.assertIsNone(envelope.reverse_path)
        told = (recipient(notify=to.notify), NO_USER)
        self.assertFalse(
            self.reporter.wanted(message(reverse_path=None), told, "failed")
        )
        self.assertIn(b"To: postmaster\r\n", octets)

    def test_a_way_back_that_cannot_be_looked_up_is_a_temporary_fault(self):
        self.router.fault = AuthUnavailable()
        asked = self.reporter.reports(
            message(), Content(MESSAGE), [(recipient(), NO_USER)], "failed"
        )
        self.failureResultOf(Deferred.fromCoroutine(asked), AuthUnavailable)

    def test_a_report_waits_for_a_full_mailbox(self):
        self.router.fault = OverQuota()
        ((envelope, _),) = self.reports((recipient(), NO_USER))
        self.assertEqual(envelope.recipients[0].targets[0].route, Route("mailbox"))

    def test_a_report_to_nobody_is_left_out_and_logged(self):
        self.router.fault = NoSuchUser()
        with capturedLogs() as events:
            self.assertEqual(self.reports((recipient(), NO_USER)), [])
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("q1 report for <ann@example.test> has no way back: 5.1.1", line)

    def test_an_smtputf8_message_comes_back_whatever_its_sender_can_take(self):
        wishes = Wishes("8BITMIME", smtputf8=True)
        octets = "Subject: größe\r\n\r\n".encode()
        jose = Address("josé", "else.test")
        envelope, _, parts = self.report(
            (recipient(jose), NO_USER), wishes=wishes, octets=octets
        )
        self.assertEqual(envelope.wishes, Wishes())
        self.assertEqual(parts[2].get_content_type(), "message/global")
        final = parts[1].get_payload()[1]["Final-Recipient"]
        self.assertEqual(final, "utf-8;jos\\x{E9}@else.test")
