"""Mbox files beside other programs: what they lock, append, change and leave behind."""

import fcntl
import mailbox
import os
import shutil
import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.directory.model import Account
from mailtwist.errors import MailboxFault, SystemBusy
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from mailtwist.store.mbox import dotlock, scan
from mailtwist.store.mbox.files import MboxFiles
from mailtwist.store.mbox.lock import OwnRights, attempt

from . import traced
from .contract import MESSAGE, StoreWords, add
from .inline import InlineLocalStore
from .test_mbox_store import InFiles

LINE = b"From carol Wed Nov  4 20:39:03 2026\n"
THEIRS = LINE + b"Subject: theirs\n\n>From another program\n\n"


class FromOthersTests(InFiles, StoreWords, TestCase):
    def read(self):
        with open(self.inbox, "rb") as file:
            return file.read()

    def write(self, octets, how="wb"):
        os.makedirs(os.path.dirname(self.inbox), exist_ok=True)
        with open(self.inbox, how) as file:
            file.write(octets)

    async def test_what_others_append_is_found_within_a_second(self):
        await self.put()
        box, told = await self.open(), []
        box.watch(told.append)
        self.write(THEIRS, "ab")
        await self.until(lambda: told, "the message of another program")
        rows = await box.rows()
        self.assertEqual(rows.uids, [1, 2])
        (octets,) = await box.octets([Range(2)])
        self.assertEqual(octets, b"Subject: theirs\r\n\r\n>From another program\r\n")

    async def test_flags_that_others_change_are_found(self):
        await self.put()
        box, told = await self.open(), []
        await box.close()
        box = await self.open()
        box.watch(told.append)
        self.write(self.read().replace(b"Status: ", b"Status: RO", 1))
        await self.until(lambda: told, "the change")
        self.assertEqual((await box.rows()).flags, [{"\\Seen"}])

    async def test_a_file_of_dovecot_or_uw_brings_its_uids(self):
        for head, pseudo in (
            (b"", b""),
            (
                LINE + b"Subject: DON'T DELETE\nX-IMAP: 1234567890 0000000020\n"
                b"Status: RO\n\nInternal data.\n\n",
                b"Internal data",
            ),
        ):
            base = b"" if head else b"X-IMAPbase: 1234567890 0000000020 work\n"
            self.write(
                head
                + LINE
                + base
                + b"A: b\nStatus: RO\nX-Keywords: work   \nX-UID: 7\n\nfirst\n\n"
                + LINE
                + b"X-UID: 12\nX-Status: A\n\nsecond\n\n"
            )
            box = await self.open()
            rows = await box.rows()
            self.assertEqual(rows.uids, [7, 12])
            self.assertEqual(rows.flags, [{"\\Seen", "work"}, {"\\Answered"}])
            self.assertEqual(box.uid_validity, 1234567890)
            self.assertEqual(await self.put(), 21)
            await box.expunge([7])
            self.assertIn(pseudo, self.read())
            self.assertIn(b"1234567890 0000000021", self.read())
            await box.close()
            await self.store.close()
            self.setUp()

    async def test_what_is_no_mbox_is_left_alone(self):
        self.write(b"#!/bin/sh\necho hello\n")
        await self.faulty(MailboxFault, self.tree.open(INBOX))
        await self.deliver(self.account)
        self.assertTrue(self.read().startswith(b"#!/bin/sh\necho hello\n"))

    async def test_mail_comes_behind_what_another_left_unfinished(self):
        self.write(THEIRS.rstrip(b"\n"))
        await self.deliver(self.account)
        rows = await (await self.open()).rows()
        self.assertEqual(len(rows), 2)

    async def test_python_reads_what_we_write(self):
        for flags in ((), ("\\Seen", "\\Answered"), ("\\Flagged",)):
            await self.put(flags=set(flags))
        found = mailbox.mbox(self.inbox, create=False)
        self.assertEqual([one.get_flags() for one in found], ["", "RA", "F"])
        self.assertEqual({one["Subject"] for one in found}, {"lunch"})
        found.close()

    async def test_and_we_what_python_writes(self):
        await self.put()
        theirs = mailbox.mbox(self.inbox)
        theirs.lock()
        for key, one in theirs.items():
            one.set_flags("RF")
            theirs[key] = one
        theirs.add(b"Subject: more\n\nFrom here\n")
        theirs.flush()  # by a new file that takes the place of the old one
        theirs.close()
        box = await self.open()
        rows = await box.rows()
        self.assertEqual(rows.flags, [{"\\Seen", "\\Flagged"}, set()])
        self.assertEqual(await box.octets([Range(rows.uids[0])]), [MESSAGE])

    async def test_any_octets_come_back_as_they_came(self):
        await self.tree.create(("There",))
        letters = [
            b"From x\r\n>From y\r\n\r\nFrom z\r\n>>From z\r\n",
            b"Status: RO\r\nX-UID: 9\r\nContent-Length: 3\r\n\r\nX-UID: 1\r\n",
            b"X-Mbox-Form: open\r\nX-Mbox-Status: R\r\n\r\nx",
            b"no header and no end",
            b"\r\n",
            b" folded\r\n\r\n" + LINE.replace(b"\n", b"\r\n"),
            bytes(range(256)).replace(b"\n", b"") + b"\r\n",
        ]
        for octets in letters:
            await self.deliver(self.account, octets=octets)
        box = await self.open()
        uids = (await box.rows()).uids
        await box.store_flags(uids, add("\\Seen", "work"))
        await box.copy(uids, ("There",))
        for opened in (box, await self.open(("There",))):
            found = await opened.octets([Range(uid) for uid in uids])
            for octets, wanted in zip(found, letters, strict=True):
                self.assertEqual(octets.partition(b"+0000\r\n")[2], wanted)
        for start in (0, 1, 70, 500):
            whole = await box.octets([Range(uids[0])])
            part = await box.octets([Range(uids[0], start, 9)])
            self.assertEqual(part[0], whole[0][start : start + 9])

    async def test_pieces_of_a_large_message(self):
        octets = b"Subject: x\r\n\r\n" + b"".join(
            b"line %d\r\n" % number for number in range(400_000)
        )
        uid = await self.put(octets=octets)
        box = await self.open()
        for start in (0, 3_000_000, 1_048_570, 5, len(octets) - 3, len(octets) + 1):
            (part,) = await box.octets([Range(uid, start, 70_000)])
            self.assertEqual(part, octets[start : start + 70_000], start)


