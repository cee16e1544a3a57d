"""The mbox store keeps every promise of IStore; and its own: what is in the files."""

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.config.mbox import Mbox
from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.directory.model import Account
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes, IStore, IUpload
from mailtwist.mailbox.model import INBOX
from mailtwist.store.local import LocalStore

from .contract import StoreContract


class InFiles:
    """Comes before StoreWords or StoreContract."""

    timeout = 30
    lock_timeout_s = 5.0
    quoting = "mboxrd"
    mailbox = "mbox:mail:INBOX=spool"

    def make_store(self):
        self.root = os.path.abspath(self.mktemp())
        return self.another_store()

    def another_store(self, poll_s=1.0):
        """A store on the same files: another process, or the same one restarted."""
        config = Config(
            imap4=Imap4(poll_s=poll_s, special_uses=()),
            mbox=Mbox(lock_timeout_s=self.lock_timeout_s, quoting=self.quoting),
        )
        store = LocalStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    def home(self, name):
        return f"{self.root}/{name}"

    def account_of(self, name, limit=None, messages=None):
        return Account(
            name,
            self.home(name),
            mailbox=self.mailbox,
            storage_limit_octets=limit,
            message_limit=messages,
        )

    @property
    def inbox(self):
        return f"{self.home(self.name)}/spool"


class MboxStoreTests(InFiles, StoreContract, TestCase):
    async def test_interfaces(self):
        verifyObject(IStore, self.store)
        verifyObject(IMailboxes, self.tree)
        verifyObject(IMailbox, await self.open(INBOX))
        verifyObject(IUpload, self.tree.upload())
