"""A program in a pseudo-terminal: keys go in, the screen is looked at.

with Terminal("mutt", env={...}) as terminal:
    terminal.wait_for("q:Quit")
    terminal.keys("q")
    terminal.wait_for_end()
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

COLUMNS, ROWS = 100, 30
WAIT_S = 30.0


class Terminal:
    """A terminal of 100 columns and 30 rows with one program in it."""

    def __init__(self, *command: object, env: dict[str, str], cwd: object) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._status: int | None = None
        words = [str(word) for word in command]
        env = {**os.environ, "TERM": "linux", "LC_ALL": "C.UTF-8", **env}
        self._pid, self._tty = pty.fork()
        if self._pid == 0:
            try:
                size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
                fcntl.ioctl(0, termios.TIOCSWINSZ, size)
                os.chdir(str(cwd))
                os.execvpe(words[0], words, env)
            finally:
                os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            self._status = os.waitpid(self._pid, 0)[1]
        os.close(self._tty)

    @property
    def text(self) -> str:
        """What is on the screen, trailing blanks left out."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def keys(self, keys: str) -> None:
        os.write(self._tty, keys.encode())

    def wait_for(self, *texts: str) -> str:
        """Until all of `texts` are on the screen; the screen."""
        end = time.monotonic() + WAIT_S
        while not all(text in self.text for text in texts):
            if not self._look(end):
                raise AssertionError(f"{texts} never came:\n{self.text}")
        return self.text

    def wait_for_end(self) -> int:
        """Until the program is gone; its exit status."""
        end = time.monotonic() + WAIT_S
        while self._look(end):
            pass
        if time.monotonic() > end:
            raise AssertionError(f"it never ended:\n{self.text}")
        self._status = os.waitpid(self._pid, 0)[1]
        return os.waitstatus_to_exitcode(self._status)

    def _look(self, end: float) -> bool:
        """Take in what the program wrote next; False if nothing comes by `end`."""
        ready, _, _ = select.select([self._tty], [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        try:
            octets = os.read(self._tty, 65536)
        except OSError:  # EIO: the program closed its side
            return False
        self._stream.feed(octets)
        return bool(octets)
