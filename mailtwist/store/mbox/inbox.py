"""Making an mbox file, for its owner only."""

from __future__ import annotations

import contextlib
import os

from ..maildir import durable


def make(path: str) -> None:
    """An empty file, durably, unless there is one; its folder if that is missing."""
    durable.make_directories([os.path.dirname(path)])
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))
        durable.sync_directory(os.path.dirname(path))
