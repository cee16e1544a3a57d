from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailtwist.delivery.model import Envelope
from mailtwist.interfaces import IDelivery, IMessageSink
from mailtwist.mailbox.interfaces import IMailbox, IMailboxes, IStore, IUpload
from mailtwist.mailbox.model import INBOX
from mailtwist.store.memory import MemoryStore

from .contract import StoreContract


class MemoryStoreTests(StoreContract, TestCase):
    def make_store(self):
        return MemoryStore()

    async def test_interfaces(self):
        verifyObject(IStore, self.store)
        verifyObject(IMailboxes, self.tree)
        verifyObject(IMailbox, await self.open(INBOX))
        verifyObject(IUpload, self.tree.upload())
        delivery = self.store.delivery()
        verifyObject(IDelivery, delivery)
        verifyObject(IMessageSink, delivery.begin(Envelope("m", "s", None, ())))

    async def test_a_given_clock_dates_messages(self):
        self.store = MemoryStore(lambda: 1234.9)
        self.tree = self.mailboxes(self.account)
        await self.put()
        self.assertEqual((await (await self.open()).rows()).internal_dates, [1234])
