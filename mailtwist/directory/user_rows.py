"""From rows of the user database to values, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ..address import Address
from ..auth.names import account_key
from ..secret import Secret
from . import app_passwords
from .model import Account

SELECT = (
    "SELECT key, hash, secret, name, home, storage_limit, enabled, send_as, mailbox,"
    " uid, gid, uses, message_limit, login_until_s, groups FROM accounts"
)
# Of key, name, home, time, and what `settings_of` gives; without a password yet.
INSERT = (
    "INSERT INTO accounts (key, name, home, made_at_ns, hash, storage_limit, enabled,"
    " send_as, mailbox, uid, gid, uses, message_limit, login_until_s, groups)"
    " VALUES (?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE = (
    "UPDATE accounts SET storage_limit = ?, enabled = ?, send_as = ?, mailbox = ?,"
    " uid = ?, gid = ?, uses = ?, message_limit = ?, login_until_s = ?, groups = ?"
    " WHERE key = ?"
)

# (does any account keep its password, has any one that SCRAM keys cannot judge: an
# imported one that was not used yet, or an application password, has any one keys)
OFFERS = (
    "SELECT EXISTS (SELECT 1 FROM accounts WHERE secret IS NOT NULL),"
    " EXISTS (SELECT 1 FROM accounts WHERE enabled AND hash != ''"
    " AND substr(hash, 1, 10) != '$argon2id$')"
    " OR EXISTS (SELECT 1 FROM app_passwords JOIN accounts USING (key) WHERE enabled),"
    " EXISTS (SELECT 1 FROM scram CROSS JOIN accounts USING (key) WHERE enabled)"
)


@frozen
class Row:
    """What the database holds of one account beside its `Account`.

    `hash` is empty if no password was ever given."""

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
class Imported:
    """An account of another program with its hash, or with its password, which is
    hashed here; a hash without scheme is of crypt(3)."""

    account: Account
    hash: str = field(default="", repr=False)
    password: Secret | None = None

    @property
    def key(self) -> str:
        return account_key(Address.parse(self.account.name))


def row_of(row: tuple[Any, ...], data: Path) -> Row:
    """Of what SELECT gives; homes are in the folder `data`, or absolute."""
    key, hashed, sealed, name, home, limit, enabled, send_as, *more = row
    mailbox, uid, gid, uses, messages, until, groups = more
    account = Account(
        name,
        str(data / home),
        limit,
        bool(enabled),
        frozenset(json.loads(send_as)),
        mailbox,
        uid,
        gid,
        app_passwords.uses_of(uses),
        messages,
        until,
        groups=frozenset(json.loads(groups)),
    )
    return Row(key, account, hashed, sealed)


def settings_of(account: Account) -> tuple[Any, ...]:
    """What may be changed of an account, in the order of INSERT and UPDATE."""
    return (
        account.storage_limit_octets,
        account.enabled,
        json.dumps(sorted(account.send_as)),
        account.mailbox,
        account.uid,
        account.gid,
        app_passwords.text_of(account.uses),
        account.message_limit,
        account.login_until_s,
        json.dumps(sorted(account.groups)),
    )
