"""Questions to avatars of `twisted.mail.interfaces`, and octets from their files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.mail.imap4 import (
    MailboxCollision,
    MailboxException,
    NoSuchMailbox,
    ReadOnlyMailbox,
)

from .. import errors
from ..errors import MailboxFault, NotPermitted

CHUNK = 128 * 1024
MOST_IN_MEMORY = 1024 * 1024  # octets of a message in memory; the rest goes to a file

_FAULTS: tuple[tuple[type[Exception], type[MailboxFault]], ...] = (
    (MailboxCollision, errors.MailboxExists),
    (NoSuchMailbox, errors.NoSuchMailbox),
    (ReadOnlyMailbox, errors.MailboxReadOnly),
)


async def asked(question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, given now or in a Deferred.

    Raises MailboxFault for a MailboxException, NotPermitted for what the avatar does
    not implement."""
    try:
        return await maybeDeferred(question, *arguments)
    except MailboxException as fault:
        for theirs, ours in _FAULTS:
            if isinstance(fault, theirs):
                raise ours() from fault
        raise MailboxFault(str(fault) or MailboxFault.public) from fault
    except NotImplementedError as fault:
        raise NotPermitted("This account cannot do that") from fault


def with_crlf(file: Any) -> tuple[IO[bytes], int]:
    """What can be read of `file`, which is closed, with CRLF line ends; its octets."""
    with ExitStack() as stack:
        close = getattr(file, "close", None)
        if close is not None:
            stack.callback(close)
        with ExitStack() as failed:
            copy = failed.enter_context(SpooledTemporaryFile(MOST_IN_MEMORY))
            carried = b""
            while octets := file.read(CHUNK):
                octets = carried + octets
                carried = b"\r" if octets.endswith(b"\r") else b""
                octets = octets.removesuffix(carried)
                octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                copy.write(octets)
            copy.write(carried)
            octets_in_all = copy.tell()
            failed.pop_all()
    return cast(IO[bytes], copy), octets_in_all


def cut(file: IO[bytes], start: int, count: int | None) -> bytes:
    """Octets of a file from `start`."""
    file.seek(start)
    return file.read(-1 if count is None else count)
