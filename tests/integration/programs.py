"""Running other people's programs against the daemon."""

from __future__ import annotations

import os
import subprocess
from email.message import EmailMessage
from email.policy import SMTP

PROGRAM_S = 60


def run(*arguments, said="", ok=True, **options):
    """(exit status, output and errors) of a program; fails the test if it fails."""
    done = subprocess.run(
        [str(a) for a in arguments],
        input=said.encode() if isinstance(said, str) else said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PROGRAM_S,
        env={**os.environ, "LC_ALL": "C.UTF-8", **options.pop("env", {})},
        **options,
    )
    text = done.stdout.decode(errors="replace")
    if ok and done.returncode:
        raise AssertionError(f"{arguments[0]}: exit {done.returncode}:\n{text}")
    return done.returncode, text


def message(subject="Hello", to="ann@example.test", body="Hi.\n", **fields) -> bytes:
    """A plain message with CRLF line ends."""
    made = EmailMessage(policy=SMTP)
    made["From"] = fields.pop("sender", "carol@example.org")
    made["To"], made["Subject"] = to, subject
    for name, value in fields.items():
        made[name] = value
    made.set_content(body)
    return made.as_bytes()
