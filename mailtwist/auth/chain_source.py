"""One source as the chain asks it: only for its doors, in time, and not while down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    maybeDeferred,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.source import Source
from ..errors import AuthFailed, AuthUnavailable, MailError, SourceDown
from ..interfaces import IDirectory, IScramCredentials, IScramSource
from ..sasl.model import ScramKeys
from .cache import PasswordCache
from .credentials import Door, text_of
from .names import address_of, login_key

log = Logger("mailtwist")

MOST_REST = 6  # doublings of the rest of a source that stays down

Result = TypeVar("Result")


class Health:
    """Whether a source answers; shared by whoever asks it.

    After a question that got no answer it rests, each time longer, and then one asks
    for all.  Questions that waited together are one failure.  A source that answered
    somebody meanwhile is slow and not down.
    """

    def __init__(self, reactor: Any, source: Source) -> None:
        self._reactor, self._source = reactor, source
        self._failures, self._rests_until = 0, float("-inf")
        self._answered_at = float("-inf")
        self._trying = False

    @property
    def down(self) -> bool:
        return self._failures > 0

    @property
    def rests_s(self) -> float:
        """Seconds until it is asked again; 0 if it may be asked now."""
        return max(0.0, self._rests_until - float(self._reactor.seconds()))

    async def ask(self, question: Callable[[], Awaitable[Result]]) -> Result:
        """What it answers.  Raises SourceDown, at once while it rests."""
        if self.down and (self.rests_s or self._trying):
            raise SourceDown()
        trying = self.down
        self._trying = self._trying or trying
        began = self._reactor.seconds()
        try:
            asked: Deferred[Any] = maybeDeferred(_waited, question)
            asked.addTimeout(self._source.timeout_s, self._reactor, in_spite_of_it)
            result: Result = await asked
        except (TimeoutError, SourceDown) as fault:
            if trying or not self.down:  # else others found it down meanwhile
                self._failed(began, fault)
            raise SourceDown() from fault
        except CancelledError:
            raise
        except Exception:
            self._well()
            raise
        finally:
            if trying:
                self._trying = False
        self._well()
        return result

    def _well(self) -> None:
        self._answered_at = self._reactor.seconds()
        if self.down:
            log.info("source {name} answers again", name=self._source.called)
        self._failures, self._rests_until = 0, float("-inf")

    def _failed(self, began: float, fault: Exception) -> None:
        late = isinstance(fault, TimeoutError)
        if late and self._answered_at >= began:
            log.warn("source {name} is slow", name=self._source.called)
            return
        if not self.down:
            why = "no answer in time" if late else why_of(fault)
            log.error("source {name} is down: {why}", name=self._source.called, why=why)
        rest_s = self._source.rest_s * 2.0 ** min(self._failures, MOST_REST)
        self._failures += 1
        self._rests_until = self._reactor.seconds() + min(rest_s, MOST_REST_S)


MOST_REST_S = 60.0


def in_spite_of_it(result: Any, timeout_s: float) -> Any:
    """What a question whose time is over gave when it was cancelled: an answer counts.
    Whatever else it failed with, as Twisted's endpoints do, it was too late."""
    if isinstance(result, Failure):
        raise TimeoutError(timeout_s, "Deferred")
    return result


async def _waited(question: Callable[[], Awaitable[Result]]) -> Result:
    return await question()


def why_of(fault: BaseException) -> str:
    """The words of the deepest cause; sources put no secret in them."""
    cause = fault
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return cause.public if isinstance(cause, MailError) else str(cause)


class SourceChecker:
    """Passwords and keys of one source.

    `stamp` gives something that changes when the source does, if that can be seen.
    """

    def __init__(
        self,
        reactor: Any,
        source: Source,
        checker: ICredentialsChecker,
        directory: IDirectory | None,
        health: Health,
        *,
        default_domain: str = "",
        stamp: Callable[[], object] = lambda: None,
    ) -> None:
        self.source, self.checker, self.directory = source, checker, directory
        self.name = source.called
        self.health = health
        self._default_domain, self._stamp = default_domain, stamp
        self._cache = PasswordCache(
            reactor.seconds, source.cache_s, source.unknown_cache_s
        )

    @property
    def credential_interfaces(self) -> tuple[Any, ...]:
        scram = (IScramCredentials,) if IScramSource.providedBy(self.checker) else ()
        return (*self.checker.credentialInterfaces, *scram)

    def open_to(self, door: Door) -> bool:
        """True if logins at this door ask it; one that nobody named asks all."""
        source = self.source
        return (
            source.logins
            and (
                not source.protocols
                or not door.protocol
                or door.protocol in source.protocols
            )
            and (not source.listeners or door.listener in source.listeners)
        )

    def has_domain_of(self, name: str) -> bool:
        """True if an account called `name` might be here."""
        domains = self.source.domains
        if not domains:
            return True
        address = address_of(name, self._default_domain)
        return address is None or not address.domain or address.domain in domains

    def judges(self, credentials: Any) -> bool:
        return any(i.providedBy(credentials) for i in self.checker.credentialInterfaces)

    async def check(self, credentials: Any) -> bytes | tuple[()]:
        """The avatar ID.  Raises UnauthorizedLogin, AuthUnavailable (SourceDown if it
        did not answer)."""
        if not IUsernamePassword.providedBy(credentials):
            return await self._asked(credentials)
        door = getattr(credentials, "door", Door())
        key = key_of(credentials.username, self._default_domain)
        password = credentials.password
        self._cache.fresh(self._stamp())
        known = self._cache.find(key, door.protocol, password)
        if known is not None:
            if known.avatar_id is None:
                raise UnauthorizedLogin()
            return known.avatar_id
        try:
            avatar_id = await self._asked(credentials)
        except UnauthorizedLogin:
            self._cache.keep(key, door.protocol, password, None)
            raise
        if avatar_id:
            self._cache.keep(key, door.protocol, password, bytes(avatar_id))
        return avatar_id

    async def _asked(self, credentials: Any) -> bytes | tuple[()]:
        ask: Any = self.checker.requestAvatarId

        async def question() -> bytes | tuple[()] | None:
            try:
                found: bytes | tuple[()] = await maybeDeferred(ask, credentials)
            except (LoginFailed, AuthFailed):
                return None
            return found

        found = await self._told(question)
        if found is None:
            raise UnauthorizedLogin()
        return found

    async def scram_keys(
        self, username: str, mechanism: str
    ) -> tuple[bytes, ScramKeys] | None:
        """See IScramSource; None too if it has no keys at all."""
        checker: Any = self.checker
        if not IScramSource.providedBy(checker):
            return None
        found: tuple[bytes, ScramKeys] | None = await self._told(
            lambda: checker.scram_keys(username, mechanism)
        )
        return found

    async def _told(self, question: Callable[[], Awaitable[Result]]) -> Result:
        """Raises AuthUnavailable for whatever is not an answer."""
        try:
            return await self.health.ask(question)
        except CancelledError:
            raise
        except SourceDown:
            raise
        except MailError as fault:
            log.warn(
                "source {name} cannot say: {why}", name=self.name, why=fault.public
            )
            raise AuthUnavailable() from fault
        except Exception as fault:
            log.failure("source {name} cannot say", name=self.name)
            raise AuthUnavailable() from fault


def key_of(username: Any, default_domain: str = "") -> str:
    """The key of a login name in credentials, text or octets."""
    return login_key(text_of(username), default_domain)
