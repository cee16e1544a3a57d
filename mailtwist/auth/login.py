"""Logging in: every service comes through here, and from here through the portal."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.task import deferLater

from ..config.model import Auth
from ..errors import (
    AuthFailed,
    EncryptionNeeded,
    MailError,
    UnknownMechanism,
)
from ..interfaces import IMailAccount, IScramCredentials
from ..log import mail_log
from ..sasl import text
from ..sasl.cram_md5 import cram_md5
from ..sasl.login import ASK_PASSWORD, ASK_USERNAME
from ..sasl.login import login as login_proof
from ..sasl.mechanisms import BY_NAME, MECHANISMS, Mechanism
from ..sasl.plain import plain
from ..sasl.proof import PasswordProof
from ..sasl.scram import ScramServer
from ..secret import Secret
from .credentials import (
    ApopCredentials,
    Converse,
    CramMd5Credentials,
    PasswordCredentials,
    ScramCredentials,
)
from .throttle import Throttle


@frozen
class Peer:
    """Who is asking: `address` is an IP address, or "local" for a Unix socket."""

    address: str
    tls: bool
    session: str
    protocol: str


@frozen
class Login:
    """A login that succeeded; `logout` is called exactly once when it ends."""

    account: IMailAccount
    name: str
    mechanism: str
    logout: Callable[[], None]


class Authenticator:
    """Carries passwords and SASL exchanges to the portal, slowed by the throttle.

    `offers` tells whether the sources hold "scram" keys for SHA-1 and "secret"s now.
    """

    def __init__(
        self,
        portal: Portal,
        throttle: Throttle,
        config: Auth,
        reactor: Any,
        hostname: str,
        offers: Callable[[str], bool],
    ) -> None:
        self._portal, self._throttle, self._config = portal, throttle, config
        self._reactor, self._hostname, self._offers = reactor, hostname, offers

    # -- what is offered ------------------------------------------------------

    def plaintext(self, *, tls: bool) -> bool:
        """True if a password may cross this connection in clear."""
        return tls or self._config.plaintext_without_tls

    def apop(self) -> bool:
        """True if any account could answer APOP."""
        return self._listed(IUsernameHashedPassword) and self._offers("secret")

    def mechanisms(self, *, tls: bool) -> tuple[str, ...]:
        """SASL mechanisms for a connection in this state, strongest first."""
        return tuple(m.name for m in MECHANISMS if self._offered(m, tls))

    def _offered(self, mechanism: Mechanism, tls: bool) -> bool:
        if mechanism.plaintext:
            return self.plaintext(tls=tls) and self._listed(IUsernamePassword)
        if mechanism.needs == "scram":
            return self._listed(IScramCredentials) and self._offers(mechanism.name)
        return self.apop()

    def _listed(self, interface: Any) -> bool:
        return interface in self._portal.listCredentialsInterfaces()

    # -- logging in -----------------------------------------------------------

    async def login_password(self, user: str, password: Secret, peer: Peer) -> Login:
        """USER and PASS, or LOGIN.

        Raises EncryptionNeeded, AuthFailed, AuthThrottled, AuthUnavailable."""
        if not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()

        async def credentials() -> Any:
            name = text.username(user.encode())
            return self._password(
                PasswordProof(name, Secret(text.password(password.reveal())))
            )

        return await self._login(credentials, user, "password", peer)

    async def login_apop(
        self, user: str, timestamp: bytes, digest: bytes, peer: Peer
    ) -> Login:
        """APOP (RFC 1939 §7) with the timestamp of the greeting."""

        async def credentials() -> Any:
            name = self._full(text.username(user.encode()))
            return ApopCredentials(name.encode(), timestamp, digest)

        return await self._login(credentials, user, "APOP", peer)

    async def login_sasl(
        self, mechanism: str, initial: bytes | None, converse: Converse, peer: Peer
    ) -> Login:
        """A SASL exchange; `converse(challenge)` gives the client's response.

        Raises UnknownMechanism, EncryptionNeeded, SyntaxFault, and as login_password;
        whatever `converse` raises (SaslCancelled) ends the exchange.
        """
        name = mechanism.upper()
        known = BY_NAME.get(name)
        if known and known.plaintext and not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()
        if not known or not self._offered(known, peer.tls):
            raise UnknownMechanism()
        self._throttle.admit(peer.address)
        exchange = {
            "PLAIN": self._plain,
            "LOGIN": self._asked,
            "CRAM-MD5": self._cram_md5,
        }.get(name)

        async def credentials() -> Any:
            if exchange is None:
                return await self._scram(name, initial, converse)
            return await exchange(initial, converse)

        return await self._login(credentials, "", name, peer)

    async def _plain(self, initial: bytes | None, converse: Converse) -> Any:
        return self._password(
            plain(await converse(b"") if initial is None else initial)
        )

    async def _asked(self, initial: bytes | None, converse: Converse) -> Any:
        user = await converse(ASK_USERNAME) if initial is None else initial
        return self._password(login_proof(user, await converse(ASK_PASSWORD)))

    async def _cram_md5(self, initial: bytes | None, converse: Converse) -> Any:
        challenge = b"<%s.%d@%s>" % (
            secrets.token_hex(8).encode(),
            int(time.time()),
            self._hostname.encode("idna" if not self._hostname.isascii() else "ascii"),
        )
        proof = cram_md5(challenge, await converse(challenge))
        full = self._full(proof.username)
        return CramMd5Credentials(type(proof)(full, proof.challenge, proof.digest))

    async def _scram(
        self, name: str, initial: bytes | None, converse: Converse
    ) -> ScramCredentials:
        server = ScramServer(name, secrets.token_urlsafe(18).encode())
        first = await converse(b"") if initial is None else initial
        user = self._full(server.client_first(first))
        return ScramCredentials(name, server, user).over(converse)

    def _password(self, proof: PasswordProof) -> PasswordCredentials:
        return PasswordCredentials(self._full(proof.username).encode(), proof.password)

    def _full(self, user: str) -> str:
        """The login name with the default domain, if there is one."""
        domain = self._config.default_domain
        return f"{user}@{domain}" if domain and "@" not in user else user

    async def _login(
        self,
        make: Callable[[], Awaitable[Any]],
        user: str,
        mechanism: str,
        peer: Peer,
    ) -> Login:
        """Ask the portal; a failure is logged, counted and waits its time."""
        try:
            self._throttle.admit(peer.address)
            credentials = await make()
            name = credentials.username
            user = name.decode(errors="replace") if isinstance(name, bytes) else name
            login: Any = self._portal.login(credentials, None, IMailAccount)
            _, avatar, logout = await login
        except (UnauthorizedLogin, UnhandledCredentials, AuthFailed) as fault:
            await self._refused(user, mechanism, peer, AuthFailed())
            raise AuthFailed() from fault
        except MailError as fault:
            self._told(user, mechanism, peer, fault)
            raise
        account_name = avatar.account.name
        self._throttle.succeeded(peer.address, account_name)
        mail_log.logged_in(peer.session, peer.protocol, account_name, mechanism)
        return Login(avatar, account_name, mechanism, logout)

    async def _refused(
        self, user: str, mechanism: str, peer: Peer, fault: MailError
    ) -> None:
        self._told(user, mechanism, peer, fault)
        delay = self._throttle.failed(peer.address, user)
        if delay:
            await deferLater(self._reactor, delay)

    def _told(self, user: str, mechanism: str, peer: Peer, fault: MailError) -> None:
        mail_log.login_failed(
            peer.session, peer.protocol, user, mechanism, peer.address, fault.public
        )
