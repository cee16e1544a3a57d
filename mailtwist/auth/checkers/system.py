"""Checks passwords of the machine's users by PAM, which a keeper asks."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ...config.model import Config
from ...config.source import Source
from ...interfaces import IDirectory
from ...keeper.packets import DISABLED, RIGHT
from ...keeper.process import Keepers
from ...sasl.text import MOST_PASSWORD
from ..credentials import Door, text_of
from ..names import address_of

log = Logger("mailtwist")

SERVICES = {  # what `%p` in the name of a service stands for
    "smtp": "smtp",
    "submission": "smtp",
    "lmtp": "lmtp",
    "pop3": "pop",
    "imap4": "imap",
    "manage_sieve": "sieve",
}


def service_at(pattern: str, door: Door) -> str:
    """The PAM service of logins at this door."""
    return pattern.replace("%p", SERVICES.get(door.protocol, door.protocol or "mail"))


@implementer(ICredentialsChecker)
class SystemChecker:
    """PAM is asked about the user, the part before the "@".

    A name that the system does not know is asked about too, so that it costs the same
    as a wrong password."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        config: Config,
        source: Source,
        keepers: Keepers,
        directory: IDirectory,
    ) -> None:
        self._source, self._keepers, self._directory = source, keepers, directory
        self._domains = source.domains or tuple(d.name for d in config.domain)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        """Raises UnauthorizedLogin, SourceDown, SystemBusy."""
        address, door = self._asked(credentials)
        verdict = await self._keepers.keeper().verify(
            service_at(self._source.service, door),
            address.local_part,
            credentials.password,
            host=door.address,
            protocol=SERVICES.get(door.protocol, door.protocol),
            # The source's own time is over first: that is slow, and not yet down.
            limit_s=self._source.timeout_s + 1,
        )
        if verdict == DISABLED:
            log.info(
                "{login} may not log in, as PAM says: expired, or not allowed",
                login=str(address),
            )
        if verdict != RIGHT:
            raise UnauthorizedLogin()
        account = await self._directory.account(str(address))
        if account is None:
            raise UnauthorizedLogin()
        return account.name.encode()

    def _asked(self, credentials: Any) -> tuple[Any, Door]:
        name = text_of(credentials.username)
        address = address_of(name, self._domains[0] if self._domains else "")
        if (
            address is None
            or address.domain not in self._domains
            or not 0 < len(credentials.password) <= MOST_PASSWORD
        ):
            raise UnauthorizedLogin()
        return address, getattr(credentials, "door", Door())
