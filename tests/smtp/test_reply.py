from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import errors
from mailtwist.errors import MailError
from mailtwist.smtp import faults
from mailtwist.smtp.command import Offer
from mailtwist.smtp.extensions import EXTENSIONS, ehlo_lines, help_lines
from mailtwist.smtp.reply import Reply, reply, reply_for


class ReplyTests(SynchronousTestCase):
    def test_one_line_and_many(self):
        self.assertEqual(reply(250, "2.0.0", "Ok").encode(), b"250 2.0.0 Ok\r\n")
        self.assertEqual(
            Reply(214, "2.0.0", ("a", "b")).encode(), b"214-2.0.0 a\r\n214 2.0.0 b\r\n"
        )
        self.assertEqual(Reply(250, "", ("a", "b")).encode(), b"250-a\r\n250 b\r\n")

    def test_what_a_client_said_can_be_quoted(self):
        self.assertEqual(
            reply(250, "", "a\r\n250 forged\0é").encode(), b"250 a??250 forged??\r\n"
        )
        self.assertEqual(
            reply(250, "", "é\n\x85").encode(utf8=True), "250 é??\r\n".encode()
        )

    @given(st.text(max_size=800), st.booleans())
    @settings(max_examples=60)
    def test_a_line_is_one_line_of_512_octets_at_most(self, text, utf8):
        octets = reply(550, "5.7.11", text).encode(utf8=utf8)
        self.assertLessEqual(len(octets), 512)
        self.assertEqual(octets.find(b"\r\n"), len(octets) - 2)
        self.assertEqual(octets.count(b"\n"), 1)
        octets.decode()

    def test_faults_have_the_codes_of_their_rfcs(self):
        for fault, told in (
            (errors.UnknownCommand(), "500 5.5.1"),  # RFC 5321 §4.3.2
            (errors.LineTooLong(), "500 5.5.2"),  # RFC 5321 §4.5.3.1.9
            (errors.SyntaxFault("x", 0), "501 5.5.2"),
            (errors.BadSequence(), "503 5.5.1"),
            (errors.BadAddress(), "501 5.1.3"),
            (errors.NoSuchUser(), "550 5.1.1"),
            (errors.RelayDenied(), "550 5.7.1"),
            (errors.SenderRefused(), "550 5.7.1"),
            (errors.NoRoute(), "550 5.4.4"),
            (errors.OverQuota(), "452 4.2.2"),
            (errors.StorageFull(), "452 4.3.1"),
            (errors.SystemBusy(), "451 4.3.2"),
            (errors.TooManyRecipients(), "452 4.5.3"),  # RFC 5321 §4.5.3.1.10
            (errors.MessageTooBig(), "552 5.3.4"),  # RFC 1870 §6.1
            (errors.BadMessage(), "554 5.6.0"),
            (errors.AuthNeeded(), "530 5.7.0"),  # RFC 4954 §6
            (errors.EncryptionNeeded(), "530 5.7.0"),  # RFC 3207 §4
            (errors.AuthFailed(), "535 5.7.8"),
            (errors.UnknownMechanism(), "504 5.5.4"),
            (errors.SaslCancelled(), "501 5.7.0"),
            (faults.ParameterNotKnown(), "555 5.5.4"),  # RFC 5321 §4.1.1.11
            (faults.Utf8Needed(), "553 5.6.7"),  # RFC 6531 §3.5
            (faults.TlsNeededForMechanism(), "538 5.7.11"),
            (faults.CommandNotImplemented(), "502 5.5.1"),
            (faults.MailLoop(), "554 5.4.6"),
            (faults.TextLineTooLong(), "500 5.6.0"),
            (MailError(), "451 4.3.0"),
            (MailError("odd", status="9.9.9"), "451 9.9.9"),  # mail waits
        ):
            octets = reply_for(fault).encode().decode()
            self.assertTrue(octets.startswith(told), (fault, octets))

    def test_a_source_that_is_down_is_454_in_AUTH_and_451_elsewhere(self):
        self.assertEqual(reply_for(errors.AuthUnavailable(), auth=True).code, 454)
        self.assertEqual(reply_for(errors.AuthUnavailable()).code, 451)
        self.assertEqual(reply_for(errors.AuthThrottled(), auth=True).code, 454)


class ExtensionTests(SynchronousTestCase):
    def test_EHLO_tells_what_the_state_offers(self):
        lines = ehlo_lines("mx.test", "me", Offer(1000, True, ("PLAIN", "LOGIN")))
        self.assertEqual(lines[0], "mx.test greets me")
        self.assertIn("SIZE 1000", lines)
        self.assertIn("AUTH PLAIN LOGIN", lines)
        self.assertIn("STARTTLS", lines)
        lines = ehlo_lines("mx.test", "me", Offer(1000))
        self.assertFalse([x for x in lines if x.startswith(("AUTH", "STARTTLS"))])

    def test_each_extension_is_in_the_table_once(self):
        keywords = [extension.keyword for extension in EXTENSIONS]
        self.assertEqual(len(keywords), len(set(keywords)))
        self.assertEqual(
            {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"}
            - set(keywords),
            set(),
        )

    def test_HELP_knows_what_is_offered(self):
        self.assertIn("DATA", help_lines("", Offer(1))[0])
        self.assertNotIn("STARTTLS", help_lines("", Offer(1))[0])
        self.assertIn("STARTTLS", help_lines("", Offer(1, True))[0])
        self.assertIn("RFC 5321 section 4.1.1.2", help_lines("MAIL", Offer(1)))
        self.assertIsNone(help_lines("AUTH", Offer(1)))
        self.assertIsNone(help_lines("FOO", Offer(1)))
