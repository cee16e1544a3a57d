"""How a batch of files is made durable: fsync for each, or one syncfs for all.

syncfs(2) is one call and one journal commit, but it waits for everybody's dirty pages
and, before Linux 5.8, told no write errors.  So `auto` uses it only on kernels and file
systems where an error is told, and only where it was measured to be the shorter way.
"""

from __future__ import annotations

import os

from attrs import define

from . import durable

LOOK_AGAIN = 64  # batches of a size between two measurements of the slower way
WEIGHT = 0.2  # of a new measurement in the running mean

# f_type of statfs(2) for file systems whose syncfs tells write errors.
TELLS_ERRORS = {
    0xEF53,  # ext4
    0x58465342,  # XFS
    0x9123683E,  # btrfs
    0xF2F52010,  # F2FS
    0x01021994,  # tmpfs, where nothing is durable anyway
}
LOCAL = TELLS_ERRORS  # that no other host writes to: these are so, too


def kernel_tells_errors(release: str) -> bool:
    """True from Linux 5.8 on; `release` as uname(2) gives it."""
    numbers = release.split("-")[0].split(".")[:2]
    try:
        return tuple(map(int, numbers)) >= (5, 8)
    except ValueError:
        return False


@define
class _Ways:
    """Mean seconds for a file of batches of about one size, 0 if never measured."""

    together_s: float = 0.0
    single_s: float = 0.0
    batches: int = 0

    def choice(self) -> bool:
        """True for syncfs; each way is tried once, the slower one again in a while."""
        self.batches += 1
        if not self.together_s or not self.single_s:
            return not self.together_s
        shorter = self.together_s < self.single_s
        return shorter is not (self.batches % LOOK_AGAIN == 0)


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
        self._measured: dict[int, _Ways] = {}  # by binary order of magnitude

    def together(self, files: int) -> bool:
        """True if a batch of `files` is best made durable by one syncfs."""
        if not self._may or self._must:
            return self._must
        return self._ways(files).choice()

    def took(self, together: bool, files: int, seconds: float) -> None:
        """A batch of `files` was synced one way or the other in `seconds`."""
        ways = self._ways(files)
        each = seconds / files
        if together:
            ways.together_s = _mean(ways.together_s, each)
        else:
            ways.single_s = _mean(ways.single_s, each)

    def _ways(self, files: int) -> _Ways:
        return self._measured.setdefault(files.bit_length(), _Ways())

    def close(self) -> None:
        os.close(self.descriptor)


class FileSystems:
    """Every file system the writer has met."""

    def __init__(self, sync: str) -> None:
        self._sync = sync
        self._known: dict[int, FileSystem] = {}

    def of(self, descriptor: int, folder: str) -> FileSystem:
        """The file system of an open file in `folder`; raises OSError."""
        known = self._known.get(os.fstat(descriptor).st_dev)
        return self.at(folder) if known is None else known

    def at(self, folder: str) -> FileSystem:
        """The file system of a directory; raises OSError."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            device = os.fstat(descriptor).st_dev
            known = self._known.get(device)
            if known is None:
                known = self._known[device] = FileSystem(descriptor, self._sync)
            return known
        finally:
            os.close(descriptor)

    def close(self) -> None:
        for known in self._known.values():
            known.close()
        self._known.clear()


def _mean(before: float, now: float) -> float:
    return now if not before else before + WEIGHT * (now - before)
