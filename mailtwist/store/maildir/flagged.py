"""Deliveries with flags: letters go into the file name, keywords through the state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

from ...delivery.model import LocalRecipient, Verdict
from ...errors import MailError
from ...flags import LETTERS, Flags
from ...mailbox.interfaces import IStore
from .durable import fault_of
from .spool import Spool, Spooler

LETTERED: Flags = frozenset(LETTERS.values())
READ_OCTETS = 256 * 1024

_LETTER_OF = {flag: letter for letter, flag in LETTERS.items()}


class Copy:
    """One recipient's copy of a message."""

    __slots__ = ("fault", "prefix", "recipient")

    def __init__(self, recipient: LocalRecipient, prefix: bytes) -> None:
        self.recipient, self.prefix = recipient, prefix
        self.fault: Verdict = None

    @property
    def in_mbox(self) -> bool:
        """In a file with others."""
        return self.recipient.account.in_mbox(self.recipient.path)

    @property
    def has_file(self) -> bool:
        """In one of its own, with its flags in the name."""
        return not self.in_mbox and self.recipient.flags <= LETTERED


def letters_of(flags: Flags) -> str:
    """The letters of flags that all have one, in the order that file names want."""
    return "".join(sorted(_LETTER_OF[flag] for flag in flags))


class Appends(Protocol):
    """What is needed of a store to append to its mailboxes."""

    @property
    def store(self) -> Any: ...

    @property
    def spooler(self) -> Spooler: ...


async def append(
    delivery: Appends, copies: Sequence[Copy], content: tuple[bytes, ...] | Spool
) -> None:
    """Make these copies durable, as APPEND does; a fault is its copy's."""
    store: IStore = delivery.store
    for copy in copies:
        tree = store.mailboxes(copy.recipient.account)
        upload = tree.upload()
        try:
            upload.write(copy.prefix)
            async for octets in _pieces(content, delivery.spooler):
                waiting = upload.write(octets)
                if waiting is not None:
                    await waiting
            flags = copy.recipient.flags
            await tree.append(copy.recipient.path, [(upload, flags, None)])
        except MailError as fault:
            copy.fault = fault
        finally:
            upload.abort()


async def _pieces(content: tuple[bytes, ...] | Spool, spooler: Spooler) -> Any:
    if not isinstance(content, Spool):
        for part in content:
            yield part
        return
    if content.in_memory:
        for part in content.parts:
            yield part
        return
    at = len(content.head)
    while True:
        octets = await spooler.defer(_read, content, at)
        if not octets:
            return
        yield octets
        at += len(octets)


def _read(content: Spool, at: int) -> bytes:
    """In a thread; raises StorageFull or another MailError."""
    try:
        return os.pread(content.open_descriptor(), READ_OCTETS, at)
    except OSError as cause:
        raise fault_of(cause) from cause
