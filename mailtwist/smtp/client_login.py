"""Logging in at a smarthost, with a password or with a token (RFC 4954).

A login that is refused never returns mail to its senders: it waits, and the log says
loudly what is wrong.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from ..auth.checkers.hash_pool import HashPool
from ..errors import ConfigError, MailError
from ..sasl.client_mechanisms import Conversation, Scram, XOAuth2, conversations
from ..secret import Secret
from .client import SMTPClient
from .client_token import Tokens

log = Logger()

PAUSE_S = 60.0  # without a login after a refused one; accounts get locked else
MOST_TRIES = 2  # mechanisms, so that no account is locked for our persistence
_PASSWORD = frozenset(("user", "password"))
_TOKEN = frozenset(("user", "client_id", "client_secret", "refresh_token", "token_url"))


class LoginRefused(MailError):
    """RFC 4954 §6 says 535 is permanent; for the mail that waits it is not."""

    status, public = "4.7.0", "The smarthost refuses our login"


@frozen
class Credentials:
    """What a credentials file holds: a password, or what gets a token."""

    user: str
    password: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    token_url: str = ""


def read_credentials(path: str) -> Credentials:
    """The login in a TOML file that only its owner may read; raises ConfigError."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    return credentials_in(path, opened)


def credentials_in(path: str, opened: int) -> Credentials:
    """As read_credentials, from a descriptor, which is closed."""
    try:
        with os.fdopen(opened, "rb") as file:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"{path}: is no file")
            if found.st_mode & 0o077:
                raise ConfigError(
                    f"{path}: holds a password and may be read by others than its "
                    f"owner; say: chmod 600 {path}"
                )
            table = tomllib.loads(file.read(64 * 1024).decode())
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    except ValueError:  # nothing of the text may reach a log, nor the cause with it
        raise ConfigError(f"{path}: is not TOML in UTF-8") from None
    return _credentials(path, table)


def _credentials(path: str, table: dict[str, Any]) -> Credentials:
    keys = frozenset(table)
    if any(not isinstance(value, str) or not value for value in table.values()):
        raise ConfigError(f"{path}: every value is a text that is not empty")
    if keys == _PASSWORD:
        return Credentials(table["user"], Secret(table["password"].encode()))
    if keys in (_TOKEN, _TOKEN - {"client_secret"}):
        if not table["token_url"].startswith("https://"):
            raise ConfigError(f"{path}: token_url does not begin with https://")
        secret = table.get("client_secret")
        return Credentials(
            table["user"],
            None,
            Secret(table["client_id"].encode()),
            Secret(secret.encode()) if secret else None,
            Secret(table["refresh_token"].encode()),
            table["token_url"],
        )
    raise ConfigError(
        f"{path}: holds {', '.join(sorted(keys)) or 'nothing'}; needed are user and "
        "password, or user, client_id, client_secret, refresh_token and token_url"
    )


class _Login:
    """What the ways to log in share: after a refusal none is tried for a while."""

    def __init__(self, reactor: Any, user: str) -> None:
        self.user = user
        self._reactor = reactor
        self._refusal: LoginRefused | None = None
        self._off_until_s = 0.0

    def allowed(self) -> None:
        if self._refusal is not None and self._reactor.seconds() < self._off_until_s:
            raise LoginRefused(self._refusal.public)

    def refused(self, client: SMTPClient, why: str) -> LoginRefused:
        log.error(
            "smarthost {host} does not let {user} in, mail waits: {why}",
            host=client.host,
            user=self.user,
            why=why,
        )
        self._off_until_s = self._reactor.seconds() + PAUSE_S
        self._refusal = LoginRefused(f"{client.host}: {why}")
        return self._refusal

    async def converse(
        self,
        client: SMTPClient,
        mechanism: str,
        conversation: Conversation,
        respond: Callable[[bytes], Awaitable[bytes]],
    ) -> str:
        """ "" when we are in, else why not for good; raises what is temporary."""
        try:
            await client.log_in(
                mechanism, conversation.initial, respond, conversation.done
            )
        except MailError as fault:
            if not client.usable or fault.temporary:
                raise
            return fault.public
        return ""


class PasswordLogin(_Login):
    """The strongest mechanism that is offered, then the next."""

    def __init__(
        self, reactor: Any, pool: HashPool, user: str, password: Secret
    ) -> None:
        super().__init__(reactor, user)
        self._pool, self._password = pool, password

    async def log_in(self, client: SMTPClient) -> None:
        """Raises LoginRefused, or another temporary fault."""
        offered = client.engine.offer.mechanisms
        nonce = os.urandom(18).hex().encode()
        known = conversations(
            offered, self.user, self._password, nonce, secure=client.secure
        )
        if not known:
            where = "" if client.secure else " without TLS"
            raise self.refused(client, f"offers no login that may be used{where}")
        why = ""
        for mechanism, conversation in known[:MOST_TRIES]:
            respond = self._respond_with(conversation)
            why = await self.converse(client, mechanism, conversation, respond)
            if not why:
                return
        raise self.refused(client, why)

    def _respond_with(
        self, conversation: Conversation
    ) -> Callable[[bytes], Awaitable[bytes]]:
        async def respond(challenge: bytes) -> bytes:
            if isinstance(conversation, Scram):  # thousands of hashes, off the GIL
                answer: bytes = await self._pool.run(
                    lambda: conversation.respond(challenge)
                )
                return answer
            return conversation.respond(challenge)

        return respond


class TokenLogin(_Login):
    """XOAUTH2 with a token that is fetched when needed."""

    def __init__(self, reactor: Any, user: str, tokens: Tokens) -> None:
        super().__init__(reactor, user)
        self._tokens = tokens

    async def log_in(self, client: SMTPClient) -> None:
        """Raises LoginRefused, or another temporary fault."""
        if "XOAUTH2" not in client.engine.offer.mechanisms:
            raise self.refused(client, "offers no XOAUTH2")
        if not client.secure:
            raise self.refused(client, "gives no TLS to send a token over")
        why = ""
        for fresh in (False, True):  # a refused token may only be too old
            conversation = XOAuth2(self.user, await self._tokens.token(fresh=fresh))

            async def respond(challenge: bytes, told: XOAuth2 = conversation) -> bytes:
                return told.respond(challenge)

            why = await self.converse(client, "XOAUTH2", conversation, respond)
            if not why:
                return
        raise self.refused(client, why)
