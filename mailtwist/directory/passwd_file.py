"""Accounts in a file of another program: Dovecot's passwd-file, Courier's userdb,
shadow(5).  It is only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..auth.names import login_key
from ..config.model import Config
from ..config.source import Source
from ..delivery.alias_grammar import Mistake
from ..errors import AuthUnavailable, LookupFailed
from ..tables.file import HeldFile
from ..tables.pool import TablePool
from ..tables.query import Key
from .asked import AskedDirectory
from .passwd_formats import BadLine, PasswdRow, rows_of

# Fields of Dovecot that narrow down who may log in, or where.  Not obeyed here, so
# nobody logs in where they stand.
_RESTRICTING = frozenset(
    ("allow_nets", "allow_real_nets", "host", "noauthenticate", "proxy", "proxy_maybe")
)


class HeldRows:
    """The accounts of a file in memory; of two lines with one name the first counts."""

    def __init__(self, format_name: str) -> None:
        self._format = format_name
        self._rows: dict[str, PasswdRow] = {}
        self.mistakes: list[Mistake] = []

    def read(self, text: str) -> Iterator[None]:
        """Takes the lines in; the caller may pause after each."""
        for one in rows_of(self._format, text):
            if isinstance(one, BadLine):
                self.mistakes.append(Mistake(one.line, f"an account, but {one.why}"))
            else:
                self._take(one)
            yield

    def _take(self, row: PasswdRow) -> None:
        key = login_key(row.name)
        if key in self._rows:
            self._note(row, f"{row.name} only once")
            return
        self._rows[key] = row
        refused = restrictions(row)
        if refused:
            self._note(row, f"no {', '.join(refused)}: {row.name} cannot log in")
        ignored = [name for name in row.ignored if name not in refused]
        if ignored:
            self._note(row, f"no {', '.join(ignored)}, which is not obeyed here")

    def _note(self, row: PasswdRow, expected: str) -> None:
        self.mistakes.append(Mistake(row.line, expected, True))

    def row(self, name: str) -> PasswdRow | None:
        """The account of this name; raises LookupFailed if it may have stood in a line
        that cannot be read."""
        row = self._rows.get(login_key(name))
        if row is None and any(not one.harmless for one in self.mistakes):
            raise LookupFailed()
        return row


def restrictions(row: PasswdRow) -> list[str]:
    """The fields because of which nobody can log in, though the row has a hash."""
    refused = {*_RESTRICTING, "nopassword"}
    return sorted(name for name in row.extra if name in refused)


class PasswdFileDirectory(AskedDirectory):
    """A change of the file counts with the next question.  Raises AuthUnavailable while
    it cannot be read."""

    def __init__(self, reactor: Any, config: Config, source: Source) -> None:
        super().__init__(config, source)
        self._pool = TablePool(reactor, f"source-{source.called}", 1)
        self._file = HeldFile(
            reactor, self._pool, source.path, lambda: HeldRows(source.format)
        )

    async def texts(self, key: Key, *, by_address: bool) -> Mapping[str, str] | None:
        try:
            row = (await self._file.content()).row(key.text)
        except LookupFailed as fault:
            raise AuthUnavailable() from fault
        if row is None:
            return None
        texts = row.texts()
        if restrictions(row):
            takes = row.uses is None or "receive" in row.uses
            texts["uses"] = "receive" if takes else "none"
        return texts

    def stamp(self) -> object:
        return self._file.stamp()

    async def close(self) -> None:
        await self._pool.close()
