"""LMTP (RFC 2033): each recipient hears what became of its copy."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.restricting import Restrictions
from mailtwist.errors import NoSuchUser, OverQuota

from ..smtp.rooms import House

FROM, ANN, BOB = (
    "MAIL FROM:<c@client.test>",
    "RCPT TO:<ann@example.test>",
    "RCPT TO:<bob@example.test>",
)


class LmtpTests(SynchronousTestCase):
    def setUp(self):
        self.house = House(role="lmtp", message_octets=100_000)
        self.client = self.house.connect(None)

    def begin(self, *recipients):
        self.client.ask("LHLO client.test", FROM, *recipients, "DATA")

    def test_it_greets_as_LMTP_and_wants_LHLO(self):
        self.assertEqual(self.client.said(), "220 mx.example.test LMTP mailtwist\r\n")
        for line in ("EHLO me", "HELO me"):  # RFC 2033 §4.1
            self.assertEqual(self.client.codes(line), ["500 5.5.1"])
        self.assertEqual(self.client.codes(FROM), ["503 5.5.1"])
        told = self.client.ask("LHLO me")
        for keyword in ("PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN", "SIZE"):
            self.assertIn(keyword, told)
        for keyword in ("AUTH", "PRDR", "ETRN"):
            self.assertNotIn(keyword, told)

    def test_LHLO_is_no_command_of_SMTP(self):
        client = House().connect()
        client.said()
        self.assertEqual(client.codes("LHLO me"), ["500 5.5.1"])

    def test_each_recipient_has_its_reply(self):
        self.begin(ANN, BOB)
        self.house.delivery.verdicts = [None, OverQuota()]
        self.assertEqual(self.client.codes("x: y", "."), ["250 2.0.0", "452 4.2.2"])
        envelope = self.house.delivery.sinks[0].envelope
        self.assertFalse(envelope.one_reply)
        self.assertIn(b"with LMTP id", envelope.trace)

    def test_nobody_got_it(self):
        self.begin(ANN, BOB)
        self.house.delivery.verdicts = [NoSuchUser(), OverQuota()]
        self.assertEqual(self.client.codes("x: y", "."), ["550 5.1.1", "452 4.2.2"])

    def test_a_recipient_said_twice_has_two_replies_and_one_copy(self):
        self.begin(ANN, BOB, ANN)
        self.house.delivery.verdicts = [OverQuota(), None]
        self.assertEqual(
            self.client.codes("x: y", "."), ["452 4.2.2", "250 2.0.0", "452 4.2.2"]
        )
        self.assertEqual(len(self.house.delivery.sinks[0].envelope.recipients), 2)

    def test_refused_recipients_have_no_reply_at_the_end(self):
        self.begin(ANN, "RCPT TO:<nobody@example.test>")
        self.assertEqual(self.client.codes("x: y", "."), ["250 2.0.0"])

    def test_a_message_that_is_refused_is_refused_for_each(self):
        self.begin(ANN, BOB)
        self.assertEqual(
            self.client.codes(b"x\0y", ".", "NOOP"),
            ["554 5.6.0", "554 5.6.0", "250 2.0.0"],
        )

    def test_without_a_recipient_there_is_no_DATA(self):
        self.begin("RCPT TO:<nobody@example.test>")
        self.assertEqual(self.client.codes("DATA"), ["503 5.5.1"])  # RFC 2033 §4.2

    def test_the_last_chunk_is_answered_for_each(self):
        self.client.ask("LHLO me", FROM, ANN, BOB)
        self.client.send(b"BDAT 6\r\nx: y\r\n")
        self.assertEqual(self.client.codes(), ["250 2.0.0"])
        self.client.send(b"BDAT 0 LAST\r\n")
        self.assertEqual(self.client.codes(), ["250 2.0.0", "250 2.0.0"])

    def test_a_refused_chunk_still_leaves_a_reply_for_each_at_the_last(self):
        self.client.ask("LHLO me", FROM, ANN, BOB)
        self.client.send(b"BDAT 2\r\n\0\nBDAT 0 LAST\r\nNOOP\r\n")
        self.assertEqual(
            self.client.codes(), ["554 5.6.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"]
        )

    def test_a_neighbour_may_ask_for_priority_and_be_wrong_often(self):
        client = House(role="lmtp", errors=3, restrictions=Restrictions()).connect()
        client.ask("LHLO me", f"{FROM} MT-PRIORITY=3")
        told = client.codes(*["RCPT TO:<nobody@example.test>"] * 20, "NOOP")
        self.assertEqual(told, ["550 5.1.1"] * 20 + ["250 2.0.0"])

    def test_it_relays_for_nobody_and_knows_no_AUTH(self):
        client = House(role="lmtp", trusted=["192.0.2.0/24"]).connect()
        client.ask("LHLO me", FROM)
        self.assertEqual(
            client.codes("RCPT TO:<a@elsewhere.test>", "RSET", "AUTH PLAIN"),
            ["550 5.7.1", "250 2.0.0", "502 5.5.1"],
        )
