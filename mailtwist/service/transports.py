"""The ways out to other hosts, from the configuration: SMTP, smarthosts, LMTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.ssl import optionsForClientTLS
from twisted.web.client import Agent
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..address import ascii_domain
from ..auth.checkers.hash_pool import HashPool
from ..config.model import Config
from ..config.relaying import Smarthost
from ..directory.reread import Open, Reread, open_here
from ..errors import ConfigError
from ..host_port import host_port
from ..interfaces import IHosts, ITransport
from ..lmtp.transport import LmtpTransport
from ..queue.https import trusted
from ..smtp.client_login import (
    Credentials,
    PasswordLogin,
    TokenLogin,
    credentials_in,
    read_credentials,
)
from ..smtp.client_pool import Connections, Login
from ..smtp.client_tls import ClientTls
from ..smtp.client_token import REQUEST_S, Tokens
from ..smtp.transport import SmtpTransport
from ..smtp.transport_smarthost import SUBMISSION, Exit, SmarthostTransport


class Transports:
    """`by_name` are the ways out by `Route.transport`; `close` ends what is kept.

    Credentials and CAs are read when this is made, while root may, and again when
    their files change.  Raises ConfigError.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        name: str,
        hosts: IHosts,
        open_: Open = open_here,
    ) -> None:
        """`name` is said in EHLO; `open_` opens files of credentials that changed."""
        self._reactor, self._open = reactor, open_
        relay = config.relay
        self._connections = Connections(
            reactor, relay, ascii_domain(name), ClientTls(relay.ca, reactor.seconds)
        )
        self._pool = HashPool(reactor, 1)  # for SCRAM
        exits = [self._exit(one, relay.ca) for one in config.smarthost]
        shared = (reactor, relay, hosts, self._connections)
        self.by_name: dict[str, ITransport] = {
            "smtp": SmtpTransport(*shared),
            "smarthost": SmarthostTransport(*shared, exits),
            "lmtp": LmtpTransport(*shared),
        }

    def close(self) -> None:
        """Say QUIT where a connection is kept."""
        self._connections.close()
        self._pool.stop()

    def _exit(self, config: Smarthost, ca: str) -> Exit:
        login: Reread[Login] | None = None
        ca = config.ca or ca
        try:
            host_port(config.host, SUBMISSION)
        except ValueError as fault:
            raise ConfigError(f"smarthost.host: {fault}") from fault
        if config.credentials:
            login = Reread(
                config.credentials,
                lambda path: self._login(read_credentials(path), ca),
                self._reactor.seconds,
                again=lambda path: self._login_again(path, ca),
            )
        return Exit(config, ClientTls(ca, self._reactor.seconds), login)

    async def _login_again(self, path: str, ca: str) -> Login:
        """Raises ConfigError."""
        try:
            opened = await self._open(path)
        except OSError as fault:
            raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
        return self._login(credentials_in(path, opened), ca)

    def _login(self, known: Credentials, ca: str) -> Login:
        if known.password is not None:
            return PasswordLogin(self._reactor, self._pool, known.user, known.password)
        form = {
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "refresh_token": known.refresh_token,
        }
        tokens = Tokens(
            self._reactor,
            web_agent(self._reactor, ca),
            known.token_url,
            {name: secret for name, secret in form.items() if secret is not None},
        )
        return TokenLogin(self._reactor, known.user, tokens)


def web_agent(reactor: Any, ca: str) -> Agent:
    """HTTPS, certificates checked against the PEM file `ca` or the system's CAs."""
    policy = Policy(Reread(ca, trusted, reactor.seconds))
    return Agent(reactor, policy, connectTimeout=REQUEST_S)


@implementer(IPolicyForHTTPS)
class Policy:
    """Checks certificates against the CAs that count now."""

    def __init__(self, known: Callable[[], Any]) -> None:
        self._known = known

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        name = hostname.decode("ascii")
        return optionsForClientTLS(name, trustRoot=self._known())
