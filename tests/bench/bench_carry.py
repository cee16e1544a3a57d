"""Mail in and out: `python -m tests.bench.bench_carry [MESSAGES]`, beside doveadm.

The time is that of the whole command, with its start.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.peers import Dovecot
from tests.integration.daemon import Daemon

LINE = b"x" * 70 + b"\n"


def fill(maildir: Path, messages: int) -> None:
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    for number in range(messages):
        octets = b"From: a@b.test\nSubject: message %d\n\n" % number + LINE * 28
        name = f"{1600000000 + number}.M{number}P1.host,S={len(octets)}:2,S"
        (maildir / "cur" / name).write_bytes(octets)


def took(what: str, messages: int, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    print(f"{what}: {seconds:.1f} s, {messages / seconds:.0f} messages/s")


def main(messages: int = 5000) -> None:
    root = Path(tempfile.mkdtemp(prefix="mailtwist-bench-"))
    root.chmod(0o755)
    source, mail = root / "source" / "Maildir", root / "mail"
    daemon = Daemon()
    try:
        fill(source, messages)
        user = daemon.add_user("ann")
        for what, arguments in [
            ("import", ("import", user, str(source))),
            ("import again", ("import", user, str(source))),
            ("export", ("export", user, str(root / "out"))),
            ("fsck", ("fsck", user)),
            ("backup", ("backup", str(root / "backup"))),
            ("backup again", ("backup", str(root / "backup"))),
        ]:
            took(what, messages, lambda words=arguments: daemon.command(*words))
        (mail / "ann").mkdir(parents=True)
        folders = [mail, source.parent]
        subprocess.run(["chown", "-R", "nobody:nogroup", *folders], check=True)
        dovecot = Dovecot(mail, ["ann"])
        words: list[object] = ["doveadm", "-c", dovecot.folder / "dovecot.conf"]
        words += ["-o", "mail_fsync=always", "import", "-u", "ann"]
        words += [f"maildir:{source}", "", "all"]
        took("doveadm import", messages, lambda: subprocess.run(words, check=True))
        dovecot.stop()
    finally:
        daemon.remove()
        shutil.rmtree(root)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
