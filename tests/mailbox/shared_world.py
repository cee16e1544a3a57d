"""Accounts that share mailboxes, over any store."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailtwist.auth.names import login_key
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX, Namespaces
from mailtwist.mailbox.rights import Action, RightsChange, parsed
from mailtwist.mailbox.shared import SharedMailboxes
from mailtwist.mailbox.sharing import PublicFolder, Sharing
from mailtwist.store.shares import Shares
from tests.store.contract import MESSAGE, StoreWords

ANN, BOB, EVE = "ann@example.test", "bob@example.test", "eve@example.test"
OTHERS, PUBLIC = ("Other Users",), ("Shared", "News")
OF_ANN = (*OTHERS, ANN)


class SharedWords(StoreWords):
    """Comes behind what makes a store.  `groups` are those of a reader."""

    public_rights = "anyone lrs"
    options = {}

    def setUp(self):
        super().setUp()
        self.shares = Shares(reactor, self.mktemp())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.shares.close()))
        self.gone = set()
        self.sharing = self.another_sharing()
        self.ann, self.bob, self.eve = map(self.view, (ANN, BOB, EVE))

    def another_sharing(self):
        lines = [line.split() for line in self.public_rights.splitlines()]
        rights = {who: parsed(letters) for who, letters in lines}
        return Sharing(
            reactor=reactor,
            shares=self.shares,
            trees=self.tree_of,
            key=login_key,
            public={"News": PublicFolder(self.public_tree, rights)},
            names=Namespaces(),
            **self.options,
        )

    async def tree_of(self, name):
        return None if name in self.gone else self.own(name)

    def own(self, name):
        return self.mailboxes(self.account_of(name))

    def public_tree(self):
        return self.own("#News")

    def view(self, name, *groups, **more):
        reader = self.sharing.reader(name, groups, **more)
        return SharedMailboxes(self.own(name), reader, self.sharing)

    # -- words of the tests -----------------------------------------------------

    async def give(self, path, who, letters, by=None, action=Action.REPLACE):
        wanted = RightsChange(action, parsed(letters))
        await (by or self.ann).set_rights(path, who, wanted)

    async def shared(self, letters="lrswipkxte", path=("Work",), messages=2):
        """ann shares a mailbox with bob; its name for him."""
        if path != INBOX:
            await self.ann.create(path)
        for _ in range(messages):
            await self.append(self.ann, path)
        await self.give(path, BOB, letters)
        return OF_ANN + path

    async def append(self, view, path, octets=MESSAGE, flags=NONE):
        await view.may(path)  # as the commands do
        upload = view.upload(path)
        upload.write(octets)
        done = await view.append(path, [(upload, frozenset(flags), None)])
        return done.uids[0]

    async def opened(self, view, path, **how):
        mailbox = await view.open(path, **how)
        self.addCleanup(lambda: Deferred.fromCoroutine(mailbox.close()))
        return mailbox

    async def paths(self, view):
        return [info.path for info in await view.listed() if info.selectable]

    async def flags(self, view, path):
        return (await (await self.opened(view, path)).rows()).flags
