"""The messages of the benchmarks, and Maildirs full of them."""

from __future__ import annotations

from pathlib import Path

BODY = b"The quick brown fox jumps over the lazy dog, again and again.\r\n" * 30
MAIL = (
    b"From: <a@client.test>\r\nSubject: bench\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000"
)
MAIL += b"\r\nMessage-ID: <%d@client.test>\r\n\r\n" + BODY
PLAIN = (
    "[auth]\nplaintext_without_tls = true\n[limits]\nconnections_per_network = 900\n"
)


def populate(maildir: Path, messages: int) -> None:
    """A Maildir whose files are older than any look at it."""
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number in range(messages):
        mail = MAIL % number
        name = f"17000{number:05d}.M{number * 7919 % 999983:06d}P1.h"
        size = len(mail)
        (maildir / f"cur/{name},S={size},W={size}:2,S").write_bytes(mail)
