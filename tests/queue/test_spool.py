import os
import sqlite3
from importlib import resources

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailtwist.address import Address
from mailtwist.config.queueing import Queue
from mailtwist.delivery.model import (
    DeliverBy,
    Envelope,
    Notify,
    RemoteRecipient,
    Route,
    Target,
    Wishes,
)
from mailtwist.delivery.signing import Signing
from mailtwist.errors import ConfigError, MailError, RememberedMeanwhile, StorageFull
from mailtwist.interfaces import IContent, ISpool, ISpoolSink
from mailtwist.queue.admin import Filter, QueueAdmin
from mailtwist.queue.model import (
    Crowded,
    Memory,
    QueuedMessage,
    QueuedRecipient,
    Seen,
)
from mailtwist.queue.spool import memory, rows, statements
from mailtwist.queue.spool.disk import INLINE_OCTETS, DiskSpool
from mailtwist.queue.spool.thread import connect
from mailtwist.trust.keys import private_key

from ..trust.messages import ED25519

ANN, BOB = Address("ann", "here.test"), Address("b b", "elsé.test")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
WISHES = st.builds(
    Wishes,
    body=st.sampled_from(["7BIT", "8BITMIME", "BINARYMIME"]),
    smtputf8=st.booleans(),
    ret=st.sampled_from(["", "FULL", "HDRS"]),
    envid=TEXT,
    require_tls=st.booleans(),
    deliver_by=st.none()
    | st.builds(DeliverBy, st.floats(0, 1e10), st.sampled_from("RN"), st.booleans()),
    hold_until_s=st.floats(0, 1e10),
    priority=st.integers(-9, 9),
    auth=st.none() | TEXT,
)
ADDRESSES = st.builds(Address, TEXT, TEXT)
NOTIFIES = st.builds(
    Notify, st.none() | st.frozensets(st.sampled_from(["NEVER", "DELAY"])), TEXT
)


class RowTests(SynchronousTestCase):
    @given(
        st.builds(
            QueuedMessage,
            TEXT,
            st.none() | ADDRESSES,
            st.integers(0, 10**12),
            st.floats(0, 1e10),
            st.floats(0, 1e10),
            WISHES,
            TEXT,
            st.booleans(),
            st.none() | st.builds(Route, TEXT, TEXT),
        )
    )
    def test_a_message_comes_back_as_it_was(self, message):
        self.assertEqual(rows.message_of(rows.message_row(message)), message)

    @given(
        st.builds(
            QueuedRecipient,
            st.integers(1, 10**6),
            ADDRESSES,
            st.builds(Route, TEXT, TEXT),
            ADDRESSES,
            NOTIFIES,
            st.none() | TEXT,
            TEXT,
            st.integers(0, 10**6),
            st.floats(0, 1e10),
            st.floats(0, 1e10),
            TEXT,
            TEXT,
            TEXT,
            st.booleans(),
            st.booleans(),
        )
    )
    def test_a_recipient_comes_back_as_it_was(self, recipient):
        self.assertEqual(rows.recipient_of(rows.recipient_row(recipient)), recipient)

    def test_wishes_of_a_newer_program_are_left_out(self):
        wishes = rows.wishes_of('{"priority": 3, "teleport": true}')
        self.assertEqual(wishes, Wishes(priority=3))

    def test_targets_become_rows_that_share_their_original(self):
        alias = Address("list", "here.test")
        ways = (
            Target(ANN, Route("mailbox")),
            Target(BOB, sender="owner-list@here.test"),
            Target(BOB),
            Target(BOB),
        )
        envelope = Envelope("m", "s", ANN, (RemoteRecipient(alias, ways),))
        found = rows.queued_recipients(envelope, 7.0)
        self.assertEqual({each.original for each in found}, {alias})
        self.assertEqual(
            [(e.number, e.address, e.route.transport, e.sender) for e in found],
            [
                (1, ANN, "mailbox", None),
                (2, BOB, "smtp", "owner-list@here.test"),
                (3, BOB, "smtp", None),
            ],
        )


class Keys:
    """One key, of x.test."""

    def of(self, domain):
        return [private_key(domain, "s1", ED25519)] if domain == "x.test" else ()

    def sealing(self, domain):
        return None


def note(name):
    return Envelope(name, "s", ANN, (RemoteRecipient(BOB),))


