"""An account in memory, and a client over loopback for Twisted's own servers."""

from twisted.internet import reactor
from twisted.internet.protocol import Factory

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import NoSuchUser, RelayDenied
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX
from mailtwist.store.memory import MemoryStore

ANN = Account("ann@example.test", "/nowhere/ann")


class Avatar:
    """What our realm gives, as far as the adapters look."""

    identifiers = frozenset({"ann@example.test"})

    def __init__(self, store, account=ANN):
        self.account, self.mailboxes = account, store.mailboxes(account)

    async def may_send_as(self, address):
        return str(address) == self.account.name


class Router:
    """Ann is here; everybody else at example.test is unknown."""

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
        if address.domain != "example.test":
            raise RelayDenied()
        if address.local_part != "ann":
            raise NoSuchUser()
        return LocalRecipient(address, ANN)


class Box:
    """A store with one account, and short words for it."""

    def __init__(self):
        self.store = MemoryStore()
        self.avatar = Avatar(self.store)
        self.tree = self.avatar.mailboxes

    async def put(self, octets, path=INBOX, flags=NONE, date=None):
        upload = self.tree.upload()
        upload.write(octets)
        appended = await self.tree.append(path, [(upload, frozenset(flags), date)])
        return appended.uids[0]

    async def rows(self, path=INBOX):
        return await (await self.tree.open(path)).rows()

    async def count(self, path=INBOX):
        return (await self.tree.status(path)).messages


def serve(case, protocol):
    """`protocol()` on a loopback port until the test ends; the port's number."""

    class OneFactory(Factory):
        noisy = False
        made = []

        def buildProtocol(self, addr):
            made = protocol()
            made.factory = self
            self.made.append(made)
            return made

    factory = OneFactory()
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    case.addCleanup(port.stopListening)
    case.addCleanup(
        lambda: [
            one.transport.abortConnection() for one in factory.made if one.transport
        ]
    )
    return port.getHost().port


def address(text):
    return Address.parse(text)
