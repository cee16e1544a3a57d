"""`mailtwist reports` on files, as a person types it."""

import gzip
import json
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.aggregate import encode

from ..trust.test_aggregate import REPORT, TLS
from .test_main import FINE, said


class ReportsTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.config = self.folder / "mailtwist.toml"
        self.config.write_text(FINE)

    def file(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def reports(self, *arguments):
        return said("-c", self.config, "reports", *arguments)

    def test_files_are_summed_up(self):
        dmarc = self.file("a.xml.gz", gzip.compress(encode(REPORT)))
        again = self.file("b.xml", encode(REPORT))
        tls = self.file("t.json", json.dumps(TLS).encode())
        status, told, _ = self.reports(dmarc, again, tls)
        self.assertEqual(
            (status, [" ".join(line.split()) for line in told.splitlines()]),
            (
                0,
                [
                    "DMARC, 1 reports of else.test",
                    "a.test: 5 passed, 2 failed",
                    "5 192.0.2.1 pass",
                    "2 192.0.2.9 FAIL",
                    "TLS, 1 reports of else.test",
                    "a.test by else.test to 2026-11-24: 7 sessions, 1 failed",
                    "1 certificate-expired with mx.a.test",
                ],
            ),
        )

    def test_programs_get_every_line(self):
        status, told, _ = self.reports(self.file("a.xml", encode(REPORT)), "--json")
        ((report),) = json.loads(told)
        self.assertEqual((status, report["report_id"]), (0, REPORT.report_id))
        self.assertEqual(report["rows"][0][1], 5)

    def test_older_reports_may_be_left_out(self):
        path = self.file("a.xml", encode(REPORT))
        self.assertEqual(self.reports(path, "--since", "2023-11-15")[0], 0)
        self.assertEqual(self.reports(path, "--since", "2024-01-01"), (1, "", ""))

    def test_what_is_no_report_is_told(self):
        for path, wanted in (
            (self.file("x", b"hello"), "has no report in it"),
            (self.folder / "missing", "cannot be read"),
        ):
            status, _, err = self.reports(path)
            self.assertEqual(status, 1)
            self.assertIn(wanted, err)

    def test_a_terminal_is_given_no_command(self):
        bad = evolve(REPORT, org_name="\x9b2Jelse")
        _, told, _ = self.reports(self.file("a.xml", encode(bad)))
        self.assertNotIn("\x9b", told)
