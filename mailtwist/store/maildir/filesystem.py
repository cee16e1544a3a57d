"""How a batch of files is made durable: fsync for each, or one syncfs for all.

syncfs(2) is one call and one journal commit, but it waits for everybody's dirty pages
and, before Linux 5.8, told no write errors.  So `auto` uses it only on kernels and file
systems where an error is told, and only where it was measured to be the shorter way.
"""

from __future__ import annotations

import os

from . import durable

LEAST_TOGETHER = 3  # files; below it an fsync each is at least as fast
LOOK_AGAIN = 64  # batches between two measurements of the slower way
WEIGHT = 0.2  # of a new measurement in the running mean

# f_type of statfs(2) for file systems whose syncfs tells write errors.
TELLS_ERRORS = {
    0xEF53,  # ext4
    0x58465342,  # XFS
    0x9123683E,  # btrfs
    0xF2F52010,  # F2FS
    0x01021994,  # tmpfs, where nothing is durable anyway
}


def kernel_tells_errors(release: str) -> bool:
    """True from Linux 5.8 on; `release` as uname(2) gives it."""
    numbers = release.split("-")[0].split(".")[:2]
    try:
        return tuple(map(int, numbers)) >= (5, 8)
    except ValueError:
        return False


class FileSystem:
    """One mounted file system and the cheaper way to sync a batch there.

    `descriptor` stays open: syncfs tells each error since it was opened once, so it has
    to be there before the first octet of a batch is written.
    """

    def __init__(self, folder: int, sync: str) -> None:
        """`folder` is the descriptor of a directory there, `sync` the configuration."""
        self.descriptor = os.dup(folder)
        safe = kernel_tells_errors(os.uname().release)
        safe = safe and durable.file_system_type(folder) in TELLS_ERRORS
        self._may = sync == "syncfs" or (sync == "auto" and safe)
        self._must = sync == "syncfs"
        self._each_s = 0.0  # mean seconds of a file's fsync, within a batch
        self._together_s = 0.0  # mean seconds of one syncfs
        self._batches = 0

    def together(self, files: int) -> bool:
        """True if a batch of `files` is best made durable by one syncfs."""
        if not self._may or self._must:
            return self._must
        if files < LEAST_TOGETHER:
            return False
        self._batches += 1
        if not self._together_s:
            return True
        if not self._each_s:
            return False
        shorter = self._together_s < self._each_s * files
        return shorter is not (self._batches % LOOK_AGAIN == 0)

    def took(self, together: bool, files: int, seconds: float) -> None:
        """A batch of `files` was synced one way or the other in `seconds`."""
        if files < LEAST_TOGETHER:
            return
        if together:
            self._together_s = _mean(self._together_s, seconds)
        else:
            self._each_s = _mean(self._each_s, seconds / files)

    def close(self) -> None:
        os.close(self.descriptor)


class FileSystems:
    """Every file system the writer has met."""

    def __init__(self, sync: str) -> None:
        self._sync = sync
        self._known: dict[int, FileSystem] = {}

    def of(self, folder: int) -> FileSystem:
        """The file system of an open directory; raises OSError."""
        device = os.fstat(folder).st_dev
        found = self._known.get(device)
        if found is None:
            found = self._known[device] = FileSystem(folder, self._sync)
        return found

    def close(self) -> None:
        for known in self._known.values():
            known.close()
        self._known.clear()


def _mean(before: float, now: float) -> float:
    return now if not before else before + WEIGHT * (now - before)
