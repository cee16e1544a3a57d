"""What a master hands to a worker: descriptors, and what to do with them.

The configuration goes as it was read, in memory that nobody can change any more: the
worker need not be able to read the file, and all have the same.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from attrs import asdict, frozen

from ..config.load import loads
from ..config.model import Config

BUS, MEMORY, SHARED, FIRST_SOCKET = 3, 4, 5, 6  # descriptors in the worker
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@frozen
class Handed:
    """`where` is the path of the file that has `text`; `sockets` is how many there are,
    `region` the worker's in the shared memory.

    `tells_log` is true for a worker whose log lines the master writes."""

    text: str
    where: str
    number: int
    first: bool
    sockets: int
    region: int = 0
    tells_log: bool = False

    def config(self) -> Config:
        """Raises ConfigError."""
        return loads(self.text.encode(), Path(self.where))


def sealed(handed: Handed) -> int:
    """A descriptor of memory that holds it.  Raises OSError."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    memory = os.memfd_create("mailtwist-worker", flags)
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(json.dumps(asdict(handed)).encode())
        os.lseek(memory, 0, os.SEEK_SET)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(memory)
        raise
    return memory


def taken(memory: int) -> Handed:
    """What `sealed` made; the descriptor is closed."""
    with os.fdopen(memory, "rb") as file:
        return Handed(**json.loads(file.read()))
