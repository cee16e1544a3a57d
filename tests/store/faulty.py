"""System calls that fail or end the process at a chosen one.

`mailtwist.store.maildir` calls the kernel through the `os` module and `durable`'s libc;
`Faulty` stands in for both, counts, and at the n-th call does what the test says.
"""

from __future__ import annotations

import os

from mailtwist.store.maildir import batch, durable, filesystem, spool

CALLS = (
    "open",
    "write",
    "writev",
    "copy_file_range",
    "pread",
    "fsync",
    "close",
    "rename",
    "unlink",
    "utime",
    "mkdir",
    "dup",
    "fstat",
)
LIBC = ("syncfs", "start_writeback")


class Faulty:
    """`at(name, number, arguments)` is asked before the call with that number (from 1).

    It may raise, end the process, or return; then the call is made.
    """

    def __init__(self, at):
        self._at, self.number, self.names = at, 0, []

    def __getattr__(self, name):
        real = getattr(os, name)
        return self.counted(name, real) if name in CALLS else real

    def counted(self, name, real):
        def call(*arguments, **options):
            self.number += 1
            self.names.append(name)
            self._at(name, self.number, arguments)
            return real(*arguments, **options)

        return call

    def install(self, patch):
        """`patch(object, name, value)` puts it in (TestCase.patch, or setattr)."""
        for module in (batch, durable, filesystem, spool):
            patch(module, "os", self)
        for name in LIBC:
            patch(durable, name, self.counted(name, getattr(durable, name)))


class Patched:
    """A context in which the system calls go through a Faulty."""

    def __init__(self, faulty):
        self.faulty, self._before = faulty, []

    def __enter__(self):
        self.faulty.install(self._put)
        return self.faulty

    def _put(self, module, name, value):
        self._before.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def __exit__(self, *_):
        for module, name, value in self._before:
            setattr(module, name, value)
