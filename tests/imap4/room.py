"""IMAP sessions over the memory store: what server and command tests share."""

from attrs import define, evolve, field
from twisted.internet.task import Clock

from mailtwist.auth.login import Login
from mailtwist.auth.names import login_key
from mailtwist.config.reading import Imap4
from mailtwist.directory.model import Account
from mailtwist.errors import AuthFailed, EncryptionNeeded, UnknownMechanism
from mailtwist.imap4.factory import IMAP4Factory
from mailtwist.mailbox.model import INBOX
from mailtwist.store.memory import MemoryStore
from tests.transcript import MemoryTransport, MemoryWire

ANN = Account("ann@example.test", "/nowhere/ann")
NOON = 1_767_268_800  # 2026-01-01 12:00:00 UTC

HELLO = (
    b"From: Bob <bob@example.test>\r\nTo: ann@example.test\r\nSubject: hello\r\n"
    b"Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n"
    b"X-Odd: yes\r\n\r\nHi Ann,\r\nlunch?\r\n"
)


@define
class Avatar:
    account: Account
    mailboxes: object
    identifiers: frozenset = frozenset()

    async def may_send_as(self, address):
        return False


@define
class Accounts:
    """An Authenticator that knows ann, password "demo", and mechanisms PLAIN and ASK.

    ASK wants the challenge "who?" answered with the user and "sure?" with "yes".
    """

    store: MemoryStore
    account: Account = ANN
    plaintext_without_tls: bool = True
    logouts: int = 0
    avatar: type = Avatar

    def plaintext(self, *, tls):
        return tls or self.plaintext_without_tls

    def mechanisms(self, peer):
        return ("PLAIN", "ASK") if self.plaintext(tls=peer.tls) else ("ASK",)

    async def login_password(self, user, password, peer):
        if not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()
        return self._login(user, password.reveal(), "password")

    async def login_sasl(self, mechanism, initial, converse, peer):
        if mechanism == "ASK":
            user = await converse(b"who?") if initial is None else initial
            sure = await converse(b"sure?")
            return self._login(user.decode(), b"demo" if sure == b"yes" else b"", "ASK")
        if mechanism != "PLAIN":
            raise UnknownMechanism()
        if not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()
        _, user, password = (await converse(b"") if initial is None else initial).split(
            b"\0"
        )
        return self._login(user.decode(), password, "PLAIN")

    def _login(self, user, password, mechanism):
        if (user, password) != ("ann", b"demo"):
            raise AuthFailed()
        avatar = self.avatar(self.account, self.store.mailboxes(self.account))
        return Login(avatar, self.account.name, mechanism, self._logout)

    def _logout(self):
        self.logouts += 1


@define
class Logins(Accounts):
    """Anybody may log in, with the same password."""

    mechanism: str = "PLAIN"

    def _login(self, user, password, mechanism):
        account = evolve(self.account, name=login_key(user, "example.test"))
        avatar = Avatar(account, self.store.mailboxes(account))
        mechanism = "ANONYMOUS" if user == "anonymous" else self.mechanism
        return Login(avatar, account.name, mechanism, self._logout)


class Client(MemoryWire):
    """A client that waits for the server's clock and reads whole answers."""

    def __init__(self, room, transport=None):
        self.room, self._tags = room, 0
        super().__init__(room.factory.buildProtocol(None), transport)

    def send(self, octets):
        super().send(octets)
        self.room.settle()

    def line(self):
        self.room.settle()
        return super().line()

    def hear(self):
        """Every line not yet read; a literal stays in one piece with its line."""
        self.room.settle()
        said = self.unread()
        found = []
        while said:
            end = said.index(b"\r\n")
            while said[:end].endswith(b"}"):
                count = int(said[said.rindex(b"{", 0, end) + 1 : end - 1])
                end = said.index(b"\r\n", end + 2 + count)
            found.append(said[:end])
            said = said[end + 2 :]
        return found

    def ask(self, command):
        """Say a command (str or octets, literals as LITERAL+); its answer's lines, the
        tagged one without its tag."""
        if isinstance(command, str):
            command = command.encode()
        self._tags += 1
        self.send(b"t%d %b\r\n" % (self._tags, command))
        lines = self.hear()
        tag = b"t%d " % self._tags
        if not lines or not lines[-1].startswith(tag):
            raise AssertionError(f"{command!r} was answered with {lines}")
        return [*lines[:-1], lines[-1].removeprefix(tag)]

    def append(self, message=HELLO, path="INBOX", flags=""):
        flags = f"({flags}) " if flags else ""
        return self.ask(
            f"APPEND {path} {flags}{{{len(message)}+}}\r\n".encode() + message
        )


@define
class Room:
    """A factory over a store in memory, on a clock of its own."""

    config: Imap4 = field(factory=Imap4)
    account: Account = ANN
    tls: object = None
    urls: object = None
    clock: Clock = field(factory=Clock)
    store: MemoryStore = field(init=False)
    accounts: Accounts = field(init=False)
    factory: IMAP4Factory = field(init=False)

    def __attrs_post_init__(self):
        self.store = MemoryStore(lambda: NOON)
        self.accounts = Accounts(self.store, self.account)
        self.factory = IMAP4Factory(
            reactor=self.clock,
            config=self.config,
            hostname="mail.example.test",
            authenticator=self.accounts,
            tls=self.tls,
            urls=self.urls,
        )

    def settle(self):
        """What waits for the next turn of the reactor happens."""
        for _ in range(4):
            self.clock.advance(0)

    def connect(self):
        return Client(self, MemoryTransport())

    def login(self):
        client = self.connect()
        client.ask("LOGIN ann demo")
        return client

    def selected(self, path="INBOX", messages=0):
        """A client with a mailbox selected that has `messages` copies of HELLO."""
        client = self.login()
        for _ in range(messages):
            client.append(path=path)
        client.ask(f"SELECT {path}")
        return client

    def folder(self, path=INBOX):
        return self.store.mailboxes(self.account).folder(path)


def small(**options):
    return evolve(Imap4(), **options)
