"""Tests for METADATA where it is refused: values too large, stores without it."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.config.reading import Imap4
from mailtwist.foreign import ILimitedAccount
from mailtwist.mailbox.foreign_imap import MISSING

from ..room import Avatar, Room


class TooLargeTests(SynchronousTestCase):
    def setUp(self):
        self.client = Room().login()
        self.client.hear()

    def test_a_value_is_refused_with_the_size_that_is_taken(self):
        most = Imap4().annotation_octets
        self.assertLess(most, Imap4().literal_octets)
        for octets, why in [
            (most + 1, "read and looked at"),
            (Imap4().literal_octets + 1, "not even read"),
            (10 * Imap4().literal_octets, "by far"),
        ]:
            value = b"{%d+}\r\n%b" % (octets, b"x" * octets)
            for name in (b"INBOX", b"{5+}\r\nINBOX"):
                *_, line = self.client.ask(
                    b"SETMETADATA %b (/private/comment %b)" % (name, value)
                )
                want = b"NO [METADATA MAXSIZE %d] A value is too large" % most
                self.assertEqual(line, want, why)

    def test_a_name_or_many_small_values_are_no_value_that_is_too_large(self):
        octets = Imap4().literal_octets
        name = b"{%d+}\r\n%b" % (octets + 1, b"x" * (octets + 1))
        small = b" /private/comment {30000+}\r\n" + b"x" * 30000
        for rest in (b"%b (/private/comment x)" % name, b"INBOX (%b)" % (small * 3)):
            *_, line = self.client.ask(b"SETMETADATA " + rest)
            self.assertTrue(line.startswith(b"NO [TOOBIG]"), line)


@implementer(ILimitedAccount)
class Limited(Avatar):
    missing = MISSING


class WithoutTests(SynchronousTestCase):
    def test_LIST_refuses_METADATA_where_it_is_not_offered(self):
        room = Room()
        room.accounts.avatar = Limited
        client = room.login()
        client.hear()
        (line,) = client.ask('LIST "" INBOX RETURN (METADATA (/private/comment))')
        self.assertEqual(line, b"BAD Unknown return option METADATA")
