import os
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.model import Config, Delivery
from mailtwist.delivery.model import Envelope, LocalRecipient, RemoteRecipient, Wishes
from mailtwist.delivery.trace import delivery_prefixes
from mailtwist.directory.model import Account
from mailtwist.errors import MailError, NoRoute, NoSuchMailbox, OverQuota, StorageFull
from mailtwist.interfaces import IDelivery, IMessageSink
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import durable
from mailtwist.store.maildir.delivery import MaildirDelivery
from mailtwist.store.maildir.ledger import NAME, Book, boot_id
from mailtwist.store.maildir.names import MaildirName, UniqueNames
from mailtwist.store.maildir.spool import Spooler
from mailtwist.store.maildir.store import MaildirStore
from mailtwist.store.maildir.writer import MaildirWriter

TRACE = b"Received: from here by there; now\r\n"
BODY = b"Subject: hello\r\n\r\nA line.\r\n"
MEMORY_OCTETS = 64 * 1024
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 260


def envelope(*recipients, **changes):
    values = {
        "message_id": "m1",
        "session_id": "s1",
        "reverse_path": Address.parse("joe@else.test"),
        "trace": TRACE,
    }
    return Envelope(recipients=recipients, **(values | changes))


class PrefixTests(SynchronousTestCase):
    ann = LocalRecipient(
        Address.parse("Ann+x@example.test"), Account("ann@example.test", "/home")
    )

    def prefixes(self, config=None, **changes):
        config = config or Delivery()
        return delivery_prefixes(envelope(self.ann, **changes), [self.ann], config, 0.0)

    def test_each_copy_begins_with_its_fields_in_order(self):
        (prefix,) = self.prefixes()
        names = [line.split(b":")[0] for line in prefix.splitlines()]
        self.assertEqual(
            names, [b"Return-Path", b"Delivered-To", b"Delivery-Date", b"Received"]
        )
        self.assertIn(b"Return-Path: <joe@else.test>\r\n", prefix)
        self.assertIn(b"Delivered-To: Ann+x@example.test\r\n", prefix)
        self.assertTrue(prefix.endswith(TRACE))

    def test_the_null_path_is_empty_brackets(self):
        (prefix,) = self.prefixes(reverse_path=None)
        self.assertTrue(prefix.startswith(b"Return-Path: <>\r\n"))

    def test_fields_may_be_switched_off(self):
        off = Delivery(delivered_to=False, delivery_date=False)
        self.assertEqual(
            self.prefixes(off), [b"Return-Path: <joe@else.test>\r\n" + TRACE]
        )

    def test_domains_are_a_labels_unless_the_message_is_utf8(self):
        sender = Address.parse("j@b\u00fccher.test")
        (plain,) = self.prefixes(reverse_path=sender)
        (utf8,) = self.prefixes(reverse_path=sender, wishes=Wishes(smtputf8=True))
        self.assertIn(b"<j@xn--bcher-kva.test>", plain)
        self.assertIn("<j@b\u00fccher.test>".encode(), utf8)

    def test_quoted_local_parts_stay_quoted(self):
        (prefix,) = self.prefixes(reverse_path=Address('a "b\\', "else.test"))
        self.assertIn(rb'Return-Path: <"a \"b\\"@else.test>', prefix)


class Store:
    """A store of plain folders, with what a test wants to go wrong."""

    def __init__(self, root):
        self.root, self.told, self.usage = root, [], {}
        self.slow = None  # a Deferred that folder() waits for
        self.gone = set()  # accounts whose folder cannot be had

    def folder(self, account, path):
        if account.name in self.gone:
            raise NoSuchMailbox(status="4.2.0")
        folder = f"{account.home}/Maildir"
        for part in ("tmp", "new", "cur"):
            os.makedirs(f"{folder}/{part}", exist_ok=True)
        if self.slow is not None:
            return self.slow.addCallback(lambda _: folder)
        return folder

    def arrived(self, account, path):
        self.told.append((account.name, path))

    def expects(self, account, octets):
        return None

    def mailboxes(self, account):
        return Counted(account, *self.usage[account.name])