class SpoolTests(TestCase):
    """With threads, as it runs."""

    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        self.now_s = 1000.0
        self.spool = self.opened()
        return self.spool.start()

    def opened(self):
        spool = DiskSpool(reactor, self.folder, Queue(), now=lambda: self.now_s)
        verifyObject(ISpool, spool)
        self.addCleanup(lambda: Deferred.fromCoroutine(spool.close()))
        return spool

    async def put(self, name="m", *pieces, to=("a@x.test",), **more):
        some = tuple(RemoteRecipient(Address.parse(each)) for each in to)
        trace = b"Received: here\r\n"
        sink = self.spool.begin(Envelope(name, "s", ANN, some, trace, **more))
        verifyObject(ISpoolSink, sink)
        for piece in pieces or (b"hello\r\n",):
            waiting = sink.write(piece)
            if waiting is not None:
                await waiting
        return await sink.commit()

    async def octets(self, message):
        content = self.spool.content(message)
        verifyObject(IContent, content)
        found = b""
        while piece := await content.read(len(found), 50_000):
            found += piece
        self.assertEqual(len(found), content.octets)
        return found

    async def test_a_small_message_lies_in_the_database(self):
        self.assertEqual(await self.put(), [None])
        ((message, recipients),) = await self.spool.due(2000.0, 10)
        self.assertEqual(message.arrived_s, 1000.0)
        self.assertEqual(message.expires_s, 1000.0 + 5 * 86400)
        self.assertEqual([str(each.address) for each in recipients], ["a@x.test"])
        self.assertEqual(await self.octets(message), b"Received: here\r\nhello\r\n")
        self.assertEqual(os.listdir(self.spool.files), [])

    async def test_a_signature_stands_above_all_octets(self):
        self.spool.signing = Signing(Keys(), "mx.x.test", lambda: 1000.0)
        message = b"From: ann@x.test\r\n\r\n"
        for name, pieces in (
            ("small", [b"text\r\n"]),
            ("large", [b"x" * 70 + b"\r\n"] * 1000),
        ):
            verdicts = await self.put(name, message, *pieces, signing="author")
            self.assertEqual(verdicts, [None])
            octets = await self.octets(await self.spool.message(name))
            self.assertTrue(octets.startswith(b"DKIM-Signature: v=1;"), name)
            end = b"Received: here\r\n" + message + b"".join(pieces)
            self.assertTrue(octets.endswith(end), name)
            admin = QueueAdmin(self.folder, lambda: self.now_s)
            self.assertEqual(b"".join(admin.content(name)), octets)
            admin.close()

    async def test_a_report_is_signed_too(self):
        self.spool.signing = Signing(Keys(), "mx.x.test", lambda: 1000.0)
        await self.put()
        report = evolve(note("r"), signing="author")
        await self.spool.settle("m", [1], [], [(report, b"From: a@x.test\r\n\r\n")])
        octets = await self.octets(await self.spool.message("r"))
        self.assertTrue(octets.startswith(b"DKIM-Signature: v=1;"))

    async def test_a_large_one_lies_in_a_file_that_goes_with_it(self):
        pieces = [bytes([65 + number]) * 40_000 for number in range(10)]
        self.assertEqual(await self.put("m", *pieces), [None])
        (name,) = os.listdir(self.spool.files)
        message = await self.spool.message("m")
        wanted = b"Received: here\r\n" + b"".join(pieces)
        self.assertEqual(await self.octets(message), wanted)
        self.assertEqual(os.stat(f"{self.spool.files}/{name}").st_mode & 0o777, 0o600)
        await self.spool.settle("m", [1], [])
        await self.spool.spooler.close()
        self.assertEqual(os.listdir(self.spool.files), [])

    async def test_one_octet_too_many_for_the_database_makes_a_file(self):
        await self.put("m", b"x" * (INLINE_OCTETS - 1), b"y")
        self.assertEqual(os.listdir(self.spool.files), [])
        await self.put("n", b"x" * INLINE_OCTETS, b"y")
        self.assertEqual(len(os.listdir(self.spool.files)), 1)
        message = await self.spool.message("n")
        self.assertTrue((await self.octets(message)).endswith(b"xy"))

    async def test_what_is_aborted_leaves_nothing(self):
        for pieces in ([b"small"], [b"x" * INLINE_OCTETS] * 8):
            recipient = RemoteRecipient(BOB)
            sink = self.spool.begin(Envelope("m", "s", ANN, (recipient,)))
            for piece in pieces:
                waiting = sink.write(piece)
                if waiting is not None:
                    await waiting
            sink.abort()
            (fault,) = await sink.commit()
            self.assertIsInstance(fault, MailError)
        await self.spool.spooler.close()
        self.assertEqual(os.listdir(self.spool.files), [])
        self.assertEqual(await self.spool.due(9e9, 10), [])

    async def test_the_same_id_twice_is_refused_and_the_first_one_stays(self):
        await self.put("m", b"first")
        large = [b"x" * INLINE_OCTETS] * 8
        for pieces in ([b"second"], large):
            (fault,) = await self.put("m", *pieces)
            self.assertTrue(fault.temporary)
        message = await self.spool.message("m")
        self.assertEqual(await self.octets(message), b"Received: here\r\nfirst")
        await self.spool.spooler.close()
        self.assertEqual(os.listdir(self.spool.files), [])

    async def test_many_at_once_share_commits_and_all_are_there(self):
        puts = [
            Deferred.fromCoroutine(self.put(f"m{number}", b"%d" % number))
            for number in range(300)
        ]
        self.assertEqual(await gatherResults(puts), [[None]] * 300)
        found = await self.spool.due(2000.0, 1000)
        self.assertEqual(
            {message.queue_id for message, _ in found}, {f"m{n}" for n in range(300)}
        )

    async def test_giving_up_the_wait_does_not_give_up_the_message(self):
        heard = []
        self.spool.arrived = lambda message, *rest: heard.append(message.queue_id)
        waiting = Deferred.fromCoroutine(self.put("m", *[b"x" * INLINE_OCTETS] * 8))
        while not os.listdir(self.spool.files):
            await self.spool.message("m")
        waiting.addErrback(lambda fault: None)
        waiting.cancel()
        while heard == []:
            await self.spool.message("m")
        message = await self.spool.message("m")
        self.assertEqual(len(await self.octets(message)), 16 + 8 * INLINE_OCTETS)

    async def test_due_is_the_earliest_first_without_what_is_left_out(self):
        for number in (3, 1, 2):
            self.now_s = 1000.0 + number
            await self.put(f"m{number}")
        self.now_s = 1004.0
        await self.put("other", login="carol", to=("a@x.test", "b@y.test"))

        async def due(*leave, count=10, now_s=2000.0):
            found = await self.spool.due(now_s, count, *leave)
            return [message.queue_id for message, _ in found]

        self.assertEqual(await due(), ["m1", "m2", "m3", "other"])
        self.assertEqual(await due(count=2), ["m1", "m2"])
        self.assertEqual(await due(now_s=1002.5), ["m1", "m2"])
        self.assertEqual(await due([], Crowded(), 1002.0, now_s=1003.5), ["m2", "m3"])
        self.assertEqual(await due(["m1", "m3"]), ["m2", "other"])
        self.assertEqual(await due([], Crowded(["here.test"])), ["other"])
        self.assertEqual(await due([], Crowded(["login carol"])), ["m1", "m2", "m3"])
        self.assertEqual(await due([], Crowded([], ["smtp:x.test"])), ["other"])
        self.assertEqual(len(await due([], Crowded([], ["smtp:y.test"]))), 4)
        both = ["smtp:x.test", "smtp:y.test"]
        self.assertEqual(await due([], Crowded([], both)), [])
        pairs = [("here.test", "smtp:x.test"), ("login carol", "smtp:y.test")]
        self.assertEqual(await due([], Crowded([], [], pairs)), ["other"])
        pairs = [("login carol", place) for place in both]
        self.assertEqual(await due([], Crowded([], [], pairs)), ["m1", "m2", "m3"])
        self.assertEqual(await self.spool.next_due(1002.0), 1003.0)
        self.assertIsNone(await self.spool.next_due(1004.0))

    async def test_settle_does_all_of_it_or_nothing(self):
        await self.put("m", to=("a@x.test", "b@x.test", "c@x.test"))
        first, second, _ = await self.spool.recipients("m")
        later = evolve(second, attempts=1, due_s=5000.0, reply="450 Later")
        report = Envelope("r", "s", None, (RemoteRecipient(ANN),))
        due_s = await self.spool.settle(
            "m", [first.number], [later], [(report, b"report")]
        )
        self.assertEqual(due_s, 1000.0)  # of the third
        left = await self.spool.recipients("m")
        self.assertEqual([each.number for each in left], [2, 3])
        self.assertEqual(left[0], later)
        message = await self.spool.message("r")
        self.assertEqual(message.expires_s, 1000.0 + Queue().bounce_expire_s)
        self.assertEqual(await self.octets(message), b"report")
        again = self.spool.settle("m", [2, 3], [], [(report, b"report")])
        await self.assertFailure(Deferred.fromCoroutine(again), MailError)
        self.assertEqual(len(await self.spool.recipients("m")), 2)
        await self.spool.settle("m", [2], [evolve(left[1], due_s=7000.0)])
        self.assertEqual(await self.spool.next_due(2000.0), 7000.0)
        self.assertIsNone(await self.spool.settle("m", [3], []))
        self.assertIsNone(await self.spool.message("m"))

    async def test_what_is_put_beside_a_message_shares_its_fate(self):
        memories = [Memory("ann", b"k1", self.now_s + 60)]
        await self.spool.commit_all(self.sinks("m1", "m2"), memories)
        self.assertEqual(await self.spool.remembered("ann", [b"k1", b"k2"]), [b"k1"])
        self.assertIsNotNone(await self.spool.message("m2"))
        memories = [Memory("ann", b"k2", self.now_s + 60)]
        with self.assertRaises(MailError):  # m2 is there
            await self.spool.commit_all(self.sinks("m3", "m2"), memories)
        self.assertIsNone(await self.spool.message("m3"))
        self.assertEqual(await self.spool.remembered("ann", [b"k2"]), [])
        self.assertEqual(len(os.listdir(self.spool.files)), 2)

    async def test_what_must_be_the_first_of_its_kind_is_refused_if_it_is_not(self):
        first = Memory("ann", b"k", self.now_s + 60, first=True)
        await self.spool.commit_all(self.sinks("m1"), [first])
        with self.assertRaises(RememberedMeanwhile):
            await self.spool.commit_all(self.sinks("m2"), [first])
        self.assertIsNone(await self.spool.message("m2"))
        twice = [evolve(first, account="bob")] * 2
        await self.spool.commit_all(self.sinks("m3"), twice)
        self.now_s += 61
        await self.spool.commit_all(self.sinks("m4"), [first])
        self.assertIsNotNone(await self.spool.message("m4"))

    def sinks(self, *names):
        """Messages that each lie in a file."""
        made = [self.spool.begin(note(name)) for name in names]
        for sink in made:
            sink.write(b"x" * (INLINE_OCTETS + 1))
        return made

    async def test_what_is_remembered_is_forgotten_in_time(self):
        await self.remember(b"k", 60)
        await self.remember(b"k", 30)
        self.now_s += 59
        self.assertEqual(await self.spool.remembered("ann", [b"k"]), [b"k"])
        self.assertEqual(await self.spool.remembered("bob", [b"k"]), [])
        self.now_s += 2
        self.assertEqual(await self.spool.remembered("ann", [b"k"]), [])
        await self.remember(b"other", 60)
        count = "SELECT count(*) FROM remembered"
        found = await self.spool.reader.submit(lambda c: c.execute(count).fetchone())
        self.assertEqual(found, (1,))

    async def remember(self, key, seconds):
        memories = [Memory("ann", key, self.now_s + seconds)]
        await self.spool.commit_all((), memories)

    async def test_an_account_remembers_so_much_and_no_more(self):
        self.patch(memory, "MOST_REMEMBERED", 3)
        for at in range(5):
            await self.remember(b"%d" % at, 60 + at)
        keys = [b"%d" % at for at in range(5)]
        found = await self.spool.remembered("ann", keys)
        self.assertEqual(sorted(found), [b"2", b"3", b"4"])

    async def test_what_was_taken_away_does_not_come_back(self):
        await self.put("m")
        (recipient,) = await self.spool.recipients("m")
        await self.spool.settle("m", [1], [])
        await self.spool.settle("m", [], [evolve(recipient, attempts=1)])
        self.assertIsNone(await self.spool.message("m"))
        await self.put("n", to=("a@x.test", "b@x.test"))
        first, _ = await self.spool.recipients("n")
        await self.spool.settle("n", [1], [])
        await self.spool.settle("n", [], [evolve(first, attempts=1)])
        self.assertEqual([r.number for r in await self.spool.recipients("n")], [2])

    async def test_files_without_a_message_go_at_the_start(self):
        await self.put("m", *[b"x" * INLINE_OCTETS] * 8)
        (kept,) = os.listdir(self.spool.files)
        with open(f"{self.spool.files}/orphan", "w") as orphan:
            orphan.write("x")
        again = self.opened()
        await again.start()
        self.assertEqual(os.listdir(self.spool.files), [kept])

    async def test_a_file_that_is_gone_is_a_fault_and_no_empty_message(self):
        await self.put("m", *[b"x" * INLINE_OCTETS] * 8)
        message = await self.spool.message("m")
        (name,) = os.listdir(self.spool.files)
        os.unlink(f"{self.spool.files}/{name}")
        reading = Deferred.fromCoroutine(self.spool.content(message).read(0, 10))
        fault = await self.assertFailure(reading, MailError)
        self.assertTrue(fault.temporary)
        await self.spool.settle("m", [1], [])
        reading = Deferred.fromCoroutine(self.spool.content(message).read(0, 10))
        await self.assertFailure(reading, MailError)

    async def test_orders_of_others_are_noticed_and_what_is_ours_is_not(self):
        await self.put("m")
        self.assertEqual(await self.spool.seen(), Seen.NOTHING)
        await self.put("n")
        await self.spool.hurry(5.0)
        await self.spool.seen()
        self.assertEqual(await self.spool.seen(), Seen.NOTHING)
        admin = QueueAdmin(self.folder, lambda: 5.0)
        admin.hold(Filter(queue_ids=("m",)))
        admin.close()
        self.assertEqual(await self.spool.seen(), Seen.ORDERS)
        self.assertEqual(await self.spool.seen(), Seen.NOTHING)
        ((message, _),) = await self.spool.due(9e9, 10)
        self.assertEqual(message.queue_id, "n")
        self.assertTrue((await self.spool.message("m")).held)

    async def test_mail_that_another_process_took_is_no_order(self):
        await self.put("m")
        other = self.opened()
        await other.start(alone=False)
        sink = other.begin(note("n"))
        sink.write(b"hello")
        await sink.commit()
        self.assertEqual(await self.spool.seen(), Seen.MAIL)
        self.assertEqual(await self.spool.seen(), Seen.NOTHING)
        ((found, recipients),) = await self.spool.those(["gone", "n"])
        self.assertEqual((found.queue_id, len(recipients)), ("n", 1))

    async def test_one_of_several_leaves_the_files_of_the_others_alone(self):
        await self.put("m")
        names = [f"{self.spool.files}/{name}" for name in ("new", "old")]
        for name in names:
            with open(name, "w") as file:
                file.write("x")
        os.utime(names[1], (1, 1))
        await self.opened().start(alone=False)
        self.assertEqual(os.listdir(self.spool.files), ["new"])

    async def test_a_full_disk_is_told_and_hurts_nothing_that_is_there(self):
        await self.put("m", b"kept")

        def leave_room(connection, pages):
            (used,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={used + pages}")

        await self.spool.writer.submit(lambda c: leave_room(c, 8))
        puts = [
            Deferred.fromCoroutine(self.put(f"n{number}", b"x" * 20_000))
            for number in range(6)
        ]
        verdicts = await gatherResults(puts)
        self.assertTrue(any(v != [None] for v in verdicts))
        for (verdict,) in verdicts:
            self.assertIsInstance(verdict, StorageFull | None)
        await self.spool.writer.submit(lambda c: leave_room(c, 10_000))
        self.assertEqual(await self.put("last"), [None])
        found = {m.queue_id for m, _ in await self.spool.due(9e9, 100)}
        taken = {f"n{at}" for at, v in enumerate(verdicts) if v == [None]}
        self.assertEqual(found, {"m", "last"} | taken)

    async def test_a_newer_database_is_not_touched(self):
        await self.put("m")
        await self.spool.close()
        raw = sqlite3.connect(f"{self.folder}/queue.sqlite")
        raw.execute("PRAGMA user_version=99")
        raw.close()
        with self.assertRaises(ConfigError):
            connect(f"{self.folder}/queue.sqlite")

    def test_a_queue_of_an_older_program_keeps_its_mail(self):
        os.makedirs(folder := self.mktemp())
        raw = sqlite3.connect(path := f"{folder}/queue.sqlite")
        schema = resources.files("mailtwist.queue.spool") / "schema" / "001.sql"
        raw.executescript(schema.read_text())
        raw.execute(
            "INSERT INTO message VALUES (1, 'm', 'ann', 'here.test', 5, '', 1.0, 9.0, "
            "'', '', 1, 's', '', 2.0)"
        )
        raw.execute(
            "INSERT INTO recipient VALUES (1, 1, 'b b', 'elsé.test', 'b b', "
            "'elsé.test', 'smtp', '', NULL, '', NULL, '', 0, 2.0, 0.0, '', '', '', 0)"
        )
        raw.execute("PRAGMA user_version=1")
        raw.commit()
        raw.close()
        connection = connect(path)
        found = statements.message(connection, "m")
        [to] = statements.recipients(connection, "m")
        connection.close()
        self.assertEqual(found, QueuedMessage("m", ANN, 5, 1.0, 9.0, held=True))
        self.assertEqual(to, QueuedRecipient(1, BOB, Route("smtp"), BOB, due_s=2.0))
