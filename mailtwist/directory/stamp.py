"""Has a file changed?  What stat tells of it, and how far that can be trusted."""

from __future__ import annotations

import os

LOOK_S = 0.25  # how old an answer may be
JUST_NOW_NS = 100_000_000  # a file written so lately may be written again unseen


def stamp_of(path: str) -> tuple[int, int, int]:
    """(inode, time of the last write in ns, octets); zeros if there is no file."""
    try:
        seen = os.stat(path)
    except OSError:
        return 0, 0, 0
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
