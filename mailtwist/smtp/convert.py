"""The content of a message brought into the form that a host can take (RFC 6152 §3).

A message in memory stays there; a larger one goes through files without a name, a slice
of the reactor's time after the other.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from typing import IO, Any, TypeVar

from twisted.internet.task import deferLater
from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IContent
from ..mime.encode_transfer import edits, rewritten, utf8_headers
from .convert_plan import Needs
from .transport_look import PIECE, Look, look

IN_MEMORY = 1024 * 1024  # octets of a rewritten message that need no file
STEPS = 4  # looks at a slice of the message before others get their turn
SLICE = 256 * 1024  # octets copied before others get their turn
ENCODED = 64 * 1024  # and octets encoded, which takes longer


Answer = TypeVar("Answer")


@implementer(IContent)
class Rewritten:
    """A content in a file of its own, gone with this object."""

    def __init__(self, file: IO[bytes], octets: int) -> None:
        self._file, self.octets = file, octets

    async def read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)


async def converted(
    reactor: Any, look: Look, needs: Needs, *, no_utf8_headers: bool = False
) -> IContent:
    """The content as the host needs it.

    With `no_utf8_headers` a message with such fields inside is a fault (5.6.9)."""
    unread = no_utf8_headers and not (look.whole is not None and look.whole.isascii())
    if needs is Needs.NOTHING and not unread:
        return look.content
    if look.whole is None and needs is not Needs.NO_BINARY and await _ascii(look):
        return look.content
    buffer = look.whole if look.whole is not None else await _mapped(reactor, look)
    if unread and await _in_turns(reactor, utf8_headers(buffer)):
        raise MailError(
            "The next host takes no UTF-8 header fields, and the message has some",
            status="5.6.9",
        )
    if needs is Needs.NOTHING:
        return look.content
    looking = edits(buffer, eight_bit=needs is Needs.NO_BINARY)
    changes = await _in_turns(reactor, looking)
    if not changes:
        return look.content
    with ExitStack() as stack:  # closed if the attempt is broken off meanwhile
        file = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        octets = since = 0
        for piece in rewritten(buffer, changes):
            file.write(piece)
            octets += len(piece)
            since += len(piece)
            if since > ENCODED:
                since = 0
                await deferLater(reactor, 0)
        stack.pop_all()
    return Rewritten(file, octets)


async def lines_only(reactor: Any, content: IContent) -> IContent:
    """The content without octets that are no lines, for mailboxes (RFC 3030 §3)."""
    return await converted(reactor, await look(content), Needs.NO_BINARY)


async def _in_turns(reactor: Any, looking: Generator[None, None, Answer]) -> Answer:
    """What a generator returns, with a turn for others every few steps."""
    steps = 0
    while True:
        try:
            next(looking)
        except StopIteration as ended:
            answer: Answer = ended.value
            return answer
        steps += 1
        if not steps % STEPS:
            await deferLater(reactor, 0)


async def _ascii(look: Look) -> bool:
    for at in range(0, look.content.octets, PIECE):
        if not (await look.content.read(at, PIECE)).isascii():
            return False
    return True


async def _mapped(reactor: Any, look: Look) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        at = 0
        while at < look.content.octets:
            octets = await look.content.read(at, PIECE)
            if not octets:
                raise MailError("The message in the queue is shorter than it was")
            file.write(octets)
            at += len(octets)
            if at % SLICE < PIECE:
                await deferLater(reactor, 0)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
