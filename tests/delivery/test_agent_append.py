import io
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery import agent_append
from mailtwist.delivery.agent_append import CannotWrite, into_maildir, into_mbox, quoted

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
        lock = self.folder / "mbox.lock"
        lock.touch()
        with self.assertRaises(CannotWrite):
            into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertEqual(self.path.read_bytes(), b"")
        self.assertTrue(lock.exists())

    def test_a_lock_that_was_left_behind_is_taken_away(self):
        lock = self.folder / "mbox.lock"
        lock.touch()
        os.utime(lock, (1, 1))
        into_mbox(str(self.path), io.BytesIO(MESSAGE))
        self.assertIn(b"\n>From b\n", self.path.read_bytes())
        self.assertFalse(lock.exists())

    def test_a_failure_leaves_nothing_in_a_maildir(self):
        self.patch(agent_append, "CHUNK", 8)
        with self.assertRaises(OSError):
            into_maildir(f"{self.folder}/Maildir/", Broken(MESSAGE + b"x" * 1000))
        for name in ("tmp", "new", "cur"):
            self.assertEqual(list((self.folder / "Maildir" / name).iterdir()), [])
