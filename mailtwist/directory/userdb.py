"""The embedded user database: one SQLite file, read and written synchronously.

The command line uses it as it is; the server reads it in a thread (`UserDirectory`,
`auth.checkers.userdb`).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import unicodedata
from pathlib import Path
from urllib.parse import quote

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import frozen

from ..address import Address
from ..config.model import Config
from ..errors import BadAddress, MailError
from ..sasl import text
from ..sasl.model import ScramKeys
from ..sasl.scram import keys_for
from ..store import sqlite
from .key_file import KeyFile
from .model import Account

SALT_OCTETS = 16
UNKNOWN = "unknown user"  # what the password of nobody is


class AccountExists(MailError):
    status, public = "5.3.0", "There is an account of that name already"


class NoSuchAccount(MailError):
    status, public = "5.1.1", "There is no account of that name"


@frozen
class Row:
    """What the database holds of one account beside its `Account`."""

    account: Account
    hash: str
    keeps_secret: bool


def name_key(name: str) -> str:
    """The form in which names are compared: NFC, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class UserDb:
    """All accounts.  One connection, for one thread at a time."""

    def __init__(self, config: Config) -> None:
        self._config, data = config, Path(config.server.data)
        self.path = data / "userdb.sqlite"
        self.key_file = KeyFile(data / "userdb.key")
        auth = config.auth
        self._hasher = PasswordHasher(
            time_cost=auth.argon2_passes,
            memory_cost=auth.argon2_memory_kib,
            parallelism=1,
        )
        self._nobody: str | None = None
        self._opened: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._opened = sqlite.opened(
                str(self.path), "mailtwist.directory", "schema", check_same_thread=False
            )
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # -- accounts -------------------------------------------------------------

    def accounts(self) -> list[Row]:
        """Every account, by name."""
        rows = self._db.execute(
            "SELECT name, home, storage_limit, enabled, send_as, hash,"
            " secret IS NOT NULL FROM accounts ORDER BY key"
        )
        return [self._row(row) for row in rows]

    def account(self, name: str) -> Row | None:
        row = self._db.execute(
            "SELECT name, home, storage_limit, enabled, send_as, hash,"
            " secret IS NOT NULL FROM accounts WHERE key = ?",
            (name_key(name),),
        ).fetchone()
        return None if row is None else self._row(row)

    @staticmethod
    def _row(row: tuple[str, str, int | None, int, str, str, int]) -> Row:
        name, home, limit, enabled, send_as, hashed, keeps = row
        account = Account(
            name, home, limit, bool(enabled), frozenset(json.loads(send_as))
        )
        return Row(account, hashed, bool(keeps))

    def add(
        self,
        address: Address,
        password: bytes,
        *,
        storage_limit_octets: int | None = None,
        keep_secret: bool = False,
        send_as: tuple[str, ...] = (),
    ) -> Account:
        """A new account.  Raises AccountExists, BadAddress."""
        if not address.domain:
            raise BadAddress("An account's name is user@domain")
        name = unicodedata.normalize("NFC", str(address))
        home = str(Path(self._config.server.data, "mail", *home_of(address)))
        account = Account(name, home, storage_limit_octets, True, frozenset(send_as))
        values = self._secrets(name, password, keep_secret)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                "INSERT INTO accounts (key, name, home, hash, storage_limit, send_as)"
                " VALUES (?, ?, ?, '', ?, ?)",
                (name_key(name), name, home, storage_limit_octets, json.dumps(send_as)),
            )
            self._keep(name, *values)
            self._db.execute("COMMIT")
        except sqlite3.IntegrityError as fault:
            self._db.execute("ROLLBACK")
            raise AccountExists() from fault
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return account

    def set_password(
        self, name: str, password: bytes, *, keep_secret: bool | None = None
    ) -> None:
        """A new password; the secret is kept as before unless `keep_secret` says."""
        row = self.account(name)
        if row is None:
            raise NoSuchAccount()
        keep = row.keeps_secret if keep_secret is None else keep_secret
        values = self._secrets(row.account.name, password, keep)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._keep(row.account.name, *values)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def remove(self, name: str) -> Account:
        """Forget the account; its mail stays where it is."""
        row = self.account(name)
        if row is None:
            raise NoSuchAccount()
        self._db.execute("DELETE FROM accounts WHERE key = ?", (name_key(name),))
        return row.account

    def _secrets(
        self, name: str, password: bytes, keep_secret: bool
    ) -> tuple[str, bytes | None, dict[str, ScramKeys]]:
        """(hash, sealed secret, SCRAM keys) of a password."""
        password = text.password(password)
        names = ["SCRAM-SHA-256"]
        if self._config.auth.scram_sha1:
            names.append("SCRAM-SHA-1")
        scram = {
            mechanism: keys_for(
                mechanism,
                password,
                secrets.token_bytes(SALT_OCTETS),
                self._config.auth.scram_iterations,
            )
            for mechanism in names
        }
        sealed = self.key_file.sealed(name_key(name), password) if keep_secret else None
        return self._hasher.hash(password), sealed, scram

    def _keep(
        self, name: str, hashed: str, sealed: bytes | None, scram: dict[str, ScramKeys]
    ) -> None:
        key = name_key(name)
        self._db.execute(
            "UPDATE accounts SET hash = ?, secret = ? WHERE key = ?",
            (hashed, sealed, key),
        )
        self._db.execute("DELETE FROM scram WHERE key = ?", (key,))
        self._db.executemany(
            "INSERT INTO scram VALUES (?, ?, ?, ?, ?, ?)",
            [
                (key, mechanism, k.salt, k.iterations, k.stored_key, k.server_key)
                for mechanism, k in scram.items()
            ],
        )

    # -- is it them -----------------------------------------------------------

    def verify(self, name: str, password: bytes) -> str | None:
        """The account's name if `password` is its password and it may log in.

        Takes as long for an unknown user as for a wrong password; a hash made with
        other parameters than today's is renewed.
        """
        row = self.account(name)
        if self._nobody is None:
            self._nobody = self._hasher.hash(UNKNOWN)
        try:
            self._hasher.verify(row.hash if row else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        if row is None or not row.account.enabled:
            return None
        if self._hasher.check_needs_rehash(row.hash) or self._scram_is_old(name):
            self.set_password(name, password)
        return row.account.name

    def _scram_is_old(self, name: str) -> bool:
        auth = self._config.auth
        rows = dict(
            self._db.execute(
                "SELECT mechanism, iterations FROM scram WHERE key = ?",
                (name_key(name),),
            ).fetchall()
        )
        wanted = {"SCRAM-SHA-256", *(["SCRAM-SHA-1"] if auth.scram_sha1 else [])}
        return set(rows) != wanted or min(rows.values()) < auth.scram_iterations

    def scram_keys(self, name: str, mechanism: str) -> tuple[str, ScramKeys] | None:
        """(account's name, keys), or None."""
        row = self._db.execute(
            "SELECT a.name, s.salt, s.iterations, s.stored_key, s.server_key"
            " FROM scram s JOIN accounts a USING (key)"
            " WHERE key = ? AND mechanism = ? AND enabled",
            (name_key(name), mechanism),
        ).fetchone()
        return None if row is None else (row[0], ScramKeys(*row[1:]))

    def secret(self, name: str) -> tuple[str, bytes] | None:
        """(account's name, the kept password), or None."""
        row = self._db.execute(
            "SELECT name, secret FROM accounts WHERE key = ? AND enabled",
            (name_key(name),),
        ).fetchone()
        if row is None or row[1] is None:
            return None
        return row[0], self.key_file.opened(name_key(name), row[1])


def home_of(address: Address) -> tuple[str, str]:
    """Folder names for an account: any address, reversibly, and never outside.

    Letters, digits and the common marks stay as they are; everything else, a leading
    dot among it, is percent-encoded.
    """
    local_part = quote(name_key(address.local_part), safe="!#$&'*+=^_`{|}~@ ")
    if local_part.startswith("."):
        local_part = "%2E" + local_part[1:]
    return quote(address.domain, safe="[]:"), local_part
