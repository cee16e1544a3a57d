"""A ManageSieve server in memory, with a real portal and authenticator."""

from base64 import b64encode

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.task import Clock

from mailtwist.auth.login import Authenticator
from mailtwist.auth.realm import MailRealm
from mailtwist.auth.throttle import Throttle
from mailtwist.config.model import Auth, Config
from mailtwist.config.sieve import Sieve
from mailtwist.directory.model import Account
from mailtwist.manage_sieve.server import ManageSieveFactory
from mailtwist.service.sieve import offer_of, scripts_in
from mailtwist.store.memory import MemoryStore
from tests.pop3.world import ANN, BOB, PASSWORDS, People, WaryTransport, now
from tests.transcript import MemoryWire


def plain(name=ANN, password=b"demo"):
    """The initial response that logs in."""
    return b64encode(b"\0%b\0%b" % (name.encode(), password))


class Wire(MemoryWire):
    """One client."""

    def __init__(self, factory, transport=None):
        super().__init__(factory.buildProtocol(None), transport or WaryTransport())

    def ask(self, *lines):
        """What the server says to these lines in one segment."""
        self.unread()
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.unread()

    def log_in(self, name=ANN, password=b"demo"):
        answer = self.ask(b'AUTHENTICATE "PLAIN" "%b"' % plain(name, password))
        if not answer.startswith(b"OK"):
            raise AssertionError(answer)
        return answer


class World:
    def __init__(self, *, plaintext=True, tls=None, store=None, reactor=None, **config):
        self.clock, self.store = Clock(), store or MemoryStore()
        self.config = Sieve(**config)
        reactor = reactor or self.clock
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.users = dict(PASSWORDS)
        portal = Portal(MailRealm(People(), self.store, "+"), [checker])
        auth = Auth(plaintext_without_tls=plaintext)
        self.authenticator = Authenticator(
            portal,
            Throttle(auth, reactor.seconds),
            auth,
            reactor,
            "mx.example.test",
            lambda what, door: what in ("secret", "CRAM-MD5"),
        )
        self.factory = ManageSieveFactory(
            reactor=reactor,
            config=self.config,
            hostname="mx.example.test",
            authenticator=self.authenticator,
            tls=tls,
            offer=offer_of(Config(sieve=self.config), reactor, scripts_in(self.store)),
        )

    def connect(self, transport=None):
        return Wire(self.factory, transport)

    def logged_in(self, name=ANN, password=b"demo", transport=None):
        wire = self.connect(transport)
        wire.log_in(name, password)
        return wire

    def scripts(self, name=ANN):
        """IScripts of an account."""
        return self.store.mailboxes(Account(name, f"/nowhere/{name}"))

    def names(self, name=ANN):
        """Names of its scripts."""
        return [one.name for one in now(self.scripts(name).scripts())]


__all__ = ["ANN", "BOB", "WaryTransport", "Wire", "World", "now", "plain"]
