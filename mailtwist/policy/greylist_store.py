"""`greylist.sqlite` in the data folder: who came, and who came back.

All workers use it.  It may be lost without harm but a delay, so it is not synced at
each change; rows are bounded, and those who never came back give way first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from ..config.gating import Gate
from ..queue.spool.thread import Runner, SpoolThread
from ..store.sqlite import opened

FILE = "greylist.sqlite"
PACKAGE, SCHEMA = "mailtwist.policy", "greylist_schema"
TOUCH_S = 3600  # that somebody came is written once in this time
PURGE_S = 600  # between two looks at what has become old
PURGE_ROWS = 5000  # new ones, after which there is a look at any rate
MEETINGS = (  # how many there are; those to forget first
    "SELECT count(*) FROM meeting",
    "DELETE FROM meeting WHERE key IN"
    " (SELECT key FROM meeting ORDER BY passed_s, first_s LIMIT ?)",
)
NETWORKS = (
    "SELECT count(*) FROM network",
    "DELETE FROM network WHERE network IN"
    " (SELECT network FROM network ORDER BY last_s LIMIT ?)",
)


@frozen
class Met:
    """`wait_s` is 0 for who is let in; `network` if all of its network is; `waited_s`
    how long it was away, if it just came back in time."""

    wait_s: int = 0
    network: bool = False
    waited_s: int = 0


class GreylistStore:
    """Methods fire in the reactor's thread, or fail with a MailError."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        config: Gate,
        now: Callable[[], float],
        *,
        runner: Runner | None = None,
    ) -> None:
        """`now` gives seconds of the epoch."""
        self._runner = runner or SpoolThread(
            reactor, path, writes=True, connect=connect, name="greylist"
        )
        self._config, self._now = config, now
        self._purged_s, self._new = 0, 0

    def met(self, network: str, key: bytes) -> Deferred[Met]:
        """A client of `network` wants to send what `key` stands for."""
        return self._runner.submit(partial(self._met, network, key))

    def close(self) -> Deferred[None]:
        return self._runner.close()

    # -- in the thread ----------------------------------------------------------------

    def _met(self, network: str, key: bytes, db: sqlite3.Connection) -> Met:
        config, now_s = self._config, int(self._now())
        self._purge(now_s, db)
        kept_s = now_s - int(config.greylist_keep_s)
        row = db.execute(
            "SELECT passes, last_s FROM network WHERE network = ?", (network,)
        ).fetchone()
        passes = row[0] if row is not None and row[1] > kept_s else 0
        if 0 < config.greylist_networks_after <= passes:
            if row[1] + TOUCH_S <= now_s:
                db.execute(
                    "UPDATE network SET last_s = ? WHERE network = ?", (now_s, network)
                )
            return Met(network=True)
        row = db.execute(
            "SELECT first_s, passed_s FROM meeting WHERE key = ?", (key,)
        ).fetchone()
        first_s, passed_s = row if row is not None else (now_s + 1, 0)
        if kept_s < passed_s <= now_s:
            if passed_s + TOUCH_S <= now_s:
                _pass(db, key, now_s)
            return Met()
        away_s = now_s - first_s
        if passed_s or away_s < 0 or away_s > config.greylist_retry_s:
            self._new += 1
            db.execute("INSERT OR REPLACE INTO meeting VALUES (?, ?, 0)", (key, now_s))
            return Met(max(1, round(config.greylist_delay_s)))
        if away_s < config.greylist_delay_s:
            return Met(max(1, round(config.greylist_delay_s - away_s)))
        _pass(db, key, now_s)
        db.execute(
            "INSERT OR REPLACE INTO network VALUES (?, ?, ?)",
            (network, passes + 1, now_s),
        )
        return Met(waited_s=away_s)

    def _purge(self, now_s: int, db: sqlite3.Connection) -> None:
        """Forget what is old, and what is too much."""
        config = self._config
        many = min(PURGE_ROWS, config.greylist_rows // 10)
        if now_s < self._purged_s + PURGE_S and self._new < many:
            return
        self._purged_s, self._new = now_s, 0
        kept_s = now_s - int(config.greylist_keep_s)
        db.execute(
            "DELETE FROM meeting WHERE passed_s <= ? AND (passed_s > 0 OR first_s < ?)",
            (kept_s, now_s - int(config.greylist_retry_s)),
        )
        db.execute("DELETE FROM network WHERE last_s <= ?", (kept_s,))
        for count, forget in (MEETINGS, NETWORKS):
            (rows,) = db.execute(count).fetchone()
            if rows > config.greylist_rows:
                db.execute(forget, (rows - config.greylist_rows,))


def connect(path: str) -> sqlite3.Connection:
    """For use in any one thread; raises sqlite3.Error, OSError or ConfigError."""
    connection = opened(path, PACKAGE, SCHEMA, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")  # with WAL: no sync at a commit
    return connection


def _pass(db: sqlite3.Connection, key: bytes, now_s: int) -> None:
    db.execute("UPDATE meeting SET passed_s = ? WHERE key = ?", (now_s, key))
