"""Realms that know nothing of ours but an interface or two, for our servers.

    portal = adapted(Portal(realm, [checker]), "imap4", "mx.example.com")

is a portal for an Authenticator: each login gets the avatar that the protocol asks for
and works with it as with an account of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxPOP3,
    IMessageDelivery,
    IMessageDeliveryFactory,
)
from zope.interface import Interface, implementer

from ..address import Address
from ..directory.model import Account
from ..errors import NotPermitted
from ..foreign import NOTHING, ILimitedAccount, IWayIn
from ..interfaces import IMailAccount
from ..mailbox.foreign_imap import MISSING, ForeignMailboxes
from ..mailbox.foreign_pop3 import ForeignMaildrops, has_unique_ids
from ..mailbox.foreign_smtp import ForeignWayIn
from ..mailbox.interfaces import IScripts

# What each protocol asks for, the best first.
AVATARS: dict[str, tuple[type[Interface], ...]] = {
    "pop3": (IMailboxPOP3, IAccountIMAP),
    "imap4": (IAccountIMAP,),
    "submission": (IMessageDeliveryFactory, IMessageDelivery),
    "manage_sieve": (IScripts,),
}


def adapted(portal: Portal, protocol: str, hostname: str) -> Portal:
    """`portal` for our server of `protocol`, one of AVATARS."""
    made = Portal(ForeignRealm(portal.realm, protocol, hostname))
    made.checkers.update(portal.checkers)
    return made


@implementer(ILimitedAccount)
class ForeignAccount:
    """One login; `name` is the avatar ID, which the log and the locks know it by."""

    identifiers: frozenset[str] = frozenset()  # its store has lists of its own, if any

    def __init__(
        self, name: str, mailboxes: Any = None, missing: frozenset[str] = NOTHING
    ) -> None:
        self.account = Account(name, home="")
        self.missing = missing
        self._mailboxes = mailboxes

    @property
    def mailboxes(self) -> Any:
        if self._mailboxes is None:
            raise NotPermitted("This login has no mailboxes")
        return self._mailboxes

    async def may_send_as(self, address: Address) -> bool:
        """Only a login of submission sends."""
        return False

    async def sent_copy(self, address: Address) -> None:
        """Nowhere: the realm has the mailboxes."""


@implementer(IWayIn)
class ForeignSender(ForeignAccount):
    """A login that sends mail."""

    def __init__(self, name: str, way_in: ForeignWayIn) -> None:
        super().__init__(name)
        self.router = self.delivery = way_in

    async def may_send_as(self, address: Address) -> bool:
        return await self.router.may_send_as(address)


@implementer(IRealm)
class ForeignRealm:
    """Gives IMailAccount over the avatars of another realm."""

    def __init__(self, realm: Any, protocol: str, hostname: str) -> None:
        self._realm, self._hostname = realm, hostname
        self._asked = AVATARS[protocol]

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[Any, Any, Callable[[], None]]]:
        return Deferred.fromCoroutine(self._avatar(avatar_id, mind, interfaces))

    async def _avatar(
        self, avatar_id: Any, mind: object, interfaces: tuple[type[Interface], ...]
    ) -> tuple[Any, Any, Callable[[], None]]:
        """Raises UnauthorizedLogin if the realm has nothing for the protocol."""
        if IMailAccount not in interfaces:
            raise NotImplementedError(f"no avatar for {interfaces}")
        if not avatar_id:
            raise UnauthorizedLogin()
        name = avatar_id.decode() if isinstance(avatar_id, bytes) else str(avatar_id)
        try:
            kind, avatar, logout = await maybeDeferred(
                self._realm.requestAvatar, avatar_id, mind, *self._asked
            )
        except NotImplementedError as fault:
            raise UnauthorizedLogin() from fault
        try:
            account = await self._account(name, kind, avatar)
        except BaseException:
            logout()
            raise
        return IMailAccount, account, logout

    async def _account(
        self, name: str, kind: type[Interface], avatar: Any
    ) -> ForeignAccount:
        if kind is IAccountIMAP:
            return ForeignAccount(name, ForeignMailboxes(avatar), MISSING)
        if kind is IMailboxPOP3:
            ids = await has_unique_ids(avatar)
            missing = NOTHING if ids else frozenset({"UIDL"})
            return ForeignAccount(name, ForeignMaildrops(avatar), missing)
        if kind is IScripts:
            return ForeignAccount(name, avatar)
        if kind is IMessageDeliveryFactory:
            avatar = await maybeDeferred(avatar.getMessageDelivery)
        return ForeignSender(name, ForeignWayIn(avatar, self._hostname))
