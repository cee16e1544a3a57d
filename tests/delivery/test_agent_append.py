import io
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery import agent_append
from mailtwist.delivery.agent_append import CannotWrite, into_maildir, into_mbox, quoted
from mailtwist.store.mbox import lock

LINES = st.lists(
    st.sampled_from([b"From x", b"From", b"xFrom y", b"", b"Fro", b">From z"])
)
MESSAGE = b"From a  date\nSubject: x\n\nFrom b\n"


class Broken(io.BytesIO):
    """A message that ends in a fault after its first chunk."""

    def read(self, count=-1):
        if self.tell() > 20:
            raise OSError(28, "No space left on device")
        return super().read(count)


class AppendTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "mbox"
        self.patch(agent_append, "LOCK_TRIES", 2)
        self.patch(agent_append, "LOCK_PAUSE_S", 0.001)

    @given(LINES, st.integers(1, 12), st.booleans())
    def test_any_chunks_are_quoted_the_same(self, lines, chunk, ended):
        body = b"\n".join(lines) + (b"\n" if ended else b"")
        before, agent_append.CHUNK = agent_append.CHUNK, chunk
        try:
            octets = b"".join(quoted(io.BytesIO(b"From a  date\n" + body)))
        finally:
            agent_append.CHUNK = before
        first, *rest = octets.split(b"\n")
        self.assertEqual(first, b"From a  date")
        self.assertFalse([line for line in rest if line.startswith(b"From ")])
        self.assertTrue(octets.endswith(b"\n\n"))
        whole = b"\n".join(rest).replace(b">From x", b"From x")
        self.assertEqual(whole.rstrip(b"\n"), body.rstrip(b"\n"))

    def test_a_failure_leaves_the_file_as_it_was(self):
        into_mbox(str(self.path), io.BytesIO(MESSAGE))
        before = self.path.read_bytes()
        self.patch(agent_append, "CHUNK", 8)
        with self.assertRaises(OSError):
            into_mbox(str(self.path), Broken(MESSAGE + b"x" * 1000))
        self.assertEqual(self.path.read_bytes(), before)
        self.assertFalse((self.folder / "mbox.lock").exists())

    def test_half_a_message_of_somebody_else_ends_before_ours(self):
        self.path.write_bytes(b"From x  date\nhal")
        into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertTrue(
            self.path.read_bytes().startswith(b"From x  date\nhal\n\nFrom a ")
        )

    def test_a_locked_file_is_left_alone(self):
        file = self.folder / "mbox.lock"
        file.touch()
        with self.assertRaises(CannotWrite):
            into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertEqual(self.path.read_bytes(), b"")
        self.assertTrue(file.exists())

    def test_a_lock_that_was_left_behind_is_taken_away(self):
        file = self.folder / "mbox.lock"
        file.touch()
        os.utime(file, (1, 1))
        into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertIn(b"\n>From b\n", self.path.read_bytes())
        self.assertFalse(file.exists())

    def test_nobody_waits_for_the_lock_file_with_the_lock(self):
        """Who has the lock file and wants fcntl's lock gets it."""
        (self.folder / "mbox.lock").touch()
        waits, free = [], []

        def pause(seconds):
            waits.append(seconds)
            free.append(lock.attempt(str(self.path), writes=False, files=self))
            free[-1].release()

        self.patch(agent_append.time, "sleep", pause)
        with self.assertRaises(CannotWrite):
            into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertEqual(len(waits), 2)

    def test_fcntl_comes_first(self):
        """So nobody makes a lock file for a mailbox that another has locked."""
        self.path.touch()
        held = lock.attempt(str(self.path), writes=True, files=self)
        self.addCleanup(held.release)
        self.patch(agent_append, "lock_file", lambda path: 1 / 0)
        with self.assertRaises(CannotWrite):
            into_mbox(str(self.path), io.BytesIO(MESSAGE))

    def take(self, path):
        """This test has the lock file, as far as `lock` knows."""
        return True

    def release(self, path):
        pass

    touch = release

    def test_a_file_that_was_replaced_is_not_written(self):
        self.path.write_bytes(b"")
        other = self.folder / "other"
        other.write_bytes(b"From x  date\n\nnewer\n\n")
        real = agent_append.locked_by_fcntl

        def replaced(descriptor):
            if other.exists():
                other.rename(self.path)
            return real(descriptor)

        self.patch(agent_append, "locked_by_fcntl", replaced)
        into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertIn(b"newer\n\nFrom a ", self.path.read_bytes())

    def test_a_failure_leaves_nothing_in_a_maildir(self):
        self.patch(agent_append, "CHUNK", 8)
        with self.assertRaises(OSError):
            into_maildir(f"{self.folder}/Maildir/", Broken(MESSAGE + b"x" * 1000))
        for name in ("tmp", "new", "cur"):
            self.assertEqual(list((self.folder / "Maildir" / name).iterdir()), [])
