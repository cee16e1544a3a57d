"""What makes IMAP connections."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from ..auth.login import Authenticator
from ..config.reading import Imap4
from ..mailbox.events import MailEvents
from .response import bye
from .server import IMAP4Server
from .url_access import UrlAccess


class IMAP4Factory(Factory):
    """Makes IMAP connections.

    `sessions` holds the live ones; `tls` is the context of STARTTLS, None if it is not
    offered.  `too_many` is said to a peer over the connection limit.  `urls` authorizes
    URLs of messages; without it URLAUTH is not offered.  `events` hears of what is done
    to messages; `sieve_url` is where scripts for that are managed, "" for nowhere.
    """

    protocol = IMAP4Server  # type: ignore[assignment]
    noisy = False
    too_many = bye("Too many connections, try again later", b"UNAVAILABLE")

    def __init__(
        self,
        *,
        reactor: Any,
        config: Imap4,
        hostname: str,
        authenticator: Authenticator,
        tls: object | None,
        urls: UrlAccess | None = None,
        events: MailEvents | None = None,
        sieve_url: str = "",
    ) -> None:
        self.events, self.sieve_url = events, sieve_url
        self.reactor, self.config, self.hostname = reactor, config, hostname
        self.authenticator, self.tls, self.urls = authenticator, tls, urls
        self.sessions: set[IMAP4Server] = set()

    def stop(self) -> None:
        """Every session says BYE and closes when its command is answered."""
        for session in list(self.sessions):
            session.stop()
