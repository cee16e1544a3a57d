"""TLS reports: who wants them, what stands in them."""

import email
import gzip
import json
from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.queue.tlsrpt import (
    Key,
    Reporting,
    Result,
    destinations,
    mailbox,
    message,
    report,
)

US = Reporting("mail.a.test", "postmaster@a.test")
STS = "version: STSv1\nmode: enforce\nmx: mx.b.test\nmx: *.b.test\nmax_age: 60"


def result(count, failure="", kind="sts", policy=STS, host="mx.b.test"):
    key = Key("2026-11-23", "b.test", kind, policy, host, "192.0.2.1", failure)
    return Result(key, count)


RESULTS = [
    result(5),
    result(2, "certificate-expired"),
    result(1, "starttls-not-supported", host="mx2.b.test"),
    result(4, kind="no-policy-found", policy=""),
]


class DestinationTests(SynchronousTestCase):
    def test_one_record_tells_where_reports_go(self):
        for records, found, why in (
            ([b"v=TLSRPTv1; rua=mailto:r@b.test"], ["mailto:r@b.test"], "mail"),
            (
                [b"v=TLSRPTv1;rua=mailto:r@b.test, https://b.test/v1;"],
                ["mailto:r@b.test", "https://b.test/v1"],
                "two",
            ),
            ([b"v=TLSRPTv1; rua=http://b.test/"], [], "no https"),
            ([b"v=TLSRPTv1; rua=mailto:nobody"], [], "no domain"),
            (
                [b"v=TLSRPTv1; rua=ftp://b.test,mailto:r@b.test"],
                ["mailto:r@b.test"],
                "",
            ),
            ([b"v=TLSRPTv1"], [], "no rua"),
            ([b"v=TLSRPTv2; rua=mailto:r@b.test"], [], "another version"),
            ([b"v=TLSRPTv1; rua=mailto:r@b.test"] * 2, [], "two records"),
            ([], [], "none"),
        ):
            self.assertEqual(destinations(records), found, why)

    def test_a_mailbox_may_have_a_query(self):
        self.assertEqual(mailbox("MAILTO:r@b.test?subject=x"), Address("r", "b.test"))
        self.assertIsNone(mailbox("https://b.test"))

    @given(octets=st.binary(max_size=120))
    def test_arbitrary_octets_raise_nothing(self, octets):
        for uri in destinations([b"v=TLSRPTv1; rua=mailto:" + octets]):
            self.assertTrue(mailbox(uri) or uri.lower().startswith("https://"), uri)


class ReportTests(SynchronousTestCase):
    def said(self):
        return json.loads(gzip.decompress(report(RESULTS, US).octets))

    def test_it_tells_who_reports_what_day(self):
        said = self.said()
        self.assertEqual(said["organization-name"], "mail.a.test")
        self.assertEqual(said["contact-info"], "postmaster@a.test")
        self.assertEqual(
            said["date-range"],
            {
                "start-datetime": "2026-11-23T00:00:00Z",
                "end-datetime": "2026-11-23T23:59:59Z",
            },
        )

    def test_each_policy_has_its_sums_and_details(self):
        without, sts = self.said()["policies"]
        self.assertEqual(
            without,
            {
                "policy": {
                    "policy-type": "no-policy-found",
                    "policy-domain": "b.test",
                },
                "summary": {
                    "total-successful-session-count": 4,
                    "total-failure-session-count": 0,
                },
            },
        )
        self.assertEqual(
            sts["policy"],
            {
                "policy-type": "sts",
                "policy-domain": "b.test",
                "policy-string": STS.split("\n"),
                "mx-host": ["mx.b.test", "*.b.test"],
            },
        )
        self.assertEqual(
            sts["summary"],
            {"total-successful-session-count": 5, "total-failure-session-count": 3},
        )
        self.assertEqual(
            sts["failure-details"],
            [
                {
                    "result-type": "certificate-expired",
                    "receiving-mx-hostname": "mx.b.test",
                    "receiving-ip": "192.0.2.1",
                    "failed-session-count": 2,
                },
                {
                    "result-type": "starttls-not-supported",
                    "receiving-mx-hostname": "mx2.b.test",
                    "receiving-ip": "192.0.2.1",
                    "failed-session-count": 1,
                },
            ],
        )

    def test_the_file_has_the_name_that_is_asked_for(self):
        self.assertEqual(
            report(RESULTS, US).file_name,
            "mail.a.test!b.test!20261123000000!20261123235959.json.gz",
        )

    def test_the_mail_is_one_that_programs_read(self):
        made = report(RESULTS, US)
        date = b"Tue, 24 Nov 2026 01:00:00 +0000"
        octets = message(made, US, Address("r", "b.test"), "id1", date)
        self.assertTrue(octets.isascii())
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))
        self.assertLess(max(map(len, octets.split(b"\r\n"))), 99)
        read = email.message_from_bytes(octets, policy=SMTP)
        self.assertEqual(read.get_content_type(), "multipart/report")
        self.assertEqual(read.get_param("report-type"), "tlsrpt")
        self.assertEqual(read["TLS-Report-Domain"], "b.test")
        self.assertEqual(read["TLS-Report-Submitter"], "mail.a.test")
        self.assertEqual(read["TLS-Required"], "No")
        self.assertEqual(read["Message-ID"], "<id1@mail.a.test>")
        text, attached = read.iter_parts()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(attached.get_content_type(), "application/tlsrpt+gzip")
        self.assertEqual(attached.get_filename(), made.file_name)
        self.assertEqual(attached.get_content(), made.octets)
        self.assertEqual((read.defects, attached.defects), ([], []))
