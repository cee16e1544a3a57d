"""The rooms around SMTP in memory: a directory of two users, a delivery that keeps."""

from ipaddress import ip_network

from attrs import define, evolve, field
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailtwist.address import Address
from mailtwist.auth.login import Login
from mailtwist.config.model import Smtp
from mailtwist.config.restricting import Restrictions
from mailtwist.delivery.model import LocalRecipient, RemoteRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import (
    AuthFailed,
    EncryptionNeeded,
    NoSuchUser,
    OverQuota,
    RelayDenied,
    UnknownMechanism,
)
from mailtwist.smtp.factory import SMTPFactory

from ..transcript import MemoryTransport, MemoryWire

QUICK = Restrictions(error_delay_s=0)
PASSWORD = b"s3cret-of-ann"
PLAIN = "AGFubkBleGFtcGxlLnRlc3QAczNjcmV0LW9mLWFubg=="  # ann with PASSWORD


class MailAccount:
    identifiers = frozenset({"ann@example.test"})
    copy = None

    def __init__(self, account):
        self.account, self.mailboxes = account, None

    async def may_send_as(self, address):
        return str(address) == self.account.name

    async def sent_copy(self, address):
        return self.copy


class MemoryAuthenticator:
    """PLAIN and LOGIN for ann; LOGIN asks."""

    def __init__(self):
        self.logged_out = 0

    def mechanisms(self, peer):
        return ("PLAIN", "LOGIN") if peer.tls else ()

    async def login_sasl(self, mechanism, initial, converse, peer):
        if not peer.tls:
            raise EncryptionNeeded()
        if mechanism == "PLAIN":
            response = initial if initial is not None else await converse(b"")
            _, user, password = (response.split(b"\0") + [b"", b""])[:3]
        elif mechanism == "LOGIN":
            user = initial if initial is not None else await converse(b"User Name")
            password = await converse(b"Password")
        else:
            raise UnknownMechanism()
        if (user, password) != (b"ann@example.test", PASSWORD):
            raise AuthFailed()
        account = MailAccount(Account("ann@example.test", "/home/ann"))
        return Login(account, "ann@example.test", mechanism, self._log_out)

    async def login_proxied(self, name, peer):
        if name != "ann@example.test":
            raise AuthFailed()
        account = MailAccount(Account(name, "/home/ann"))
        return Login(account, name, "XCLIENT", self._log_out)

    def _log_out(self):
        self.logged_out += 1


class MemoryRouter:
    """ann and bob at example.test; full@ is full; slow@ answers when told to."""

    def __init__(self):
        self.asked, self.slow = [], {}

    async def resolve(
        self,
        address,
        *,
        may_relay,
        size_octets=None,
        sender=None,
        behind="",
        poster=(),
    ):
        self.asked.append(str(address))
        if address.domain not in ("example.test", ""):
            if not may_relay:
                raise RelayDenied()
            return RemoteRecipient(address)
        name = address.local_part.lower()
        if name.startswith("slow"):
            await self.slow.setdefault(name, Deferred())
        if name == "full":
            raise OverQuota()
        if not name.startswith("slow") and name not in ("ann", "bob", "postmaster"):
            raise NoSuchUser()
        return LocalRecipient(address, Account(f"{name}@example.test", f"/home/{name}"))


@define
class Sink:
    delivery: object
    envelope: object
    octets: int = 0
    parts: list = field(factory=list)
    state: str = "open"

    def write(self, octets):
        self.octets += len(octets)
        self.parts.append(octets)
        return self.delivery.wait

    async def commit(self):
        self.state = "committed"
        if self.delivery.commit is not None:
            await self.delivery.commit
        if self.delivery.verdicts is not None:
            return self.delivery.verdicts
        self.delivery.messages.append((self.envelope, b"".join(self.parts)))
        return [None] * len(self.envelope.recipients)

    def abort(self):
        self.state = "aborted"
        self.parts.clear()


class MemoryDelivery:
    """Keeps messages as (envelope, octets without trace)."""

    def __init__(self):
        self.messages, self.sinks = [], []
        self.verdicts = self.wait = self.commit = None

    def begin(self, envelope):
        sink = Sink(self, envelope)
        self.sinks.append(sink)
        return sink


class House:
    """A factory with everything around it, and connections to it."""

    def __init__(
        self,
        *,
        role="smtp",
        tls=object(),  # noqa: B008
        trusted=(),
        restrictions=QUICK,
        more=(),
        **options,
    ):
        """`more` are further arguments of the factory."""
        self.clock = Clock()
        self.authenticator = MemoryAuthenticator()
        self.router, self.delivery = MemoryRouter(), MemoryDelivery()
        self.factory = SMTPFactory(
            reactor=self.clock,
            config=Smtp(**options),
            hostname="mx.example.test",
            role=role,
            authenticator=self.authenticator,
            router=self.router,
            delivery=self.delivery,
            trusted_networks=[ip_network(n) for n in trusted],
            tls=tls,
            restrictions=restrictions,
            **dict(more),
        )
        self.factory.doStart()

    def connect(self, address="192.0.2.7"):
        peer = IPv4Address("TCP", address, 4025) if address else UNIXAddress(b"/s")
        transport = Transport(peerAddress=peer)
        return Client(self.factory.buildProtocol(peer), transport)

    def messages(self):
        return [octets for _, octets in self.delivery.messages]


class Transport(MemoryTransport):
    """Notes aborts and pauses, and knows a TLS that is up as soon as it is begun."""

    aborted = False

    def abortConnection(self):
        self.aborted = True
        self.loseConnection()

    def startTLS(self, context):
        super().startTLS(context)
        self.before_tls = self.value()

    def getHandle(self):
        return self

    def get_protocol_version_name(self):
        return "TLSv1.3"

    def get_cipher_name(self):
        return "TLS_AES_256_GCM_SHA384"


class Client(MemoryWire):
    """A client with shorthands for tests."""

    def start_tls(self):
        super().start_tls()
        self.protocol.handshakeCompleted()

    def said(self):
        """Everything said since the last look."""
        return self.unread().decode()

    def ask(self, *lines):
        """Send the lines in one segment; what is said to them."""
        octets = (line if isinstance(line, bytes) else line.encode() for line in lines)
        self.send(b"".join(line + b"\r\n" for line in octets))
        return self.said()

    def codes(self, *lines):
        """As ask; the reply codes with their enhanced status."""
        replies = [r for r in self.ask(*lines).split("\r\n") if r and r[3:4] == " "]
        return [" ".join(r.split(" ")[: 2 if r[4:5] in "245" else 1]) for r in replies]

    def begin(self, *, tls=False, login=False):
        self.said()
        self.ask("EHLO client.test")
        if tls or login:
            self.ask("STARTTLS")
            self.start_tls()
            self.ask("EHLO client.test")
        if login:
            self.ask(f"AUTH PLAIN {PLAIN}")
        return self


def address(text):
    return Address.parse(text)


def with_config(house, **changes):
    rooms = house.factory.rooms
    house.factory.rooms = evolve(rooms, config=evolve(rooms.config, **changes))
