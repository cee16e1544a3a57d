"""The realm: from an avatar ID to what a protocol works with."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IAccountIMAP, IMailboxPOP3, IMessageDelivery
from zope.interface import Interface, implementer

from ..errors import AuthUnavailable
from ..interfaces import IDelivery, IDirectory, IMailAccount, IRouter, IStore
from ..mailbox.compat import imap_account, message_delivery, pop3_mailbox
from .account import MailAccount


@implementer(IRealm)
class MailRealm:
    """Gives IMailAccount, and the avatars of `twisted.mail.interfaces`.

    `router` and `delivery` are what IMessageDelivery works with; they may be set after
    construction, as they need the directory that the portal is made from.
    """

    def __init__(self, directory: IDirectory, store: IStore, separator: str) -> None:
        self._directory, self._store = directory, store
        self._separator = separator
        self.router: IRouter | None = None
        self.delivery: IDelivery | None = None

    def requestAvatar(
        self, avatar_id: bytes, mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[Any, Any, Any]]:
        return Deferred.fromCoroutine(self._avatar(avatar_id, interfaces))

    async def _avatar(
        self, avatar_id: bytes, interfaces: tuple[type[Interface], ...]
    ) -> tuple[Any, Any, Any]:
        account = await self._directory.account(avatar_id.decode())
        if account is None:  # removed between the check and now
            raise AuthUnavailable()
        avatar = MailAccount(
            account, self._store.mailboxes(account), self._directory, self._separator
        )
        for interface in interfaces:
            if interface is IMailAccount:
                return interface, avatar, logout
            if interface is IMailboxPOP3:
                return interface, await pop3_mailbox(avatar), logout
            if interface is IAccountIMAP:
                return interface, imap_account(avatar), logout
            if interface is IMessageDelivery and self.router is not None:
                delivery = message_delivery(avatar, self.router, self.delivery)
                return interface, delivery, logout
        raise NotImplementedError(f"no avatar for {interfaces}")


def logout() -> None:
    """Stores close what is idle by themselves; nothing is held by a login."""