class Counted:
    """Mailboxes of an account that were counted with these figures."""

    def __init__(self, account, *held):
        self.account, self.held = account, held

    async def recent(self):
        path = os.path.join(self.account.home, NAME)
        with Book.make(path) as book, book.changed() as page:
            if page.stale:
                page.boot, page.at = boot_id(), time.time()
                page.held, page.stale = {"": list(self.held)}, False


class MaildirDeliveryTests(TestCase):
    def setUp(self):
        self.root = self.mktemp()
        self.store = Store(self.root)
        self.writer = MaildirWriter(reactor)
        self.spooler = Spooler(reactor, MEMORY_OCTETS)
        self.delivery = MaildirDelivery(
            self.store,
            self.writer,
            self.spooler,
            UniqueNames("mx"),
            Delivery(),
            reactor,
            now=lambda: 0.0,
        )

    async def tearDown(self):
        await self.writer.close()
        await self.spooler.close()

    def to(self, name, **account):
        home = os.path.abspath(f"{self.root}/{name}")
        address = Address.parse(f"{name}@example.test")
        return LocalRecipient(address, Account(str(address), home, **account))

    def names(self, recipient, part="new"):
        folder = f"{recipient.account.home}/Maildir/{part}"
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def texts(self, recipient, part="new"):
        found = []
        for name in self.names(recipient, part):
            with open(f"{recipient.account.home}/Maildir/{part}/{name}", "rb") as file:
                found.append(file.read())
        return found

    async def send(self, envelope, *pieces):
        sink = self.delivery.begin(envelope)
        for piece in pieces:
            waited = sink.write(piece)
            if waited is not None:
                await waited
        return await sink.commit()

    def copy(self, recipient, body):
        return (
            delivery_prefixes(envelope(recipient), [recipient], Delivery(), 0.0)[0]
            + body
        )

    def test_it_is_what_it_says(self):
        verifyObject(IDelivery, self.delivery)
        verifyObject(IMessageSink, self.delivery.begin(envelope(self.to("ann"))))

    async def test_a_message_is_in_new_with_its_size_in_the_name(self):
        ann = self.to("ann")
        self.assertEqual(await self.send(envelope(ann), BODY[:5], BODY[5:]), [None])
        (text,), (name,) = self.texts(ann), self.names(ann)
        self.assertEqual(text, self.copy(ann, BODY))
        parsed = MaildirName.parse(name)
        self.assertEqual((parsed.octets, parsed.crlf_octets), (len(text), len(text)))
        self.assertEqual(self.store.told, [("ann@example.test", INBOX)])

    async def test_a_copy_is_for_its_owner_only(self):
        ann = self.to("ann")
        await self.send(envelope(ann), LARGE, LARGE)
        await self.send(envelope(ann), BODY)
        for name in self.names(ann):
            mode = os.stat(f"{ann.account.home}/Maildir/new/{name}").st_mode
            self.assertEqual(mode & 0o777, 0o600)

    async def test_every_recipient_gets_a_copy_of_its_own(self):
        everybody = [self.to(f"u{n}") for n in range(50)]
        verdicts = await self.send(envelope(*everybody), BODY)
        self.assertEqual(verdicts, [None] * 50)
        for recipient in everybody:
            self.assertEqual(self.texts(recipient), [self.copy(recipient, BODY)])

    async def test_a_large_message_becomes_the_same_copies(self):
        everybody = [self.to("ann"), self.to("bob"), self.to("cleo")]
        verdicts = await self.send(envelope(*everybody), *[LARGE] * 30)
        self.assertEqual(verdicts, [None] * 3)
        for recipient in everybody:
            self.assertEqual(self.texts(recipient), [self.copy(recipient, LARGE * 30)])
            self.assertEqual(self.names(recipient, "tmp"), [])

    async def test_two_addresses_of_one_account_are_two_copies(self):
        ann = self.to("ann")
        tagged = LocalRecipient(
            Address.parse("ann+x@example.test"), ann.account, detail="x"
        )
        for body, pieces in [(BODY, [BODY]), (LARGE * 15, [LARGE] * 15)]:
            before = self.texts(ann)
            self.assertEqual(
                await self.send(envelope(ann, tagged), *pieces), [None] * 2
            )
            new = sorted(set(self.texts(ann)) - set(before))
            self.assertEqual(
                new, sorted([self.copy(ann, body), self.copy(tagged, body)])
            )

    async def test_a_full_mailbox_gets_its_own_verdict(self):
        ann, bob = self.to("ann", storage_limit_octets=1000), self.to("bob")
        self.store.usage["ann@example.test"] = (990, 1)
        for pieces in ([BODY], [LARGE] * 14):
            verdicts = await self.send(envelope(ann, bob), *pieces)
            self.assertIsInstance(verdicts[0], OverQuota)
            self.assertIsNone(verdicts[1])
        await self.spooler.close()  # its threads have removed what was not kept
        self.assertEqual(self.names(ann), [])
        self.assertEqual(self.names(ann, "tmp"), [])
        self.assertEqual(len(self.names(bob)), 2)

    async def test_room_is_not_given_away_twice(self):
        ann = self.to("ann", storage_limit_octets=1000)
        size = len(self.copy(ann, BODY))
        self.store.usage["ann@example.test"] = (1000 - size, 1)
        await self.one_of_two(ann)
        os.unlink(f"{ann.account.home}/{NAME}")  # it was read and removed
        self.assertEqual(await self.send(envelope(ann), BODY), [None])

    async def test_the_last_message_s_place_is_not_given_away_twice(self):
        ann = self.to("ann", message_limit=2)
        self.store.usage["ann@example.test"] = (0, 1)
        await self.one_of_two(ann)
        self.assertIsInstance((await self.send(envelope(ann), BODY))[0], OverQuota)

    async def one_of_two(self, ann):
        """Of two that come at once for the last room one is refused."""
        sent = [self.send(envelope(ann), BODY) for _ in range(2)]
        outcomes = [outcome for (outcome,) in await self.gather(*sent)]
        self.assertEqual(outcomes.count(None), 1)
        outcomes.remove(None)
        self.assertIsInstance(outcomes[0], OverQuota)

    async def gather(self, *coroutines):
        waiting = [Deferred.fromCoroutine(each) for each in coroutines]
        return [await each for each in waiting]

    async def test_recipients_elsewhere_are_not_ours(self):
        far = RemoteRecipient(Address.parse("x@else.test"))
        ann = self.to("ann")
        verdicts = await self.send(envelope(far, ann), BODY)
        self.assertIsInstance(verdicts[0], NoRoute)
        self.assertIsNone(verdicts[1])

    async def test_a_folder_that_cannot_be_had_hurts_nobody_else(self):
        ann, bob = self.to("ann"), self.to("bob")
        self.store.gone.add("ann@example.test")
        for pieces in ([BODY], [LARGE] * 14):
            verdicts = await self.send(envelope(ann, bob), *pieces)
            self.assertIsInstance(verdicts[0], NoSuchMailbox)
            self.assertIsNone(verdicts[1])
        self.assertEqual(len(self.names(bob)), 2)

    async def test_nowhere_to_spool_is_everybodys_fault(self):
        self.store.gone.add("ann@example.test")
        sink = self.delivery.begin(envelope(self.to("ann")))
        for _ in range(20):
            self.assertIsNone(sink.write(LARGE))
        self.assertEqual(sink.octets, 20 * len(LARGE))
        (verdict,) = await sink.commit()
        self.assertTrue(verdict.temporary)

    async def test_a_full_disk_while_it_arrives_is_told_at_the_end(self):
        ann = self.to("ann")
        self.patch(durable, "write_all", full_disk)
        (verdict,) = await self.send(envelope(ann), *[LARGE] * 40)
        self.assertIsInstance(verdict, StorageFull)
        self.assertEqual(self.names(ann), [])
        await self.spooler.close()
        self.assertEqual(self.names(ann, "tmp"), [])

    async def test_an_aborted_message_leaves_nothing(self):
        ann = self.to("ann")
        for pieces in ([BODY], [LARGE] * 40):
            sink = self.delivery.begin(envelope(ann))
            for piece in pieces:
                waited = sink.write(piece)
                if waited is not None:
                    await waited
            sink.abort()
            with self.assertRaises(MailError):
                await sink.commit()
        await self.spooler.close()
        self.assertEqual(self.names(ann), [])
        self.assertEqual(self.names(ann, "tmp"), [])

    async def test_aborted_while_its_folder_is_looked_for(self):
        ann = self.to("ann")
        self.store.slow = Deferred()
        sink = self.delivery.begin(envelope(ann))
        waited = [sink.write(LARGE) for _ in range(14)]
        self.assertTrue(any(wait is not None for wait in waited))
        sink.abort()
        self.store.slow.callback(None)
        self.assertIsNone(sink.write(LARGE))
        await self.spooler.close()
        self.assertEqual(self.names(ann, "tmp"), [])

    async def test_aborted_between_end_of_data_and_the_commit(self):
        ann = self.to("ann", storage_limit_octets=10_000)
        self.store.usage["ann@example.test"] = (0, 0)
        self.store.slow = Deferred()
        sink = self.delivery.begin(envelope(ann))
        sink.write(BODY)
        done = Deferred.fromCoroutine(sink.commit())
        sink.abort()
        self.store.slow.callback(None)
        with self.assertRaises(MailError):
            await done
        self.assertEqual(self.names(ann), [])

    async def test_a_lost_connection_does_not_stop_what_was_begun(self):
        ann = self.to("ann")
        for pieces in ([BODY], [LARGE] * 40):
            self.store.told.clear()
            before = self.names(ann)
            sink = self.delivery.begin(envelope(ann))
            for piece in pieces:
                waited = sink.write(piece)
                if waited is not None:
                    await waited
            if sink._spool is not None:
                await sink._spool.settled()
            done = Deferred.fromCoroutine(sink.commit())
            done.cancel()
            sink.abort()
            with self.assertRaises(CancelledError):
                await done
            # Nobody waits for that commit: later ones pass the time until it is told.
            await self.send(envelope(self.to("bob")), *pieces)
            while ann.account.name not in (name for name, *_ in self.store.told):
                await self.send(envelope(self.to("bob")), BODY)
            (name,) = set(self.names(ann)) - set(before)
            size = os.stat(f"{ann.account.home}/Maildir/new/{name}").st_size
            self.assertEqual(size, len(self.copy(ann, b"".join(pieces))))
            self.assertEqual(MaildirName.parse(name).octets, size)
        await self.spooler.close()
        self.assertEqual(self.names(ann, "tmp"), [])

    async def test_the_store_itself_takes_a_message(self):
        config = Config()
        store = MaildirStore(reactor=reactor, config=config, hostname="mx")
        delivery, dan = store.delivery(), self.to("dan")
        sink = delivery.begin(envelope(dan))
        sink.write(BODY)
        self.assertEqual(await sink.commit(), [None])
        status = await store.mailboxes(dan.account).status(INBOX)
        self.assertEqual(status.messages, 1)
        await store.close()


def full_disk(descriptor, parts):
    raise OSError(28, "No space left on device")


class SplitTests(SynchronousTestCase):
    @settings(max_examples=30)
    @given(text=st.binary(max_size=200), cut=st.integers(0, 200))
    def test_any_split_counts_the_same_octets(self, text, cut):
        delivery = MaildirDelivery(
            None, None, Spooler(reactor, MEMORY_OCTETS), None, Delivery(), reactor
        )
        sink = delivery.begin(envelope())
        sink.write(text[:cut])
        sink.write(text[cut:])
        self.assertEqual(sink.octets, len(text))
