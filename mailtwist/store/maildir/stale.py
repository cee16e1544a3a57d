"""Drafts that nobody finished: the Maildir rule removes them after 36 hours."""

from __future__ import annotations

import contextlib
import os
import stat

STALE_S = 36 * 3600.0
LOOK_AGAIN_S = 24 * 3600.0  # how often one tmp/ is looked at
MOST_FOLDERS = 10_000  # remembered


def remove_stale(maildir: str, now_s: float) -> list[str]:
    """Remove old files from tmp/ of a folder; their names.

    `now_s` is seconds since 1970.  What cannot be looked at or removed stays: another
    program may clean up too, and the next look comes.
    """
    removed = []
    tmp = f"{maildir}/tmp"
    with contextlib.suppress(OSError), os.scandir(tmp) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                # A draft may carry its message's old date; its ctime is always now.
                newest = max(seen.st_mtime, seen.st_atime, seen.st_ctime)
                if stat.S_ISREG(seen.st_mode) and newest < now_s - STALE_S:
                    os.unlink(entry.path)
                    removed.append(entry.name)
    return removed


class Cleaner:
    """Which folders are due: each one at first sight and once a day."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    def seen(self, maildirs: set[str], now_s: float) -> None:
        """Mail went into these folders."""
        for maildir in maildirs:
            if now_s - self._looked.get(maildir, 0.0) > LOOK_AGAIN_S:
                if len(self._looked) >= MOST_FOLDERS:
                    self._looked.clear()
                self._looked[maildir] = now_s
                self.due[maildir] = now_s

    def clean_one(self) -> None:
        """Clean a folder that is due."""
        maildir, now_s = self.due.popitem()
        remove_stale(maildir, now_s)