class RefusedTests(SynchronousTestCase):
    """In a folder where we may make no file."""

    class Rights(OwnRights):
        def take(self, path):
            raise PermissionError(13, "Permission denied")

    def test_fcntl_is_enough_unless_another_has_the_lock_file(self):
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(THEIRS)
        held = attempt(path, writes=True, files=self.Rights())
        self.assertIsNone(attempt(path, writes=True, files=self.Rights()))
        held.release()
        dotlock.take(path)
        self.assertIsNone(attempt(path, writes=True, files=self.Rights()))
        dotlock.release(path)
        attempt(path, writes=True, files=self.Rights()).release()


class KeptLayoutTests(InFiles, StoreWords, TestCase):
    async def begin(self):
        """A mailbox of 300 messages; how many are read from now on."""
        letters = [(b"Subject: %d\r\n\r\n" % n, frozenset(), n) for n in range(300)]
        await self.put_all(INBOX, letters)
        box = await self.open()
        await box.store_flags([7], add("\\Seen", "work"))
        before = await box.rows(), await box.octets([Range(1), Range(300)])
        await box.close()
        await deferLater(reactor, 1.3)  # later changes have later times
        await self.tree.status(INBOX)
        self.read, entry_of = 0, scan.entry_of

        def counted(*arguments):
            self.read += 1
            return entry_of(*arguments)

        self.patch(scan, "entry_of", counted)
        return before

    async def again(self):
        await self.store.close()
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)
        box = await self.open()
        rows = await box.rows()
        return rows, await box.octets([Range(1), Range(300)])

    async def test_a_large_file_is_not_read_to_be_opened_again(self):
        before = await self.begin()
        self.assertEqual(await self.again(), before)
        self.assertEqual(self.read, 0)

    async def test_of_one_that_grew_only_what_is_new_is_read(self):
        before = await self.begin()
        await self.store.close()
        with open(self.inbox, "ab") as file:
            file.write(THEIRS)
        rows, octets = await self.again()
        self.assertEqual(rows.uids, [*range(1, 302)])
        self.assertEqual((rows.flags[:300], octets), (before[0].flags, before[1]))
        self.assertEqual(self.read, 1)

    async def test_a_damaged_or_older_one_does_not_count(self):
        before = await self.begin()
        folder = f"{self.home(self.name)}/layouts"
        for text in ("", "{}", '{"version": 1, "entries": [[]]}'):
            await self.store.close()
            (name,) = os.listdir(folder)
            with open(f"{folder}/{name}", "w") as file:
                file.write(text)
            self.assertEqual(await self.again(), before)
            self.assertGreaterEqual(self.read, 300)
            self.read = 0


