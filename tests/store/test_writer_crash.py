"""kill -9 at every system call and at random moments: nothing acknowledged is lost,
nothing partial is ever seen."""

import errno
import hashlib
import os
import random
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store.maildir import batch
from mailtwist.store.maildir.batch import Job, NewFile
from mailtwist.store.maildir.filesystem import FileSystems
from mailtwist.store.maildir.names import MaildirName, UniqueNames
from tests.store import crash_child
from tests.store.faulty import Faulty, Patched

ENOUGH_CALLS = 200
RUNS = 4


class EveryCallTests(SynchronousTestCase):
    def crashed_at(self, number, sync):
        """(folders, files, answered) of a process that ended at this system call.

        `answered` is False if it did not live to answer, and None if there are fewer
        calls than that.
        """
        folders, files = self.prepared()
        child = os.fork()
        if not child:
            self.child(number, files, sync)
        _, status = os.waitpid(child, 0)
        answered = {0: True, 9: False, 7: None}[os.waitstatus_to_exitcode(status)]
        return folders, files, answered

    def prepared(self):
        folders = [os.path.abspath(self.mktemp()) for _ in range(2)]
        for folder in folders:
            for part in ("tmp", "new", "cur"):
                os.makedirs(f"{folder}/{part}")
        names = UniqueNames("mx")
        files = [
            NewFile(folder, names.base(8), into, (b"body", b"\r\n"), b"p:")
            for folder in folders
            for into in ("new", "cur", "new")
        ]
        return folders, files

    @staticmethod
    def child(number, files, sync):
        """Commit, and end without any clean-up before call `number`."""

        def at(name, count, arguments):
            if count == number:
                os._exit(9)

        faulty = Faulty(at)
        faulty.install(setattr)
        status = 8
        try:
            jobs = [Job(file, file.draft) for file in files]
            batch.commit(jobs, FileSystems(sync), time.perf_counter)
            if not any(job.fault for job in jobs):
                status = 0 if faulty.number >= number else 7
        finally:
            os._exit(status)

    def test_a_crash_before_any_call_shows_whole_files_or_none(self):
        for sync in ("fsync", "syncfs"):
            crashes = 0
            for number in range(1, ENOUGH_CALLS):
                folders, files, answered = self.crashed_at(number, sync)
                seen = visible(folders)
                for octets in seen.values():
                    self.assertEqual(octets, b"p:body\r\n", (sync, number))
                if answered is None:
                    self.assertEqual(len(seen), len(files))
                    break
                crashes += 1
                self.assertFalse(answered)
            else:
                self.fail("more system calls than thought")
            self.assertGreater(crashes, 20)


class FailingCallTests(SynchronousTestCase):
    prepared = EveryCallTests.prepared

    def test_any_call_that_fails_is_told_and_leaves_nothing_half(self):
        for sync in ("fsync", "syncfs"):
            for number in range(1, ENOUGH_CALLS):
                folders, files = self.prepared()

                def at(name, count, arguments, number=number):
                    # Whether writeback began is nobody's business.
                    if count == number and name != "start_writeback":
                        raise OSError(errno.EIO, "Input/output error")

                faulty, jobs = Faulty(at), [Job(file, file.draft) for file in files]
                systems = FileSystems(sync)
                with Patched(faulty):
                    batch.commit(jobs, systems, time.perf_counter)
                systems.close()
                seen = visible(folders)
                for job in jobs:
                    path = f"{job.file.maildir}/{job.file.into}/{job.file.name}"
                    wanted = b"p:body\r\n" if job.fault is None else None
                    self.assertEqual(seen.get(path), wanted, (sync, number))
                for folder in folders:
                    self.assertEqual(os.listdir(f"{folder}/tmp"), [])
                if faulty.number < number:
                    break
            else:
                self.fail("more system calls than thought")


def visible(folders):
    """{path: octets} of all that a reader would take for a message."""
    found = {}
    for folder in folders:
        for part in ("new", "cur"):
            for name in os.listdir(f"{folder}/{part}"):
                path = f"{folder}/{part}/{name}"
                with open(path, "rb") as file:
                    found[path] = file.read()
    return found


class KillTests(SynchronousTestCase):
    def test_whatever_was_answered_is_there_whole_and_once(self):
        chance = random.Random(5)
        for _ in range(RUNS):
            self.killed_after(chance.uniform(0.05, 0.4))

    def killed_after(self, seconds):
        folder = os.path.abspath(self.mktemp())
        folders = [f"{folder}/{number}" for number in range(crash_child.SENDERS)]
        for each in folders:
            for part in ("tmp", "new", "cur"):
                os.makedirs(f"{each}/{part}")
        child = subprocess.Popen(
            [sys.executable, "-b", crash_child.__file__, folder],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            told = [child.stdout.readline()]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                told.append(child.stdout.readline())
        finally:
            child.kill()
            told += child.stdout.readlines()
            child.stdout.close()
            child.wait()
        seen = visible(folders)
        acknowledged = [line.decode().split() for line in told if line.endswith(b"\n")]
        self.assertGreater(len(acknowledged), 0)
        self.assertEqual(len({path for path, _ in acknowledged}), len(acknowledged))
        for path, digest in acknowledged:
            self.assertEqual(hashlib.sha256(seen[path]).hexdigest(), digest)
        for path, octets in seen.items():
            size = MaildirName.parse(os.path.basename(path)).octets
            self.assertEqual(len(octets), size, path)
        self.once_for_each_folder(seen)

    def once_for_each_folder(self, seen):
        firsts = [
            (os.path.dirname(path), octets.partition(b"\n")[0])
            for path, octets in seen.items()
        ]
        self.assertEqual(len(set(firsts)), len(firsts))
