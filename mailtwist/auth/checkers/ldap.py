"""Checks passwords by a bind as the entry of the account."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ...directory.ldap import LdapDirectory
from ...sasl.text import MOST_PASSWORD
from ..credentials import text_of


@implementer(ICredentialsChecker)
class BindChecker:
    """The server compares; the password goes nowhere else."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, directory: LdapDirectory) -> None:
        self._directory = directory

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        """Raises UnauthorizedLogin, AuthUnavailable."""
        name, password = text_of(credentials.username), credentials.password
        if not 0 < len(password) <= MOST_PASSWORD or b"\0" in password:
            raise UnauthorizedLogin()
        entry = await self._directory.verified(name, password)
        if entry is None:
            raise UnauthorizedLogin()
        return entry.account.name.encode()
