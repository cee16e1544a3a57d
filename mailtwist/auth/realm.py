"""The realm: from an avatar ID to what a protocol works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Interface, implementer

from ..interfaces import IDelivery, IDirectory, IMailAccount, IRouter, IStore
from .account import MailAccount

# Makes another avatar of a logged-in account, now or in a Deferred or coroutine.
Maker = Callable[[IMailAccount], Any]


@implementer(IRealm)
class MailRealm:
    """Gives IMailAccount, and every interface that `avatars` has a maker for.

    `avatars`, `router` and `delivery` may be set after construction: makers of
    `twisted.mail.interfaces` need the latter two, which need the directory that the
    portal is made from.
    """

    router: IRouter | None = None
    delivery: IDelivery | None = None

    def __init__(
        self,
        directory: IDirectory,
        store: IStore,
        separator: str = "+",
        avatars: Mapping[type[Interface], Maker] | None = None,
    ) -> None:
        self._directory, self._store = directory, store
        self._separator = separator
        self.avatars: dict[type[Interface], Maker] = dict(avatars or {})

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[Any, Any, Any]]:
        return Deferred.fromCoroutine(self._avatar(avatar_id, interfaces))

    async def _avatar(
        self, avatar_id: bytes | tuple[()], interfaces: tuple[type[Interface], ...]
    ) -> tuple[Any, Any, Any]:
        """(interface, avatar, logout) for the first interface that is known here.

        Raises UnauthorizedLogin for nobody (anonymous), an account that was removed or
        disabled meanwhile, NotImplementedError as cred asks if no interface is known.
        """
        if not avatar_id:
            raise UnauthorizedLogin()
        wanted = next(
            (i for i in interfaces if i is IMailAccount or i in self.avatars), None
        )
        if wanted is None:
            raise NotImplementedError(f"no avatar for {interfaces}")
        account = await self._directory.account(avatar_id.decode())
        if account is None or not account.enabled:
            raise UnauthorizedLogin()
        avatar = MailAccount(account, self._store, self._directory, self._separator)
        if wanted is IMailAccount:
            return wanted, avatar, Logout()
        made = await maybeDeferred(self.avatars[wanted], avatar)
        return wanted, made, Logout(getattr(made, "logout", None))


class Logout:
    """Ends a login; further calls do nothing."""

    def __init__(self, ended: Callable[[], object] | None = None) -> None:
        self._ended = ended

    def __call__(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
