"""Tests for mailtwist.sieve.replies and .verdicts."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.mime.parse import parse
from mailtwist.sieve.actions import Notify, Vacation
from mailtwist.sieve.faults import Fault, Place
from mailtwist.sieve.message import Header, Message, parsed
from mailtwist.sieve.replies import Stamp, answer, note, notification, silence
from mailtwist.sieve.verdicts import spam_percent, virus_level

ANN, BOB = Address.parse("ann@example.test"), Address.parse("bob@example.org")
STAMP = Stamp("Sun, 01 Mar 2026 12:00:00 +0100", "<2@mx>", "mx")
TO = b"To: ann@example.test\r\n"


def header(octets):
    return Header(parsed(octets + b"\r\n"))


class SilenceTests(SynchronousTestCase):
    def test_who_gets_an_answer(self):  # RFC 5230 §4.5, §4.6, RFC 3834 §2
        for octets, sender, answered, reason in [
            (TO, "bob@example.org", True, "a person wrote to the owner"),
            (b"Cc: x@y.z, Ann <ANN@Example.Test>\r\n", "bob@b.c", True, "in Cc"),
            (b"Resent-To: ann@example.test\r\n", "bob@b.c", True, "sent again"),
            (b"To: all@example.test\r\n", "bob@b.c", False, "the owner is not named"),
            (b"", "bob@b.c", False, "nobody is named"),
            (TO, None, False, "the null path"),
            (TO, "ann@example.test", False, "the owner"),
            (TO, "MAILER-DAEMON@b.c", False, "a mail server"),
            (TO, "owner-list@b.c", False, "a list's owner"),
            (TO, "list-request@b.c", False, "a list"),
            (TO, "list-bounces+ann=example.test@b.c", False, "a list with VERP"),
            (TO, "noreply@b.c", False, "nobody reads it"),
            (TO, "ownership@b.c", True, "a name that only begins so"),
            (TO + b"List-Id: <a.b>\r\n", "bob@b.c", False, "a list"),
            (TO + b"List-Unsubscribe: <x>\r\n", "bob@b.c", False, "a list"),
            (TO + b"Precedence: bulk\r\n", "bob@b.c", False, "bulk"),
            (TO + b"Precedence: first-class\r\n", "bob@b.c", True, "not bulk"),
            (TO + b"Auto-Submitted: auto-replied\r\n", "bob@b.c", False, "a program"),
            (TO + b"Auto-Submitted: no\r\n", "bob@b.c", True, "not a program"),
            (TO + b"Auto-Submitted: NO; x=y\r\n", "bob@b.c", True, "not a program"),
            (TO + b"X-Auto-Response-Suppress: DR, OOF\r\n", "b@b.c", False, "no wish"),
            (TO + b"X-Auto-Response-Suppress: DR\r\n", "b@b.c", True, "of another"),
            (TO + b"X-Spam-Flag: YES\r\n", "bob@b.c", False, "spam"),
            (
                TO + b"Authentication-Results: mx;\r\n dmarc=fail header.from=b.c\r\n",
                "bob@b.c",
                False,
                "perhaps forged",
            ),
            (
                TO + b"Authentication-Results: mx; spf=pass; dmarc=pass\r\n",
                "bob@b.c",
                True,
                "vouched for",
            ),
        ]:
            path = None if sender is None else Address.parse(sender)
            why = silence(header(octets), path, [ANN])
            self.assertEqual(why is None, answered, (reason, why))

    @given(octets=st.binary(max_size=200))
    def test_any_header_is_taken(self, octets):
        silence(header(octets), BOB, [ANN])
        spam_percent(header(octets))
        virus_level(header(octets))


class ReplyTests(SynchronousTestCase):
    def answered(self, octets=b"", **said):
        action = Vacation(
            **{"reason": "Away\r\n", "seconds": 60, "handle": "h", **said}
        )
        made = answer(action, header(octets), ANN, BOB, STAMP)
        self.assertTrue(made.isascii())
        return Message(made).header, made.partition(b"\r\n\r\n")[2]

    def test_an_answer(self):
        found, body = self.answered(
            b"Subject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <1@b>\r\n"
            b"References: <0@b>\r\n"
        )
        for name, value in [
            (b"from", "ann@example.test"),
            (b"to", "bob@example.org"),
            (b"subject", "Auto: caf\u00e9"),
            (b"in-reply-to", "<1@b>"),
            (b"references", "<0@b> <1@b>"),
            (b"message-id", "<2@mx>"),
            (b"auto-submitted", "auto-replied (vacation)"),
        ]:
            self.assertEqual(found.texts(name), [value])
        self.assertEqual(body, b"Away\r\n")

    def test_what_the_script_said_of_it(self):
        found, body = self.answered(
            subject="S\r\nBcc: x@y.z", sender="\u00c9 <e@f.g>", reason="na\u00efve"
        )
        self.assertEqual(found.texts(b"subject"), ["S Bcc: x@y.z"])
        self.assertEqual(found.texts(b"bcc"), [])
        self.assertEqual(found.texts(b"from"), ["\u00c9 <e@f.g>"])
        self.assertEqual(body, b"na=C3=AFve\r\n")

    def test_an_answer_that_is_a_mime_entity(self):
        found, body = self.answered(
            mime=True, reason="Content-Type: text/html\r\n\r\n<p>Away"
        )
        self.assertEqual(found.texts(b"content-type"), ["text/html"])
        self.assertEqual(body, b"<p>Away\r\n")

    def test_a_message_without_a_subject(self):
        self.assertEqual(self.answered()[0].texts(b"subject"), ["Automatic answer"])

    def test_a_notification(self):
        action = Notify((BOB,), "Mail!", "text", 1, None, (("x-a", "b\nc: d"),))
        made = notification(action, header(b"Message-ID: <1@b>\r\n"), ANN, STAMP)
        found = Message(made).header
        for name, value in [
            (b"from", "ann@example.test"),
            (b"to", "bob@example.org"),
            (b"subject", "Mail!"),
            (b"importance", "High"),
            (b"x-a", "b c: d"),
            (b"auto-submitted", 'auto-notified; owner-email="ann@example.test"'),
        ]:
            self.assertEqual(found.texts(name), [value])

    def test_a_note_to_the_owner(self):
        failed = (("your script", Fault(Place(3, 5), "no \u00e9")),)
        made = note(failed, header(b"From: bob@b.c\r\n"), ANN, STAMP)
        self.assertIn(b"your script: line 3, column 5: no =C3=A9", made)
        self.assertEqual(parse(made).subtype, "plain")


class VerdictTests(SynchronousTestCase):
    def test_spam(self):
        for octets, percent in [
            (b"", None),
            (b"X-Spam-Flag: YES\r\n", 100),
            (b"X-Spam-Flag: NO\r\n", 0),
            (b"X-Spam-Status: Yes, score=7.1 required=5.0 tests=A\r\n", 100),
            (b"X-Spam-Status: No, score=2.5 required=5.0 tests=A\r\n", 50),
            (b"X-Spam-Status: No, hits=-3.1 required=5.0\r\n", 0),
            (b"X-Spam-Score: 1.0\r\n", 20),
            (b"X-Spamd-Result: default: False [3.00 / 15.00];\r\n", 20),
            (b"X-Spam-Status: nonsense\r\n", None),
        ]:
            self.assertEqual(spam_percent(header(octets)), percent, octets)

    def test_mail_that_its_author_s_domain_does_not_want_is_spam(self):
        ours = (
            b"Authentication-Results: mx.test; %s header.from=b.c policy.dmarc=%s\r\n"
        )
        for octets, percent, why in (
            (ours % (b"dmarc=fail", b"reject"), 100, "reject"),
            (ours % (b"dmarc=fail", b"quarantine"), 100, "quarantine"),
            (ours % (b"dmarc=fail", b"none"), None, "not asked for"),
            (ours % (b"dmarc=pass", b"reject"), None, "it passed"),
            (ours.replace(b"mx", b"other") % (b"dmarc=fail", b"reject"), None, "other"),
            (b"Authentication-Results: ;\r\n", None, "unreadable"),
        ):
            self.assertEqual(spam_percent(header(octets), "mx.test"), percent, why)

    def test_viruses(self):
        for octets, level in [
            (b"", None),
            (b"X-Virus-Status: Clean\r\n", 1),
            (b"X-Virus-Status: Infected (Eicar)\r\n", 5),
            (b"X-Virus-Flag: YES\r\n", 5),
        ]:
            self.assertEqual(virus_level(header(octets)), level, octets)
