"""Accounts as values."""

from __future__ import annotations

from attrs import frozen


@frozen
class Account:
    """A mailbox owner.

    `name` is the login and main address, "ann@example.test"; `home` the absolute path
    of the account's folder (the Maildir lies in it as `Maildir`, state and cache beside
    it).  `storage_limit_octets` None is no limit; `maildir` the absolute path of the
    Maildir where it lies elsewhere.
    """

    name: str
    home: str
    storage_limit_octets: int | None = None
    enabled: bool = True
    send_as: frozenset[str] = frozenset()  # further addresses it may send from
    maildir: str = ""
