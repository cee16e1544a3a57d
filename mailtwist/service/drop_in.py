"""Our accounts for Twisted services of other people, as `--auth` asks for them."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..auth.credentials import PasswordCredentials
from ..config.load import load
from ..config.source import Source
from ..errors import ConfigError
from ..secret import Secret
from ..store.memory import MemoryStore
from .auth import build_auth
from .drop_in_short import Ask, ShortForm, short_form

# What each kind of source takes beside a configuration, for errors.
FORMS = {
    "userdb": "the FILE.sqlite of a user database",
    "system": "the name of a PAM service, or nothing",
    "mysql": "a file with the settings of a mysql source",
    "ldap": "a URL ldap://HOST[:PORT]/BASE[?ATTR[?SCOPE[?FILTER]]][;settings=FILE]",
}


@implementer(ICredentialsChecker)
class PasswordChecker:
    """Passwords alone; ends with the reactor."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """The account's name, text if the user name was that, as FTP has it.

        Fails with UnauthorizedLogin or AuthUnavailable."""
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: Any) -> str | bytes:
        name, password = credentials.username, credentials.password
        avatar_id = await self._ask(
            PasswordCredentials(octets_of(name), Secret(octets_of(password)))
        )
        if not avatar_id:  # anonymous: none of these sources lets that in
            raise UnauthorizedLogin()
        return avatar_id.decode() if isinstance(name, str) else bytes(avatar_id)


def octets_of(typed: str | bytes) -> bytes:
    return typed.encode(errors="surrogateescape") if isinstance(typed, str) else typed


def checker_of(reactor: Any, kind: str, argument: str) -> PasswordChecker:
    """A checker that asks the source of this kind which `argument` tells, or all in the
    configuration at that path.

    Raises ValueError, with what is wrong, as strcred wants it."""
    try:
        form = short_form(reactor, kind, argument) or configured(
            reactor, kind, argument
        )
    except ConfigError as fault:
        allowed = f"give {FORMS[kind]}, or a configuration of mailtwist"
        raise ValueError(f"{fault}; {allowed}") from fault
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(closed(form))
    )
    return PasswordChecker(form.ask)


async def closed(form: ShortForm) -> None:
    await form.close()


def configured(reactor: Any, kind: str, path: str) -> ShortForm:
    """Raises ConfigError, ValueError."""
    config = load(path)
    sources = [one for one in config.source if one.kind == kind]
    if not config.source and kind == "userdb":
        sources = [Source(kind=kind)]
    if not sources:
        raise ValueError(f"{path}: no [[source]] of kind {kind}")
    config = evolve(config, source=tuple(sources))
    auth = build_auth(reactor=reactor, config=config, store=MemoryStore())
    return ShortForm(auth.chain.requestAvatarId, auth.close)
