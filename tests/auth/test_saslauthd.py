"""The words of saslauthd, with one that the test plays."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.auth.checkers.saslauthd import SaslauthdChecker, request
from mailtwist.auth.credentials import Door, PasswordCredentials
from mailtwist.config.source import Source
from mailtwist.errors import SourceDown
from mailtwist.secret import Secret

SHORT = st.binary(max_size=256).filter(lambda octets: b"\0" not in octets)


def texts_of(octets):
    """The texts of a request, and what is left."""
    texts = []
    while len(octets) >= 2 and len(octets) >= 2 + int.from_bytes(octets[:2]):
        end = 2 + int.from_bytes(octets[:2])
        texts.append(octets[2:end])
        octets = octets[end:]
    return texts, octets


class RequestTests(SynchronousTestCase):
    @given(texts=st.tuples(SHORT, SHORT, SHORT, SHORT))
    def test_what_is_asked_is_read(self, texts):
        self.assertEqual(texts_of(request(*texts)), (list(texts), b""))

    def test_what_would_be_cut_short_is_not_asked(self):
        for texts in (
            (b"ann\0root", b"pw", b"imap", b""),
            (b"ann", b"x" * 257, b"imap", b""),
        ):
            self.assertRaises(ValueError, request, *texts)


class Daemon(Protocol):
    """Answers each request with `factory.answers`, in those pieces."""

    def connectionMade(self):
        self.heard = b""
        self.factory.open += 1
        self.factory.most = max(self.factory.most, self.factory.open)

    def dataReceived(self, data):
        self.heard += data
        texts, _ = texts_of(self.heard)
        if len(texts) == 4:
            self.factory.asked.append(texts)
            for piece in self.factory.answers:
                self.transport.write(piece)
            if self.factory.closes:
                self.transport.loseConnection()

    def connectionLost(self, reason=None):
        self.factory.open -= 1


class CheckerTests(TestCase):
    timeout = 30

    async def daemon(self, *answers, closes=True):
        path = self.mktemp()[-80:].replace("/", "_")
        self.factory = Factory.forProtocol(Daemon)
        self.factory.noisy = False
        self.factory.answers, self.factory.closes = answers, closes
        self.factory.asked, self.factory.open, self.factory.most = [], 0, 0
        port = await UNIXServerEndpoint(reactor, path).listen(self.factory)
        self.addCleanup(port.stopListening)
        return path

    def check(self, path, name=b"ann@example.test", password=b"pw", **options):
        source = Source(kind="saslauthd", path=path, **options)
        checker = SaslauthdChecker(reactor, source, "example.test")
        door = Door("imap4", "", "192.0.2.1")
        return checker.requestAvatarId(
            PasswordCredentials(name, Secret(password), door)
        )

    async def test_the_name_is_parted_and_the_service_follows_the_protocol(self):
        path = await self.daemon(b"\0\2OK")
        self.assertEqual(await self.check(path, service="%p"), b"ann@example.test")
        await self.check(path, service="mail", names="local", domains=("example.test",))
        self.assertEqual(
            self.factory.asked,
            [
                [b"ann", b"pw", b"imap", b"example.test"],
                [b"ann", b"pw", b"mail", b""],
            ],
        )

    async def test_an_answer_may_come_in_pieces_and_say_why(self):
        path = await self.daemon(b"\0", b"\x0eNO PAM", b" auth error")
        with self.assertRaises(UnauthorizedLogin):
            await self.check(path)

    async def test_what_is_no_answer_is_down(self):
        for pieces in ((), (b"\0",), (b"\0\2O",), (b"\0\2HI",), (b"\xff\xffOK",)):
            path = await self.daemon(*pieces)
            with self.assertRaises(SourceDown):
                await self.check(path)

    async def test_a_socket_that_is_not_there_is_down(self):
        with self.assertRaises(SourceDown):
            await self.check("no-such-socket")

    async def test_names_that_nobody_has_are_not_asked(self):
        path = await self.daemon(b"\0\2OK")
        for name, password in (
            (b"", b"pw"),
            (b"ann\0root@example.test", b"pw"),
            (b"ann@example.test", b""),
            (b"ann@example.test", b"x" * 300),
        ):
            with self.assertRaises(UnauthorizedLogin):
                await self.check(path, name, password)
        self.assertEqual(self.factory.asked, [])

    async def test_a_wait_that_is_given_up_closes_its_connection(self):
        path = await self.daemon(closes=False)
        asked = self.check(path)
        while not self.factory.asked:
            await self.turn()
        asked.addErrback(lambda failure: None)
        asked.cancel()
        while self.factory.open:
            await self.turn()

    async def test_a_wait_that_is_given_up_before_it_is_connected_is_no_fault(self):
        asked = self.check(await self.daemon())
        asked.cancel()
        with self.assertRaises(CancelledError):
            await asked

    async def test_no_more_connections_than_threads(self):
        path = await self.daemon(b"\0\2OK")
        source = Source(kind="saslauthd", path=path, threads=2)
        checker = SaslauthdChecker(reactor, source, "")
        asked = [
            checker.requestAvatarId(UsernamePassword(b"ann@example.test", b"pw"))
            for _ in range(10)
        ]
        self.assertEqual(await gatherResults(asked), [b"ann@example.test"] * 10)
        self.assertLessEqual(self.factory.most, 2)

    def turn(self):
        passed = Deferred()
        reactor.callLater(0.01, passed.callback, None)
        return passed
