"""Flags that a folder's own form has no place for, in a file beside its messages.

`mailtwist-flags` is JSON, flags by the key of a message.  Other programs that rename or
remove messages leave lines behind; they go when the file is written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable

from ..flags import Flags
from ..store.maildir import durable

FILE = "mailtwist-flags"
MOST_OCTETS = 256 * 1024 * 1024


class Beside:
    """The file of one folder; `path` is the folder."""

    def __init__(self, path: str) -> None:
        self._folder, self._path = path, os.path.join(path, FILE)
        self._flags = self._read()

    def _read(self) -> dict[str, Flags]:
        try:
            with open(self._path, "rb") as file:
                held = json.loads(file.read(MOST_OCTETS))
            return {key: frozenset(map(str, flags)) for key, flags in held.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def flags(self, key: str) -> Flags:
        return self._flags.get(key, frozenset())

    def put(
        self, changes: Iterable[tuple[str, Flags]], keys: Collection[str] | None = None
    ) -> None:
        """Note flags, durably; of `keys`, if given, are those messages that there are.
        Raises OSError."""
        held = dict(self._flags)
        for key, flags in changes:
            held[key] = flags
        held = {
            key: flags
            for key, flags in held.items()
            if flags and (keys is None or key in keys)
        }
        if held == self._flags:
            return
        draft = f"{self._path}.new"
        with open(draft, "w") as file:
            json.dump({key: sorted(flags) for key, flags in held.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self._path)
        durable.sync_directory(self._folder)
        self._flags = held
