"""BINARY and BINARY.SIZE (RFC 3516)."""

from base64 import encodebytes
from quopri import encodestring

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.flags import SEEN
from mailtwist.imap4.cmd import fetch_body
from mailtwist.imap4.cmd.fetch_binary import DecodedPart
from mailtwist.mailbox.model import Range

from ..room import HELLO, Room

PICTURE = bytes(range(256)) * 3
TEXT = "Grüße\r\nan alle\r\n".encode()


def crlf(octets):
    return octets.replace(b"\n", b"\r\n")


def mixed(*parts):
    """A multipart of (transfer encoding, body as it stands)."""
    head = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return (
        head
        + b"".join(
            b"--b\r\nContent-Type: application/x-any\r\n"
            b"Content-Transfer-Encoding: %b\r\n\r\n%b\r\n" % part
            for part in parts
        )
        + b"--b--\r\n"
    )


MESSAGE = mixed(
    (b"base64", crlf(encodebytes(PICTURE)).rstrip()),
    (b"Quoted-Printable", b"Gr=C3=BC=C3=9Fe\r\nan al=\r\nle\r\n"),
    (b"8bit", TEXT),
    (b"x-uuencode", b"begin 644 x\r\nend"),
    (b"base64", crlf(encodebytes(b"plain")).rstrip()),
)


class BinaryTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.append(MESSAGE)
        self.client.ask("SELECT INBOX")

    def fetch(self, items, number=1):
        """The data items of one message as one line."""
        *lines, answer = self.client.ask(f"FETCH {number} {items}")
        self.assertEqual(answer, b"OK FETCH completed")
        return lines[0].removeprefix(b"* %d FETCH " % number)

    def test_what_a_part_is_without_its_encoding(self):
        for items, wanted, why in [
            (
                "BINARY.PEEK[1]",
                b"(BINARY[1] ~{768}\r\n" + PICTURE + b")",
                "with NUL it is a literal8",
            ),
            ("BINARY.PEEK[2]", b"(BINARY[2] {18}\r\n" + TEXT + b")", "no NUL"),
            ("BINARY.PEEK[3]", b"(BINARY[3] {18}\r\n" + TEXT + b")", "as it stands"),
            ("BINARY.PEEK[1]<65.3>", b"(BINARY[1]<65> {3}\r\nABC)", "decoded octets"),
            ("BINARY.PEEK[1]<0.1>", b"(BINARY[1]<0> ~{1}\r\n\0)", "with NUL"),
            ("BINARY.PEEK[1]<768.3>", b"(BINARY[1]<768> {0}\r\n)", "behind the end"),
            ("BINARY.PEEK[3]<0.2>", b"(BINARY[3]<0> {2}\r\nGr)", "not encoded"),
            ("BINARY.PEEK[9]", b"(BINARY[9] NIL)", "no such part"),
            (
                "BINARY.PEEK[]",
                b"(BINARY[] {%d}\r\n" % len(MESSAGE) + MESSAGE + b")",
                "the message has no encoding",
            ),
            ("BINARY.SIZE[1]", b"(BINARY.SIZE[1] 768)", "encoded"),
            ("BINARY.SIZE[3]", b"(BINARY.SIZE[3] 18)", "not encoded"),
            ("BINARY.SIZE[9]", b"(BINARY.SIZE[9] 0)", "no such part"),
            ("BINARY.SIZE[]", b"(BINARY.SIZE[] %d)" % len(MESSAGE), "the message"),
            (
                "(BINARY.SIZE[2] UID BINARY.PEEK[5])",
                b"(BINARY.SIZE[2] 18 UID 1 BINARY[5] {5}\r\nplain)",
                "together",
            ),
        ]:
            self.assertEqual(self.fetch(items), wanted, why)
        self.assertNotIn(SEEN, self.room.folder().messages[1].flags)

    def test_a_message_of_one_part_has_that_as_its_part_1(self):
        self.client.append(
            b"Content-Transfer-Encoding: base64\r\n\r\n" + crlf(encodebytes(TEXT))
        )
        self.client.ask("NOOP")
        self.assertEqual(
            self.fetch("BINARY.PEEK[1]", 2), b"(BINARY[1] {18}\r\n" + TEXT + b")"
        )

    def test_without_peek_it_is_seen(self):
        told = self.fetch("BINARY[5]")
        self.assertIn(b"FLAGS (\\Seen", told)
        self.assertIn(SEEN, self.room.folder().messages[1].flags)

    def test_an_encoding_nobody_knows_fails_and_the_others_are_told(self):
        self.client.append(mixed(*[(b"base64", b"aGk=")] * 4))
        self.client.ask("NOOP")
        for item, told in [
            ("BINARY.PEEK[4]", b"* 2 FETCH (BINARY[4] {2}\r\nhi)"),
            ("BINARY.SIZE[4]", b"* 2 FETCH (BINARY.SIZE[4] 2)"),
        ]:
            answer = b"NO [UNKNOWN-CTE] Content transfer encoding is not known"
            self.assertEqual(self.client.ask(f"FETCH 1:2 {item}"), [told, answer])

    def test_body_and_binary_of_one_part(self):
        told = self.fetch("(BODY.PEEK[5] BINARY.PEEK[5])")
        self.assertEqual(told, b"(BODY[5] {8}\r\ncGxhaW4= BINARY[5] {5}\r\nplain)")

    def test_what_binary_is_not(self):
        for items in (
            "BINARY",
            "BINARY[1.MIME]",
            "BINARY[HEADER]",
            "BINARY.SIZE[1]<0.5>",
            "BINARY.PEEK",
            "BINARY[0]",
        ):
            (told,) = self.client.ask(f"FETCH 1 {items}")
            self.assertTrue(told.startswith(b"BAD "), items)


class LargeTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.large = PICTURE * 1500
        self.text = TEXT * 40_000
        quoted = crlf(encodestring(self.text.replace(b"\r", b"")))
        self.client.append(
            mixed(
                (b"base64", crlf(encodebytes(self.large)).rstrip()),
                (b"quoted-printable", quoted),
                (b"binary", b"x" * 300_000),
            )
        )
        self.client.ask("SELECT INBOX")

    def fetched(self, item):
        told, answer = self.client.ask(f"FETCH 1 {item}")
        self.assertEqual(answer, b"OK FETCH completed")
        return told.partition(b"\r\n")[2][:-1]

    def test_a_large_part_comes_in_pieces(self):
        size = b"* 1 FETCH (BINARY.SIZE[1] %d)" % len(self.large)
        self.assertEqual(self.client.ask("FETCH 1 BINARY.SIZE[1]")[0], size)
        self.assertEqual(self.fetched("BINARY.PEEK[1]"), self.large)
        self.assertEqual(self.fetched("BINARY.PEEK[3]"), b"x" * 300_000)
        self.assertEqual(
            self.fetched("BINARY.PEEK[1]<5.300000>"), self.large[5:300_005]
        )
        self.assertEqual(
            self.fetched("BINARY.PEEK[1]<1151990.300000>"), self.large[1151990:]
        )
        text = self.fetched("BINARY.PEEK[2]")
        self.assertEqual(text.rstrip(), self.text.rstrip())

    def test_windows_decode_the_part_once(self):
        read = []
        octets = type(self.client.protocol._session.mailbox).octets

        async def counted(mailbox, ranges):
            found = await octets(mailbox, ranges)
            read.extend(map(len, found))
            return found

        self.patch(type(self.client.protocol._session.mailbox), "octets", counted)
        windows = [
            self.fetched(f"BINARY.PEEK[1]<{at}.100000>")
            for at in range(0, len(self.large), 100_000)
        ]
        self.assertEqual(b"".join(windows), self.large)
        self.assertLess(sum(read), 2 * len(self.large))

    def test_a_message_that_goes_away_is_left_out(self):
        mailbox = self.client.protocol._session.mailbox

        async def gone(ranges):
            return [None] * len(ranges)

        self.patch(type(mailbox), "octets", lambda mailbox, ranges: gone(ranges))
        for item in ("BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY.PEEK[1]<7.5>"):
            self.assertEqual(len(self.client.ask(f"FETCH 1 {item}")), 1)

    def test_small_parts_come_together(self):
        self.patch(fetch_body, "BATCH_OCTETS", 10)
        self.client.append(HELLO)
        self.client.ask("NOOP")
        told, _ = self.client.ask("FETCH 2 BINARY.PEEK[1]")
        self.assertEqual(told, b"* 2 FETCH (BINARY[1] {17}\r\nHi Ann,\r\nlunch?\r\n)")


class Held:
    """A mailbox of one message."""

    def __init__(self, octets):
        self._octets = octets

    async def octets(self, ranges):
        return [self._octets[r.start : r.start + r.count] for r in ranges]


def done(coroutine):
    """What a coroutine gives that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


class DecodedPartTests(SynchronousTestCase):
    @given(
        octets=st.binary(max_size=400),
        windows=st.lists(st.tuples(st.integers(0, 450), st.integers(1, 100))),
        read=st.integers(1, 50),
    )
    def test_any_windows_in_any_order(self, octets, windows, read):
        from mailtwist.imap4.cmd import fetch_binary

        kept, fetch_binary.READ_OCTETS = fetch_binary.READ_OCTETS, read
        try:
            encoded = crlf(encodebytes(octets))
            part = DecodedPart(
                Held(b"??" + encoded), Range(1, 2, len(encoded)), "base64"
            )
            for start, count in windows:
                found = done(part.window(start, count))
                self.assertEqual(found, octets[start : start + count])
            self.assertEqual(done(part.size()), len(octets))
        finally:
            fetch_binary.READ_OCTETS = kept
