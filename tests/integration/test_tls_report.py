"""TLSRPT (RFC 8460) between two hosts: a day is counted, and reported by mail and by
HTTPS."""

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

from tests.integration import ways_in
from tests.integration.test_mta_sts import StsWorld
from tests.integration.world import WorldTestCase, until

BEFORE = 2  # days: yesterday may be reported only some hours after midnight


class ReportedWorld(StsWorld):
    """Two domains of servidorB want reports: of good.test, where mail arrives, and of
    name.test, whose certificate has another name."""

    def start(self):
        super().start()
        self.reports = self.b.add_user("reports@b.test")
        for domain in ("good.test", "name.test"):
            by_https = f"https://mta-sts.{domain}/{domain}"
            record = f"v=TLSRPTv1; rua=mailto:{self.reports},{by_https}"
            self.dns.set({f"TXT _smtp._tls.{domain}": [record]})


class TlsReportTests(WorldTestCase):
    kind = ReportedWorld

    def counted(self, day):
        """Stop servidorA, let a day pass for what it counted, and start it again."""
        a = self.world.a
        a.stop()
        with closing(sqlite3.connect(a.folder / "data/tls.sqlite")) as base, base:
            base.execute("UPDATE result SET day = ?", (day,))
        a.start()

    def read(self, octets):
        """(message, report) of a report mail."""
        mail = message_from_bytes(octets, policy=policy.default)
        self.assertEqual(mail.get_content_type(), "multipart/report")
        _, attached = mail.iter_parts()
        self.assertEqual(attached.get_content_type(), "application/tlsrpt+gzip")
        return mail, json.loads(gzip.decompress(attached.get_content()))

    def test_both_what_went_well_and_what_failed_are_reported(self):
        a, b = self.world.a, self.world.b
        ann = self.user(a)
        for _ in range(2):
            bob = self.user(b, domain="good.test")
            self.send(a, ann, bob)
            self.arrived(b, bob)
        bea = self.user(b, domain="name.test")
        self.send(a, ann, bea)
        refused = "The certificate of alias.test is not for alias.test"
        until(lambda: refused in a.log.read_text(), a.log.read_text)
        then = datetime.now(UTC) - timedelta(days=BEFORE)
        day = then.strftime("%Y-%m-%d")
        self.counted(day)
        found, mailed = {}, {}
        for octets in self.arrived(b, self.world.reports, 2):
            mail, report = self.read(octets)
            self.assertTrue(octets.startswith(b"Return-Path: <>\r\n"), octets)
            self.assertEqual(mail["TLS-Report-Submitter"], "servidora.test")
            self.assertEqual(mail["TLS-Required"], "No")
            self.assertEqual(report["organization-name"], "servidora.test")
            self.assertEqual(
                report["date-range"],
                {
                    "start-datetime": f"{day}T00:00:00Z",
                    "end-datetime": f"{day}T23:59:59Z",
                },
            )
            (found[mail["TLS-Report-Domain"]],) = report["policies"]
            mailed[f"/{mail['TLS-Report-Domain']}"] = report
        good, bad = found["good.test"], found["name.test"]
        for policy_of, mx in ((good, "servidorb.test"), (bad, "alias.test")):
            self.assertEqual(policy_of["policy"]["policy-type"], "sts")
            self.assertIn(f"mx: {mx}", policy_of["policy"]["policy-string"])
            self.assertEqual(policy_of["policy"]["mx-host"], [mx])
        sessions = good["summary"]
        self.assertGreaterEqual(sessions["total-successful-session-count"], 1)
        self.assertEqual(sessions["total-failure-session-count"], 0)
        sessions = bad["summary"]
        self.assertEqual(sessions["total-successful-session-count"], 0)
        self.assertGreaterEqual(sessions["total-failure-session-count"], 1)
        (failure,) = bad["failure-details"]
        self.assertEqual(failure["result-type"], "certificate-host-mismatch")
        self.assertEqual(failure["receiving-mx-hostname"], "alias.test")
        self.assertEqual(failure["receiving-ip"], b.address)
        posted = self.world.policies.posted
        until(lambda: len(posted) == 2, a.log.read_text)
        self.assertReportedOnce(a)
        self.assertEqual({kind for _, kind, _ in posted}, {"application/tlsrpt+gzip"})
        self.assertEqual(len(posted), 2)
        for path, _, octets in posted:
            self.assertEqual(json.loads(gzip.decompress(octets)), mailed[path])

    def assertReportedOnce(self, host):
        host.stop()
        host.start()
        with closing(sqlite3.connect(host.folder / "data/tls.sqlite")) as base:
            today = datetime.now(UTC).strftime("%Y-%m-%d")
            left = base.execute("SELECT * FROM result WHERE day < ?", (today,))
            self.assertEqual(left.fetchall(), [])
        self.assertEqual(len(ways_in.messages(self.world.b, self.world.reports)), 2)
