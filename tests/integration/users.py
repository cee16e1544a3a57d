"""Users of this machine, made for a test and removed after it; only root can."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.integration.daemon import Daemon

TRIES = 200  # another test run may have /etc/passwd locked


def tool(*words: object, said: str = "") -> str:
    """What a program that changes the users of the machine prints."""
    for _ in range(TRIES):
        done = subprocess.run(
            list(map(str, words)),
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode == 0:
            return done.stdout
        if "lock" not in done.stderr:
            break
        Daemon.pause()
    raise AssertionError(f"{words}: {done.stderr}")


class User:
    """A user with a home of mode 0700, in a folder that everybody may search."""

    def __init__(self, above: Path) -> None:
        self.name = f"mt{secrets.token_hex(4)}"
        self.home = above / self.name
        tool("useradd", "-U", "-M", "-d", self.home, "-s", "/bin/sh", self.name)
        row = pwd.getpwnam(self.name)
        self.uid, self.gid = row.pw_uid, row.pw_gid
        self.home.mkdir(0o700)
        self.give(self.home)

    def give(self, *paths: Path) -> None:
        """Make them his."""
        for path in paths:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of his, below his home."""
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        self.give(path)
        return path

    def set_password(self, password: str) -> None:
        hashed = tool("openssl", "passwd", "-6", "-stdin", said=password + "\n")
        tool("usermod", "--password", hashed.strip(), self.name)

    def make_maildir(self, path: Path | None = None) -> Path:
        path = path or self.home / "Maildir"
        for folder in (path, *(path / part for part in ("cur", "new", "tmp"))):
            folder.mkdir(0o700)
            self.give(folder)
        return path

    def mail(self) -> list[Path]:
        """Every message in his INBOX."""
        maildir = self.home / "Maildir"
        return [file for part in ("new", "cur") for file in (maildir / part).glob("*")]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A program of his."""
        return subprocess.run(
            list(map(str, words)),
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def processes(self) -> list[int]:
        """Those that run with his uid."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    status = (entry / "status").read_text()
                except OSError:
                    continue
                if f"\nUid:\t{self.uid}\t" in status and "State:\tZ" not in status:
                    found.append(int(entry.name))
        return found

    def remove(self) -> None:
        for pid in self.processes():  # nobody else has this uid
            os.kill(pid, signal.SIGKILL)
        tool("userdel", "-f", self.name)  # what was killed may not be gone yet


class Users:
    """Some of them, and the folder that their homes are in."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-homes-"))
        self.folder.chmod(0o755)
        self._made: list[User] = []

    def add(self) -> User:
        user = User(self.folder)
        self._made.append(user)
        return user

    def remove(self) -> None:
        while self._made:
            self._made.pop().remove()
        shutil.rmtree(self.folder, ignore_errors=True)
