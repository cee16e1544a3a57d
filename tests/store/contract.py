"""What every store must do: one suite, run over each of them.

    class MemoryStoreTests(StoreContract, TestCase):
        def make_store(self):
            return MemoryStore()

A store that keeps something outside the process cleans up by `addCleanup`.
"""

from twisted.internet.task import deferLater

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange

from .contract_delivery import DeliveryContract
from .contract_flags import FlagContract
from .contract_identifiers import IdentifierContract
from .contract_keys import KeyContract
from .contract_messages import MessageContract
from .contract_metadata import MetadataContract
from .contract_previews import PreviewContract
from .contract_quota import QuotaContract
from .contract_readers import ReadersContract
from .contract_replace import ReplaceContract
from .contract_rights import RightsContract
from .contract_scripts import ScriptContract
from .contract_threading import ThreadingContract
from .contract_tree import TreeContract
from .contract_watch import WatchContract

MESSAGE = b"From: <bob@example.test>\r\nSubject: lunch\r\n\r\nAt noon?\r\n.\r\nBob\r\n"


class StoreWords:
    """What the tests say, without the tests."""

    name = "ann@example.test"
    now = None  # seconds since 1970 that the store takes for now; None: the system's

    def make_store(self):
        """The store under test, empty."""
        raise AssertionError("override make_store")

    def home(self, name):
        """The home folder of an account; it need not exist."""
        return f"/nowhere/{name}"

    def mailboxes(self, account):
        """IMailboxes of `account`; a proxy puts itself between here."""
        return self.store.mailboxes(account)

    def setUp(self):
        self.store = self.make_store()
        self.account = self.account_of(self.name)
        self.tree = self.mailboxes(self.account)

    # -- words of the tests -----------------------------------------------------

    def account_of(self, name, limit=None, messages=None):
        return Account(
            name,
            self.home(name),
            storage_limit_octets=limit,
            message_limit=messages,
        )

    def limited(self, limit=None, messages=None):
        """The account's mailboxes when it may hold `limit` octets."""
        self.account = self.account_of(self.name, limit, messages)
        self.tree = self.mailboxes(self.account)

    async def put(self, path=INBOX, octets=MESSAGE, flags=NONE, date=None):
        """Append one message; its UID."""
        return (await self.put_all(path, [(octets, flags, date)])).uids[0]

    async def put_all(self, path, messages):
        """Append several at once; what the store says."""
        uploads = []
        for octets, flags, date in messages:
            upload = self.tree.upload()
            for at in range(0, len(octets), 50_000):
                wait = upload.write(octets[at : at + 50_000])
                if wait is not None:
                    await wait
            uploads.append((upload, frozenset(flags), date))
        return await self.tree.append(path, uploads)

    async def open(self, path=INBOX, **how):
        """An open mailbox that is closed after the test."""
        mailbox = await self.tree.open(path, **how)
        self.addCleanup(lambda: _closed(mailbox))
        return mailbox

    async def names(self):
        """The names that exist."""
        return [info.path for info in await self.tree.listed() if info.exists]

    async def info(self, path):
        found = [info for info in await self.tree.listed() if info.path == path]
        self.assertEqual(len(found), 1, f"{path} is listed {len(found)} times")
        return found[0]

    async def deliver(self, *recipients, octets=MESSAGE, **more):
        """Deliver to the accounts; the verdicts."""
        to = tuple(
            LocalRecipient(Address.parse(account.name), account)
            if isinstance(account, Account)
            else account
            for account in recipients
        )
        envelope = Envelope("m1", "s1", Address.parse("bob@example.test"), to, **more)
        sink = self.store.delivery().begin(envelope)
        wait = sink.write(octets)
        if wait is not None:
            await wait
        return await sink.commit()

    async def faulty(self, fault, work):
        """`work` raises exactly `fault`."""
        try:
            result = await work
        except fault as raised:
            self.assertIs(type(raised), fault)
            return raised
        raise self.failureException(f"{fault.__name__} not raised, but {result!r}")

    async def until(self, condition, what):
        """Wait a little until `condition()` is true."""
        from twisted.internet import reactor

        for _ in range(400):
            if condition():
                return
            await deferLater(reactor, 0.01)
        raise self.failureException(f"waited for {what}")


class StoreContract(
    StoreWords,
    ThreadingContract,
    TreeContract,
    MessageContract,
    ReplaceContract,
    KeyContract,
    FlagContract,
    DeliveryContract,
    IdentifierContract,
    PreviewContract,
    WatchContract,
    MetadataContract,
    RightsContract,
    ScriptContract,
    QuotaContract,
    ReadersContract,
):
    """The suite; its tests are in the parts."""


def add(*flags):
    return FlagChange(FlagAction.ADD, frozenset(flags))


def remove(*flags):
    return FlagChange(FlagAction.REMOVE, frozenset(flags))


def replace(*flags):
    return FlagChange(FlagAction.REPLACE, frozenset(flags))


def _closed(mailbox):
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(mailbox.close())
