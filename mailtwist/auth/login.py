"""Logging in: every service comes through here, and from here through the portal."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from attrs import evolve, field, frozen
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.task import deferLater

from ..config.model import Auth
from ..errors import (
    AuthFailed,
    EncryptionNeeded,
    MailError,
    SaslCancelled,
    SyntaxFault,
    UnknownMechanism,
)
from ..interfaces import IMailAccount, IScramCredentials
from ..log import mail_log
from ..sasl import text
from ..sasl.cram_md5 import challenge, cram_md5
from ..sasl.digest_md5 import DigestMd5Server
from ..sasl.login import ASK_PASSWORD, ASK_USERNAME
from ..sasl.login import login as login_proof
from ..sasl.mechanisms import BY_NAME, MECHANISMS, VOUCHED, Mechanism
from ..sasl.plain import plain
from ..sasl.proof import PasswordProof
from ..sasl.scram import PLUS, Bindings, ScramServer
from ..secret import Secret
from .chain import Refused, refusal
from .channel import TlsChannel
from .credentials import (
    ApopCredentials,
    Converse,
    CramMd5Credentials,
    DigestMd5Credentials,
    Door,
    PasswordCredentials,
    ScramCredentials,
    VouchedCredentials,
)
from .names import MASTER_MARK, login_key
from .throttle import Throttle

SERVICES = {  # RFC 2831's names
    "submission": "smtp",
    "pop3": "pop",
    "imap4": "imap",
    "manage_sieve": "sieve",
}


@frozen
class Peer:
    """Who is asking: `address` is an IP address, or "local" for a Unix socket.

    `channel` is the TLS connection, for mechanisms that bind a login to it.
    """

    address: str
    tls: bool
    session: str
    protocol: str
    listener: str = ""
    channel: TlsChannel | None = field(default=None, eq=False, repr=False)

    @property
    def door(self) -> Door:
        return Door(self.protocol, self.listener, self.address)


@frozen
class Login:
    """A login that succeeded; `logout` is called when it ends (more calls are none).

    `name` is the account's, however the client spelled it.
    """

    account: IMailAccount
    name: str
    mechanism: str
    logout: Callable[[], None]


class Voucher(Protocol):
    """One mechanism in which somebody vouches for the client."""

    def offered(self, peer: Peer) -> bool:
        """True if it may succeed on this connection."""

    async def credentials(
        self, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        """Raises SyntaxFault, AuthFailed, and what the conversation ends in."""


class Authenticator:
    """Carries passwords and SASL exchanges to the portal, slowed by the throttle.

    `offers` tells what the sources that a door asks can verify now: it is asked for
    "secret" (APOP and the digests) and for the names of mechanisms that do not show the
    password.
    `vouchers` are the mechanisms that need no source's word, by their names.
    """

    def __init__(
        self,
        portal: Portal,
        throttle: Throttle,
        config: Auth,
        reactor: Any,
        hostname: str,
        offers: Callable[[str, Door], bool],
        vouchers: Mapping[str, Voucher] | None = None,
    ) -> None:
        self._portal, self._throttle, self._config = portal, throttle, config
        self._reactor, self._hostname, self._offers = reactor, hostname, offers
        self._vouchers = {} if vouchers is None else vouchers

    # -- what is offered ------------------------------------------------------

    def plaintext(self, *, tls: bool) -> bool:
        """True if a password may cross this connection in clear."""
        return tls or self._config.plaintext_without_tls

    def apop(self, peer: Peer) -> bool:
        """True if any account that may come in here could answer APOP."""
        kept = self._listed(IUsernameHashedPassword)
        return kept and self._offers("secret", peer.door)

    def mechanisms(self, peer: Peer) -> tuple[str, ...]:
        """SASL mechanisms for a connection in this state, strongest first."""
        return tuple(m.name for m in MECHANISMS if self._offered(m, peer))

    def _offered(self, mechanism: Mechanism, peer: Peer) -> bool:
        if mechanism.plaintext and not self.plaintext(tls=peer.tls):
            return False
        if mechanism.needs in VOUCHED:
            voucher = self._vouchers.get(mechanism.name)
            return voucher is not None and voucher.offered(peer)
        if mechanism.needs == "password":
            return self._listed(IUsernamePassword)
        if mechanism.needs == "scram":
            if mechanism.name.endswith(PLUS) and self._bindings(peer) is None:
                return False
            keys = mechanism.name.removesuffix(PLUS)
            return self._listed(IScramCredentials) and self._offers(keys, peer.door)
        return self.apop(peer) and self._offers(mechanism.name, peer.door)

    def _bindings(self, peer: Peer) -> Bindings | None:
        """The channel bindings of this connection, if they are offered."""
        if peer.channel is None or not self._config.channel_binding:
            return None
        return peer.channel.binding

    def _listed(self, interface: Any) -> bool:
        return interface in self._portal.checkers

    # -- logging in -----------------------------------------------------------

    async def login_password(self, user: str, password: Secret, peer: Peer) -> Login:
        """USER and PASS, or LOGIN.

        Raises EncryptionNeeded, AuthFailed, AuthThrottled, AuthUnavailable."""
        if not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()

        async def exchange() -> Any:
            name = text.username(octets(user))
            text.password(password.reveal())
            return self._password(PasswordProof(name, password))

        return await self._login(exchange, user, "password", peer)

    async def login_apop(
        self, user: str, timestamp: bytes, digest: bytes, peer: Peer
    ) -> Login:
        """APOP (RFC 1939 §7) with the timestamp of the greeting.

        Raises as login_password, without EncryptionNeeded."""

        async def exchange() -> Any:
            name = self._full(text.username(octets(user)))
            return ApopCredentials(name.encode(), timestamp, digest)

        return await self._login(exchange, user, "APOP", peer)

    async def login_sasl(
        self, mechanism: str, initial: bytes | None, converse: Converse, peer: Peer
    ) -> Login:
        """A SASL exchange; `converse(challenge)` gives the client's response.

        `initial` is the decoded initial response: b"" for "=", None for none.  A
        mechanism that ends with server data sends it as its last challenge, which
        wants an empty response.  Raises UnknownMechanism, SyntaxFault, and as
        login_password; whatever `converse` raises (SaslCancelled) ends the exchange.
        """
        known = BY_NAME.get(mechanism.upper())
        if known is None:
            raise UnknownMechanism()
        if known.plaintext and not self.plaintext(tls=peer.tls):
            raise EncryptionNeeded()
        if not self._offered(known, peer):
            raise UnknownMechanism()

        async def exchange() -> Any:
            if known.needs == "ticket":  # costs us before it says whose it is
                self._throttle.admit(peer.address, "")
            if known.needs in VOUCHED:
                return await self._vouched(known.name, initial, converse, peer)
            match known.name:
                case "PLAIN":
                    return await self._plain(initial, converse)
                case "LOGIN":
                    return await self._asked(initial, converse)
                case "CRAM-MD5":
                    return await self._cram_md5(initial, converse)
                case "DIGEST-MD5":
                    service = SERVICES.get(peer.protocol, peer.protocol)
                    return await self._digest_md5(service, initial, converse)
                case scram:
                    return await self._scram(
                        scram, initial, converse, self._bindings(peer)
                    )

        return await self._login(exchange, "", known.name, peer)

    async def login_proxied(self, user: str, peer: Peer) -> Login:
        """The login that a trusted proxy vouches for (XCLIENT LOGIN).

        Raises AuthFailed for no such account or one that may not, AuthUnavailable."""
        name = self._full(text.username(octets(user)))
        realm: Any = self._portal.realm
        try:
            avatar_of = realm.requestAvatar(name.encode(), None, IMailAccount)
            _, avatar, logout = await avatar_of
        except LoginFailed as fault:
            self._tell(user, "XCLIENT", peer, AuthFailed.public)
            raise AuthFailed() from fault
        refused = refusal(avatar.account, peer.protocol, time.time())
        if refused is not None:
            logout()
            self._tell(user, "XCLIENT", peer, refused.public)
            raise refused
        mail_log.logged_in(peer.session, peer.protocol, avatar.account.name, "XCLIENT")
        return Login(avatar, avatar.account.name, "XCLIENT", logout)

    async def _vouched(
        self, name: str, initial: bytes | None, converse: Converse, peer: Peer
    ) -> VouchedCredentials:
        made = await self._vouchers[name].credentials(initial, converse, peer)
        user = self._full(made.username) if made.username else ""
        return evolve(made, username=user)

    async def _plain(self, initial: bytes | None, converse: Converse) -> Any:
        message = await converse(b"") if initial is None else initial
        return self._password(plain(message))

    async def _asked(self, initial: bytes | None, converse: Converse) -> Any:
        user = initial or await converse(ASK_USERNAME)
        return self._password(login_proof(user, await converse(ASK_PASSWORD)))

    async def _cram_md5(self, initial: bytes | None, converse: Converse) -> Any:
        if initial is not None:  # RFC 4954 §4: the server speaks first
            raise SyntaxFault("no initial response", 0)
        asked = challenge(secrets.token_hex(8), int(time.time()), self._hostname)
        proof = cram_md5(asked, await converse(asked))
        return CramMd5Credentials(self._full(proof.username).encode(), proof)

    async def _digest_md5(
        self, service: str, initial: bytes | None, converse: Converse
    ) -> DigestMd5Credentials:
        if initial is not None:  # no subsequent authentication (RFC 2831 §2.2)
            raise SyntaxFault("no initial response", 0)
        nonce, realm = secrets.token_urlsafe(18).encode(), self._hostname.encode()
        server = DigestMd5Server(nonce, realm, service.encode())
        user = self._full(server.response(await converse(server.challenge())))
        return DigestMd5Credentials(user.encode(), server, converse)

    async def _scram(
        self,
        name: str,
        initial: bytes | None,
        converse: Converse,
        bindings: Bindings | None,
    ) -> ScramCredentials:
        server = ScramServer(name, secrets.token_urlsafe(18).encode(), bindings)
        first = await converse(b"") if initial is None else initial
        user = self._full(server.client_first(first))
        return ScramCredentials(name.removesuffix(PLUS), user, server, converse)

    def _password(self, proof: PasswordProof) -> PasswordCredentials:
        name = self._full(proof.username)
        if proof.acts_for and self._full(proof.acts_for) != name:  # masters may
            name = f"{proof.acts_for}{MASTER_MARK}{name}"
        return PasswordCredentials(name.encode(), proof.password)

    def _full(self, user: str) -> str:
        """The login name with the default domain, if there is one."""
        domain = self._config.default_domain
        return f"{user}@{domain}" if domain and "@" not in user else user

    async def _login(
        self,
        exchange: Callable[[], Awaitable[Any]],
        user: str,
        mechanism: str,
        peer: Peer,
    ) -> Login:
        """Ask the portal; a failure is logged, counted and waits its time.

        `exchange` gives the credentials; `user` is the name for the log until then.
        """
        credentials: Any = None
        waited = 0.0
        try:
            credentials = evolve(await exchange(), door=peer.door)
            name = credentials.username
            user = name.decode() if isinstance(name, bytes) else name
            key = login_key(user)
            waited = await self._turn(peer.address, key)
            login: Any = self._portal.login(credentials, None, IMailAccount)
            _, avatar, logout = await login
            if isinstance(credentials, DigestMd5Credentials):
                try:
                    await credentials.agree()
                except BaseException:
                    logout()
                    raise
        except Refused as refused:  # no guess that missed
            self._tell(user, mechanism, peer, refused.fault.public)
            raise refused.fault from None
        except (LoginFailed, AuthFailed) as fault:
            self._tell(user, mechanism, peer, str(fault) or AuthFailed.public)
            await self._pay(peer.address, user, waited)
            if isinstance(credentials, VouchedCredentials):
                await credentials.refuse()
            raise AuthFailed() from fault
        except SaslCancelled:  # the client's own wish
            raise
        except MailError as fault:
            self._tell(user, mechanism, peer, fault.public)
            raise
        name = avatar.account.name
        self._throttle.succeeded(peer.address, key or login_key(name))
        mail_log.logged_in(peer.session, peer.protocol, name, mechanism)
        return Login(avatar, name, mechanism, logout)

    async def _turn(self, address: str, key: str) -> float:
        """Return when the password may be looked at: the seconds that this took."""
        wait = self._throttle.admit(address, key)
        if wait:
            await deferLater(self._reactor, wait)
            self._throttle.admit(address, key)  # others failed meanwhile
        return wait

    async def _pay(self, address: str, user: str, waited: float) -> None:
        """Count the failure; the rest of the delay is paid by the attempt that failed,
        which has `waited` already."""
        delay = self._throttle.failed(address, login_key(self._full(user))) - waited
        if delay > 0:
            await deferLater(self._reactor, delay)

    def _tell(self, user: str, mechanism: str, peer: Peer, why: str) -> None:
        user = user[: text.MOST_NAME]
        mail_log.login_failed(
            peer.session, peer.protocol, user, mechanism, peer.address, why
        )


def octets(user: str) -> bytes:
    """The octets that a protocol decoded, were they UTF-8 or not."""
    return user.encode(errors="surrogateescape")
