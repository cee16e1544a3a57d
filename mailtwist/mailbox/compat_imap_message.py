"""IMessageIMAP over octets that were loaded before."""

from __future__ import annotations

from email.utils import formatdate
from io import BytesIO

from twisted.mail.interfaces import IMessageIMAP, IMessageIMAPFile, IMessageIMAPPart
from zope.interface import implementer

from ..errors import MailError
from ..flags import Flags
from ..mime.header import fields, unfold
from ..mime.parse import parse
from ..mime.part import Part


class NotLoaded(MailError):
    """More was fetched in one command than is kept in memory at once."""

    status, public = "4.3.1", "Too much at once, fetch fewer messages"


@implementer(IMessageIMAPPart)
class CompatPart:
    """One part of a message; `octets` is the whole message."""

    def __init__(self, octets: bytes, part: Part) -> None:
        self._octets, self._part = octets, part

    def getHeaders(self, negate: bool, *names: str | bytes) -> dict[str, str]:
        """Lower-case name -> value; one of several fields of a name is left out.

        The values are ASCII, as Twisted's IMAP4Server sends no others; other octets
        are shown as "?"."""
        wanted = {
            (n.encode() if isinstance(n, str) else n).strip(b'"').lower() for n in names
        }
        start, count = self._part.header
        found: dict[str, str] = {}
        for name, raw in fields(self._octets[start : start + count]):
            if name and (name.lower() in wanted) is not bool(negate):
                value = unfold(raw[raw.find(b":") + 1 :])
                found.setdefault(_ascii(name).lower(), _ascii(value))
        return found

    def getBodyFile(self) -> BytesIO:
        start, count = self._part.body
        return BytesIO(self._octets[start : start + count])

    def getSize(self) -> int:
        return self._part.header[1] + self._part.body[1]

    def isMultipart(self) -> bool:
        return self._part.multipart

    def getSubPart(self, part: int) -> CompatPart:
        """The child `part`, from 0; of message/rfc822 the message is child 0."""
        if not self._part.children:
            raise TypeError("not a multipart")
        if part < 0:
            raise IndexError(part)
        return CompatPart(self._octets, self._part.children[part])


@implementer(IMessageIMAP, IMessageIMAPFile)
class CompatMessage:
    """One message of a fetch.

    `octets` is all of it, its beginning (`whole` False) or None.  Reading what was not
    loaded raises NotLoaded.
    """

    def __init__(
        self,
        uid: int,
        flags: Flags,
        size: int,
        internal_date: int,
        octets: bytes | None,
        whole: bool,
        mailbox: object,
    ) -> None:
        self.uid, self.mailbox = uid, mailbox
        self._flags, self._size, self._date = flags, size, internal_date
        self._octets, self._whole = octets, whole
        self._part: CompatPart | None = None

    def getUID(self) -> int:
        return self.uid

    def getFlags(self) -> list[str]:
        return sorted(self._flags)

    def getInternalDate(self) -> str:
        return formatdate(self._date)

    def getSize(self) -> int:
        return self._size

    def open(self) -> BytesIO:
        if self._octets is None or not self._whole:
            raise NotLoaded()
        return BytesIO(self._octets)

    def getHeaders(self, negate: bool, *names: str | bytes) -> dict[str, str]:
        return self._loaded(header=True).getHeaders(negate, *names)

    def getBodyFile(self) -> BytesIO:
        return self._loaded().getBodyFile()

    def isMultipart(self) -> bool:
        return self._loaded().isMultipart()

    def getSubPart(self, part: int) -> CompatPart:
        return self._loaded().getSubPart(part)

    def _loaded(self, *, header: bool = False) -> CompatPart:
        if self._octets is None or not (self._whole or header):
            raise NotLoaded()
        if self._part is None:
            self._part = CompatPart(self._octets, parse(self._octets))
        return self._part


def _ascii(octets: bytes) -> str:
    return octets.decode("ascii", "replace").replace("\ufffd", "?")
