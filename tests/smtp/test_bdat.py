"""Messages in counted chunks: CHUNKING and BINARYMIME (RFC 3030)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import StorageFull

from .rooms import House
from .splits import CUTS, EACH_OCTET, pieces

FROM, ANN = "MAIL FROM:<c@client.test>", "RCPT TO:<ann@example.test>"
BINARY = FROM + " BODY=BINARYMIME"


def chunk(octets, last=False):
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


class ChunkTests(SynchronousTestCase):
    def setUp(self):
        self.house = House()
        self.client = self.house.connect().begin()

    def send(self, *octets):
        self.client.send(b"".join(octets))
        return self.client.codes()

    def begin(self, mail=FROM):
        self.client.ask(mail, ANN)

    def test_chunks_are_answered_one_by_one_and_joined(self):
        self.begin()
        self.assertEqual(self.send(chunk(b"Subject: x\r\n\r")), ["250 2.0.0"])
        self.assertEqual(self.send(chunk(b"\nhi\r\n")), ["250 2.0.0"])
        self.assertEqual(self.send(chunk(b"", last=True)), ["250 2.0.0"])
        self.assertEqual(self.house.messages(), [b"Subject: x\r\n\r\nhi\r\n"])

    def test_dots_and_ends_of_data_mean_nothing_in_a_chunk(self):
        content = b"a: b\r\n\r\n.\r\n..\r\nQUIT\r\n"
        self.begin()
        self.assertEqual(self.send(chunk(content, last=True)), ["250 2.0.0"])
        self.assertEqual(self.house.messages(), [content])

    def test_text_gets_its_last_line_end(self):
        for octets in ((b"a: b\r\n\r\nend",), (b"a: b\r\n\r\nend\r", b"\n"), (b"",)):
            self.begin()
            *first, last = octets
            told = self.send(*map(chunk, first), chunk(last, last=True))
            self.assertEqual(told[-1], "250 2.0.0")
        self.assertEqual(
            self.house.messages(),
            [b"a: b\r\n\r\nend\r\n", b"a: b\r\n\r\nend\r\n", b""],
        )

    def test_binary_content_stays_as_it_is(self):
        content = b"a: b\r\n\r\n\0\n\r\xff" + b"x" * 5000
        self.begin(BINARY)
        self.assertEqual(self.send(chunk(content, last=True)), ["250 2.0.0"])
        self.assertEqual(self.house.messages(), [content])
        envelope = self.house.delivery.messages[0][0]
        self.assertEqual(envelope.wishes.body, "BINARYMIME")

    def test_what_text_may_not_hold_is_refused_in_its_chunk(self):
        for content, code in (
            (b"a\nb\r\n", "554 5.6.0"),
            (b"a\rb\r\n", "554 5.6.0"),
            (b"a\r", "554 5.6.0"),
            (b"a\0\r\n", "554 5.6.0"),
            (b"x" * 999 + b"\r\n", "500 5.6.0"),
        ):
            self.begin()
            self.assertEqual(self.send(chunk(content, last=True)), [code], content)
        self.assertEqual(self.house.delivery.messages, [])

    def test_a_whole_pipelined_group_is_answered_in_order(self):
        told = self.client.codes(
            FROM, ANN, chunk(b"a: b\r\n") + chunk(b"\r\nhi\r\n", last=True) + b"NOOP"
        )
        self.assertEqual(
            told, ["250 2.1.0", "250 2.1.5"] + ["250 2.0.0"] * 2 + ["250 2.0.0"]
        )

    def test_after_a_refused_chunk_the_others_are_swallowed_until_RSET(self):
        self.begin()
        bad, good = b"a\nb\r\n", b"MAIL FROM:<x@y.test>\r\n"
        self.assertEqual(
            self.send(chunk(bad), chunk(good), chunk(good)),
            ["554 5.6.0", "503 5.5.1", "503 5.5.1"],
        )
        self.assertEqual(self.house.delivery.sinks[0].state, "aborted")
        self.assertEqual(self.client.codes(FROM, ANN, "DATA"), ["503 5.5.1"] * 3)
        self.assertEqual(self.client.codes("RSET", FROM), ["250 2.0.0", "250 2.1.0"])

    def test_chunks_that_nobody_waits_for_are_swallowed(self):
        octets = b"MAIL FROM:<x@y.test>\r\nRSET\r\n"
        for before, code in (
            ((), "503 5.5.1"),
            ((FROM,), "503 5.5.1"),
            ((FROM, "RCPT TO:<nobody@example.test>"), "554 5.5.1"),
        ):
            for last in (False, True):
                client = self.house.connect().begin()
                client.ask(*before)
                client.send(chunk(octets, last))
                self.assertEqual(client.codes(), [code], (before, last))
                self.assertEqual(client.codes("NOOP", "RSET"), ["250 2.0.0"] * 2)
                self.assertEqual(client.codes(FROM), ["250 2.1.0"])
        self.assertEqual(self.house.delivery.sinks, [])

    def test_after_the_last_chunk_there_is_none(self):
        self.begin()
        self.assertEqual(
            self.send(chunk(b"x: y\r\n", True), chunk(b"more", True)),
            ["250 2.0.0", "503 5.5.1"],
        )

    def test_DATA_and_BDAT_do_not_mix(self):
        self.begin()
        self.send(chunk(b"x: y\r\n"))
        self.assertEqual(self.client.codes("DATA", ANN), ["503 5.5.1"] * 2)
        self.assertEqual(self.send(chunk(b"", last=True)), ["250 2.0.0"])
        self.begin(BINARY)
        self.assertEqual(self.client.codes("DATA"), ["503 5.5.1"])

    def test_RSET_between_chunks_forgets_them(self):
        self.begin()
        self.send(chunk(b"x: y\r\n"))
        self.assertEqual(self.client.codes("RSET"), ["250 2.0.0"])
        self.assertEqual(self.house.delivery.sinks[0].state, "aborted")
        self.begin()
        self.send(chunk(b"a: b\r\n", last=True))
        self.assertEqual(self.house.messages(), [b"a: b\r\n"])

    def test_BDAT_without_a_number_ends_the_connection(self):
        for line in (b"BDAT", b"BDAT x", b"BDAT -1", b"BDAT 5 LAST x", b"BDAT 5 FIRST"):
            client = self.house.connect().begin()
            client.ask(FROM, ANN)
            client.send(line + b"\r\nMAIL FROM:<x@y.test>\r\n")
            self.assertEqual(client.codes(), ["501 5.5.4"], line)
            self.assertTrue(client.is_closed())

    def test_too_much_is_swallowed_without_memory(self):
        house = House(message_octets=100_000)
        client = house.connect().begin()
        client.ask(FROM, ANN)
        client.send(b"BDAT 90000\r\n" + (b"y" * 88 + b"\r\n") * 1000)
        self.assertEqual(client.codes(), ["250 2.0.0"])
        client.send(b"BDAT 9000000 LAST\r\n")
        for _ in range(100):
            client.send((b"y" * 88 + b"\r\n") * 1000)
            self.assertLess(client.protocol._engine.pending, 1000)
        self.assertEqual(house.delivery.sinks[0].parts, [])
        self.assertEqual(client.codes("NOOP"), ["552 5.3.4", "250 2.0.0"])

    def test_storage_that_is_full_is_told_at_the_end(self):
        self.house.delivery.verdicts = [StorageFull()]
        self.begin()
        self.assertEqual(
            self.send(chunk(b"x: y\r\n"), chunk(b"", True)), ["250 2.0.0", "452 4.3.1"]
        )

    def test_where_it_is_withheld_the_octets_are_swallowed_too(self):
        client = House(withheld=("CHUNKING",)).connect()
        told = client.ask("EHLO me")
        self.assertNotIn("CHUNKING", told)
        self.assertNotIn("BINARYMIME", told)
        self.assertEqual(client.codes(BINARY, FROM, ANN)[0], "501 5.5.4")
        client.send(chunk(b"QUIT\r\n", last=True))
        self.assertEqual(client.codes("NOOP"), ["502 5.5.1", "250 2.0.0"])

    def test_a_connection_that_is_lost_in_a_chunk_leaves_nothing(self):
        self.begin()
        self.client.send(b"BDAT 100 LAST\r\nx: y\r\n")
        self.client.close()
        self.assertEqual(self.house.delivery.sinks[0].state, "aborted")


WHOLE = (
    b"EHLO me\r\n"
    + b"MAIL FROM:<c@client.test>\r\nRCPT TO:<ann@example.test>\r\n"
    + chunk(b"a: b\r\n\r\nx\r")
    + chunk(b"\n.\r\ny")
    + chunk(b"", last=True)
    + chunk(b"RSET\r\n")
    + b"NOOP\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<bob@example.test>\r\n"
    + chunk(b"a: b\r\n\r\n\0\r")
    + chunk(b"\xff\n", last=True)
    + b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\n"
    + chunk(b"fine: yes\r\nbare\n")
    + chunk(b"more\r\n")
    + b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\n"
    + b"DATA\r\nz: z\r\n.\r\nQUIT\r\n"
)


class SplitTests(SynchronousTestCase):
    def run_in(self, segments):
        house = House()
        client = house.connect()
        for segment in segments:
            client.send(segment)
        said = client.said()
        for envelope, _ in house.delivery.messages:
            said = said.replace(envelope.session_id, "ID")
        return said, house.messages()

    def test_the_whole_goes_as_it_should(self):
        said, messages = self.run_in([WHOLE])
        self.assertEqual(
            messages,
            [b"a: b\r\n\r\nx\r\n.\r\ny\r\n", b"a: b\r\n\r\n\0\r\xff\n", b"z: z\r\n"],
        )
        self.assertIn("503 5.5.1 Give the sender first", said)
        self.assertIn("554 5.6.0 Message has an LF without CR", said)

    def test_octet_by_octet_is_the_same(self):
        self.assertEqual(self.run_in(pieces(WHOLE, EACH_OCTET)), self.run_in([WHOLE]))

    @given(cuts=CUTS)
    @settings(max_examples=40)
    def test_any_split_gives_the_same_replies_and_messages(self, cuts):
        self.assertEqual(self.run_in(pieces(WHOLE, cuts)), self.run_in([WHOLE]))

    @given(
        st.lists(st.binary(max_size=30), min_size=1, max_size=5),
        st.booleans(),
        CUTS,
    )
    @settings(max_examples=60)
    def test_any_chunks_in_any_split_are_one_message_or_refused(
        self, chunks, binary, cuts
    ):
        head = b"EHLO me\r\n" + (BINARY if binary else FROM).encode() + b"\r\n"
        octets = head + ANN.encode() + b"\r\n"
        octets += b"".join(map(chunk, chunks[:-1])) + chunk(chunks[-1], last=True)
        said, messages = self.run_in(pieces(octets, cuts))
        self.assertEqual((said, messages), self.run_in([octets]))
        content = b"".join(chunks)
        if messages and binary:
            self.assertTrue(messages[0].endswith(content))
        elif messages:
            self.assertTrue(
                messages[0]
                .removesuffix(b"\r\n")
                .endswith(content.removesuffix(b"\r\n"))
            )