class LockTests(InFiles, StoreWords, TestCase):
    lock_timeout_s = 1.0

    async def test_a_locked_file_is_waited_for_and_nothing_else_is(self):
        await self.put()
        ticks = []
        ticking = LoopingCall(lambda: ticks.append(1))
        ticking.start(0.02)
        dotlock.take(self.inbox)
        reactor.callLater(0.4, dotlock.release, self.inbox)
        self.assertEqual(await self.put(), 2)
        ticking.stop()
        self.assertGreater(len(ticks), 8)
        self.assertFalse(os.path.exists(f"{self.inbox}.lock"))

    async def test_whoever_waits_too_long_is_told_to_come_again(self):
        await self.put()
        dotlock.take(self.inbox)
        before = os.stat(self.inbox).st_size
        await self.faulty(SystemBusy, self.put())
        self.assertTrue((await self.deliver(self.account))[0].temporary)
        self.assertEqual(os.stat(self.inbox).st_size, before)
        box = await self.open()
        self.assertEqual(await box.octets([Range(1)]), [MESSAGE])

    async def test_the_lock_of_a_process_that_died_is_removed(self):
        await self.put()
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        for text in (b"%d\n" % dead.pid, b"", b"nonsense"):
            with open(f"{self.inbox}.lock", "wb") as file:
                file.write(text)
            os.utime(f"{self.inbox}.lock", (1, 1))
            await self.put()
        with open(f"{self.inbox}.lock", "wb") as file:
            file.write(b"%d\n" % os.getpid())
        await self.faulty(SystemBusy, self.put())

    async def test_the_lock_of_other_programs_is_respected(self):
        await self.put()
        script = (
            "import fcntl, sys, time; file = open(sys.argv[1], 'rb+');"
            "fcntl.lockf(file, fcntl.LOCK_EX); print('locked', flush=True);"
            "sys.stdin.read()"
        )
        other = subprocess.Popen(
            [sys.executable, "-c", script, self.inbox],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        other.stdout.readline()
        await self.faulty(SystemBusy, self.put())
        other.stdin.close()
        await deferLater(reactor, 0.05)
        await self.put()

    async def test_they_are_kept_out_while_we_write(self):
        await self.put()
        seen = []
        attempted = MboxFiles._attempted

        def looked(files, paths, work, arguments):
            def within(locks, *given):
                with open(self.inbox, "rb+") as file:
                    try:
                        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        seen.append("fcntl is free")
                    except OSError:
                        pass
                if not os.path.exists(f"{self.inbox}.lock"):
                    seen.append("there is no lock file")
                return work(locks, *given)

            return attempted(files, paths, within, arguments)

        self.patch(MboxFiles, "_attempted", looked)
        await self.put()
        await (await self.open()).store_flags([1], add("\\Seen"))
        self.assertEqual(seen, [])

    async def test_many_processes_lose_nothing(self):
        stores = [self.store, *(self.another_store() for _ in range(2))]
        trees = [store.mailboxes(self.account) for store in stores]
        script = (
            "import mailbox, sys\n"
            "box = mailbox.mbox(sys.argv[1])\n"
            "message = b'From a Wed Nov  4 20:39:03 2026\\n\\nx%d\\n\\n'\n"
            "for number in range(10):\n"
            "    while True:\n"
            "        try:\n"
            "            box.lock(); break\n"
            "        except mailbox.ExternalClashError: pass\n"
            "    with open(sys.argv[1], 'ab') as file:\n"
            "        file.write(message % number)\n"
            "    box.unlock()\n"
        )
        await self.put()
        other = subprocess.Popen([sys.executable, "-c", script, self.inbox])

        async def work(tree, number):
            for at in range(6):
                upload = tree.upload()
                upload.write(b"Subject: %d %d\r\n\r\n" % (number, at))
                await tree.append(INBOX, [(upload, frozenset(), None)])
                box = await tree.open(INBOX)
                uids = (await box.rows()).uids
                change = FlagChange(FlagAction.ADD, frozenset({"\\Seen"}))
                await box.store_flags(uids[:2], change)
                await box.close()

        await gatherResults(
            [
                Deferred.fromCoroutine(work(*each))
                for each in zip(trees, (1, 2, 3), strict=True)
            ]
        )
        while other.poll() is None:
            await deferLater(reactor, 0.02)
        for tree in trees:
            box = await tree.open(INBOX)
            rows = await box.rows()
            self.assertEqual(len(rows), 1 + 3 * 6 + 10)
            self.assertEqual(len(set(rows.uids)), len(rows))
            await box.close()


class KilledTests(SynchronousTestCase):
    """A process that ends at any system call of a change."""

    FIRST = b"Subject: first\r\n\r\n" + b"one\r\n" * 50
    SECOND = b"Subject: second\r\n\r\n"

    mailbox = "mbox:mail:INBOX=box"

    def setUp(self):
        self.home = os.path.abspath(self.mktemp())
        self.account = Account("ann@x.test", self.home, mailbox=self.mailbox)

    def within(self, work):
        """What `work(store, tree)` gives in a process of its own, as it were."""
        store = InlineLocalStore()
        tree = store.mailboxes(self.account)
        try:
            return store.now(work(tree))
        finally:
            store.now(store.close())

    async def begin(self, tree):
        await tree.create(("There",))
        for octets in (self.FIRST, self.SECOND):
            await self.put(tree, octets)

    @staticmethod
    async def put(tree, octets):
        upload = tree.upload()
        upload.write(octets)
        await tree.append(INBOX, [(upload, frozenset(), None)])

    async def seen(self, tree):
        """(octets, flags) by UID of both mailboxes."""
        found = []
        for path in (INBOX, ("There",)):
            box = await tree.open(path)
            rows = await box.rows()
            octets = await box.octets([Range(uid) for uid in rows.uids])
            each = zip(rows.uids, octets, map(set, rows.flags), strict=True)
            found.append(list(each))
            await box.close()
        self.assertEqual((await tree.check()).findings, [])
        return found

    def changes(self):
        async def flag(box, tree):
            await box.store_flags([1, 2], add("\\Seen", "a-rather-long-keyword" * 9))

        async def expunge(box, tree):
            await box.expunge([1])

        async def append(box, tree):
            await self.put(tree, b"third\r\n")

        async def move(box, tree):
            await box.move([1], ("There",))

        return flag, expunge, append, move

    def test_it_is_done_or_not_and_others_lose_nothing(self):
        for change in self.changes():

            async def work(tree, change=change):
                box = await tree.open(INBOX)
                await change(box, tree)
                await box.close()

            number, died_at = 0, ""
            while died_at is not None:
                number += 3  # the journal's own test dies at every one
                self.home = os.path.abspath(self.mktemp())
                self.setUp()
                self.within(self.begin)
                before = self.within(self.seen)
                _, died_at = traced.killed_at(number, lambda tell: self.within(work))
                with open(f"{self.home}/box", "ab") as file:
                    file.write(THEIRS)
                inbox, there = self.within(self.seen)
                what = f"{change.__name__} killed at {number}: {died_at}"
                theirs = [one for one in inbox if b"theirs" in one[1]]
                self.assertEqual(len(theirs), 1, what)
                inbox.remove(theirs[0])
                self.assertIn(self.SECOND, [one[1] for one in inbox], what)
                if change.__name__ != "expunge":
                    self.assertIn(self.FIRST, [one[1] for one in inbox + there], what)
                if died_at is None:
                    self.assertNotEqual([inbox, there], before)
                for one in inbox:
                    if one[1] in (self.FIRST, self.SECOND):
                        self.assertEqual(one[0], 1 + (one[1] == self.SECOND), what)
                for box in (inbox, there):
                    octets = [one[1] for one in box]
                    self.assertEqual(len(octets), len(set(octets)), what)

    def test_a_mailbox_has_its_old_name_or_its_new_one(self):
        async def begin(tree):
            await self.begin(tree)
            await tree.create(("There", "below"))
            box = await tree.open(INBOX)
            await box.copy([1, 2], ("There",))
            await box.copy([2], ("There", "below"))
            await box.close()

        async def rename(tree):
            await tree.rename(("There",), ("New",))

        async def seen(tree):
            found = {}
            for info in await tree.listed():
                if info.selectable:
                    box = await tree.open(info.path)
                    rows = await box.rows()
                    octets = await box.octets([Range(uid) for uid in rows.uids])
                    pairs = list(zip(rows.uids, octets, strict=True))
                    found[info.path] = box.uid_validity, pairs
                    await box.close()
            self.assertEqual((await tree.check()).findings, [])
            return found

        self.within(begin)
        before = self.within(seen)
        after = {
            ("New", *path[1:]) if path[0] == "There" else path: held
            for path, held in before.items()
        }
        prepared, number, died_at, ends = f"{self.home}.prepared", 0, "", set()
        shutil.copytree(self.home, prepared)
        while died_at is not None:
            number += 2
            shutil.rmtree(self.home)
            shutil.copytree(prepared, self.home)
            told, died_at = traced.killed_at(
                number, lambda tell: tell(b"%r" % self.within(rename))
            )
            found = self.within(seen)
            self.assertIn(found, (before, after), f"killed at {number}: {died_at}")
            self.assertTrue(found == after or not told)
            ends.add(found == after)
        self.assertEqual(ends, {False, True})


class MixedKilledTests(KilledTests):
    """An mbox as INBOX, and a Maildir for the rest."""

    mailbox = "maildir:Maildir:INBOX=box"
