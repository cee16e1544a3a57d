"""What IMAP clients do to messages, told to whoever acts on it (RFC 6785 §2.2).

A listener hears of it when it is done and durable, beside the command, whose last line
waits for it.  What a listener does itself is no event, so nothing goes round.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from attrs import field, frozen
from twisted.logger import Logger
from zope.interface import Interface

from ..errors import MailError
from ..interfaces import IMailAccount
from .model import Path

log = Logger("mailtwist")

SCRIPT = "/shared/imapsieve/script"  # RFC 6785 §2.3.1: the annotation that names it


class Cause(Enum):
    """As `imap.cause` has it (RFC 6785 §4.3)."""

    APPEND = "APPEND"
    COPY = "COPY"
    FLAG = "FLAG"


@frozen
class Event:
    """What `login` did in the mailbox that it calls `path`; copies come from `source`
    if that is known."""

    login: IMailAccount
    cause: Cause
    path: Path
    source: Path | None = None


class IMailListener(Interface):
    """Acts on what clients do.  Raises MailError for what cannot be done now: the log
    is told, the client is not."""

    async def arrived(event: Event, uids: Sequence[int]) -> None:
        """These messages were appended or copied."""

    async def look(event: Event, uids: Sequence[int]) -> object | None:
        """The flags of these may be changed soon: what `changed` is to be given, None
        if nothing follows."""

    async def changed(event: Event, looked: Any) -> None:
        """They may be other flags now."""


@frozen
class MailEvents:
    """All that listen, one after the other; a fault of one does not hurt the others."""

    listeners: list[IMailListener] = field(factory=list)

    def __bool__(self) -> bool:
        return bool(self.listeners)

    def add(self, listener: IMailListener) -> None:
        self.listeners.append(listener)

    async def arrived(self, event: Event, uids: Sequence[int]) -> None:
        """See IMailListener."""
        for listener in self.listeners:
            try:
                await listener.arrived(event, uids)
            except Exception as fault:
                _failed(event, fault)

    async def look(
        self, event: Event, uids: Sequence[int]
    ) -> list[tuple[IMailListener, object]]:
        """Whom `changed` will tell, each with what it looked at."""
        found = []
        for listener in self.listeners:
            try:
                looked = await listener.look(event, uids)
            except Exception as fault:
                _failed(event, fault)
                continue
            if looked is not None:
                found.append((listener, looked))
        return found

    async def changed(
        self, event: Event, looked: Sequence[tuple[IMailListener, object]]
    ) -> None:
        """See IMailListener."""
        for listener, what in looked:
            try:
                await listener.changed(event, what)
            except Exception as fault:
                _failed(event, fault)


def _failed(event: Event, fault: Exception) -> None:
    where = "/".join(event.path)
    if isinstance(fault, MailError):
        log.warn(
            "what follows {cause} in {where} of {name}: {fault}",
            cause=event.cause.value,
            where=where,
            name=event.login.account.name,
            fault=fault.public,
        )
        return
    log.failure("what follows {cause} in {where}", cause=event.cause.value, where=where)
