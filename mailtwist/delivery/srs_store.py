"""`srs.sqlite` in the data folder: senders that do not fit into a rewritten address."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import LookupFailed, MailError
from ..queue.spool.thread import Runner, SpoolThread
from ..store.sqlite import opened

log = Logger("mailtwist")

FILE = "srs.sqlite"
PACKAGE, SCHEMA = "mailtwist.delivery", "srs_schema"
MOST_SENDERS = 200_000  # some 40 MB; forwarding is no way to fill the disk


class SenderStore:
    """Opened at first use, in a thread of its own.  Senders that were not used for
    `valid_days` make room for others."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        valid_days: int,
        *,
        most: int = MOST_SENDERS,
        runner: Runner | None = None,
    ) -> None:
        self._valid_days, self._most = valid_days, most
        self._runner = runner or SpoolThread(
            reactor, path, writes=True, connect=connect, name="srs"
        )

    async def keep(self, token: str, address: str, day: int) -> bool:
        """See LongSenders."""
        oldest = day - self._valid_days
        work = partial(_keep, token, address, day, oldest, self._most)
        kept = await self._asked(work)
        if not kept:
            log.error("srs.sqlite is full: {address} is not kept", address=address)
        return bool(kept)

    async def find(self, token: str) -> str | None:
        """See LongSenders."""
        found: str | None = await self._asked(partial(_find, token))
        return found

    async def _asked(self, work: Any) -> Any:
        try:
            return await self._runner.submit(work)
        except MailError as fault:
            raise LookupFailed() from fault

    def close(self) -> Deferred[None]:
        return self._runner.close()


def connect(path: str) -> sqlite3.Connection:
    """For use in any one thread; raises sqlite3.Error, OSError or ConfigError."""
    return opened(path, PACKAGE, SCHEMA, check_same_thread=False)


def _keep(
    token: str,
    address: str,
    day: int,
    oldest: int,
    most: int,
    connection: sqlite3.Connection,
) -> bool:
    """True if it is kept; nothing is written for one that was used today already."""
    row = connection.execute(
        "SELECT day FROM sender WHERE token = ?", (token,)
    ).fetchone()
    if row is not None and row[0] >= day:
        return True
    if row is None:
        connection.execute("DELETE FROM sender WHERE day < ?", (oldest,))
        count = connection.execute("SELECT count(*) FROM sender").fetchone()[0]
        if count >= most:
            return False
    connection.execute("REPLACE INTO sender VALUES (?, ?, ?)", (token, address, day))
    return True


def _find(token: str, connection: sqlite3.Connection) -> str | None:
    query = "SELECT address FROM sender WHERE token = ?"
    row = connection.execute(query, (token,)).fetchone()
    return None if row is None else str(row[0])
