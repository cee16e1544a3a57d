"""The way out of the queue to a list: its desk, or its archive."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..address import Address
from ..errors import MailError
from ..interfaces import IContent, ITransport
from ..queue.model import Job, Outcome, QueuedRecipient
from .addressing import ARCHIVE, meanings
from .archive import Archive
from .desk import Desk

log = Logger("mailtwist")

READ_OCTETS = 256 * 1024


@implementer(ITransport)
class ListTransport:
    """Does what a message to a list asks for.

    A message that was taken before a crash is not taken again: the desk remembers the
    work by queue id and recipient."""

    def __init__(self, desk: Desk, archive: Archive) -> None:
        self._desk, self._archive = desk, archive

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return "lists"

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        try:
            octets = await _whole(content)
        except MailError as fault:
            return [Outcome(fault)] * len(job.recipients)
        return [
            Outcome(await self._one(job, recipient, octets), action="delivered")
            for recipient in job.recipients
        ]

    async def _one(
        self, job: Job, recipient: QueuedRecipient, octets: bytes
    ) -> MailError | None:
        address, message = recipient.address, job.message
        work = f"{message.queue_id}/{recipient.number}"
        try:
            if to_archive(address):
                await Deferred.fromCoroutine(
                    self._archive.put(address, octets, message.queue_id)
                )
                return None
            told = await Deferred.fromCoroutine(
                self._desk.take(address, octets, job.reverse_path, work, message.wishes)
            )
        except MailError as fault:
            return fault
        except Exception:
            log.failure("{work} to {address}", work=work, address=str(address))
            return MailError()
        log.info(
            "{message} list <{address}>: {told}",
            message=message.queue_id,
            address=str(address),
            told=told,
        )
        return None


def to_archive(address: Address) -> bool:
    """True for the address by which the outbox puts posts into the archive."""
    return any(one.function == ARCHIVE for one in meanings(address.local_part))


async def _whole(content: IContent) -> bytes:
    pieces = [
        await content.read(start, READ_OCTETS)
        for start in range(0, content.octets, READ_OCTETS)
    ]
    return b"".join(pieces)
