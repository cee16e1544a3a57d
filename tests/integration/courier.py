"""Courier's imapd on one Maildir, as after a login: no daemon and no port.

Its packages exclude Dovecot's, so tools/setup-tests unpacks them into a root of their
own.
"""

from __future__ import annotations

import imaplib
import shlex
from pathlib import Path

from tests.integration.daemon import ROOT
from tests.integration.programs import run

COURIER = ROOT / ".courier"
LIBRARIES = ("usr/lib", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
SETTINGS = {
    "LD_LIBRARY_PATH": ":".join(str(COURIER / path) for path in LIBRARIES),
    "IMAP_KEYWORDS": "1",
    "IMAP_ACL": "1",
    "IMAP_USELOCKS": "0",  # those need a daemon that tells of changed files
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE",
}


def make(maildir: Path) -> None:
    program = COURIER / "usr/bin/maildirmake.courier"
    run(program, maildir, env={"LD_LIBRARY_PATH": SETTINGS["LD_LIBRARY_PATH"]})


def client(home: Path, user: str, uid: int | None = None) -> imaplib.IMAP4:
    """A session of `user`, with the rights of `uid`; ended by its LOGOUT."""
    settings = {**SETTINGS, "HOME": str(home), "AUTHADDR": user}
    given = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}"]
    rights = ["setpriv", *given, "--clear-groups"] if given else []
    words = [*rights, "env", *(f"{name}={value}" for name, value in settings.items())]
    words += [str(COURIER / "usr/bin/imapd"), "Maildir"]
    session = imaplib.IMAP4_stream(
        f"cd {shlex.quote(str(home))} && exec {shlex.join(words)} 2>/dev/null"
    )
    session.noop()
    session.state = "AUTH"  # it says so behind an alert about that daemon
    return session
