"""The running daemon under test: `twistd -n mailtwist` on free loopback ports.

    class SomeTests(DaemonTestCase):
        def test_something(self):
            smtplib.SMTP("127.0.0.1", self.daemon.port("smtp"))

One daemon serves all tests of a class; every test gets accounts of its own by `user()`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent.parent
DOMAIN = "example.test"
PASSWORD = "demo pass"
READY_S = 30.0

LISTENERS = {  # name: (protocol, tls)
    "smtp": ("smtp", "starttls"),
    "submission": ("submission", "starttls"),
    "submissions": ("submission", "implicit"),
    "pop3": ("pop3", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "imap": ("imap4", "starttls"),
    "imaps": ("imap4", "implicit"),
}


# Below the ports that systems give to clients (32768 and up on Linux): else a client,
# or a look whether the daemon is up that meets itself, may take the daemon's port.
PORTS = range(10_000, 32_768)
SLICES = 64  # of the ports: test runs side by side have different ones
_given: set[int] = set()
_mine: list[tuple[socket.socket, int]] = []  # what says so, and which slice


def ports_of_this_run() -> range:
    """Claimed by a name that the kernel forgets when the process ends."""
    if not _mine:
        for number in random.sample(range(SLICES), SLICES):
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0mailtwist-test-ports-{number}")
            except OSError:
                claim.close()
                continue
            _mine.append((claim, number))
            break
        else:
            raise AssertionError(f"{SLICES} test runs are under way")
    return PORTS[_mine[0][1] :: SLICES]


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that this run was not given before."""
    ports = ports_of_this_run()
    for port in random.sample(ports, len(ports)):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("no port is free")


class Daemon:
    """A mailtwist of its own: folder, configuration, accounts, process.

    `extra` is TOML put behind the standard configuration; the process may be killed
    and started again on the same folder and ports.  All listen on one address, SMTP on
    `smtp_port` if that is given; the first of `domains` is the one of its users.  It is
    one process where the number is not the point: `workers` or `extra` may say more.
    """

    def __init__(
        self,
        extra: str = "",
        top: str = "",
        *,
        hostname: str = f"mail.{DOMAIN}",
        domains: Sequence[str] = (DOMAIN,),
        address: str = "127.0.0.1",
        smtp_port: int = 0,
        workers: int | str = 1,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.hostname, self.domains, self.address = hostname, domains, address
        self.ports = {name: free_port(address) for name in LISTENERS}
        if smtp_port:
            self.ports["smtp"] = smtp_port
        self.config = self.folder / "mailtwist.toml"
        listeners = "".join(
            f'[[listener]]\nprotocol = "{protocol}"\ntls = "{tls}"\n'
            f'endpoint = "tcp:{self.ports[name]}:interface={address}"\n'
            for name, (protocol, tls) in LISTENERS.items()
        )
        named = "".join(f'[[domain]]\nname = "{domain}"\n' for domain in domains)
        self.config.write_text(
            f'{top}\n[server]\nhostname = "{hostname}"\ndata = "data"\n'
            f"{named}{listeners}{extra}"
        )
        self.workers_asked = workers
        self.log = self.folder / "log"
        self.runs_as: tuple[int, int] | None = None  # uid and gid, if not ours
        self.before: list[str] = []  # words of a program that starts it
        self.process: subprocess.Popen[bytes] | None = None

    def port(self, name: str) -> int:
        return self.ports[name]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def command(self, *arguments: str, said: str = "") -> str:
        """What `mailtwist --config ... ARGUMENTS` prints; raises if it fails."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mailtwist.cli",
                "--config",
                self.config,
                *arguments,
            ],
            input=said,
            text=True,
            capture_output=True,
            env=self.environment(),
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"mailtwist {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def sound(self, accounts: int = 1) -> None:
        """After a crash: `fsck` looks at so many accounts, or more, and everything
        that is kept of each agrees."""
        told = self.command("fsck").splitlines()  # raises for any fault
        if len(told) < accounts or not all("agree" in line for line in told):
            raise AssertionError("\n".join(told))

    def add_user(self, local_part: str, *options: str) -> str:
        """A new account, in the first domain if none is named; its login name."""
        name = local_part if "@" in local_part else f"{local_part}@{self.domains[0]}"
        self.command("user", "add", name, *options, said=PASSWORD + "\n")
        return name

    def start(self) -> None:
        said = self.config.read_text()
        if (text := with_workers(said, self.workers_asked)) != said:
            self.config.write_text(text)
        uid, gid = self.runs_as or (None, None)
        groups: list[int] | None = [] if self.runs_as else None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self.before,
                    sys.executable,
                    "-b",
                    "-c",
                    "from twisted.scripts.twistd import run; run()",
                    "--nodaemon",
                    "--pidfile=",
                    "mailtwist",
                    f"--config={self.config}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
                user=uid,
                group=gid,
                extra_groups=groups,
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until every port takes connections."""
        end = time.monotonic() + READY_S
        for port in self.ports.values():
            while True:
                try:
                    socket.create_connection((self.address, port), 1).close()
                    break
                except OSError:
                    gone = self.process is None or self.process.poll() is not None
                    if gone or time.monotonic() > end:
                        raise AssertionError(
                            f"the daemon did not start:\n{self.log.read_text()}"
                        ) from None
                    self.pause()

    @staticmethod
    def pause() -> None:
        """A breath between two looks at something outside of us."""
        time.sleep(0.02)

    def workers(self) -> list[int]:
        """Pids of worker processes; none of a server that is one process."""
        return [] if self.process is None else workers_of(self.process.pid)

    def kill(self) -> None:
        """kill -9 of all its processes, as a power cut would."""
        if self.process is not None:
            workers = self._stopped_with_workers()
            self.process.kill()
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            self.gone(workers)

    def _stopped_with_workers(self) -> list[int]:
        """Workers, also those that do not run their program yet, and no more come."""
        if self.process is None or self.process.poll() is not None:
            return []
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)
        while state_of(pid) not in ("T", "Z", ""):
            self.pause()
        return [child for child in children_of(pid) if b"keeper" not in words(child)]

    def gone(self, pids: Sequence[int], most_s: float = 20.0) -> None:
        """Wait until these have ended; raises AssertionError."""
        end = time.monotonic() + most_s
        while living := [pid for pid in pids if is_alive(pid)]:
            if time.monotonic() > end:
                raise AssertionError(f"{living} do not end")
            self.pause()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None
        return status

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def with_workers(text: str, workers: int | str) -> str:
    """TOML that says how many processes there are, if it does not yet."""
    if "\nworkers = " in text:
        return text
    says = f"[process]\nworkers = {json.dumps(workers)}\n"
    if "[process]\n" in text:
        return text.replace("[process]\n", says, 1)
    return f"{text}\n{says}"


