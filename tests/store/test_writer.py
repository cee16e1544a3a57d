import errno
import os
import stat
import time

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.errors import MailboxFault, MailError, StorageFull, SystemBusy
from mailtwist.store.maildir import batch, durable, filesystem, stale, writer
from mailtwist.store.maildir.filesystem import FileSystem, kernel_tells_errors
from mailtwist.store.maildir.names import UniqueNames
from mailtwist.store.maildir.spool import Spooler
from mailtwist.store.maildir.writer import MaildirWriter, NewFile
from tests.store.faulty import Faulty, Patched

NAMES = UniqueNames("mx")


def maildir(path):
    for part in ("tmp", "new", "cur"):
        os.makedirs(f"{path}/{part}")
    return os.path.abspath(path)


def files_in(folder, part="new"):
    """{name: octets} of a part of a Maildir."""
    found = {}
    for name in os.listdir(f"{folder}/{part}"):
        with open(f"{folder}/{part}/{name}", "rb") as file:
            found[name] = file.read()
    return found


def broken(code, *names, times=1):
    """Fail the first `times` calls of these names with an errno."""
    left = [times]

    def at(name, number, arguments):
        if name in names and left[0]:
            left[0] -= 1
            raise OSError(code, os.strerror(code))

    return at


class WriterTests(TestCase):
    sync = "auto"

    def setUp(self):
        self.folder = maildir(self.mktemp())
        self.writer = MaildirWriter(reactor, self.sync)
        self.spooler = Spooler(reactor, 0)

    async def tearDown(self):
        await self.writer.close()
        await self.spooler.close()

    def file(self, *content, folder=None, into="new", prefix=b"", **options):
        octets = len(prefix) + sum(map(len, content))
        return NewFile(
            folder or self.folder, NAMES.base(octets), into, content, prefix, **options
        )

    async def spool(self, octets, head=b"", name="spool"):
        spool = self.spooler.spool(f"{self.folder}/tmp/{name}", head)
        for at in range(0, len(octets), 300_000):
            waited = spool.write(octets[at : at + 300_000])
            if waited is not None:
                await waited
        await spool.settled()
        return spool

    def nothing_in_tmp(self):
        self.assertEqual(files_in(self.folder, "tmp"), {})

    async def test_files_are_whole_and_where_they_belong(self):
        new = self.file(b"one ", b"two", prefix=b"zero ")
        seen = self.file(b"three", into="cur")
        self.assertEqual(await self.writer.commit([new, seen]), [None, None])
        self.assertEqual(files_in(self.folder), {new.name: b"zero one two"})
        self.assertEqual(files_in(self.folder, "cur"), {seen.name: b"three"})
        self.nothing_in_tmp()
        mode = os.stat(f"{self.folder}/new/{new.name}").st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    async def test_letters_stand_behind_the_name_only_in_the_end(self):
        (file,) = [self.file(b"x", into="cur")]
        named = NewFile(file.maildir, file.name + ":2,S", "cur", file.content)
        self.assertEqual(await self.writer.commit([named]), [None])
        self.assertEqual(list(files_in(self.folder, "cur")), [file.name + ":2,S"])

    async def test_an_internal_date_is_the_files_time(self):
        file = self.file(b"x", internal_date=1_000_000_000)
        await self.writer.commit([file])
        seen = os.stat(f"{self.folder}/new/{file.name}")
        self.assertEqual(seen.st_mtime, 1_000_000_000)

    async def test_nothing_to_do_is_done(self):
        self.assertEqual(await self.writer.commit([]), [])

    async def test_everything_that_waits_goes_together(self):
        batches, real = [], batch.commit

        def watched(jobs, systems, now):
            batches.append(len(jobs))
            return real(jobs, systems, now)

        self.patch(batch, "commit", watched)
        files = [self.file(b"%d" % n) for n in range(300)]
        waiting = [self.writer.commit([file]) for file in files]
        self.assertEqual([await done for done in waiting], [[None]] * 300)
        self.assertEqual(len(files_in(self.folder)), 300)
        self.assertEqual(sum(batches), 300)
        self.assertLessEqual(max(batches), writer.MOST_BATCH)
        self.assertLess(len(batches), 100)

    async def test_a_request_larger_than_a_batch_is_answered_once(self):
        files = [self.file(b"%d" % n) for n in range(writer.MOST_BATCH * 2 + 3)]
        outcomes = await self.writer.commit(files)
        self.assertEqual(outcomes, [None] * len(files))
        self.assertEqual(len(files_in(self.folder)), len(files))

    async def test_a_message_of_very_many_pieces(self):
        file = self.file(*[b"%07d\n" % n for n in range(5000)])
        self.assertEqual(await self.writer.commit([file]), [None])
        self.assertEqual(files_in(self.folder)[file.name], b"".join(file.content))

    async def test_a_missing_tmp_is_made_again_and_a_missing_folder_is_not(self):
        os.rmdir(f"{self.folder}/tmp")
        gone = self.file(b"x", folder=os.path.abspath(self.mktemp()))
        outcomes = await self.writer.commit([self.file(b"here"), gone])
        self.assertIsNone(outcomes[0])
        self.assertIsInstance(outcomes[1], MailboxFault)
        self.assertTrue(outcomes[1].temporary)
        self.assertFalse(os.path.exists(gone.maildir))

    async def test_a_draft_of_that_name_is_not_ours_to_touch(self):
        file = self.file(b"mine")
        with open(file.draft, "wb") as theirs:
            theirs.write(b"theirs")
        (outcome,) = await self.writer.commit([file])
        self.assertIsInstance(outcome, MailError)
        self.assertEqual(list(files_in(self.folder, "tmp").values()), [b"theirs"])

    async def test_a_symbolic_link_in_tmp_is_not_followed(self):
        file = self.file(b"mine")
        target = os.path.abspath(self.mktemp())
        os.symlink(target, file.draft)
        (outcome,) = await self.writer.commit([file])
        self.assertIsInstance(outcome, MailError)
        self.assertFalse(os.path.exists(target))

    async def test_a_failed_file_does_not_hurt_its_neighbours(self):
        rows = [
            (errno.ENOSPC, "writev", StorageFull, "the disk is full"),
            (errno.EDQUOT, "writev", StorageFull, "the owner's share is full"),
            (errno.EMFILE, "open", SystemBusy, "no descriptor left"),
            (errno.EIO, "rename", MailError, "the disk is broken"),
        ]
        for code, name, fault, why in rows:
            before = set(files_in(self.folder))
            files = [self.file(b"a"), self.file(b"b", into="cur"), self.file(b"c")]
            with self.faulty(broken(code, name)):
                outcomes = await self.writer.commit(files)
            failed = [outcome for outcome in outcomes if outcome is not None]
            self.assertTrue(failed and len(failed) < 3, why)
            self.assertIs(type(failed[0]), fault, why)
            self.assertTrue(failed[0].temporary, why)
            present = set(files_in(self.folder)) | set(files_in(self.folder, "cur"))
            for file, outcome in zip(files, outcomes, strict=True):
                self.assertEqual(file.name in present, outcome is None, why)
            self.assertTrue(before <= present, why)
            self.nothing_in_tmp()

    async def test_a_directory_that_cannot_be_synced_answers_nobody_with_yes(self):
        files = [self.file(b"a"), self.file(b"b")]

        def at(name, number, arguments):
            if name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode):
                raise OSError(errno.EIO, "Input/output error")

        with self.faulty(at):
            outcomes = await self.writer.commit(files)
        self.assertEqual([type(outcome) for outcome in outcomes], [MailError] * 2)
        self.assertEqual(files_in(self.folder), {})

    async def test_a_short_write_is_continued(self):
        real = os.writev

        def short(descriptor, parts):
            return real(descriptor, [b"".join(parts)[:3]])

        self.patch(durable.os, "writev", short)
        file = self.file(b"12345678", b"9")
        self.assertEqual(await self.writer.commit([file]), [None])
        self.assertEqual(files_in(self.folder)[file.name], b"123456789")

    def faulty(self, at):
        return Patched(Faulty(at))

    async def test_a_mistake_of_ours_is_never_told_as_durable(self):
        def mistaken(jobs, systems, now):
            raise ZeroDivisionError

        self.patch(batch, "commit", mistaken)
        (outcome,) = await self.writer.commit([self.file(b"x")])
        self.assertIs(type(outcome), MailError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_too_much_waiting_is_told_to_come_back(self):
        self.patch(writer, "MOST_WAITING", 2)
        first = self.writer.commit([self.file(b"a"), self.file(b"b")])
        (busy,) = await self.writer.commit([self.file(b"c")])
        self.assertIsInstance(busy, SystemBusy)
        self.assertEqual(await first, [None, None])
        self.assertEqual(await self.writer.commit([self.file(b"d")]), [None])

    async def test_close_finishes_what_waits_and_takes_no_more(self):
        waiting = [self.writer.commit([self.file(b"x")]) for _ in range(50)]
        await self.writer.close()
        self.assertEqual([await done for done in waiting], [[None]] * 50)
        (outcome,) = await self.writer.commit([self.file(b"late")])
        self.assertIsInstance(outcome, SystemBusy)
        await self.writer.close()

    async def test_giving_up_the_wait_stops_nothing(self):
        file = self.file(b"x")
        done = self.writer.commit([file])
        done.cancel()
        with self.assertRaises(CancelledError):
            await done
        await self.writer.close()
        self.assertEqual(list(files_in(self.folder)), [file.name])

    # -- spools -------------------------------------------------------------------

    async def test_a_spool_becomes_the_file_it_fits_and_is_copied_for_others(self):
        octets = os.urandom(700_000)
        spool = await self.spool(octets, b"for ann\n")
        inode = os.stat(spool.path).st_ino
        ann = NewFile(self.folder, NAMES.base(1), "new", spool, b"for ann\n")
        bob = NewFile(self.folder, NAMES.base(2), "new", spool, b"for bob\n")
        self.assertEqual(await self.writer.commit([bob, ann]), [None, None])
        found = files_in(self.folder)
        self.assertEqual(found[ann.name], b"for ann\n" + octets)
        self.assertEqual(found[bob.name], b"for bob\n" + octets)
        self.assertEqual(os.stat(f"{self.folder}/new/{ann.name}").st_ino, inode)
        spool.abort()
        await self.spooler.close()
        self.assertEqual(set(files_in(self.folder)), {ann.name, bob.name})
        self.nothing_in_tmp()

    async def test_a_spool_that_fits_nobody_is_removed(self):
        spool = await self.spool(b"y" * 400_000, b"for ann\n")
        bob = NewFile(self.folder, NAMES.base(2), "new", spool, b"for bob\n")
        self.assertEqual(await self.writer.commit([bob]), [None])
        spool.abort()
        await self.spooler.close()
        self.assertEqual(list(files_in(self.folder)), [bob.name])
        self.nothing_in_tmp()

    async def test_a_spool_can_be_committed_again(self):
        spool = await self.spool(b"y" * 400_000)
        for _ in range(2):
            file = NewFile(self.folder, NAMES.base(1), "cur", spool)
            self.assertEqual(await self.writer.commit([file]), [None])
        spool.abort()
        found = files_in(self.folder, "cur").values()
        self.assertEqual(list(found), [b"y" * 400_000] * 2)

    async def test_an_aborted_spool_makes_no_empty_message(self):
        for size in (100, 400_000):
            spool = await self.spool(b"y" * size, name=f"spool{size}")
            spool.abort()
            file = NewFile(self.folder, NAMES.base(1), "new", spool)
            (outcome,) = await self.writer.commit([file])
            self.assertIsInstance(outcome, MailError)
        self.assertEqual(files_in(self.folder), {})

    async def test_a_spool_aborted_meanwhile_is_kept_for_the_commit(self):
        for size in (100, 400_000):
            spool = await self.spool(b"y" * size, name=f"spool{size}")
            file = NewFile(self.folder, NAMES.base(1), "new", spool)
            done = self.writer.commit([file])
            spool.abort()
            self.assertEqual(await done, [None])
            self.assertEqual(files_in(self.folder)[file.name], b"y" * size)
        await self.spooler.close()
        self.nothing_in_tmp()

    async def test_a_copy_that_fails_leaves_the_owners_file(self):
        spool = await self.spool(b"y" * 400_000, b"for ann\n")
        ann = NewFile(self.folder, NAMES.base(1), "new", spool, b"for ann\n")
        bob = NewFile(self.folder, NAMES.base(2), "new", spool, b"for bob\n")
        with self.faulty(broken(errno.ENOSPC, "copy_file_range")):
            outcomes = await self.writer.commit([ann, bob])
        self.assertIsNone(outcomes[0])
        self.assertIsInstance(outcomes[1], StorageFull)
        self.assertEqual(list(files_in(self.folder)), [ann.name])
        spool.abort()
        await self.spooler.close()
        self.nothing_in_tmp()

    async def test_where_the_kernel_cannot_copy_we_do(self):
        octets = os.urandom(3_000_000)
        spool = await self.spool(octets, b"a")
        bob = NewFile(self.folder, NAMES.base(2), "new", spool, b"b")
        with self.faulty(broken(errno.EXDEV, "copy_file_range", times=99)):
            self.assertEqual(await self.writer.commit([bob]), [None])
        self.assertEqual(files_in(self.folder)[bob.name], b"b" + octets)
        spool.abort()

    async def test_close_waits_for_large_files(self):
        spool = await self.spool(b"y" * 400_000, b"a")
        bob = NewFile(self.folder, NAMES.base(2), "new", spool, b"b")
        done = self.writer.commit([bob])
        await self.writer.close()
        self.assertEqual(await done, [None])
        spool.abort()


class FsyncWriterTests(WriterTests):
    sync = "fsync"

    async def test_the_data_is_synced_before_the_rename_and_the_folder_after(self):
        with self.faulty(lambda *_: None) as calls:
            await self.writer.commit([self.file(b"a"), self.file(b"b")])
        names = [n for n in calls.names if n in ("writev", "fsync", "rename")]
        self.assertEqual(
            names,
            ["writev", "writev", "fsync", "fsync", "rename", "rename", "fsync"],
        )


class SyncfsWriterTests(WriterTests):
    sync = "syncfs"

    async def test_one_syncfs_stands_between_all_writes_and_all_renames(self):
        with self.faulty(lambda *_: None) as calls:
            await self.writer.commit([self.file(b"a"), self.file(b"b")])
        names = [n for n in calls.names if n in ("writev", "syncfs", "fsync", "rename")]
        self.assertEqual(
            names, ["writev", "writev", "syncfs", "rename", "rename", "fsync"]
        )

    async def test_many_folders_are_synced_by_another_syncfs(self):
        with self.faulty(lambda *_: None) as calls:
            await self.writer.commit([self.file(b"a"), self.file(b"b", into="cur")])
        names = [n for n in calls.names if n in ("syncfs", "fsync", "rename")]
        self.assertEqual(names, ["syncfs", "rename", "rename", "syncfs"])

    async def test_folders_that_cannot_be_synced_answer_nobody_with_yes(self):
        seen = []

        def at(name, number, arguments):
            seen.append(name)
            if name == "syncfs" and "rename" in seen:
                raise OSError(errno.EIO, "Input/output error")

        with self.faulty(at):
            outcomes = await self.writer.commit(
                [self.file(b"a"), self.file(b"b", into="cur")]
            )
        self.assertEqual([type(outcome) for outcome in outcomes], [MailError] * 2)
        for part in ("tmp", "new", "cur"):
            self.assertEqual(files_in(self.folder, part), {})

    async def test_the_descriptor_was_open_before_the_first_octet(self):
        with self.faulty(lambda *_: None) as calls:
            await self.writer.commit([self.file(b"a")])
        self.assertLess(calls.names.index("dup"), calls.names.index("writev"))

    async def test_a_failed_syncfs_fails_the_whole_batch(self):
        files = [self.file(b"a"), self.file(b"b", into="cur")]
        with self.faulty(broken(errno.EIO, "syncfs")):
            outcomes = await self.writer.commit(files)
        self.assertEqual([type(outcome) for outcome in outcomes], [MailError] * 2)
        for part in ("tmp", "new", "cur"):
            self.assertEqual(files_in(self.folder, part), {})


class FileSystemTests(SynchronousTestCase):
    def setUp(self):
        self.folder = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, self.folder)
        self.patch(durable, "file_system_type", lambda _: 0xEF53)
        self.patch(filesystem, "kernel_tells_errors", lambda _: True)

    def system(self, sync="auto"):
        system = FileSystem(self.folder, sync)
        self.addCleanup(system.close)
        return system

    def test_kernels_that_tell_the_errors_of_syncfs(self):
        for release, tells in [
            ("5.8.0-1-amd64", True),
            ("6.1.0", True),
            ("5.7.19", False),
            ("4.19.0-26-cloud-amd64", False),
            ("unknown", False),
        ]:
            self.assertIs(kernel_tells_errors(release), tells, release)

    def test_the_shorter_way_is_taken(self):
        for together_s, each_s, wins in [(0.002, 0.001, True), (0.050, 0.001, False)]:
            system = self.system()
            for _ in range(10):
                together = system.together(10)
                system.took(together, 10, together_s if together else each_s * 10)
            self.assertIs(system.together(10), wins)
            # What is true for ten files is not yet true for a hundred.
            self.assertTrue(system.together(100))

    def test_the_slower_way_is_measured_again_now_and_then(self):
        system, ways = self.system(), []
        for _ in range(200):
            ways.append(system.together(10))
            system.took(ways[-1], 10, 0.05 if ways[-1] else 0.01)
        self.assertIn(True, ways[10:])
        self.assertLess(sum(ways), 10)

    def test_the_configuration_decides(self):
        self.assertFalse(self.system("fsync").together(100))
        self.assertTrue(self.system("syncfs").together(1))

    def test_a_file_system_that_hides_errors_gets_fsync(self):
        self.patch(durable, "file_system_type", lambda _: 0x6969)  # NFS
        self.assertFalse(self.system().together(100))
        self.patch(durable, "file_system_type", lambda _: 0xEF53)
        self.patch(filesystem, "kernel_tells_errors", lambda _: False)
        self.assertFalse(self.system().together(100))


