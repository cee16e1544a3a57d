"""The way into the store in memory: uploads and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..config.model import Delivery
from ..delivery.model import Envelope, LocalRecipient, Recipient, Verdict
from ..delivery.trace import delivery_prefixes
from ..errors import MailError, NoRoute, NoSuchMailbox
from ..interfaces import IDelivery, IMessageSink
from ..mailbox.interfaces import IUpload
from ..mailbox.model import INBOX
from .memory_folder import NewMessage, with_crlf

if TYPE_CHECKING:
    from .memory import MemoryStore

DEFAULTS = Delivery()


@implementer(IUpload)
class MemoryUpload:
    """See IUpload."""

    def __init__(self) -> None:
        self.octets = 0
        self._chunks: list[bytes] | None = []

    def write(self, octets: bytes) -> None:
        if self._chunks is not None:
            self._chunks.append(octets)
            self.octets += len(octets)

    async def shelve(self) -> None:
        """There is no other place than memory."""

    def abort(self) -> None:
        self._chunks = None

    def message(self) -> bytes:
        """What was written, with CRLF line ends; raises MailError if it is spent."""
        if self._chunks is None:
            raise MailError("The octets to append were given up")
        return with_crlf(b"".join(self._chunks))


@implementer(IDelivery)
class MemoryDelivery:
    """See IDelivery; local recipients only."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def begin(self, envelope: Envelope) -> MemorySink:
        return MemorySink(self._store, envelope)


@implementer(IMessageSink)
class MemorySink:
    """See IMessageSink."""

    def __init__(self, store: MemoryStore, envelope: Envelope) -> None:
        self.octets = 0
        self._store, self._envelope = store, envelope
        self._chunks: list[bytes] | None = []

    def write(self, octets: bytes) -> None:
        if self._chunks is not None:
            self._chunks.append(octets)
            self.octets += len(octets)

    async def commit(self) -> list[Verdict]:
        if self._chunks is None:
            raise MailError("The message was given up")
        message = b"".join(self._chunks)
        self._chunks = None
        return [self._deliver(to, message) for to in self._envelope.recipients]

    def abort(self) -> None:
        self._chunks = None

    def _deliver(self, recipient: Recipient, message: bytes) -> Verdict:
        if not isinstance(recipient, LocalRecipient):
            return NoRoute()
        now = self._store.now()
        (prefix,) = delivery_prefixes(self._envelope, [recipient], DEFAULTS, now)
        octets = with_crlf(prefix + message)
        tree = self._store.mailboxes(recipient.account)
        try:
            tree.need_room((recipient.path, len(octets), 1))
            try:
                folder = tree.folder(recipient.path)
            except NoSuchMailbox:  # mail is never lost for the name of a folder
                folder = tree.folder(INBOX)
            folder.add([NewMessage(octets, recipient.flags, now, now)])
        except MailError as fault:
            return fault
        return None
