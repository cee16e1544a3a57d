"""Checkers joined in a chain; cred keeps only one for each credentials interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..config.source import Master
from ..directory.model import Account
from ..errors import (
    AuthFailed,
    AuthUnavailable,
    LoginExpired,
    LoginNotAllowed,
    MailError,
)
from ..interfaces import IDirectory, IScramCredentials
from ..sasl.model import ScramKeys
from .chain_source import SourceChecker
from .credentials import Door, IVouchedCredentials, text_of
from .fake import FakeKeys
from .names import login_key, master_of

log = Logger("mailtwist")


class Refused(UnauthorizedLogin):
    """It was them, but they may not come in; `fault` says why."""

    def __init__(self, fault: AuthFailed) -> None:
        super().__init__(fault.public)
        self.fault = fault


def refusal(account: Account, protocol: str, now_s: float) -> AuthFailed | None:
    """Why this account, which is enabled, may not log in over `protocol`."""
    if account.may(protocol, now_s):
        return None
    return LoginExpired() if account.expired(now_s) else LoginNotAllowed()


class AvatarId(bytes):
    """The name of an account, with the account: the realm need not ask for it again,
    whether other sources are up or not.  One that is `read_only` changes no mail; `by`
    is the master who logged in as that account, "" for its owner."""

    account: Account
    read_only: bool
    by: str

    def __new__(
        cls, account: Account, *, read_only: bool = False, by: str = ""
    ) -> AvatarId:
        made = super().__new__(cls, account.name.encode())
        made.account, made.read_only, made.by = account, read_only, by
        return made


@implementer(ICredentialsChecker)
class CheckerChain:
    """The first source that accepts wins; one that is down never means "wrong".

    SCRAM is asked of every source for keys first: only one conversation with the client
    is possible, and an unknown user gets one with `fake` keys that look like any.

    `directory` has the accounts of sources that have none themselves.
    """

    def __init__(
        self,
        sources: Sequence[SourceChecker],
        fake: FakeKeys,
        directory: IDirectory,
        *,
        masters: Sequence[Master] = (),
        default_domain: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.sources, self._fake, self._directory = tuple(sources), fake, directory
        self._default, self._now = default_domain, now
        self._masters = {self._key(master.account): master for master in masters}

    @property
    def credentialInterfaces(self) -> tuple[Any, ...]:
        known = {i: None for s in self.sources for i in s.credential_interfaces}
        return (*known, IVouchedCredentials)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """The avatar ID.  Fails with UnauthorizedLogin if all said no, AuthUnavailable
        if one of them could not say."""
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    def scram_everywhere(self, door: Door) -> bool:
        """True if every source that a login at this door may need has keys, and there
        is one.

        A client takes the strongest mechanism that is offered: one that cannot judge
        half of the accounts would lock them out."""
        asked = [source for source in self.sources if source.open_to(door)]
        return bool(asked) and all(
            IScramCredentials in source.credential_interfaces for source in asked
        )

    # -- who is it ------------------------------------------------------------

    async def _avatar_id(self, credentials: Any) -> bytes | tuple[()]:
        door = getattr(credentials, "door", Door())
        if IVouchedCredentials.providedBy(credentials):
            return await self._vouched(credentials, door)
        name = text_of(credentials.username)
        split = master_of(name) if self._masters else None
        if split is None or self._key(split[1]) not in self._masters:
            return await self._known(credentials, name, door)
        user, name = split
        master = self._masters[self._key(name)]
        as_master = self._renamed(credentials, name)
        vouched = await self._known(as_master, name, door)
        if not vouched or self._key(text_of(vouched)) != self._key(master.account):
            raise UnauthorizedLogin()
        return await self._as_other(user, master, door)

    async def _known(
        self, credentials: Any, name: str, door: Door
    ) -> bytes | tuple[()]:
        """The avatar ID of somebody who may log in at this door."""
        open_ = [s for s in self.sources if s.open_to(door) and s.has_domain_of(name)]
        avatar_id: bytes | tuple[()]
        if IScramCredentials.providedBy(credentials):
            avatar_id, source = await self._scram(open_, credentials, name)
        else:
            avatar_id, source = await self._first(open_, credentials)
        if not avatar_id:
            return ()
        return await self._allowed(avatar_id, source, door)

    async def _vouched(self, credentials: IVouchedCredentials, door: Door) -> AvatarId:
        """The account that is proved, or the one that its master asks for."""
        wanted = self._key(credentials.username) if credentials.username else ""
        for name in await credentials.identities():
            account = await self._account_at(name, door)
            if account is None or not account.enabled:
                continue
            if wanted in ("", account.name, self._key(name)):
                fault = refusal(account, door.protocol, self._now())
                if fault is not None:
                    raise Refused(fault)
                return AvatarId(account, read_only=credentials.read_only)
            own = self._key(account.name)
            user, by = master_of(credentials.username) or (wanted, own)
            master = self._masters.get(own) if self._key(by) == own else None
            if master is not None and account.may(door.protocol, self._now()):
                return await self._as_other(user, master, door)
        raise UnauthorizedLogin()

    async def _account_at(self, name: str, door: Door) -> Account | None:
        """From the sources that logins at this door may ask; AuthUnavailable if one
        that might have it is down."""
        down: AuthUnavailable | None = None
        for source in self.sources:
            if not source.open_to(door) or not source.has_domain_of(name):
                continue
            try:
                directory = source.directory or self._directory
                account = await directory.account(self._key(name))
            except AuthUnavailable as fault:
                down = fault
                continue
            if account is not None:
                return account
        if down is not None:
            raise AuthUnavailable() from down
        return None

    async def _allowed(
        self, avatar_id: bytes, source: SourceChecker, door: Door
    ) -> AvatarId:
        """Raises Refused for an account that may not come in here, UnauthorizedLogin
        for a disabled one: that looks like a wrong password."""
        directory = source.directory or self._directory
        account = await directory.account(text_of(avatar_id))
        if account is None or not account.enabled:
            raise UnauthorizedLogin()
        fault = refusal(account, door.protocol, self._now())
        if fault is not None:
            raise Refused(fault)
        return AvatarId(account)

    async def _as_other(self, user: str, master: Master, door: Door) -> AvatarId:
        """Raises UnauthorizedLogin, as for a wrong password: nobody learns of users."""
        account = await self._directory.account(self._key(user))
        if (
            account is None
            or not account.may(door.protocol, self._now())
            or account.name.rpartition("@")[2] not in master.domains
            or door.protocol not in master.protocols
        ):
            raise UnauthorizedLogin()
        log.info(
            "{master} logs in as {login} over {protocol}",
            master=master.account,
            login=account.name,
            protocol=door.protocol,
        )
        return AvatarId(account, by=self._key(master.account))

    def _key(self, name: str) -> str:
        return login_key(name, self._default)

    def _renamed(self, credentials: Any, name: str) -> Any:
        """The same credentials under the master's own name."""
        if "@" not in name and self._default:
            name = f"{name}@{self._default}"
        as_text = isinstance(credentials.username, str)
        return evolve(credentials, username=name if as_text else name.encode())

    async def _first(
        self, sources: Sequence[SourceChecker], credentials: Any
    ) -> tuple[bytes | tuple[()], SourceChecker]:
        down: Exception | None = None
        for source in sources:
            if not source.judges(credentials):
                continue
            try:
                return await source.check(credentials), source
            except UnauthorizedLogin:
                continue
            except AuthUnavailable as fault:
                down = fault
        if down is not None:
            raise AuthUnavailable() from down
        raise UnauthorizedLogin()

    # -- SCRAM ----------------------------------------------------------------

    async def _scram(
        self,
        sources: Sequence[SourceChecker],
        credentials: IScramCredentials,
        name: str,
    ) -> tuple[bytes, SourceChecker]:
        found = await self._keys(sources, name, credentials.mechanism)
        keys: ScramKeys
        try:
            keys = self._fake.keys(credentials.username, credentials.mechanism)
        except Exception as fault:
            if found is None:
                self._no_fakes(fault)
                raise AuthUnavailable() from fault
        if found is not None:
            keys = found[1]
        # Without an avatar ID it is nobody: the proof of fake keys counts for nothing.
        if await credentials.prove(keys) and found is not None and found[0]:
            return found[0], found[2]
        raise UnauthorizedLogin()

    @staticmethod
    def _no_fakes(fault: Exception) -> None:
        if isinstance(fault, MailError):
            log.warn("no keys for unknown users: {why}", why=fault.public)
        else:
            log.failure("no keys for unknown users")

    async def _keys(
        self, sources: Sequence[SourceChecker], username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys, SourceChecker] | None:
        """From the first source that has some; raises AuthUnavailable."""
        down: Exception | None = None
        for source in sources:
            try:
                found = await source.scram_keys(username, mechanism)
            except CancelledError:
                raise
            except AuthUnavailable as fault:
                down = fault
                continue
            if found is not None:
                return *found, source
        if down is not None:
            raise AuthUnavailable() from down
        return None
