"""The embedded user database: one SQLite file, read and written synchronously.

The command line uses it as it is; the server reads it in threads (`UserDirectory`,
`auth.checkers.userdb`).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from ..address import Address
from ..auth.names import account_key, login_key
from ..config.model import Config
from ..errors import BadAddress, ConfigError, MailError
from ..sasl import text
from ..sasl.model import ScramKeys
from ..sasl.scram import keys_for
from ..store import sqlite
from . import app_passwords
from .app_passwords import AppPassword
from .hashes import Hashes, ours
from .hashes_cost import TooCostly, affordable
from .hashes_schemes import UnusableHash, fits
from .home import home_of
from .key_file import KeyFile
from .model import Account
from .owner import give_to_owner_of
from .user_rows import INSERT, SELECT, UPDATE, Imported, Row, row_of, settings_of

SALT_OCTETS = 16


class AccountExists(MailError):
    status, public = "5.3.0", "There is an account of that name already"


class NoSuchAccount(MailError):
    status, public = "5.1.1", "There is no account of that name"


@frozen
class Verified:
    """A password was right; `stale` if hash or keys are not what is made today.

    `app` if it was an application password; the account's own is not known then."""

    name: str
    hash: str
    stale: bool
    app: AppPassword | None = None

    def __repr__(self) -> str:
        return f"Verified({self.name!r})"


