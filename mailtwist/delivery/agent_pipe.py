"""Ways out of the queue into a command, an mbox file or a Maildir of somebody's own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from twisted.logger import Logger
from zope.interface import implementer

from ..address import Address
from ..config.model import Config
from ..errors import MailError
from ..interfaces import IContent, ITransport
from ..mime.header import fields, table, unfold
from ..queue.model import Job, Outcome, QueuedRecipient
from .agent_command import exit_fault, words
from .agent_process import Ended, Program
from .agent_user import Identities, Identity

log = Logger("mailtwist")

PATH = "/usr/local/bin:/usr/bin:/bin"
HEADER_OCTETS = 128 * 1024  # of the message looked through for Delivered-To
NOT_RUN = b"Upon execvpe "  # what Twisted's child says if there is no such program
APPEND = os.path.join(os.path.dirname(__file__), "agent_append.py")
# Runs a program as somebody; raises MailError.
Run = Callable[[Identity, Program, IContent], Awaitable[Ended]]
_CONTROLS = dict.fromkeys((*range(32), 127), "_")


@implementer(ITransport)
class PipeTransport:
    """Runs a command for each recipient, with Postfix's environment.

    Its exit status decides: 0 delivered, others as sysexits(3) and Postfix say; a
    signal, a time-out and a command that cannot be run are temporary.
    """

    def __init__(self, config: Config, identities: Identities, run: Run) -> None:
        self._config, self._identities, self._run = config, identities, run
        self._separator = config.delivery.subaddress_separator

    def destination(self, job: Job) -> str:
        """See ITransport."""
        return job.route.next_hop

    async def attempt(self, job: Job, content: IContent) -> list[Outcome]:
        """See ITransport."""
        return [await self._one(job, content, one) for one in job.recipients]

    async def _one(
        self, job: Job, content: IContent, recipient: QueuedRecipient
    ) -> Outcome:
        try:
            if await is_loop(recipient.address, content):
                raise MailError(
                    "Mail was delivered to this address before", status="5.4.6"
                )
            identity = await self._identity(job, recipient)
            values = environment(job, recipient, identity, self._separator)
            program = Program(
                self._words(job.route.next_hop, values),
                values,
                identity.home,
                self._before(job, recipient),
                self._config.alias.command_s,
                self._config.alias.output_octets,
            )
            ended = await self._run(identity, program, content)
            return Outcome(fault_of(ended), action="delivered")
        except MailError as fault:
            return Outcome(fault)

    async def _identity(self, job: Job, recipient: QueuedRecipient) -> Identity:
        return await self._identities.of(recipient.run_as)

    def _words(self, command: str, values: Mapping[str, str]) -> list[str]:
        try:
            return words(command, values)
        except ValueError as fault:
            log.error("{command!r} is not run: {why}", command=command, why=str(fault))
            raise MailError("Command cannot be run", status="4.3.5") from fault

    def _before(self, job: Job, recipient: QueuedRecipient) -> bytes:
        return from_line(job) + trace_lines(job, recipient)


@implementer(ITransport)
class FileTransport(PipeTransport):
    """Appends to an mbox file, or delivers into a Maildir, by a program of ours that
    runs as the file's user; see agent_append."""

    async def _identity(self, job: Job, recipient: QueuedRecipient) -> Identity:
        return await self._identities.of(recipient.run_as, job.route.next_hop)

    def _words(self, command: str, values: Mapping[str, str]) -> list[str]:
        return [sys.executable, "-I", "-S", APPEND, command]

    def _before(self, job: Job, recipient: QueuedRecipient) -> bytes:
        mbox = not job.route.next_hop.endswith("/")
        return (from_line(job) if mbox else b"") + trace_lines(job, recipient)


def environment(
    job: Job, recipient: QueuedRecipient, identity: Identity, separator: str
) -> dict[str, str]:
    """As Postfix's local(8) gives it to commands; control characters become "_"."""
    address = recipient.address
    user, _, detail = address.local_part, "", ""
    if separator:
        user, _, detail = address.local_part.partition(separator)
    values = {
        "PATH": PATH,
        "SHELL": "/bin/sh",
        "HOME": identity.home,
        "USER": identity.name or user,
        "LOGNAME": identity.name or user,
        "SENDER": "" if job.reverse_path is None else str(job.reverse_path),
        "RECIPIENT": str(address),
        "ORIGINAL_RECIPIENT": str(recipient.original),
        "LOCAL": address.local_part,
        "DOMAIN": address.domain,
        "EXTENSION": detail,
        "QUEUE_ID": job.message.queue_id,
        "SIZE": str(job.message.octets),
    }
    return {name: value.translate(_CONTROLS) for name, value in values.items()}


def from_line(job: Job) -> bytes:
    """The line that starts a message in mbox files, which commands expect too."""
    sender = b"MAILER-DAEMON"
    if job.reverse_path is not None:
        sender = job.reverse_path.encode().replace(b" ", b"_")
    return b"From %s  %s\n" % (sender, time.asctime(time.localtime()).encode())


def trace_lines(job: Job, recipient: QueuedRecipient) -> bytes:
    """Return-Path (RFC 5321 §4.4), X-Original-To and Delivered-To."""
    utf8 = job.message.wishes.smtputf8
    path = b"" if job.reverse_path is None else job.reverse_path.encode(utf8=utf8)
    return b"Return-Path: <%s>\nX-Original-To: %s\nDelivered-To: %s\n" % (
        path,
        recipient.original.encode(utf8=utf8),
        recipient.address.encode(utf8=utf8),
    )


async def is_loop(address: Address, content: IContent) -> bool:
    """True if the message says that it was delivered to this address before."""
    octets = await content.read(0, HEADER_OCTETS)
    delivered = table(fields(octets)).get(b"delivered-to", ())
    ours = (address.encode().lower(), address.encode(utf8=True).lower())
    return any(unfold(value).lower() in ours for value in delivered)


def fault_of(ended: Ended) -> MailError | None:
    """The verdict of a program that ended."""
    if ended.late:
        return MailError("Command took too long and was killed", status="4.3.0")
    if ended.status == 1 and NOT_RUN in ended.output:
        log.error("a command cannot be run: {why!r}", why=ended.output[:400])
        return MailError("Command cannot be run", status="4.3.5")
    return exit_fault(ended.status, ended.output)
