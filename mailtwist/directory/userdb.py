"""The embedded user database: one SQLite file, read and written synchronously.

The command line uses it as it is; the server reads it in threads (`UserDirectory`,
`auth.checkers.userdb`).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ..address import Address
from ..auth.names import account_key, login_key
from ..config.model import Config
from ..errors import BadAddress, MailError
from ..sasl import text
from ..sasl.model import ScramKeys
from ..sasl.scram import keys_for
from ..store import sqlite
from .hashes import Hashes
from .home import home_of
from .key_file import KeyFile
from .model import Account
from .owner import give_to_owner_of

SALT_OCTETS = 16

_ROW = (
    "SELECT key, name, home, storage_limit, enabled, send_as, hash, secret"
    " FROM accounts"
)


class AccountExists(MailError):
    status, public = "5.3.0", "There is an account of that name already"


class NoSuchAccount(MailError):
    status, public = "5.1.1", "There is no account of that name"


@frozen
class Row:
    """What the database holds of one account beside its `Account`."""

    key: str
    account: Account
    hash: str
    sealed: bytes | None

    @property
    def keeps_secret(self) -> bool:
        return self.sealed is not None

    def __repr__(self) -> str:
        return f"Row({self.account.name!r})"


@frozen
class Verified:
    """A password was right; `stale` if hash or keys are not what is made today."""

    name: str
    hash: str
    stale: bool

    def __repr__(self) -> str:
        return f"Verified({self.name!r})"


class UserDb:
    """All accounts.  One connection, for one thread at a time.

    With `create` a missing file is made, once: one that vanishes later is a fault, not
    an empty database.  Methods raise sqlite3.Error and OSError if the file cannot be
    used, ConfigError if it is of a newer program or the key file does not fit it.
    """

    def __init__(
        self, config: Config, *, key_file: KeyFile | None = None, create: bool = True
    ) -> None:
        self._config, self._data = config, Path(config.server.data)
        self.path = self._data / "userdb.sqlite"
        self.key_file = key_file or KeyFile(self._data / "userdb.key")
        self._hashes = Hashes(config.auth)
        self._create = create
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._nobody_sealed: bytes | None = None

    def open(self) -> None:
        """Make or upgrade the file if need be."""
        self._connection()

    def _connection(self) -> sqlite3.Connection:
        """Opened anew if the file was replaced (restored from a backup)."""
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            self.close()
            if not self._create:
                raise
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            inode = -1
        if self._opened is not None and self._opened[0] == inode:
            return self._opened[1]
        self.close()
        connection = sqlite.opened(
            str(self.path), "mailtwist.directory", "schema", check_same_thread=False
        )
        if inode == -1:
            made = [self.path, *self._data.glob("userdb.sqlite-*")]
            give_to_owner_of(self._data, *made)
            inode = self.path.stat().st_ino
        self._create = False
        self._opened = inode, connection
        return connection

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    # -- accounts -------------------------------------------------------------

    def accounts(self) -> list[Row]:
        """Every account, by name."""
        rows = self._connection().execute(f"{_ROW} ORDER BY key")
        return [self._row(row) for row in rows]

    def first_account(self) -> Account | None:
        """The enabled account that was made first."""
        row = self._connection().execute(
            f"{_ROW} WHERE enabled ORDER BY made_at_ns LIMIT 1"
        )
        found = row.fetchone()
        return None if found is None else self._row(found).account

    def find(self, key: str) -> Row | None:
        """The account with this `auth.names` key; "user" alone finds "user@domain" if
        there is one such account only."""
        db = self._connection()
        row = db.execute(f"{_ROW} WHERE key = ?", (key,)).fetchone()
        if row is None and "@" not in key:
            # All keys that begin with "user@": "A" is the character behind "@".
            near = db.execute(
                f"{_ROW} WHERE key > ? AND key < ?", (f"{key}@", f"{key}A")
            )
            rows = [row for row in near if row[0].rpartition("@")[0] == key]
            row = rows[0] if len(rows) == 1 else None
        return None if row is None else self._row(row)

    def account(self, name: str) -> Row | None:
        """The account with this login name, however it is spelled."""
        return self.find(login_key(name, self._config.auth.default_domain))

    def _row(self, row: tuple[str, str, str, int | None, int, str, str, bytes]) -> Row:
        key, name, home, limit, enabled, send_as, hashed, sealed = row
        account = Account(
            name,
            str(self._data / home),
            limit,
            bool(enabled),
            frozenset(json.loads(send_as)),
        )
        return Row(key, account, hashed, sealed)

    def keeps_secrets(self) -> bool:
        """True if any account could answer APOP or CRAM-MD5."""
        row = self._connection().execute(
            "SELECT EXISTS (SELECT 1 FROM accounts WHERE secret IS NOT NULL)"
        )
        return bool(row.fetchone()[0])

    def add(
        self,
        address: Address,
        password: bytes,
        *,
        storage_limit_octets: int | None = None,
        keep_secret: bool = False,
        send_as: Sequence[str] = (),
    ) -> Account:
        """A new account.  Raises AccountExists, BadAddress, AuthFailed for an empty or
        overlong password."""
        if not address.domain:
            raise BadAddress("An account's name is user@domain")
        local_part = unicodedata.normalize("NFC", address.local_part.lower())
        address = Address(local_part, address.domain)
        key, name, home = account_key(address), str(address), home_of(address)
        self.open()  # makes the folder, which the key file may need
        values = self._derived(key, password, keep_secret)
        with self._change() as db:
            if db.execute("SELECT 1 FROM accounts WHERE key = ?", (key,)).fetchone():
                raise AccountExists()
            db.execute(
                "INSERT INTO accounts (key, name, home, hash, storage_limit, send_as,"
                " made_at_ns) VALUES (?, ?, ?, '', ?, ?, ?)",
                (
                    key,
                    name,
                    home,
                    storage_limit_octets,
                    json.dumps(sorted(send_as)),
                    time.time_ns(),
                ),
            )
            self._keep(db, key, *values)
        return Account(
            name,
            str(self._data / home),
            storage_limit_octets,
            send_as=frozenset(send_as),
        )

    def change(self, account: Account) -> None:
        """Keep limit, enabled and send_as of `account`.  Raises NoSuchAccount."""
        with self._change() as db:
            done = db.execute(
                "UPDATE accounts SET storage_limit = ?, enabled = ?, send_as = ?"
                " WHERE key = ?",
                (
                    account.storage_limit_octets,
                    account.enabled,
                    json.dumps(sorted(account.send_as)),
                    account_key(Address.parse(account.name)),
                ),
            )
            if not done.rowcount:
                raise NoSuchAccount()

    def set_password(
        self, name: str, password: bytes, *, keep_secret: bool | None = None
    ) -> None:
        """A new password; the secret is kept as before unless `keep_secret` says.

        Raises NoSuchAccount, AuthFailed for an empty or overlong password."""
        row = self.account(name)
        if row is None:
            raise NoSuchAccount()
        keep = row.keeps_secret if keep_secret is None else keep_secret
        values = self._derived(row.key, password, keep)
        with self._change() as db:
            self._keep(db, row.key, *values)

    def remove(self, name: str) -> Account:
        """Forget the account; its mail stays where it is.  Raises NoSuchAccount."""
        row = self.account(name)
        if row is None:
            raise NoSuchAccount()
        with self._change() as db:
            db.execute("DELETE FROM accounts WHERE key = ?", (row.key,))
        return row.account

    # -- what is derived from a password --------------------------------------

    def _derived(
        self, key: str, password: bytes, keep_secret: bool
    ) -> tuple[str, bytes | None, dict[str, ScramKeys]]:
        """(hash, sealed secret, SCRAM keys) of a password."""
        password = text.password(password)
        sealed = self.key_file.sealed(key, password) if keep_secret else None
        return self._hashes.made(password), sealed, self._scram(password)

    @property
    def _scram_names(self) -> set[str]:
        more = {"SCRAM-SHA-1"} if self._config.auth.scram_sha1 else set()
        return {"SCRAM-SHA-256"} | more

    def _scram(self, password: bytes) -> dict[str, ScramKeys]:
        iterations = self._config.auth.scram_iterations
        return {
            name: keys_for(name, password, secrets.token_bytes(SALT_OCTETS), iterations)
            for name in sorted(self._scram_names)
        }

    @staticmethod
    def _keep(
        db: sqlite3.Connection,
        key: str,
        hashed: str,
        sealed: bytes | None,
        scram: dict[str, ScramKeys],
    ) -> None:
        db.execute(
            "UPDATE accounts SET hash = ?, secret = ? WHERE key = ?",
            (hashed, sealed, key),
        )
        db.execute("DELETE FROM scram WHERE key = ?", (key,))
        db.executemany(
            "INSERT INTO scram VALUES (?, ?, ?, ?, ?, ?)",
            [
                (key, mechanism, k.salt, k.iterations, k.stored_key, k.server_key)
                for mechanism, k in scram.items()
            ],
        )

    # -- is it them -----------------------------------------------------------

    def verify(self, name: str, password: bytes) -> Verified | None:
        """The account if `password` is its password and it may log in.

        One hash is computed whatever the answer, so an unknown user takes as long as a
        wrong password.
        """
        row = self.account(name)
        right = self._hashes.fits(row.hash if row else self._hashes.nobody, password)
        if row is None or not right or not row.account.enabled:
            return None
        stale = self._hashes.stale(row.hash) or self._scram_is_stale(row.key)
        return Verified(row.account.name, row.hash, stale)

    def _scram_is_stale(self, key: str) -> bool:
        rows = self._connection().execute(
            "SELECT mechanism, iterations FROM scram WHERE key = ?", (key,)
        )
        iterations = dict(rows.fetchall())
        return (
            set(iterations) != self._scram_names
            or min(iterations.values()) < self._config.auth.scram_iterations
        )

    def renew(self, verified: Verified, password: bytes) -> bool:
        """Make hash and SCRAM keys anew; False if the password is another meanwhile."""
        row = self.account(verified.name)
        if row is None or row.hash != verified.hash:
            return False
        hashed, _, scram = self._derived(row.key, password, False)
        with self._change() as db:
            now = db.execute(
                "SELECT hash, secret FROM accounts WHERE key = ?", (row.key,)
            ).fetchone()
            if now is None or now[0] != verified.hash:
                return False
            self._keep(db, row.key, hashed, now[1], scram)
        return True

    def scram_keys(self, name: str, mechanism: str) -> tuple[str, ScramKeys] | None:
        """(account's name, keys), or None."""
        self.key_file.load()  # fake keys come from it, whoever is asked for
        row = self.account(name)
        keys = self._connection().execute(
            "SELECT salt, iterations, stored_key, server_key FROM scram"
            " WHERE key = ? AND mechanism = ?",
            (row.key if row else "", mechanism),
        )
        found = keys.fetchone()
        if row is None or found is None or not row.account.enabled:
            return None
        return row.account.name, ScramKeys(*found)

    def secret(self, name: str) -> tuple[str | None, bytes]:
        """(account's name, the kept password); (None, anything) if there is none.

        Something is unsealed whatever the answer.
        """
        if self._nobody_sealed is None:
            self._nobody_sealed = self.key_file.sealed("", secrets.token_bytes(16))
        row = self.account(name)
        if row is None or row.sealed is None or not row.account.enabled:
            return None, self.key_file.opened("", self._nobody_sealed)
        return row.account.name, self.key_file.opened(row.key, row.sealed)
