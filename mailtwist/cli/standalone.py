"""`sendmail -bs`: an SMTP session on standard input and output, into the drop folder.

It works without the server.  Recipients are looked up when the server takes the message
in; one that does not exist bounces.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Collection
from email.utils import formatdate
from pathlib import Path
from typing import Any

from twisted.cred.portal import IRealm, Portal
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure
from zope.interface import implementer

from ..address import Address
from ..auth.login import Authenticator
from ..auth.throttle import Throttle
from ..config.model import Config
from ..delivery.model import (
    Envelope,
    LocalRecipient,
    Notify,
    Recipient,
    RemoteRecipient,
    Verdict,
)
from ..errors import AuthFailed, NoSuchUser
from ..interfaces import IDelivery, IMessageSink, IRouter
from ..mime.typed import complete
from ..queue.drop import Dropped, put
from ..smtp.factory import SMTPFactory
from ..smtp.server import SMTPServer


def serve(config: Config, folder: Path, reactor: Any) -> None:
    """Run the session until its client is gone; mail goes into `folder`."""
    hostname = config.server.hostname or socket.getfqdn()
    nobody = Authenticator(
        Portal(Nobody()),
        Throttle(config.auth, reactor.seconds),
        config.auth,
        reactor,
        hostname,
        lambda what, door: False,
    )
    factory = SMTPFactory(
        reactor=reactor,
        config=config.smtp,
        hostname=hostname,
        role="smtp",
        authenticator=nobody,
        router=Anywhere(),
        delivery=DropDelivery(folder, hostname),
        trusted_networks=(),
        tls=None,
    )
    session = OneSession()
    session.factory = factory
    Pipes(session, reactor=reactor)
    reactor.run()


class OneSession(SMTPServer):
    """The program ends with it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.reactor.stop()


class Pipes(StandardIO):
    """Standard input and output, which end as a connection does."""

    def abortConnection(self) -> None:
        self.loseConnection()


@implementer(IRealm)
class Nobody:
    """Who runs the command is who they are: there is nothing to log in to."""

    def requestAvatar(self, name: object, mind: object, *interfaces: object) -> Any:
        raise AuthFailed()


@implementer(IRouter)
class Anywhere:
    """Takes every recipient: the server routes what it finds in the drop folder."""

    async def resolve(
        self,
        address: Address,
        *,
        may_relay: bool,
        size_octets: int | None = None,
        sender: Address | None = None,
        behind: str = "",
        poster: Collection[str] = (),
    ) -> Recipient:
        return RemoteRecipient(address)

    async def owner(self, address: Address) -> None:
        """It knows nobody."""

    async def mailbox(
        self, address: Address, *, size_octets: int | None = None, login: str = ""
    ) -> LocalRecipient:
        raise NoSuchUser()


@implementer(IDelivery)
class DropDelivery:
    """Messages become files of `folder`; `hostname` is for fields that are missing."""

    def __init__(self, folder: Path, hostname: str) -> None:
        self._folder, self._hostname = folder, hostname

    def begin(self, envelope: Envelope) -> IMessageSink:
        return DropSink(self._folder, self._hostname, envelope)


@implementer(IMessageSink)
class DropSink:
    """Holds a message, which SMTP keeps under `smtp.message_octets`, and drops it.

    Recipients that ask for different reports are dropped apart.
    """

    def __init__(self, folder: Path, hostname: str, envelope: Envelope) -> None:
        self._folder, self._hostname, self._envelope = folder, hostname, envelope
        self._parts: list[bytes] = []
        self.octets = 0

    def write(self, octets: bytes) -> Awaitable[None] | None:
        self._parts.append(octets)
        self.octets += len(octets)
        return None

    async def commit(self) -> list[Verdict]:
        envelope, sender = self._envelope, self._envelope.reverse_path
        octets = complete(
            b"".join(self._parts),
            sender=f"MAILER-DAEMON@{self._hostname}" if sender is None else str(sender),
            full_name="",
            date=formatdate(localtime=True).encode(),
            message_id=f"<{envelope.message_id}@{self._hostname}>".encode(),
        ).octets
        by_notify: dict[Notify, list[Address]] = {}
        for recipient in envelope.recipients:
            by_notify.setdefault(recipient.notify, []).append(recipient.address)
        for notify, some in by_notify.items():
            dropped = Dropped(
                envelope.reverse_path, tuple(some), envelope.wishes, notify
            )
            put(self._folder, dropped, octets)
        return [None] * len(envelope.recipients)

    def abort(self) -> None:
        self._parts.clear()
