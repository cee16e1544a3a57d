"""The octets that an IMAP URL names, read in pieces (RFC 5092 §6)."""

from __future__ import annotations

from ..errors import BadUrl, MailboxFault, MailError
from ..mailbox.interfaces import IMailbox, IMailboxes
from ..mailbox.model import Column, Path, Range
from ..mime.part import Part
from .cmd.fetch_section import Wanted
from .types import Partial
from .types_url import ImapUrl

PIECE_OCTETS = 128 * 1024
MOST_OCTETS = (1 << 63) - 1


class UrlContent:
    """Octets of a message, or those `chosen` from its header; `octets` is how many."""

    def __init__(
        self, mailbox: IMailbox, place: Range, chosen: bytes | None = None
    ) -> None:
        self._mailbox, self._place, self._chosen = mailbox, place, chosen
        self.octets = place.count or 0 if chosen is None else len(chosen)
        self._read = 0

    async def read(self) -> bytes:
        """The next piece, b"" at the end; raises MailError if the message went away."""
        if self._chosen is not None:
            octets, self._chosen = self._chosen, b""
            return octets
        count = min(PIECE_OCTETS, self.octets - self._read)
        if not count:
            return b""
        place = Range(self._place.uid, self._place.start + self._read, count)
        (piece,) = await self._mailbox.octets([place])
        if not piece:
            raise MailError("The message went away while it was read")
        self._read += len(piece)
        return piece

    async def close(self) -> None:
        await self._mailbox.close()


async def opened(mailboxes: IMailboxes, url: ImapUrl, path: Path) -> UrlContent:
    """What `url` names in the mailbox `path`, to be closed by the caller.

    Raises BadUrl if there is no such mailbox, message or part, and what the store
    raises when it cannot tell.
    """
    try:
        mailbox = await mailboxes.open(path, read_only=True)
    except MailboxFault as fault:
        raise BadUrl(b"", "The mailbox of the URL cannot be opened") from fault
    try:
        return await _found(mailbox, url)
    except BaseException:
        await mailbox.close()
        raise


async def _found(mailbox: IMailbox, url: ImapUrl) -> UrlContent:
    if url.uid_validity not in (None, mailbox.uid_validity):
        raise BadUrl(b"", "The mailbox of the URL has another UIDVALIDITY")
    rows = await mailbox.rows([url.uid])
    rendered = await mailbox.rendered([url.uid], [Column.PARTS])
    if not rows.uids or rendered[0] is None:
        raise BadUrl(b"", "The message of the URL is gone")
    root = Part.decode(rendered[0][0])
    partial = None
    if url.partial is not None:
        start, count = url.partial
        partial = Partial(start, MOST_OCTETS if count is None else count)
    wanted = Wanted(b"", url.section, partial, sets_seen=False)
    place = wanted.range_in(root, sum(root.body))
    if place is None:
        raise BadUrl(b"", "The message of the URL has no such part")
    if not wanted.chooses_fields:
        return UrlContent(mailbox, Range(url.uid, *place))
    (header,) = await mailbox.octets([Range(url.uid, *place)])
    if header is None:
        raise BadUrl(b"", "The message of the URL is gone")
    return UrlContent(mailbox, Range(url.uid), wanted.of_header(header))
