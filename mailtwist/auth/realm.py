"""The realm: from an avatar ID to what a protocol works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import evolve
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Interface, implementer

from ..directory.model import Account
from ..interfaces import IDirectory, IMailAccount
from ..mailbox.interfaces import IStore
from ..mailbox.sharing import Sharing
from .account import MailAccount
from .limit_setting import Administrator, LimitSetting
from .senders import SendAs

# Makes another avatar of a login, now or in a Deferred; of None for anonymous ones.
Maker = Callable[[Any], Any]


@implementer(IRealm)
class MailRealm:
    """Gives IMailAccount, and every interface that `avatars` has a maker for.

    Who did not log in gets the interfaces in `open_to_all` alone.  Both may be filled
    after construction: makers of `twisted.mail.interfaces` need a router, which needs
    the directory that the portal is made from.
    """

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
        self.sharing: Sharing | None = None  # given later: it needs the directory
        self.senders: SendAs | None = None  # likewise
        self.limits: LimitSetting | None = None  # likewise
        # What groups a login is in beside those of its account.
        self.groups_of: Callable[[Account], Awaitable[frozenset[str]]] | None = None
        self.open_to_all: set[type[Interface]] = set()

    def requestAvatar(
        self, avatar_id: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[Any, Any, Any]]:
        return Deferred.fromCoroutine(self._avatar(avatar_id, interfaces))

    async def _avatar(
        self, avatar_id: bytes | tuple[()], interfaces: tuple[type[Interface], ...]
    ) -> tuple[Any, Any, Any]:
        """(interface, avatar, logout) for the first interface that is known here.

        Raises UnauthorizedLogin for an account that was removed or disabled meanwhile,
        NotImplementedError, as cred asks, if no interface is known.
        """
        wanted = next(
            (i for i in interfaces if i is IMailAccount or i in self.avatars), None
        )
        if wanted is None:
            raise NotImplementedError(f"no avatar for {interfaces}")
        account = await self._account(avatar_id, wanted)
        if wanted is IMailAccount:
            return wanted, account, Logout()
        made = await maybeDeferred(self.avatars[wanted], account)
        return wanted, made, Logout(getattr(made, "logout", None))

    async def _account(
        self, avatar_id: bytes | tuple[()], wanted: type[Interface]
    ) -> MailAccount | None:
        """None for anonymous logins."""
        if not avatar_id:
            if wanted in self.open_to_all:
                return None
            raise UnauthorizedLogin()
        account: Account | None = getattr(avatar_id, "account", None)
        if account is None:
            account = await self._directory.account(avatar_id.decode())
        if account is None or not account.enabled:
            raise UnauthorizedLogin()
        if self.groups_of is not None:
            more = await self.groups_of(account)
            if more:
                account = evolve(account, groups=account.groups | more)
        read_only = getattr(avatar_id, "read_only", False)
        about = (
            account,
            self._store,
            self._directory,
            self._separator,
            read_only,
            self.sharing,
            self.senders,
        )
        by, limits = getattr(avatar_id, "by", ""), self.limits
        if limits is not None and not read_only and limits.lets(account, by):
            return Administrator(*about, by=by, change=limits.change)
        return MailAccount(*about)


class Logout:
    """Ends a login; further calls do nothing."""

    def __init__(self, ended: Callable[[], object] | None = None) -> None:
        self._ended = ended

    def __call__(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
