"""Logins that see what others share, over a store of a transcript."""

from attrs import define
from zope.interface import implementer

from mailtwist.auth.login import Login
from mailtwist.auth.names import login_key
from mailtwist.directory.model import Account
from mailtwist.errors import AuthFailed
from mailtwist.mailbox.model import Namespaces
from mailtwist.mailbox.rights import parsed
from mailtwist.mailbox.shared import SharedMailboxes
from mailtwist.mailbox.sharing import IShares, PublicFolder, Sharing

from .room import Accounts

DOMAIN = "example.test"
NEWS = "anyone lrs $staff lrswipkxtea"


@implementer(IShares)
class MemoryShares:
    """See IShares; nothing outlives it."""

    def __init__(self):
        self.noted = {}

    async def owners(self, identifiers):
        return sorted({owner for owner, one in self.noted if one in identifiers})

    async def note(self, owner, identifier):
        self.noted[owner, identifier] = self.noted.get((owner, identifier), 0) + 1
        return self.noted[owner, identifier]

    async def forget(self, owner, identifier, noted):
        if self.noted.get((owner, identifier)) == noted:
            del self.noted[owner, identifier]

    async def keeps_sent(self, address):
        return False


def account(name):
    """Of everybody but ann, who is in no group; others are in $staff if called so."""
    groups = frozenset({"staff"} if name.startswith("staff") else ())
    return Account(name, f"/nowhere/{name}", groups=groups)


def sharing_of(store, clock):
    def key(name):
        return login_key(name, DOMAIN)

    async def trees(name):
        return store.mailboxes(account(name))

    words = iter(NEWS.split())
    rights = {who: parsed(letters) for who, letters in zip(words, words, strict=True)}
    return Sharing(
        reactor=clock,
        shares=MemoryShares(),
        trees=trees,
        key=key,
        public={
            "News": PublicFolder(lambda: store.mailboxes(account("#News")), rights)
        },
        names=Namespaces(),
    )


@define
class Sharers(Accounts):
    """Anybody may log in, with the same password."""

    sharing: Sharing | None = None

    def _login(self, user, password, mechanism):
        if password != b"demo":
            raise AuthFailed()
        one = account(login_key(user, DOMAIN))
        reader = self.sharing.reader(one.name, one.groups)
        shared = SharedMailboxes(self.store.mailboxes(one), reader, self.sharing)
        return Login(self.avatar(one, shared), one.name, mechanism, self._logout)
