"""What an account may hold by the configuration, where its source says nothing."""

from __future__ import annotations

import os

from attrs import evolve

from ..config.limiting import mailbox_limits
from ..config.model import Config
from .model import Account, DomainLimit

FOLDER = "domains"  # in the data folder: what the accounts of each domain hold


def shared_limits(config: Config) -> list[DomainLimit]:
    """Of every domain whose accounts share one."""
    folder = os.path.join(os.path.abspath(config.server.data), FOLDER)
    return [
        DomainLimit(
            domain.name,
            os.path.join(folder, domain.name),
            domain.storage_octets or None,
            domain.messages or None,
        )
        for domain in config.domain
        if domain.storage_octets or domain.messages
    ]


class Defaults:
    """The limits of `[quota]` and of `[[domain]]`."""

    def __init__(self, config: Config) -> None:
        quota = config.quota
        self._messages = quota.messages or None
        self._storage = quota.storage_octets or None
        self._mailboxes = quota.mailboxes or None
        self._below = mailbox_limits(quota.mailbox_limits)
        self._domains = {
            domain.name: (domain.account_storage_octets, domain.account_messages)
            for domain in config.domain
            if domain.account_storage_octets or domain.account_messages
        }
        self._shared = {limit.name: limit for limit in shared_limits(config)}
        numbers = self._messages, self._storage, self._mailboxes
        named = self._below or self._domains or self._shared
        self._any = bool(any(numbers) or named)

    def of(self, account: Account) -> Account:
        """The account with the limits that it did not have."""
        if not self._any:
            return account
        domain = account.name.rpartition("@")[2]
        storage, messages = self._domains.get(domain, (0, 0))
        if account.unlimited:
            limits: tuple[int | None, int | None] = (None, None)
        else:
            limits = storage or self._storage, messages or self._messages
        own = {path for path, *_ in account.mailbox_limits}
        more = tuple(each for each in self._below if each[0] not in own)
        return evolve(
            account,
            storage_limit_octets=_first(account.storage_limit_octets, limits[0]),
            message_limit=_first(account.message_limit, limits[1]),
            mailboxes_limit=_first(account.mailboxes_limit, self._mailboxes),
            mailbox_limits=account.mailbox_limits + more,
            domain=self._shared.get(domain),
        )


def _first(own: int | None, default: int | None) -> int | None:
    return default if own is None else own
