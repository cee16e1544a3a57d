from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.delivery.model import LocalRecipient, Notify, Route
from mailtwist.directory.model import Account
from mailtwist.errors import (
    AuthUnavailable,
    MailboxUnreachable,
    MailError,
    NoSuchUser,
    OverQuota,
    StorageFull,
)
from mailtwist.interfaces import IDelivery, IMessageSink, ITransport
from mailtwist.queue.ends import DiscardTransport, DoneTransport, ErrorTransport
from mailtwist.queue.mailbox import READ_OCTETS, MailboxTransport
from mailtwist.queue.model import Job, QueuedMessage, QueuedRecipient
from mailtwist.queue.spool.content import KeptContent

from .rooms import ANN, World

BOB = Address("bob", "here.test")
CONTENT = KeptContent(b"Received: here\r\n\r\n" + b"x" * 2 * READ_OCTETS)


def job(route, *recipients, path=ANN):
    message = QueuedMessage("m", ANN, CONTENT.octets, 0.0, 100.0, login="carol")
    return Job(message, recipients or (recipient(route),), path, route)


def recipient(route, address=BOB, **more):
    return QueuedRecipient(1, address, route, address, **more)


def outcomes(transport, some):
    verifyObject(ITransport, transport)
    transport.destination(some)
    return World.result(transport.attempt(some, CONTENT))


class EndTests(SynchronousTestCase):
    def test_an_error_says_what_the_route_says(self):
        (outcome,) = outcomes(ErrorTransport(), job(Route("error", "5.1.2 Gone")))
        self.assertEqual(
            (outcome.fault.status, outcome.fault.public), ("5.1.2", "Gone")
        )
        self.assertEqual((outcome.host, outcome.reply), ("", ""))

    def test_an_error_that_was_another_hosts_keeps_its_words(self):
        route = Route("error", "5.1.1 550 No")
        there = recipient(route, host="mx.test", reply="550 5.1.1 No")
        (outcome,) = outcomes(ErrorTransport(), job(route, there))
        self.assertEqual((outcome.host, outcome.reply), ("mx.test", "550 5.1.1 No"))

    def test_discarded_mail_is_gone_and_done_mail_is_done(self):
        (outcome,) = outcomes(DiscardTransport(), job(Route("discard")))
        self.assertIsNone(outcome.fault)
        for action in ("delivered", "expanded"):
            (outcome,) = outcomes(DoneTransport(), job(Route("done", action)))
            self.assertEqual((outcome.fault, outcome.action), (None, action))


class Accounts:
    """A router that knows the mailboxes of a test."""

    def __init__(self, **faults):
        self.faults = faults

    async def mailbox(self, address, *, size_octets=None, login=""):
        self.login = login
        fault = self.faults.get(address.local_part)
        if fault is not None:
            raise fault
        account = Account(address.local_part, f"/{address.local_part}")
        return LocalRecipient(address, account)


@implementer(IDelivery, IMessageSink)
class Store:
    """Takes one message at a time."""

    def __init__(self, verdicts=None):
        self.verdicts, self.aborted = verdicts, False

    def begin(self, envelope):
        self.envelope, self.taken, self.octets = envelope, b"", 0
        return self

    def write(self, octets):
        self.taken += octets

    async def commit(self):
        return self.verdicts or [None] * len(self.envelope.recipients)

    def abort(self):
        self.aborted = True


MAILBOX = Route("mailbox")


class MailboxTests(SynchronousTestCase):
    def test_the_whole_message_reaches_the_mailbox(self):
        store, accounts = Store(), Accounts()
        notify = Notify(frozenset({"SUCCESS"}))
        (outcome,) = outcomes(
            MailboxTransport(accounts, store),
            job(MAILBOX, recipient(MAILBOX, notify=notify), path=None),
        )
        self.assertEqual((outcome.fault, outcome.action), (None, "delivered"))
        self.assertEqual(store.taken, World.result(CONTENT.read(0, 10**6)))
        envelope = store.envelope
        self.assertEqual((envelope.reverse_path, envelope.trace), (None, b""))
        self.assertEqual(envelope.recipients[0].notify, notify)
        self.assertEqual(accounts.login, "carol", "who may post is asked by its name")

    def test_each_recipient_has_its_own_fate(self):
        names = ("down", "gone", "fine", "full", "slow")
        some = [recipient(MAILBOX, Address(name, "here.test")) for name in names]
        accounts = Accounts(down=AuthUnavailable(), gone=NoSuchUser(), full=OverQuota())
        store = Store([None, StorageFull()])
        found = outcomes(MailboxTransport(accounts, store), job(MAILBOX, *some))
        faults = [each.fault and each.fault.status for each in found]
        self.assertEqual(faults, ["4.3.0", "5.1.1", None, "4.2.2", "4.3.1"])

    def test_a_store_that_is_out_of_reach_at_the_end_is_waited_for(self):
        class Lost(Store):
            async def commit(self):
                raise MailboxUnreachable()

        some = [recipient(MAILBOX, Address(name, "here.test")) for name in "ab"]
        transport = MailboxTransport(Accounts(), Lost())
        found = outcomes(transport, job(MAILBOX, *some))
        self.assertEqual([type(one.fault) for one in found], [MailboxUnreachable] * 2)

    def test_a_message_that_cannot_be_read_waits(self):
        class Broken(KeptContent):
            async def read(self, start, count):
                raise MailError("The disk is gone")

        store = Store()
        transport = MailboxTransport(Accounts(), store)
        found = World.result(transport.attempt(job(MAILBOX), Broken(b"x")))
        self.assertTrue(found[0].fault.temporary)
        self.assertTrue(store.aborted)