def workers_of(pid: int) -> list[int]:
    """The children of a process that are workers, the oldest first."""
    return [child for child in children_of(pid) if b"service.worker" in words(child)]


def children_of(pid: int) -> list[int]:
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []


def state_of(pid: int) -> str:
    """As ps has it: T for one that was stopped; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def words(pid: int) -> bytes:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_alive(pid: int) -> bool:
    """False for one whose files are closed, even if nobody has asked for its end."""
    try:
        return (
            state_of(pid) not in ("Z", "") or len(os.listdir(f"/proc/{pid}/task")) > 1
        )
    except OSError:
        return False


class DaemonTestCase(SynchronousTestCase):
    """Tests against one running daemon for each class; it ends with the test run.

    A traceback in the daemon's log fails the test during which it was written.
    """

    extra = ""
    top = ""
    workers: int | str = 1
    timeout = 300
    _daemons: dict[type, Daemon] = {}
    _users = 0

    def setUp(self) -> None:
        kind = type(self)
        if kind not in self._daemons:
            daemon = Daemon(self.extra, self.top, workers=self.workers)
            atexit.register(daemon.remove)
            daemon.start()
            self._daemons[kind] = daemon
        self.daemon = self._daemons[kind]
        self._log_before = self.daemon.log.stat().st_size

    def tearDown(self) -> None:
        with self.daemon.log.open("rb") as log:
            log.seek(self._log_before)
            told = log.read().decode(errors="replace")
        self.assertNotIn("Traceback", told)

    def user(self, *options: str) -> str:
        """A new account of this daemon; its login name, password PASSWORD."""
        DaemonTestCase._users += 1
        return self.daemon.add_user(f"user{DaemonTestCase._users}", *options)
