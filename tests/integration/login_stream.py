"""A stream of right logins, under which sources of accounts end and begin again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .daemon import PASSWORD, Daemon
from .source_world import LATER, OK, WAYS
from .world import until


class Stream:
    """Logins without end, a thread for each account and way in; `told` has every
    answer as (source, way, word).  `accounts` has the login name of each source."""

    def __init__(self, daemon: Daemon, accounts: Mapping[str, str]) -> None:
        self.told: list[tuple[str, str, str]] = []
        self._daemon, self._accounts = daemon, accounts
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(source, way))
            for source in accounts
            for way in WAYS
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, source: str, way: str) -> None:
        while not self._over.is_set():
            try:
                word = WAYS[way](self._daemon, self._accounts[source], PASSWORD)
            except OSError as fault:
                word = repr(fault)
            self.told.append((source, way, word))
            self._over.wait(0.05)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def all_come_in(self, sources: Collection[str]) -> None:
        """From now on: the accounts of each of these, over each way."""
        begun = len(self.told)
        wanted = {(source, way) for source in sources for way in WAYS}

        def came() -> bool:
            return wanted <= {(s, way) for s, way, w in self.told[begun:] if w == OK}

        until(came, lambda: str(self.told[-30:]))

    def all_wait(self, source: str) -> None:
        """From now on: its account is told to come later, over each way."""
        begun = len(self.told)

        def waits() -> bool:
            told = self.told[begun:]
            return {way for s, way, w in told if (s, w) == (source, LATER)} == set(WAYS)

        until(waits, lambda: str(self.told[-30:]))


def survived(
    case: Any,
    daemon: Daemon,
    accounts: Mapping[str, str],
    name: str,
    end: Callable[[], object],
    begin: Callable[[], object],
) -> None:
    """The source `name` ends and begins again under a stream of logins of all: its
    account is told to come later, never that its password is wrong, and the others
    notice nothing."""
    stream = Stream(daemon, accounts)
    try:
        stream.all_come_in(accounts)
        end()
        try:
            stream.all_wait(name)
            stream.all_come_in(set(accounts) - {name})
        finally:
            begin()
        stream.all_come_in(accounts)
    finally:
        stream.stop()
    others = {(s, w) for s, _, w in stream.told if s != name}
    case.assertEqual(others, {(s, OK) for s in accounts if s != name})
    words = {w for s, _, w in stream.told if s == name}
    case.assertEqual(words, {OK, LATER})