class StaleTests(SynchronousTestCase):
    def setUp(self):
        self.folder = maildir(self.mktemp())

    def test_drafts_older_than_36_hours_go(self):
        for name in ("old", "young"):
            with open(f"{self.folder}/tmp/{name}", "wb"):
                pass
        os.mkdir(f"{self.folder}/tmp/folder")
        now = time.time()
        young = now + 40 * 3600
        os.utime(f"{self.folder}/tmp/young", (young, young))
        self.assertEqual(stale.remove_stale(self.folder, now + 35 * 3600), [])
        self.assertEqual(stale.remove_stale(self.folder, now + 37 * 3600), ["old"])
        self.assertEqual(set(os.listdir(f"{self.folder}/tmp")), {"young", "folder"})

    def test_a_draft_with_an_old_date_is_not_old(self):
        with open(f"{self.folder}/tmp/draft", "wb"):
            pass
        os.utime(f"{self.folder}/tmp/draft", (0, 0))
        self.assertEqual(stale.remove_stale(self.folder, time.time()), [])

    def test_a_folder_that_is_gone_is_no_fault(self):
        self.assertEqual(stale.remove_stale(self.mktemp(), time.time()), [])

    def test_each_folder_is_looked_at_once_a_day(self):
        cleaner = stale.Cleaner()
        cleaner.seen({self.folder}, 1e9)
        cleaner.clean_one()
        cleaner.seen({self.folder}, 1e9 + 3600)
        self.assertEqual(cleaner.due, {})
        cleaner.seen({self.folder}, 1e9 + 25 * 3600)
        self.assertEqual(list(cleaner.due), [self.folder])
