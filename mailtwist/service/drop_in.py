"""Our accounts for Twisted services of other people, as `--auth` asks for them."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..auth.credentials import PasswordCredentials
from ..config.load import load
from ..config.source import Source
from ..errors import ConfigError
from ..secret import Secret
from ..store.memory import MemoryStore
from .auth import build_auth


@implementer(ICredentialsChecker)
class PasswordChecker:
    """The chain of a configuration, for passwords alone; ends with the reactor."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """The account's name, text if the user name was that, as FTP has it.

        Fails with UnauthorizedLogin or AuthUnavailable."""
        name, password = credentials.username, credentials.password
        asked: Deferred[bytes] = self._chain.requestAvatarId(
            PasswordCredentials(octets_of(name), Secret(octets_of(password)))
        )

        def answer(avatar_id: bytes) -> str | bytes:
            return avatar_id.decode() if isinstance(name, str) else bytes(avatar_id)

        return asked.addCallback(answer)


def octets_of(typed: str | bytes) -> bytes:
    return typed.encode(errors="surrogateescape") if isinstance(typed, str) else typed


def checker_of(reactor: Any, kind: str, path: str) -> PasswordChecker:
    """A checker that asks the sources of this kind in the configuration at `path`.

    Raises ValueError, with what is wrong, as strcred wants it."""
    try:
        config = load(path)
        sources = [one for one in config.source if one.kind == kind]
        if not config.source and kind == "userdb":
            sources = [Source(kind=kind)]
        if not sources:
            raise ValueError(f"{path}: no [[source]] of kind {kind}")
        config = evolve(config, source=tuple(sources))
        auth = build_auth(reactor=reactor, config=config, store=MemoryStore())
    except ConfigError as fault:
        raise ValueError(str(fault)) from fault
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(auth.close())
    )
    return PasswordChecker(auth.chain)
