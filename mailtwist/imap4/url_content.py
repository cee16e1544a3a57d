"""The octets that an IMAP URL names, read in pieces (RFC 5092 §6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import BadUrl, MailboxFault, MailError, NotPermitted
from ..mailbox.held_rights import need
from ..mailbox.interfaces import IMailbox, IMailboxes
from ..mailbox.model import Column, Path, Range
from ..mime.part import Part
from .cmd.fetch_binary import DecodedPart, encoding_of
from .cmd.fetch_section import Wanted
from .part_structure import structure_of_part
from .types import Partial, SectionText
from .types_url import ImapUrl

PIECE_OCTETS = 128 * 1024
MOST_OCTETS = (1 << 63) - 1

Read = Callable[[int, int], Awaitable[bytes | None]]


class UrlContent:
    """So many `octets`; `read` gives those from a start on, None if they are gone."""

    def __init__(
        self, mailbox: IMailbox, url: ImapUrl, octets: int, read: Read
    ) -> None:
        self.octets = octets
        self._mailbox, self._url, self._piece = mailbox, url, read
        self._at = 0

    async def read(self) -> bytes:
        """The next piece, b"" at the end; raises MailError if the message went away."""
        count = min(PIECE_OCTETS, self.octets - self._at)
        if not count:
            return b""
        piece = await self._piece(self._at, count)
        if not piece:
            raise MailError("The message went away while it was read")
        self._at += len(piece)
        return piece

    async def structure(self) -> bytes | None:
        """BODYSTRUCTURE of the part; None if the URL names none."""
        section = self._url.section
        if section.text is not SectionText.ALL:
            return None
        columns = [Column.BODYSTRUCTURE]
        (rendered,) = await self._mailbox.rendered([self._url.uid], columns)
        return (
            None if rendered is None else structure_of_part(rendered[0], section.part)
        )

    async def close(self) -> None:
        await self._mailbox.close()


async def opened(
    mailboxes: IMailboxes, url: ImapUrl, path: Path, *, binary: bool = False
) -> UrlContent:
    """What `url` names in the mailbox `path`, to be closed by the caller.

    `binary`: without its transfer encoding.  Raises BadUrl if there is no such mailbox,
    message or part, UnknownEncoding, and what the store raises when it cannot tell.
    """
    try:
        await need(mailboxes, path, "r")
        mailbox = await mailboxes.open(path, read_only=True)
    except (MailboxFault, NotPermitted) as fault:
        raise BadUrl(b"", "The mailbox of the URL cannot be opened") from fault
    try:
        return await _found(mailbox, url, binary)
    except BaseException:
        await mailbox.close()
        raise


async def _found(mailbox: IMailbox, url: ImapUrl, binary: bool) -> UrlContent:
    if url.uid_validity not in (None, mailbox.uid_validity):
        raise BadUrl(b"", "The mailbox of the URL has another UIDVALIDITY")
    rendered = await mailbox.rendered([url.uid], [Column.PARTS])
    if rendered[0] is None:
        raise BadUrl(b"", "The message of the URL is gone")
    root = Part.decode(rendered[0][0])
    partial = None
    if url.partial is not None:
        start, count = url.partial
        partial = Partial(start, MOST_OCTETS if count is None else count)
    wanted = Wanted(b"", url.section, partial, sets_seen=False)
    encoding = ""
    if binary and url.section.part and url.section.text is SectionText.ALL:
        encoding = encoding_of(root.section(url.section.part))
    place = wanted.range_in(root, sum(root.body), whole=bool(encoding))
    if place is None:
        raise BadUrl(b"", "The message of the URL has no such part")
    if encoding:
        part = DecodedPart(mailbox, Range(url.uid, *place), encoding)
        return await _decoded(mailbox, url, part, partial)
    if wanted.chooses_fields:
        (header,) = await mailbox.octets([Range(url.uid, *place)])
        if header is None:
            raise BadUrl(b"", "The message of the URL is gone")
        return _kept(mailbox, url, wanted.of_header(header))

    async def read(start: int, count: int) -> bytes | None:
        (octets,) = await mailbox.octets([Range(url.uid, place[0] + start, count)])
        return octets

    return UrlContent(mailbox, url, place[1], read)


async def _decoded(
    mailbox: IMailbox, url: ImapUrl, part: DecodedPart, partial: Partial | None
) -> UrlContent:
    size = await part.size()
    if size is None:
        raise BadUrl(b"", "The message of the URL is gone")
    first = 0 if partial is None else min(partial.start, size)
    octets = size - first if partial is None else min(partial.count, size - first)

    def read(start: int, count: int) -> Awaitable[bytes | None]:
        return part.window(first + start, count)

    return UrlContent(mailbox, url, octets, read)


def _kept(mailbox: IMailbox, url: ImapUrl, octets: bytes) -> UrlContent:
    async def read(start: int, count: int) -> bytes | None:
        return octets[start : start + count]

    return UrlContent(mailbox, url, len(octets), read)
