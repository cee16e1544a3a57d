"""Tests for mailtwist.mime.index."""

import time

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mailbox.model import Column
from mailtwist.mime.header import fields
from mailtwist.mime.index import KEPT_FIELDS, index
from mailtwist.mime.parse import parse
from mailtwist.mime.part import Part
from mailtwist.mime.slices import in_one_go
from mailtwist.mime.structure import both, envelope
from mailtwist.mime.surrogate import COLUMNS

from .odd_messages import HOSTILE

HEADER = (
    b"Return-Path: <a@b>\r\nReceived: from x by y\r\n\tfor z; 1 Jan 2026\r\n"
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nFrom: Ann <a@b>\r\nTo: c@d\r\n"
    b"Subject: a\r\n folded one\r\nX-Other: y\r\nMessage-ID: <1@b>\r\n\r\n"
)


class IndexTests(SynchronousTestCase):
    @given(octets=HOSTILE)
    def test_columns_are_what_their_functions_give(self, octets):
        part = parse(octets)
        columns = index(octets)
        self.assertEqual(set(columns), {*COLUMNS, Column.SURROGATE})
        start, count = part.header
        header = octets[start : start + count]
        self.assertEqual(columns[Column.ENVELOPE], envelope(header, utf8=True))
        written = in_one_go(both(part, octets, utf8=True))
        self.assertEqual((columns[Column.BODY], columns[Column.BODYSTRUCTURE]), written)
        self.assertTrue(header.isascii() or columns[Column.SURROGATE])
        self.assertEqual(Part.decode(columns[Column.PARTS]), part)

    def test_kept_fields_are_as_written_and_end_in_a_blank_line(self):
        kept = index(HEADER + b"body")[Column.FIELDS]
        self.assertEqual(
            [name for name, _ in fields(kept)],
            [b"Return-Path", b"Date", b"From", b"To", b"Subject", b"Message-ID"],
        )
        self.assertIn(b"Subject: a\r\n folded one\r\n", kept)
        self.assertTrue(kept.endswith(b"\r\n\r\n"))

    def test_a_message_without_kept_fields_has_the_blank_line(self):
        self.assertEqual(index(b"X: y\r\n\r\n")[Column.FIELDS], b"\r\n")

    def test_what_mail_programs_ask_for_is_kept(self):
        for program, names in {
            "Thunderbird": "From To Cc Bcc Subject Date Message-ID Priority X-Priority "
            "References Newsgroups In-Reply-To Content-Type Reply-To",
            "mutt": "Date From Sender Subject To Cc Message-Id References Lines "
            "Content-Type Content-Description In-Reply-To Reply-To List-Post X-Label "
            "X-Original-To",
            "K-9": "Date Subject From To Cc Content-Type Reply-To Message-ID References"
            " In-Reply-To List-Unsubscribe Sender X-K9mail-Identity Chat-Version",
            "Roundcube": "Date From To Subject Content-Type Cc Reply-To List-Post Bcc "
            "Mail-Followup-To Mail-Reply-To Return-Path Message-ID References Sender "
            "In-Reply-To X-Draft-Info X-Priority Disposition-Notification-To",
            "mbsync": "X-TUID Message-ID",
        }.items():
            asked = {name.lower().encode() for name in names.split()}
            self.assertEqual(asked - KEPT_FIELDS, set(), program)

    def test_trace_fields_are_not_kept(self):
        for name in (b"received", b"dkim-signature", b"authentication-results"):
            self.assertNotIn(name, KEPT_FIELDS)

    def test_a_plain_message_takes_well_under_a_millisecond(self):
        message = HEADER + b"A line of text in a message of two thousand.\r\n" * 40
        best = 1.0
        for _ in range(50):
            start = time.process_time()
            index(message)
            best = min(best, time.process_time() - start)
        self.assertLess(best, 0.001)

    def test_a_message_that_is_all_header_costs_little(self):
        octets = b"Subject: x\r\n" + b"a:\r\n" * 2_000_000
        before = time.process_time()
        columns = index(octets)
        self.assertLess(time.process_time() - before, 1.0)
        self.assertIn(b'"x"', columns[Column.ENVELOPE])
        part = Part.decode(columns[Column.PARTS])
        self.assertEqual((part.header, part.body), ((0, len(octets)), (len(octets), 0)))

    def test_parts_that_are_all_header_cost_little(self):
        head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        octets = head + (b"--b\r\n" + b"a:\r\n" * 500_000) * 8 + b"--b--\r\n"
        before = time.process_time()
        columns = index(octets)
        self.assertLess(time.process_time() - before, 2.0)
        self.assertEqual(len(Part.decode(columns[Column.PARTS]).children), 8)
