"""`dmarc.sqlite` in the data folder: what is to be reported to other domains."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import asdict, frozen
from twisted.internet.defer import Deferred

from ..queue.spool.thread import Runner, SpoolThread
from ..store.sqlite import opened
from ..trust.aggregate import DkimProof, Published, Row, SpfProof

FILE = "dmarc.sqlite"
PACKAGE, SCHEMA = "mailtwist.policy", "dmarc_schema"
MOST_LINES = 20_000  # of one domain's day


@frozen
class Counted:
    """What is counted together: a UTC day, the policy and the line of the report."""

    day: str
    published: Published
    row: Row


class DmarcStore:
    """Every method fires when what it did is durable, or fails with a MailError."""

    def __init__(
        self, reactor: Any, path: str, *, runner: Runner | None = None
    ) -> None:
        self._runner = runner or SpoolThread(
            reactor, path, writes=True, connect=connect, name="dmarc"
        )

    def count(self, counts: Mapping[Counted, int]) -> Deferred[None]:
        """Add to the counts."""
        return self._runner.submit(partial(_count, dict(counts)))

    def waiting(self, today: str) -> Deferred[list[tuple[str, str]]]:
        """(day, domain) of days before `today`, the oldest first."""
        return self._runner.submit(partial(_waiting, today))

    def counted(self, day: str, domain: str) -> Deferred[list[tuple[Counted, int]]]:
        """At most MOST_LINES, the most frequent first."""
        return self._runner.submit(partial(_counted, day, domain))

    def forget(self, day: str, domain: str) -> Deferred[None]:
        """A domain's day is reported, or nobody wants to hear of it."""
        return self._runner.submit(partial(_forget, day, domain))

    def close(self) -> Deferred[None]:
        return self._runner.close()


def connect(path: str) -> sqlite3.Connection:
    """For use in any one thread; raises sqlite3.Error, OSError or ConfigError."""
    return opened(path, PACKAGE, SCHEMA, check_same_thread=False)


def _count(counts: Mapping[Counted, int], connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT INTO counted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET count = count + excluded.count",
        [
            (
                key.day,
                key.published.domain,
                json.dumps(asdict(key.published)),
                json.dumps(asdict(key.row)),
                count,
            )
            for key, count in counts.items()
        ],
    )


def _waiting(today: str, connection: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT DISTINCT day, domain FROM counted WHERE day < ? ORDER BY day", (today,)
    )
    return rows.fetchall()


def _counted(
    day: str, domain: str, connection: sqlite3.Connection
) -> list[tuple[Counted, int]]:
    rows = connection.execute(
        "SELECT published, line, count FROM counted WHERE day = ? AND domain = ?"
        " ORDER BY count DESC LIMIT ?",
        (day, domain, MOST_LINES),
    )
    return [
        (Counted(day, Published(**json.loads(said)), _row(json.loads(line))), count)
        for said, line, count in rows
    ]


def _row(said: dict[str, Any]) -> Row:
    dkim = tuple(DkimProof(**one) for one in said.pop("dkim_proofs"))
    spf = tuple(SpfProof(**one) for one in said.pop("spf_proofs"))
    return Row(**said, dkim_proofs=dkim, spf_proofs=spf)


def _forget(day: str, domain: str, connection: sqlite3.Connection) -> None:
    connection.execute(
        "DELETE FROM counted WHERE day = ? AND domain = ?", (day, domain)
    )
