"""What makes the connections of a listener, all in the same rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.protocol import Factory

from ..auth.login import Authenticator
from ..config.model import Smtp
from ..config.restricting import Restrictions
from ..imap4.url_access import UrlAccess
from ..interfaces import IDelivery, IRouter
from ..policy.content import ContentChecks
from ..policy.pipeline import NO_POLICY, Pipeline
from ..policy.rate import Rates
from .reply import reply
from .rooms import Flush, Network, Rooms
from .server import SMTPServer

NOTHING_ASKED = Restrictions()


class SMTPFactory(Factory):
    """Makes connections for one role: "smtp" (port 25), "submission" or "lmtp".

    `tls` is given to `transport.startTLS`; None offers no STARTTLS.  A connection whose
    transport provides ISSLTransport from the start is implicit TLS.
    """

    noisy = False
    too_many = reply(421, "4.3.2", "Too many connections, try again later").encode()

    def __init__(
        self,
        *,
        reactor: Any,
        config: Smtp,
        hostname: str,
        role: str,
        authenticator: Authenticator,
        router: IRouter,
        delivery: IDelivery,
        trusted_networks: Sequence[Network],
        tls: object | None,
        restrictions: Restrictions = NOTHING_ASKED,
        policy: Pipeline = NO_POLICY,
        rates: Rates | None = None,
        flush: Flush | None = None,
        urls: UrlAccess | None = None,
        content: ContentChecks | None = None,
    ) -> None:
        """`rates` may be shared by factories, so that their clients count as one."""
        self.reactor, self.tls = reactor, tls
        self.sessions: set[SMTPServer] = set()
        self.rooms = Rooms(
            config,
            hostname,
            role,
            authenticator,
            router,
            delivery,
            trusted_networks,
            reactor.seconds,
            restrictions,
            policy,
            rates or Rates(restrictions, reactor.seconds),
            flush,
            urls,
            content,
        )

    def buildProtocol(self, address: object) -> Any:
        server = SMTPServer()
        server.factory = self
        return server

    def stop(self) -> None:
        """Every session says 421 and closes when its command is answered."""
        for session in list(self.sessions):
            session.stop()