class UserDb:
    """All accounts.  One connection, for one thread at a time.

    `path` is "userdb.sqlite" in the data folder if empty; its key lies beside it.
    With `create` a missing file is made, once: one that vanishes later is a fault, not
    an empty database.  Methods raise sqlite3.Error and OSError if the file cannot be
    used, ConfigError if it is of a newer program or the key file does not fit it.
    """

    def __init__(
        self,
        config: Config,
        *,
        path: str = "",
        key_file: KeyFile | None = None,
        create: bool = True,
    ) -> None:
        self._config, self._data = config, Path(config.server.data)
        self.path = Path(path) if path else self._data / "userdb.sqlite"
        self.key_file = key_file or KeyFile(self.path.with_suffix(".key"))
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
            made = [self.path, *self._data.glob(f"{self.path.name}-*")]
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
        rows = self._connection().execute(f"{SELECT} ORDER BY key")
        return [self._row(row) for row in rows]

    def first_account(self) -> Account | None:
        """The enabled account that was made first."""
        row = self._connection().execute(
            f"{SELECT} WHERE enabled ORDER BY made_at_ns LIMIT 1"
        )
        found = row.fetchone()
        return None if found is None else self._row(found).account

    def find(self, key: str) -> Row | None:
        """The account with this `auth.names` key; "user" alone finds "user@domain" if
        there is one such account only."""
        db = self._connection()
        row = db.execute(f"{SELECT} WHERE key = ?", (key,)).fetchone()
        if row is None and "@" not in key:
            # All keys that begin with "user@": "A" is the character behind "@".
            near = db.execute(
                f"{SELECT} WHERE key > ? AND key < ?", (f"{key}@", f"{key}A")
            )
            rows = [row for row in near if row[0].rpartition("@")[0] == key]
            row = rows[0] if len(rows) == 1 else None
        return None if row is None else self._row(row)

    def has_key(self, key: str) -> bool:
        """True if there is an account with exactly this key."""
        row = self.find(key)
        return row is not None and row.key == key

    def account(self, name: str) -> Row | None:
        """The account with this login name, however it is spelled."""
        return self.find(login_key(name, self._config.auth.default_domain))

    def _row(self, row: tuple[Any, ...]) -> Row:
        return row_of(row, self._data)

    def add(
        self,
        address: Address,
        password: bytes,
        *,
        storage_limit_octets: int | None = None,
        keep_secret: bool = False,
        send_as: Sequence[str] = (),
        uses: frozenset[str] | None = None,
        message_limit: int | None = None,
        login_until_s: float | None = None,
        groups: frozenset[str] = frozenset(),
        mailbox: str = "",
    ) -> Account:
        """A new account.  Raises AccountExists, BadAddress, AuthFailed for an empty or
        overlong password."""
        account = evolve(
            self.account_of(address),
            storage_limit_octets=storage_limit_octets,
            send_as=frozenset(send_as),
            uses=uses,
            message_limit=message_limit,
            login_until_s=login_until_s,
            groups=groups,
            mailbox=mailbox,
        )
        self.open()  # makes the folder, which the key file may need
        key = account_key(Address.parse(account.name))
        values = self._derived(key, password, keep_secret)
        with self._change() as db:
            self._insert(db, account)
            self._keep(db, key, *values)
        return account

    def account_of(self, address: Address) -> Account:
        """What a new account of that address would be.  Raises BadAddress."""
        if not address.domain:
            raise BadAddress("An account's name is user@domain")
        local_part = unicodedata.normalize("NFC", address.local_part.lower())
        address = Address(local_part, address.domain)
        return Account(str(address), str(self._data / home_of(address)))

    def import_accounts(self, imported: Sequence[Imported]) -> None:
        """All of them, or none.  Raises AccountExists, AuthFailed as `add`."""
        self.open()
        derived = [
            None
            if one.password is None
            else self._derived(one.key, one.password.reveal(), False)
            for one in imported
        ]
        with self._change() as db:
            for one, values in zip(imported, derived, strict=True):
                self._insert(db, one.account)
                self._keep(db, one.key, *(values or (one.hash, None, {})))

    def _insert(self, db: sqlite3.Connection, account: Account) -> None:
        """Without a password yet."""
        key = account_key(Address.parse(account.name))
        if db.execute("SELECT 1 FROM accounts WHERE key = ?", (key,)).fetchone():
            raise AccountExists(f"{account.name}: {AccountExists.public}")
        home = Path(account.home)
        if home.is_relative_to(self._data):  # so that the folder can be moved
            home = home.relative_to(self._data)
        new = key, account.name, str(home), time.time_ns()
        db.execute(INSERT, (*new, *settings_of(account)))

    def change(self, account: Account) -> None:
        """Keep all of `account` but its name and home.  Raises NoSuchAccount."""
        with self._change() as db:
            key = account_key(Address.parse(account.name))
            done = db.execute(UPDATE, (*settings_of(account), key))
            if not done.rowcount:
                raise NoSuchAccount()

    def set_password(
        self,
        name: str,
        password: bytes,
        *,
        keep_secret: bool | None = None,
        revoke: bool = False,
    ) -> None:
        """A new password; the secret is kept as before unless `keep_secret` says.
        With `revoke` application passwords end.

        Raises NoSuchAccount, AuthFailed for an empty or overlong password."""
        row = self._known(name)
        keep = row.keeps_secret if keep_secret is None else keep_secret
        values = self._derived(row.key, password, keep)
        with self._change() as db:
            self._keep(db, row.key, *values)
            if revoke:
                app_passwords.delete_all(db, row.key)

    def remove(self, name: str) -> Account:
        """Forget the account; its mail stays where it is.  Raises NoSuchAccount."""
        row = self._known(name)
        with self._change() as db:
            db.execute("DELETE FROM accounts WHERE key = ?", (row.key,))
        return row.account

    # -- application passwords ------------------------------------------------

    def app_passwords(self, name: str) -> list[AppPassword]:
        """Those of an account, by name.  Raises NoSuchAccount."""
        return app_passwords.listed(self._connection(), self._known(name).key)

    def add_app_password(
        self, name: str, called: str, uses: frozenset[str] | None = None
    ) -> str:
        """A new one, which cannot be shown again; `uses` narrows what it is for.

        Raises NoSuchAccount, AppPasswordExists, BadParameter."""
        key, password = self._known(name).key, app_passwords.generated()
        mark = self._mark(key, password.replace("-", "").encode())
        with self._change() as db:
            app_passwords.insert(db, key, called, mark, uses)
        return password

    def remove_app_password(self, name: str, called: str) -> None:
        """Raises NoSuchAccount, NoSuchAppPassword."""
        key = self._known(name).key
        with self._change() as db:
            app_passwords.delete(db, key, called)

    def note_use(self, app: AppPassword) -> None:
        """Write down that it was used now."""
        with self._change() as db:
            app_passwords.note_use(db, app.id)

    def _known(self, name: str) -> Row:
        row = self.account(name)
        if row is None:
            raise NoSuchAccount()
        return row

    def _mark(self, key: str, password: bytes) -> bytes:
        secret = self.key_file.derived(b"application password").reveal()
        return app_passwords.mark_of(secret, key, password)

    def _app_password(self, row: Row | None, password: bytes) -> AppPassword | None:
        """The application password of this account that `password` is."""
        typed = app_passwords.normal(password)
        if typed is None:
            return None
        mark = self._mark(row.key if row else "", typed)
        key = row.key if row else ""
        return app_passwords.found(self._connection(), key, mark)

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

    def verify(self, name: str, password: bytes, protocol: str = "") -> Verified | None:
        """The account if `password` is its password, or one of its application
        passwords that is good for `protocol`, and the account is enabled.

        One hash is computed whatever the answer, so an unknown user takes as long as a
        wrong password; one of an imported account takes as long as its own kind of
        hash.  Raises ConfigError for an imported hash that cannot be judged here.
        """
        row = self.account(name)
        app = self._app_password(row, password)
        if row is not None and app is not None:
            if not row.account.enabled or not app.may(protocol):
                return None
            return Verified(row.account.name, row.hash, False, app)
        right = self._fits(row, password)
        if row is None or not right or not row.account.enabled:
            return None
        stale = self._hashes.stale(row.hash) or self._scram_is_stale(row.key)
        return Verified(row.account.name, row.hash, stale)

    def _fits(self, row: Row | None, password: bytes) -> bool:
        if row is None or not row.hash:
            return self._hashes.fits(self._hashes.nobody, password)
        try:
            if ours(row.hash):
                affordable(row.hash)
                return self._hashes.fits(row.hash, password)
            return fits(row.hash, password)
        except (UnusableHash, TooCostly) as fault:
            raise ConfigError(f"the hash of {row.account.name}: {fault}") from fault

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
