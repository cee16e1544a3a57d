"""A POP3 server in memory: real portal and authenticator, the store in memory."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailtwist.auth.login import Authenticator
from mailtwist.auth.realm import MailRealm
from mailtwist.auth.throttle import Throttle
from mailtwist.config.model import Auth
from mailtwist.config.reading import Pop3
from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX
from mailtwist.pop3.server import POP3Factory
from mailtwist.store.memory import MemoryStore
from tests.transcript import MemoryTransport, MemoryWire

ANN, BOB = "ann@example.test", "bob@example.test"
PASSWORDS = {
    ANN.encode(): b"demo",
    BOB.encode(): "pässwort mit blanks".encode(),
    "ünï@example.test".encode(): b"demo",
}
SMALL = b"From: bob@example.test\r\nSubject: %d\r\n\r\nHello %d\r\n.dot\r\n"


class People:
    """A directory of everybody who has a password."""

    async def account(self, name):
        return Account(name, f"/nowhere/{name}")

    async def has_domain(self, domain):
        return True

    async def account_for(self, address):
        return Account(str(address), f"/nowhere/{address}")


class WaryTransport(MemoryTransport):
    """Pauses its producer when told to; counts what was done to it."""

    aborted = False
    writes = 0

    def write(self, data):
        self.writes += 1
        super().write(data)

    def abortConnection(self):
        self.aborted = True
        self.loseConnection()


class Wire(MemoryWire):
    """One client; `said` gives what came since it was last asked."""

    def __init__(self, factory, transport=None):
        super().__init__(factory.buildProtocol(None), transport or WaryTransport())
        self.at = 0

    def said(self):
        value = self.transport.value()
        new, self.at = value[self.at :], len(value)
        return new

    def ask(self, *lines):
        """What the server says to these lines in one segment."""
        self.said()
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.said()

    def log_in(self, name=ANN, password=b"demo"):
        answer = self.ask(b"USER " + name.encode(), b"PASS " + password)
        if not answer.count(b"+OK") == 2:
            raise AssertionError(answer)
        return answer.split(b"\r\n")[1]


class World:
    def __init__(self, *, plaintext=True, tls=None, store=None, now=None, **config):
        self.clock, self.store = Clock(), store or MemoryStore()
        self.config = Pop3(**config)
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.users = dict(PASSWORDS)
        self.realm = MailRealm(People(), self.store, "+")
        portal = Portal(self.realm, [checker])
        auth = Auth(plaintext_without_tls=plaintext)
        self.secrets = True
        reactor = now or self.clock
        self.authenticator = Authenticator(
            portal,
            Throttle(auth, reactor.seconds),
            auth,
            reactor,
            "mx.example.test",
            lambda what, door: what in ("secret", "CRAM-MD5") and self.secrets,
        )
        self.factory = POP3Factory(
            reactor=reactor,
            config=self.config,
            hostname="mx.example.test",
            authenticator=self.authenticator,
            tls=tls,
        )

    def connect(self, transport=None):
        return Wire(self.factory, transport)

    def logged_in(self, name=ANN, password=b"demo"):
        wire = self.connect()
        wire.log_in(name, password)
        return wire

    def tree(self, name=ANN):
        return self.store.mailboxes(Account(name, f"/nowhere/{name}"))

    def put(self, *messages, name=ANN):
        """Append messages to the INBOX; all at once."""
        tree = self.tree(name)

        async def appended():
            uploads = []
            for message in messages:
                upload = tree.upload()
                upload.write(message)
                uploads.append((upload, frozenset(), None))
            return await tree.append(INBOX, uploads)

        return now(appended())

    def put_small(self, count, name=ANN):
        self.put(*(SMALL % (n, n) for n in range(1, count + 1)), name=name)

    def subjects(self, name=ANN):
        """How many messages are in the INBOX."""
        return now(self.tree(name).status(INBOX)).messages

    def open(self, name=ANN):
        return now(self.tree(name).open(INBOX))


def now(work):
    """The result of a coroutine that does not wait."""
    results = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    if not results:
        raise AssertionError("it waits")
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def body_of(answer):
    """The lines of a multi-line answer, unstuffed, as one message."""
    status, _, rest = answer.partition(b"\r\n")
    if not status.startswith(b"+OK") or not answer.endswith(b"\r\n.\r\n"):
        raise AssertionError(answer[:200])
    rest = rest[:-3]
    lines = rest.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
