from email import policy
from email.parser import BytesParser

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.received import HIDDEN, Hop, protocol

DATE = b"Thu, 01 Jan 1970 00:00:00 +0000"
HOP = Hop("client.test", "192.0.2.7", "mx.example.test", "ESMTP")


class ReceivedTests(SynchronousTestCase):
    def test_the_whole_field(self):
        hop = evolve(HOP, tls="TLSv1.3 with cipher X", login="ann@example.test")
        self.assertEqual(
            hop.received("id.1", DATE, b"bob@example.test"),
            b"Received: from client.test ([192.0.2.7])\r\n"
            b"\t(using TLSv1.3 with cipher X)\r\n"
            b"\t(authenticated as ann@example.test)\r\n"
            b"\tby mx.example.test (mailtwist) with ESMTP id id.1\r\n"
            b"\tfor <bob@example.test>;\r\n"
            b"\tThu, 01 Jan 1970 00:00:00 +0000\r\n",
        )

    def test_nobody_is_named_where_there_are_more_recipients(self):
        self.assertNotIn(b"for <", HOP.received("id.1", DATE))

    def test_an_IPv6_client_is_tagged_and_a_socket_is_named(self):
        for client, told in (
            ("2001:db8::1", b"([IPv6:2001:db8::1])"),
            ("", b"(local socket)"),
        ):
            self.assertIn(told, evolve(HOP, client=client).received("i", DATE))

    def test_a_hidden_client_is_told_neither_by_address_nor_by_name(self):
        field = evolve(HOP, helo="[10.1.2.3]", client=None).received("i", DATE)
        self.assertIn(HIDDEN.encode(), field)
        self.assertNotIn(b"10.1.2.3", field)

    @given(st.text(min_size=1, max_size=60))
    @settings(max_examples=60)
    def test_a_clients_name_cannot_add_a_field_or_a_comment(self, helo):
        octets = evolve(HOP, helo=helo).received("i", DATE)
        message = BytesParser(policy=policy.compat32).parsebytes(octets + b"\r\n")
        self.assertEqual(message.keys(), ["Received"])
        self.assertEqual(octets.count(b"("), 2)
        self.assertTrue(octets.isascii())

    def test_keywords_behind_with(self):
        for extended, tls, login, utf8, wanted in (
            (False, False, False, False, "SMTP"),
            (True, False, False, False, "ESMTP"),
            (True, True, False, False, "ESMTPS"),
            (True, False, True, False, "ESMTPA"),
            (True, True, True, False, "ESMTPSA"),
            (True, False, False, True, "UTF8SMTP"),
            (True, True, True, True, "UTF8SMTPSA"),
        ):
            self.assertEqual(
                protocol(extended=extended, tls=tls, login=login, utf8=utf8), wanted
            )
