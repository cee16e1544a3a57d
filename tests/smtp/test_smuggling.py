"""A message that two servers end in different places carries a second one with it.

A relay in front passes octets on that it takes for text; here they must stay text, and
a message with them is refused when its true end has come.
"""

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from .rooms import House
from .splits import EACH_OCTET, pieces

SMUGGLED = (
    b"MAIL FROM:<boss@example.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsend money\r\n"
)
FALSE_ENDS = (
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n",
    b"\n.\r",
)
LISTED = (ip_network("192.0.2.0/24"),)


class SmugglingTests(SynchronousTestCase):
    def deliver(self, content, *, cut=False, **options):
        house = House(**options)
        client = house.connect().begin()
        client.ask("MAIL FROM:<c@client.test>", "RCPT TO:<bob@example.test>", "DATA")
        for segment in pieces(content, EACH_OCTET) if cut else [content]:
            client.send(segment)
        return client, house

    def test_nothing_behind_a_false_end_is_a_command(self):
        for false_end in FALSE_ENDS:
            for cut in (False, True):
                content = b"Subject: x\r\n\r\nhi" + false_end + SMUGGLED + b".\r\n"
                client, house = self.deliver(content, cut=cut)
                self.assertEqual(client.said()[:9], "554 5.6.0", false_end)
                self.assertEqual(house.delivery.messages, [])
                self.assertEqual([s.state for s in house.delivery.sinks], ["aborted"])
                self.assertEqual(client.codes("NOOP"), ["250 2.0.0"])

    def test_a_long_line_is_not_cut_into_commands(self):
        for size in (999, 16_384, 16_385, 100_000):
            content = b"x" * size + b"\r\n" + SMUGGLED + b".\r\n"
            client, house = self.deliver(content)
            self.assertEqual(client.said()[:9], "500 5.6.0", size)
            self.assertEqual(house.delivery.messages, [])
            self.assertEqual(client.codes("NOOP"), ["250 2.0.0"])

    def test_a_message_that_is_too_big_is_swallowed_to_its_true_end(self):
        content = (b"y" * 98 + b"\r\n") * 700 + SMUGGLED + b".\r\n"
        client, house = self.deliver(content, message_octets=65_536)
        self.assertEqual(client.said()[:9], "552 5.3.4")
        self.assertEqual(house.delivery.messages, [])
        self.assertEqual(client.codes("NOOP"), ["250 2.0.0"])

    def test_what_is_stuffed_stays_text(self):
        client, house = self.deliver(b"a\r\n..\r\n" + SMUGGLED + b".\r\n")
        self.assertEqual(client.said()[:9], "250 2.0.0")
        self.assertEqual(house.messages()[0], b"\r\na\r\n.\r\n" + SMUGGLED)

    def test_a_relay_in_a_normalized_network_cannot_be_fooled(self):
        """It ends its commands in CRLF, so only CRLF.CRLF ends its messages."""
        content = (
            b"a: b\r\n\r\nhi\n.\n" + SMUGGLED.replace(b"\r\n", b"\n") + b"\r\n.\r\n"
        )
        client, house = self.deliver(
            content, bare_lf="normalize", bare_lf_networks=LISTED
        )
        self.assertEqual(client.said()[:9], "250 2.0.0")
        (message,) = house.messages()
        self.assertIn(b"\r\n.\r\nMAIL FROM:<boss", message)


class LineFeedTests(SynchronousTestCase):
    """LF alone as the end of a command."""

    def test_it_is_refused_at_once_and_nothing_behind_it_is_read(self):
        for octets in (
            b"EHLO me\n",
            b"EHLO me\nMAIL FROM:<a@b.test>\r\nNOOP\r\n",
            b"NOOP\n" + SMUGGLED,
        ):
            client = House().connect()
            client.said()
            client.send(octets)
            self.assertEqual(
                client.said(),
                "500 5.5.2 Lines end with CR LF here, not with LF alone\r\n",
            )
            self.assertTrue(client.is_closed())

    def test_it_is_taken_from_listed_networks_only(self):
        house = House(bare_lf="normalize", bare_lf_networks=LISTED)
        typed = (
            b"EHLO me\nMAIL FROM:<c@client.test>\nRCPT TO:<ann@example.test>\nDATA\n"
            b"Subject: typed\n\n..dot\n.\nQUIT\n"
        )
        for segments in ([typed], pieces(typed, EACH_OCTET)):
            client = house.connect("192.0.2.7")
            for segment in segments:
                client.send(segment)
            self.assertIn("250 2.0.0", client.said())
            self.assertEqual(house.messages()[-1], b"Subject: typed\r\n\r\n.dot\r\n")
        client = house.connect("198.51.100.1")
        client.said()
        client.send(typed)
        self.assertEqual(client.said()[:9], "500 5.5.2")

    def test_the_networks_alone_switch_nothing_on(self):
        client = House(bare_lf_networks=LISTED).connect()
        client.send(b"NOOP\n")
        self.assertTrue(client.is_closed())

    def test_a_bare_CR_in_a_command_is_refused(self):
        client = House().connect().begin()
        self.assertEqual(
            client.codes(b"NOOP\rMAIL FROM:<a@b.test>", b"MAIL FROM:<a\r@b.test>"),
            ["500 5.5.1", "501 5.1.7"],
        )


class OtherProtocolTests(SynchronousTestCase):
    def test_a_web_request_ends_the_connection_before_its_body_is_read(self):
        for line in (
            b"GET / HTTP/1.1",
            b"POST / HTTP/1.1",
            b"put /x",
            b"PRI * HTTP/2.0",
        ):
            client = House().connect()
            client.said()
            client.send(line + b"\r\nHost: x\r\n\r\nEHLO me\r\n" + SMUGGLED)
            self.assertEqual(
                client.said(),
                "421 4.7.0 This is a mail server, and it speaks SMTP\r\n",
            )
            self.assertTrue(client.is_closed())

    def test_a_TLS_client_on_a_clear_port_is_told_at_once(self):
        client = House().connect()
        client.said()
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertEqual(client.said()[:9], "421 4.7.0")
        self.assertTrue(client.is_closed())

    def test_who_talks_before_the_greeting_is_refused(self):
        house = House(greeting_pause_s=2.0)
        client = house.connect()
        self.assertEqual(client.said(), "")
        client.send(b"EHLO me\r\n")
        self.assertEqual(client.said()[:9], "554 5.5.1")
        self.assertTrue(client.is_closed())
        polite = house.connect()
        house.clock.advance(2.0)
        self.assertEqual(polite.said()[:4], "220 ")
        self.assertEqual(house.connect("192.0.2.7").said(), "")

    def test_trusted_networks_do_not_wait_for_the_greeting(self):
        house = House(greeting_pause_s=2.0, trusted=["192.0.2.0/24"])
        self.assertEqual(house.connect().said()[:4], "220 ")
