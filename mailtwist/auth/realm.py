"""The realm: from an avatar ID to what a protocol works with."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from ..errors import AuthUnavailable
from ..interfaces import IDirectory, IMailAccount, IStore
from .account import MailAccount


@implementer(IRealm)
class MailRealm:
    """Gives IMailAccount."""

    def __init__(self, directory: IDirectory, store: IStore, separator: str) -> None:
        self._directory, self._store = directory, store
        self._separator = separator

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[Any, Any, Any]]:
        return Deferred.fromCoroutine(self._avatar(avatar_id, interfaces))

    async def _avatar(
        self, avatar_id: bytes | tuple[()], interfaces: tuple[type[Interface], ...]
    ) -> tuple[Any, Any, Any]:
        name = avatar_id.decode() if isinstance(avatar_id, bytes) else ""
        account = await self._directory.account(name)
        if account is None:  # removed between the check and now
            raise AuthUnavailable()
        avatar = MailAccount(
            account, self._store.mailboxes(account), self._directory, self._separator
        )
        for interface in interfaces:
            if interface is IMailAccount:
                return interface, avatar, logout
        raise NotImplementedError(f"no avatar for {interfaces}")


def logout() -> None:
    """Stores close what is idle by themselves; nothing is held by a login."""
