"""Our servers for a portal of others, whose avatars are those of
`twisted.mail.interfaces`, and `IScripts` for ManageSieve."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.cred.portal import Portal

from ..auth.adapters import adapted
from ..auth.login import Authenticator
from ..config.model import Auth, Config, Smtp
from ..config.reading import Imap4, Pop3
from ..config.sieve import Sieve
from ..imap4.factory import IMAP4Factory
from ..interfaces import IMailAccount
from ..mailbox.foreign_smtp import NoWayIn
from ..mailbox.interfaces import IScripts
from ..manage_sieve.server import ManageSieveFactory
from ..pop3.server import POP3Factory
from ..smtp.factory import SMTPFactory
from .auth import throttle_of
from .sieve import offer_of

# What a checker with `checkPassword` can answer beside passwords.
DIGESTS = ("secret", "CRAM-MD5")
# What their interfaces have no words for, so that it would be promised and not kept.
WITHHELD = ("DSN", "REQUIRETLS", "DELIVERBY", "FUTURERELEASE", "MT-PRIORITY")


class ForeignServers:
    """Makes factories, for endpoints of the application, that ask `portal`.

    `tls` is a context factory for STARTTLS and STLS, None to offer neither.  Without
    TLS passwords are refused unless `auth.plaintext_without_tls`.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        reactor: Any,
        hostname: str,
        tls: object | None = None,
        auth: Auth | None = None,
    ) -> None:
        self._portal, self._reactor, self._hostname = portal, reactor, hostname
        self._tls, self._auth = tls, auth or Auth()
        self._throttle = throttle_of(self._auth, reactor)

    def pop3(self, config: Pop3 | None = None) -> POP3Factory:
        """For IMailboxPOP3 or IAccountIMAP."""
        return POP3Factory(config=config or Pop3(), **self._shared("pop3"))

    def imap4(self, config: Imap4 | None = None) -> IMAP4Factory:
        """For IAccountIMAP."""
        return IMAP4Factory(config=config or Imap4(), **self._shared("imap4"))

    def manage_sieve(self, config: Sieve | None = None) -> ManageSieveFactory:
        """For IScripts of `mailtwist.mailbox.interfaces`: scripts are checked here and
        carried out by whoever delivers.  Raises ConfigError."""
        config = config or Sieve()
        return ManageSieveFactory(
            config=config,
            offer=offer_of(Config(sieve=config), self._reactor, scripts_of),
            **self._shared("manage_sieve"),
        )

    def submission(self, config: Smtp | None = None) -> SMTPFactory:
        """For IMessageDeliveryFactory or IMessageDelivery."""
        nowhere = NoWayIn()
        config = config or Smtp()
        withheld = dict.fromkeys((*config.withheld, *WITHHELD))
        return SMTPFactory(
            config=evolve(config, withheld=tuple(withheld)),
            role="submission",
            router=nowhere,
            delivery=nowhere,
            trusted_networks=(),
            **self._shared("submission"),
        )

    def _shared(self, protocol: str) -> dict[str, Any]:
        authenticator = Authenticator(
            adapted(self._portal, protocol, self._hostname),
            self._throttle,
            self._auth,
            self._reactor,
            self._hostname,
            lambda what, door: what in DIGESTS,
        )
        return {
            "reactor": self._reactor,
            "hostname": self._hostname,
            "authenticator": authenticator,
            "tls": self._tls,
        }


def scripts_of(login: IMailAccount) -> IScripts:
    """The avatar that the realm gave."""
    return IScripts(login.mailboxes)
