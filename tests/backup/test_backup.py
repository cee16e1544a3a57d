"""Tests for mailtwist.backup: snapshots of a running server, and the way back."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.backup import make, objects, restore, snapshot, tree
from mailtwist.backup.objects import Objects
from mailtwist.config.model import Config, Server
from mailtwist.directory.model import Account
from mailtwist.errors import MailError
from mailtwist.mailbox.model import INBOX, Range
from mailtwist.store.mbox import journal as journals
from mailtwist.store.mbox.journal import journal_of
from mailtwist.store.mbox.lock import OwnRights, attempt
from tests.store.inline import InlineStore

ONE = b"Subject: one\r\n\r\nfirst\r\n"
TWO = b"Subject: two\r\n\r\nsecond\r\n"
THERE = ("There",)


class World(SynchronousTestCase):
    """A data folder with an account, and a place for backups."""

    def setUp(self):
        self.root = Path(self.mktemp()).absolute()
        self.data = self.root / "data"
        self.home = self.data / "mail" / "x.test" / "ann"
        self.home.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.root, True)
        self.config = Config(server=Server(data=str(self.data)))
        self.account = Account("ann@x.test", str(self.home))
        self.store = InlineStore()
        self.addCleanup(lambda: self.store.now(self.store.close()))
        self.tree = self.store.mailboxes(self.account)
        self.objects = Objects(str(self.root / "backup"))
        self.now = self.store.now

    def put(self, octets, path=INBOX, flags=(), date=1000):
        upload = self.tree.upload()
        upload.write(octets)
        self.now(self.tree.append(path, [(upload, frozenset(flags), date)]))

    def backup(self, **how):
        with self.objects.alone():
            made = make.make(
                self.objects, self.config, [self.account], hostname="mx.test", **how
            )
        self.assertEqual(made.faults, [])
        return made

    def held(self, home, mailbox=""):
        """{path: (UID, octets, flags, date)s} of a home."""
        store = InlineStore()
        mailboxes = store.mailboxes(Account("x", str(home), mailbox=mailbox))

        async def look():
            found = {}
            for info in await mailboxes.listed():
                box = await mailboxes.open(info.path)
                rows = await box.rows()
                octets = await box.octets([Range(uid) for uid in rows.uids])
                columns = rows.uids, octets, rows.flags, rows.internal_dates
                found[info.path] = list(zip(*columns, strict=True))
                await box.close()
            return found

        try:
            return store.now(look())
        finally:
            store.now(store.close())

    def beside(self, name=""):
        held = snapshot.read(self.objects.target, name)
        folder = str(self.root / "beside")
        shutil.rmtree(folder, ignore_errors=True)
        home = restore.home_of(held, "ann@x.test")
        mailbox = restore.beside(self.objects, held, home, folder)
        return self.held(folder, mailbox)


class BackupTests(World):
    def test_an_account_comes_back_as_it_was(self):
        self.put(ONE, flags={"\\Seen", "work"})
        self.now(self.tree.create(THERE))
        self.put(TWO, THERE, date=2000)
        self.backup()
        self.assertEqual(self.beside(), self.held(self.home))
        self.assertEqual(self.beside()[INBOX], [(1, ONE, {"\\Seen", "work"}, 1000)])

    def test_a_state_within_a_home_has_its_own_moment(self):
        self.put(ONE)
        other = self.store.mailboxes(Account("x", str(self.home / "deleted")))
        upload = other.upload()
        upload.write(TWO)
        self.now(other.append(INBOX, [(upload, frozenset(), 1)]))
        self.backup()
        self.assertEqual([one[1] for one in self.beside()[INBOX]], [ONE])
        kept = self.held(str(self.root / "beside" / "deleted"))
        self.assertEqual([one[1] for one in kept[INBOX]], [TWO])

    def test_only_what_is_new_takes_room(self):
        self.put(ONE * 10_000)
        first = self.backup()
        self.assertGreater(first.octets, 200_000)
        self.put(TWO)
        second = self.backup()
        self.assertLess(second.octets, 200_000)
        old, new = snapshot.ids(self.objects.target)
        self.assertEqual((old, new), (first.id, second.id))
        self.assertEqual(len(self.beside(old)[INBOX]), 1)
        self.assertEqual(len(self.beside(new)[INBOX]), 2)

    def test_what_can_be_made_anew_stays_behind_and_so_do_keys(self):
        self.put(ONE)
        self.held(self.home)
        (self.data / "userdb.key").write_bytes(b"secret")
        (self.data / "dkim/a.test").mkdir(parents=True)
        (self.data / "dkim/a.test/s1.pem").write_bytes(b"secret")
        (self.home / "cache.sqlite").write_bytes(b"x")
        for keys in (False, True):
            made = self.backup(keys=keys)
            held = snapshot.read(self.objects.target, made.id)
            (part,) = held.parts
            paths = {one.path for one in tree.read(self.objects, part.digest)}
            self.assertEqual("userdb.key" in paths, keys)
            self.assertEqual("dkim/a.test/s1.pem" in paths, keys)
            self.assertFalse(any("cache.sqlite" in path for path in paths))
            self.assertFalse(any(path.endswith("-wal") for path in paths))

    def test_a_message_that_moves_meanwhile_is_in_the_copy(self):
        """Between the list and the reading of it."""
        self.now(self.tree.create(THERE))
        self.put(ONE)
        real, done = self.objects.put_file, []

        def moving(path, **how):
            if "/cur/" in path and not done:
                done.append(path)
                inbox = self.now(self.tree.open(INBOX))
                self.now(inbox.move([1], THERE))
            return real(path, **how)

        self.objects.put_file = moving
        self.backup()
        self.assertTrue(done)
        found = self.beside()
        self.assertEqual([one[1] for some in found.values() for one in some], [ONE])

    def test_snapshots_appear_as_a_whole_or_not_at_all(self):
        self.put(ONE)

        def broken():
            raise KeyboardInterrupt()

        self.objects.sync = broken
        self.assertRaises(KeyboardInterrupt, self.backup)
        self.assertEqual(snapshot.ids(self.objects.target), [])
        del self.objects.sync
        self.backup()
        self.assertEqual(len(self.beside()[INBOX]), 1)

    def test_one_backup_at_a_time(self):
        with self.objects.alone():
            other = Objects(self.objects.target)
            self.assertRaises(MailError, other.alone().__enter__)

    def test_what_is_damaged_is_found(self):
        self.put(ONE)
        self.backup()
        self.assertEqual(make.verify(self.objects), [])
        digest = next(d for d in self.objects.digests() if self.objects.read(d) == ONE)
        path = self.objects._path(digest)
        os.chmod(path, 0o600)
        Path(path).write_bytes(b"other octets")
        (fault,) = make.verify(self.objects)
        self.assertIn("1 objects", fault)

    def test_old_snapshots_go_with_what_only_they_had(self):
        self.put(ONE)
        self.backup()
        box = self.now(self.tree.open(INBOX))
        self.now(box.expunge([1]))
        self.put(TWO)
        self.backup()
        self.assertGreater(make.keep(self.objects, 1), 0)
        self.assertEqual(len(snapshot.ids(self.objects.target)), 1)
        self.assertEqual([one[1] for one in self.beside()[INBOX]], [TWO])
        self.assertEqual(make.verify(self.objects), [])
        self.assertNotIn(ONE, map(self.objects.read, self.objects.digests()))


class RestoreTests(World):
    def test_all_comes_back_into_an_empty_folder(self):
        self.put(ONE)
        self.put(TWO, flags={"work"})
        (self.data / "queue").mkdir()
        (self.data / "queue" / "x").write_bytes(b"waits")
        before = self.held(self.home)
        self.backup()
        held = snapshot.read(self.objects.target)
        self.now(self.tree.files.rest())
        fault = self.assertRaises(
            MailError, restore.everything, self.objects, held, str(self.data)
        )
        self.assertIn("not empty", fault.public)
        shutil.rmtree(self.data)
        kept = restore.everything(self.objects, held, str(self.data))
        self.assertEqual(kept, [])
        self.assertFalse((self.data / "queue" / "x").exists())
        self.assertEqual(self.held(self.home), before)

    def test_no_uid_comes_again_that_was_given_after_the_backup(self):
        self.put(ONE)
        self.backup()
        for _ in range(5):
            self.put(TWO)
        self.now(self.tree.files.rest())
        shutil.rmtree(self.data)
        held = snapshot.read(self.objects.target)
        restore.everything(self.objects, held, str(self.data))
        self.store = InlineStore()
        self.tree = self.store.mailboxes(self.account)
        self.now = self.store.now
        self.put(TWO)
        box = self.now(self.tree.open(INBOX))
        first, second = self.now(box.rows()).uids
        self.assertEqual(first, 1)
        self.assertGreater(second, 6)

    def test_what_is_no_backup_is_refused(self):
        target = self.objects.target
        self.assertRaises(MailError, snapshot.read, target)
        self.put(ONE)
        made = self.backup()
        self.assertRaises(MailError, snapshot.read, target, "../../x")
        self.assertRaises(MailError, snapshot.read, target, "20200101T000000Z")
        path = Path(target, "snapshots", f"{made.id}.json")
        for octets in (b"{", b"[]", b'{"version": 99}', b"{}"):
            path.write_bytes(octets)
            self.assertRaises(MailError, snapshot.read, target)

    def test_a_tree_never_leads_out_of_itself(self):
        with self.objects.alone():
            for path in ("/etc/passwd", "../x", "a/../../b"):
                line = json.dumps([path, 0o600, 0, 0, 0, 0, "0" * 64]) + "\n"
                digest = self.objects.put(line.encode())
                self.assertRaises(MailError, tree.read, self.objects, digest)

    def test_databases_are_whole(self):
        with sqlite3.connect(self.data / "userdb.sqlite") as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE x (y)")
            db.execute("INSERT INTO x VALUES (1)")
        self.backup()  # while it is open, with all of it in its log
        db.close()
        shutil.rmtree(self.data)
        held = snapshot.read(self.objects.target)
        restore.everything(self.objects, held, str(self.data))
        with sqlite3.connect(self.data / "userdb.sqlite") as db:
            self.assertEqual(db.execute("SELECT y FROM x").fetchall(), [(1,)])
        db.close()


class MboxTests(SynchronousTestCase):
    """Of an account whose mail is in mbox files that other programs use too."""

    ONE = b"From a Wed Nov  4 20:39:03 2026\nSubject: one\n\nfirst\n\n"
    TWO = b"From a Wed Nov  4 20:39:03 2026\nSubject: two\n\nsecond\n\n"

    def setUp(self):
        self.root = Path(self.mktemp()).absolute()
        self.home, self.spool = self.root / "home", self.root / "spool"
        for folder in (self.root / "data", self.home / "mail", self.spool):
            folder.mkdir(parents=True)
        self.file = self.spool / "ann"
        self.file.write_bytes(self.ONE)
        mailbox = f"mbox:~/mail:INBOX={self.file}"
        self.account = Account("ann@x.test", str(self.home), mailbox=mailbox)
        self.config = Config(server=Server(data=str(self.root / "data")))
        self.objects = Objects(str(self.root / "backup"))
        self.patch(objects, "LOCK_S", 0.1)
        (self.home / "state.sqlite").write_bytes(b"")

    def backup(self):
        """({path: octets} of what was kept, what could not be)."""
        with self.objects.alone():
            made = make.make(
                self.objects, self.config, [self.account], hostname="mx.test"
            )
        held = snapshot.read(self.objects.target, made.id)
        found = {}
        for part in held.parts:
            for entry in tree.read(self.objects, part.digest):
                if not entry.is_folder:
                    path = os.path.join(part.root, entry.path)
                    found[path] = self.objects.read(entry.digest)
        return found, made.faults

    def test_a_file_that_somebody_locks_is_not_read(self):
        for name in ("fcntl", "the lock file"):
            lock = attempt(str(self.file), writes=True, files=OwnRights())
            if name == "fcntl":
                os.unlink(f"{self.file}.lock")
            else:
                os.close(lock.descriptor)
                lock.descriptor = -1
            try:
                found, faults = self.backup()
            finally:
                lock.release()
            self.assertEqual(len(faults), 1, name)
            self.assertIn("locked by another program", faults[0])
            self.assertNotIn(str(self.file), found)
            self.assertEqual(self.backup()[0][str(self.file)], self.ONE)

    def test_flags_that_changed_at_the_same_length_and_time_are_kept(self):
        seen = os.stat(self.file)
        self.backup()
        self.file.write_bytes(self.ONE.replace(b"one", b"two"))
        os.utime(self.file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        self.assertIn(b"two", self.backup()[0][str(self.file)])

    def test_what_a_killed_process_began_is_finished_before(self):
        journal = journal_of(str(self.home), str(self.file))

        def killed(descriptor, planned, alive):
            os.ftruncate(descriptor, planned.new)  # all zeros behind the first
            raise KeyboardInterrupt

        self.patch(journals, "_apply", killed)
        descriptor = os.open(self.file, os.O_RDWR)
        with self.assertRaises(KeyboardInterrupt):
            journals.rewrite(journal, descriptor, [(0, len(self.ONE)), self.TWO])
        os.close(descriptor)
        self.patch(journals, "_apply", self.apply)
        found, faults = self.backup()
        self.assertEqual(faults, [])
        self.assertEqual(found[str(self.file)], self.ONE + self.TWO)
        self.assertFalse([path for path in found if "journal" in path])

    apply = staticmethod(journals._apply)

    def test_lock_files_stay_behind(self):
        (self.spool / "ann.lock").write_text("1")
        os.utime(self.spool / "ann.lock", (1, 1))
        (self.home / "mail" / "Sent").write_bytes(self.TWO)
        (self.home / "mail" / "Sent.lock").write_text("1")
        os.utime(self.home / "mail" / "Sent.lock", (1, 1))
        found, faults = self.backup()
        self.assertEqual(faults, [])
        self.assertEqual(found[str(self.home / "mail" / "Sent")], self.TWO)
        self.assertFalse([path for path in found if path.endswith(".lock")])

    def test_a_copy_beside_has_nothing_of_the_live_mailbox(self):
        """Wherever the files of an account lie."""
        others = self.root / "others"
        others.mkdir()
        (others / "Sent").write_bytes(self.TWO)
        for kind in ("mbox", "maildir"):
            mailbox = f"{kind}:{others}:INBOX={self.file}"
            self.account = Account("ann@x.test", str(self.home), mailbox=mailbox)
            self.file.write_bytes(self.ONE)
            self.backup()
            self.file.write_bytes(b"")
            held = snapshot.read(self.objects.target)
            folder = str(self.root / f"beside-{kind}")
            home = restore.home_of(held, "ann@x.test")
            there = restore.beside(self.objects, held, home, folder)
            copy = Account("x", folder, mailbox=there)
            self.assertEqual(copy.has_maildir_folders, kind == "maildir")
            self.assertEqual(Path(copy.mailbox_path).read_bytes(), self.ONE)
            sent = Path(copy.folders_path, "Sent")
            self.assertEqual(sent.read_bytes(), self.TWO)
            for path in (copy.mailbox_path, copy.folders_path):
                self.assertTrue(path.startswith(folder))
