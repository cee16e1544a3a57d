"""A Mailman 3 of its own, configured as docs/mailman.md says."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .daemon import ROOT, Daemon, free_port

BIN = "/usr/lib/mailman3/bin"

DOMAIN = "lists.example.test"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
WAIT_S = 60


class Mailman:
    """Runs as the user `list`; `smtp_port` is where it sends mail."""

    def __init__(self, smtp_port: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-mailman-"))
        self.lmtp_port, self.rest_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        page = (ROOT / "docs/mailman.md").read_text()
        (self.mta, self.postfix, *self.toml) = [
            self._here(text, smtp_port) for _, text in BLOCK.findall(page)
        ]
        config = self.folder / "mailman.cfg"
        config.write_text(
            "[mailman]\nlayout: here\nsite_owner: postmaster@example.test\n"
            f"[paths.here]\nvar_dir: {self.folder}/var\nbin_dir: {BIN}\n"
            f"[webservice]\nport: {self.rest_port}\n{self.mta}"
        )
        (self.folder / "mailtwist.cfg").write_text(self.postfix)
        (self.folder / "var").mkdir()
        for path in (self.folder, self.folder / "var"):
            shutil.chown(path, "list", "list")
            path.chmod(0o755)

    def _here(self, text: str, smtp_port: int) -> str:
        """What the page says, with places and ports of this run."""
        return (
            text.replace("/etc/mailman3/", f"{self.folder}/")
            .replace("/var/lib/mailman3/", f"{self.folder}/var/")
            .replace("lists.example.org", DOMAIN)
            .replace("lmtp_port: 8024", f"lmtp_port: {self.lmtp_port}")
            .replace("smtp_port: 25", f"smtp_port: {smtp_port}")
        )

    def _words(self, program: str) -> list[str]:
        config = f"{self.folder}/mailman.cfg"
        return [
            *("setpriv", "--reuid=list", "--regid=list", "--clear-groups"),
            *("env", f"HOME={self.folder}", f"{BIN}/{program}", "-C", config),
        ]

    def command(self, *arguments: str, said: str = "") -> str:
        done = subprocess.run(
            [*self._words("mailman"), *arguments],
            input=said,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"mailman {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._words("master"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        end = time.monotonic() + WAIT_S
        while not self._listens():
            if time.monotonic() > end:
                raise AssertionError(f"no LMTP: {self.logs()}")
            Daemon.pause()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.lmtp_port), 5).close()
        except OSError:
            return False
        return True

    def logs(self) -> str:
        folder = self.folder / "var/logs"
        return "\n".join(
            f"{path.name}: {path.read_text()[-1500:]}" for path in folder.glob("*")
        )

    def remove(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for _ in range(10):  # runners may still be writing
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.2)
