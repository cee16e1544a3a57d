"""A hostile IMAP client costs only itself: others are answered, memory is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from tests.bench.mail import PLAIN
from tests.integration.daemon import DaemonTestCase
from tests.integration.side_by_side import Raw, Refused

MOST_GROWTH_OCTETS = 48 << 20  # of the daemon's memory, whatever a client does
LARGE_OCTETS = 100 << 20
PIECE = b"x" * 998 + b"\r\n"


class HostileClientTests(DaemonTestCase):
    workers = 2
    extra = PLAIN + "[imap4]\nmessage_octets = 209_715_200\n"

    def setUp(self) -> None:
        super().setUp()
        self.name = self.user()
        self.other = self.login()
        self.other.ask(b"SELECT INBOX")
        self.before = self.memory()

    def login(self) -> Raw:
        client = Raw(self.daemon.port("imap"), self.name)
        self.addCleanup(client.close)
        return client

    def memory(self) -> int:
        return psutil.Process(self.daemon.process.pid).memory_info().rss

    def others_are_served(self) -> None:
        for _ in range(5):
            began = time.monotonic()
            self.other.ask(b"NOOP")
            self.assertLess(time.monotonic() - began, 1.0)
        self.assertLess(self.memory() - self.before, MOST_GROWTH_OCTETS)

    def pushed(self, client: Raw, octets: bytes, count: int) -> None:
        """Send it `count` times, as far as the server takes it; nothing is read."""
        client.socket.settimeout(1.0)
        try:
            for _ in range(count):
                client.socket.sendall(octets)
        except (TimeoutError, ConnectionError):
            pass  # it stopped reading, or hung up

    def test_pipelines_without_end_that_nobody_reads(self) -> None:
        for command in (b"NOOP", b"CAPABILITY", b'LIST "" *', b"x" * 300):
            self.pushed(self.login(), (b"a " + command + b"\r\n") * 1000, 300)
            self.others_are_served()

    def test_literals_without_end(self) -> None:
        for marker in (b"{999999999999}", b"{4000000000+}", b"{50000000+}"):
            client = self.login()
            self.pushed(client, b"a LOGIN " + marker + b"\r\n", 1)
            self.pushed(client, PIECE * 100, 500)
            self.others_are_served()
        for _ in range(20):  # appends that are begun and never done
            client = self.login()
            self.pushed(client, b"a APPEND INBOX {90000000+}\r\n" + PIECE * 1000, 1)
        self.others_are_served()

    def test_lines_and_searches_without_end(self) -> None:
        for line in (
            b"(" * 1_000_000,
            b"SEARCH " + b"NOT " * 200_000 + b"ALL",
            b"SEARCH " + b"OR ALL " * 200_000 + b"ALL",
            b"SEARCH " + b"(" * 100_000 + b"ALL" + b")" * 100_000,
            b"FETCH " + b"1," * 500_000 + b"1 FLAGS",
            b'LIST "" "' + b"%*" * 500_000 + b'"',
        ):
            client = self.login()
            client.socket.sendall(b"t0 SELECT INBOX\r\nt1 " + line + b"\r\n")
            self.others_are_served()

    def test_a_message_of_100_MB_that_is_read_slowly(self) -> None:
        client = self.login()
        header = b"Subject: large\r\n\r\n"
        octets = len(header) + LARGE_OCTETS // 1000 * 1000
        client.socket.sendall(b"a APPEND INBOX {%d+}\r\n%b" % (octets, header))
        for at in range(LARGE_OCTETS // 100_000):
            client.socket.sendall(PIECE * 100)
            if at % 100 == 0:
                self.others_are_served()
        rest = LARGE_OCTETS // 1000 * 1000 - LARGE_OCTETS // 100_000 * 100_000
        client.socket.sendall(PIECE * (rest // 1000) + b"\r\n")
        while not client._line().startswith(b"a OK"):
            pass
        slow = [self.login() for _ in range(5)]
        for one in slow:
            one.ask(b"SELECT INBOX")
            one.socket.sendall(b"a FETCH 1 BODY.PEEK[]\r\n")
            one.socket.recv(1000)
        self.others_are_served()
        client.ask(b"SELECT INBOX")
        (told,) = client.fetched(b"FETCH 1 RFC822.SIZE")
        self.assertEqual(told[1], b"%d" % octets)
        for where in (b"BODY", b"TEXT"):
            self.assertEqual(client.search(where + b" nowhere"), set())
        self.others_are_served()

    def test_too_many_wrong_commands_end_the_connection(self) -> None:
        client = self.login()
        with self.assertRaises((Refused, ConnectionError, OSError)) as raised:
            while True:
                self.ignoring(lambda: client.ask(b"NONSENSE"))
        self.assertNotIsInstance(raised.exception, Refused)
        self.others_are_served()

    @staticmethod
    def ignoring(work: Callable[[], object]) -> None:
        try:
            work()
        except Refused:
            return
