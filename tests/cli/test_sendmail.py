"""Tests for mailtwist.cli.sendmail: the command as scripts and mail programs run it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.cli.sendmail import Options, Usage, parse, wishes_of
from mailtwist.queue.drop import make_folder, take, waiting

ROOT = Path(__file__).parent.parent.parent
ANN, BOB = Address("ann", "example.org"), Address("bob", "else.test")
FILE = """
[server]
hostname = "mail.example.org"
[[domain]]
name = "example.org"
[queue]
drop = "drop"
[smtp]
message_octets = 65536
"""


class ParseTests(SynchronousTestCase):
    def test_letters_and_values_are_read_as_sendmail_reads_them(self):
        for words, wanted, why in (
            ("-t -i", {"from_fields": True, "dot_ends": False}, "what cron does"),
            ("-ti", {"from_fields": True, "dot_ends": False}, "letters together"),
            ("-oi bob", {"dot_ends": False, "recipients": ["bob"]}, "an old option"),
            ("-oem -odb", {}, "old options without meaning here"),
            ("-f ann -F Ann", {"sender": "ann", "full_name": "Ann"}, "next word"),
            ("-fann -FAnn", {"sender": "ann", "full_name": "Ann"}, "attached"),
            ("-r ann", {"sender": "ann"}, "the other letter"),
            ("-f <>", {"sender": ""}, "the null path"),
            ("-tfann", {"from_fields": True, "sender": "ann"}, "a value ends it"),
            ("-bp", {"mode": "p"}, "mailq"),
            ("-bs", {"mode": "s"}, "an SMTP session"),
            ("-bv ann", {"mode": "v", "recipients": ["ann"]}, "verify"),
            ("-I", {"mode": "i"}, "newaliases"),
            ("-q", {"flush": "all"}, "the whole queue"),
            ("-q15m", {"flush": "15m"}, "an interval"),
            ("-qIabc", {"flush": "Iabc"}, "one message"),
            ("-qRelse.test", {"flush": "Relse.test"}, "one domain"),
            ("-B8bitmime", {"body": "8BITMIME"}, "the kind of body"),
            ("-N never", {"notify": frozenset({"NEVER"})}, "reports"),
            ("-R hdrs -V id", {"ret": "HDRS", "envid": "id"}, "what reports say"),
            ("-C x.toml", {"config": "x.toml"}, "another configuration"),
            ("-- -t", {"recipients": ["-t"]}, "no more options"),
            ("-G -U -v", {"verbose": True}, "letters without meaning"),
            ("-X log -hn 3", {"recipients": ["3"]}, "a value is a value"),
        ):
            self.assertEqual(parse(words.split()), Options(**wanted), why)

    def test_what_makes_no_sense_is_said(self):
        for words, said in (
            ("-y", "-y is not an option"),
            ("-f", "-f needs a value"),
            ("-bx", "-bx is not a mode"),
        ):
            self.assertIn(said, self.assertRaises(Usage, parse, words.split()).public)
        for options, said in (
            (Options(body="9BIT"), "-B9BIT"),
            (Options(ret="ALL"), "-RALL"),
            (Options(notify=frozenset({"NOW"})), "-N"),
            (Options(notify=frozenset({"NEVER", "DELAY"})), "-N"),
        ):
            fault = self.assertRaises(Usage, wishes_of, options, b"", False)
            self.assertIn(said, fault.public)


class SendmailTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.config = self.folder / "mailtwist.toml"
        self.config.write_text(FILE)
        make_folder(self.folder / "drop")

    def sendmail(self, *arguments, said=b"Subject: hi\n\nbody\n"):
        return subprocess.run(
            [sys.executable, "-m", "mailtwist.cli", "sendmail", *arguments],
            input=said,
            capture_output=True,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "MAILTWIST_CONFIG": str(self.config)},
            timeout=60,
        )

    def dropped(self):
        """Everything in the folder, (Dropped, octets)."""
        folder = self.folder / "drop"
        names = list(waiting(folder, 0.0))
        return [take(folder, name, 65536) for name in names]

    def sent(self, *arguments, **more):
        done = self.sendmail(*arguments, **more)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        (one,) = self.dropped()
        return one

    def test_a_message_is_dropped_for_the_recipients_given(self):
        dropped, octets = self.sent(
            "-i", "-f", "ann@example.org", "bob@else.test", "ann"
        )
        self.assertEqual((dropped.sender, dropped.recipients), (ANN, (BOB, ANN)))
        self.assertTrue(
            octets.endswith(
                b"Subject: hi\r\nTo: undisclosed-recipients:;\r\n\r\nbody\r\n"
            )
        )
        self.assertIn(b"From: ann@example.org\r\n", octets)

    def test_t_sends_to_the_fields_and_hides_bcc(self):
        text = b"To: Bob <bob@else.test>\nBcc: ann\nSubject: x\n\nb\n.\nrest\n"
        dropped, octets = self.sent("-t", said=text)
        self.assertEqual(dropped.recipients, (BOB, ANN))
        self.assertNotIn(b"Bcc", octets)
        self.assertNotIn(b"rest", octets)
        user = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual(dropped.sender, Address(user, "example.org"))

    def test_the_null_path_and_reports_are_said(self):
        dropped, _ = self.sent("-f<>", "-Nfailure,delay", "-Rhdrs", "-Vbatch", "ann")
        self.assertIsNone(dropped.sender)
        self.assertEqual(dropped.notify.when, {"FAILURE", "DELAY"})
        self.assertEqual((dropped.wishes.ret, dropped.wishes.envid), ("HDRS", "batch"))

    def test_8_bit_text_and_utf8_addresses_are_marked(self):
        dropped, _ = self.sent("ann", said="Subject: x\n\nä\n".encode())
        self.assertEqual(
            (dropped.wishes.body, dropped.wishes.smtputf8), ("8BITMIME", False)
        )

    def test_utf8_in_the_header_needs_smtputf8(self):
        dropped, _ = self.sent("ann", said="Subject: ä\n\nx\n".encode())
        self.assertEqual(
            (dropped.wishes.body, dropped.wishes.smtputf8), ("8BITMIME", True)
        )

    def test_bs_is_an_smtp_session(self):
        commands = (
            b"EHLO me\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@else.test>\r\n"
            b"DATA\r\nSubject: x\r\n\r\n..body\r\n.\r\nQUIT\r\n"
        )
        done = self.sendmail("-bs", said=commands)
        self.assertEqual(done.returncode, 0, done.stderr)
        codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] != b"-"]
        self.assertEqual(
            codes, [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
        )
        ((dropped, octets),) = self.dropped()
        self.assertEqual((dropped.sender, dropped.recipients), (ANN, (BOB,)))
        self.assertTrue(octets.endswith(b"\r\n.body\r\n"))

    def test_faults_have_the_statuses_that_callers_know(self):
        for arguments, said, status, words in (
            ((), b"x", 64, b"Recipient addresses must be given"),
            (("-t",), b"Subject: x\n\n", 64, b"Recipient addresses must be given"),
            (("-y",), b"", 64, b"-y is not an option"),
            (("a b@x",), b"", 65, b"a b@x: "),
            (("ann",), b"x" * 70000, 69, b"larger"),
            (("-bd",), b"", 64, b"use mailtwist serve"),
            (("-C", "missing.toml", "ann"), b"", 78, b"missing.toml: cannot be read"),
        ):
            done = self.sendmail(*arguments, said=said)
            self.assertEqual(done.returncode, status, arguments)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.dropped(), [])

    def test_without_a_folder_the_message_can_be_tried_again(self):
        (self.folder / "drop").rmdir()
        done = self.sendmail("ann")
        self.assertEqual(done.returncode, 75)
        self.assertIn(b"drop: No such file", done.stderr)
