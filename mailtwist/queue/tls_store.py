"""`tls.sqlite` in the data folder: MTA-STS policies, and TLS results to report."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from ..store.sqlite import opened
from .spool.thread import Runner, SpoolThread
from .tlsrpt import Key, Result

FILE = "tls.sqlite"
PACKAGE, SCHEMA = "mailtwist.queue", "tls_schema"


@frozen
class KeptPolicy:
    """An MTA-STS policy as it came, with the id of its TXT record."""

    id: str
    fetched_s: float
    text: str


class TlsStore:
    """Every method fires when what it did is durable, or fails with a MailError."""

    def __init__(
        self, reactor: Any, path: str, *, runner: Runner | None = None
    ) -> None:
        self._runner = runner or SpoolThread(
            reactor, path, writes=True, connect=connect, name="tls"
        )

    def policy(self, domain: str) -> Deferred[KeptPolicy | None]:
        return self._runner.submit(partial(_policy, domain))

    def keep_policy(self, domain: str, kept: KeptPolicy) -> Deferred[None]:
        return self._runner.submit(partial(_keep_policy, domain, kept))

    def count(self, counts: Mapping[Key, int]) -> Deferred[None]:
        """Add to the counts."""
        return self._runner.submit(partial(_count, dict(counts)))

    def waiting(self, today: str) -> Deferred[list[tuple[str, str]]]:
        """(day, domain) of the results of days before `today`, the oldest first."""
        return self._runner.submit(partial(_waiting, today))

    def results(self, day: str, domain: str) -> Deferred[list[Result]]:
        return self._runner.submit(partial(_results, day, domain))

    def forget(self, day: str, domain: str) -> Deferred[None]:
        """The results of a domain's day are reported, or nobody wants them."""
        return self._runner.submit(partial(_forget, day, domain))

    def close(self) -> Deferred[None]:
        return self._runner.close()


def connect(path: str) -> sqlite3.Connection:
    """For use in any one thread; raises sqlite3.Error, OSError or ConfigError."""
    return opened(path, PACKAGE, SCHEMA, check_same_thread=False)


def _policy(domain: str, connection: sqlite3.Connection) -> KeptPolicy | None:
    found = connection.execute(
        "SELECT id, fetched_s, policy FROM sts WHERE domain = ?", (domain,)
    ).fetchone()
    return KeptPolicy(*found) if found else None


def _keep_policy(domain: str, kept: KeptPolicy, connection: sqlite3.Connection) -> None:
    connection.execute(
        "REPLACE INTO sts VALUES (?, ?, ?, ?)",
        (domain, kept.id, kept.fetched_s, kept.text),
    )


def _count(counts: Mapping[Key, int], connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET count = count + excluded.count",
        [
            (k.day, k.domain, k.kind, k.policy, k.host, k.address, k.failure, count)
            for k, count in counts.items()
        ],
    )


def _waiting(today: str, connection: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT DISTINCT day, domain FROM result WHERE day < ? ORDER BY day", (today,)
    )
    return rows.fetchall()


def _results(day: str, domain: str, connection: sqlite3.Connection) -> list[Result]:
    rows = connection.execute(
        "SELECT day, domain, kind, policy, host, address, failure, count FROM result"
        " WHERE day = ? AND domain = ?",
        (day, domain),
    )
    return [Result(Key(*row[:7]), row[7]) for row in rows]


def _forget(day: str, domain: str, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM result WHERE day = ? AND domain = ?", (day, domain))
