"""Cyrus SASL's saslauthd, with a socket of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .world import until

PROGRAM = "/usr/sbin/saslauthd"


class Saslauthd:
    """It may be stopped and started again at the same place, which all may reach."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-sasl-"))
        self.folder.chmod(0o711)
        self.socket = self.folder / "mux"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, mechanism: str) -> None:
        self._process = subprocess.Popen(
            [PROGRAM, "-d", "-a", mechanism, "-m", str(self.folder), "-n", "2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self.socket.exists)

    def signal(self, number: signal.Signals) -> None:
        """To it and its children; behind SIGSTOP they have stopped."""
        assert self._process is not None
        os.killpg(self._process.pid, number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def stop(self) -> None:
        """It and its children die at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            for path in self.folder.iterdir():
                path.unlink()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
