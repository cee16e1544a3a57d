"""New files that become durable together, before they get their names."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress

from ..store.maildir import durable


class Drafts(AbstractContextManager["Drafts"]):
    """Some files, all of them or none: what was written goes if the block fails."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._descriptors: list[int] = []

    def write(self, path: str, octets: bytes, date: int) -> None:
        """`date` is its time stamp, seconds since 1970.  Raises OSError."""
        descriptor = durable.create(path)
        self._paths.append(path)
        self._descriptors.append(descriptor)
        durable.write_all(descriptor, [octets])
        os.utime(descriptor, (date, date))

    def sync(self) -> None:
        """All are on their way to the disk before the first is awaited."""
        for descriptor in self._descriptors:
            durable.start_writeback(descriptor, 0, 0)
        for descriptor in self._descriptors:
            os.fsync(descriptor)

    def __exit__(self, kind: object, *failure: object) -> None:
        for descriptor in self._descriptors:
            with suppress(OSError):
                os.close(descriptor)
        if kind is not None:
            for path in self._paths:
                with suppress(FileNotFoundError):  # it has its name already
                    os.unlink(path)
