"""BURL: parts of a message that the client has on our IMAP server (RFC 4468).

Nothing is fetched from elsewhere: a URL is one of this server, and either carries its
authorization (`submit+` of the user who is logged in) or is of the user's own mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from ..auth.login import Login
from ..errors import BadMailboxName, BadUrl, MailError
from ..imap4.grammar.url import imap_url
from ..imap4.types_url import Access
from ..imap4.url_access import Asking, UrlAccess
from ..imap4.url_content import UrlContent
from ..mailbox.interfaces import IMailboxes
from .command import Burl
from .faults import TooLate, UrlNotFetched, UrlNotTrusted, UrlRefused


class Takes(Protocol):
    """What the engine makes of octets that do not come from the client."""

    def url_octets(self, octets: bytes) -> bytes:
        """The content in these octets."""

    def end_url(self, fault: MailError | None) -> bytes:
        """The octets are all there, or there is a fault: the last of the content."""

    @property
    def url_fault(self) -> MailError | None:
        """Why no more of them is wanted."""


async def fetch(
    access: UrlAccess | None,
    login: Login | None,
    event: Burl,
    takes: Takes,
    write: Callable[[bytes], Awaitable[None] | None],
) -> None:
    """Take what the URL names as the next chunk of the message.

    A fault is told by the answer to the chunk.
    """
    fault: MailError | None = TooLate()  # if nobody waits any longer
    try:
        if takes.url_fault is None:
            await _fetch(access, login, event.url, takes, write)
        fault = None
    except MailError as found:
        fault = found
    finally:
        rest = takes.end_url(fault)
    waited = write(rest) if rest else None
    if waited is not None:
        await waited


async def _fetch(
    access: UrlAccess | None,
    login: Login | None,
    url: bytes,
    takes: Takes,
    write: Callable[[bytes], Awaitable[None] | None],
) -> None:
    if access is None or login is None:
        raise UrlNotTrusted()
    content = await _opened(access, login, url)
    try:
        while takes.url_fault is None and (piece := await content.read()):
            octets = takes.url_octets(piece)
            waited = write(octets) if octets else None
            if waited is not None:
                await waited
    finally:
        await content.close()


async def _opened(access: UrlAccess, login: Login, wire: bytes) -> UrlContent:
    """Raises UrlNotTrusted, UrlRefused, UrlNotFetched (RFC 4468 §6)."""
    try:
        url = imap_url(wire)
        if not access.local(url):
            raise UrlNotTrusted()
        if url.auth is None:  # §3.3: the client's own mail
            if url.user is not None and not access.same(url.user, login.name):
                raise UrlRefused()
            return await access.own(cast(IMailboxes, login.account.mailboxes), url)
        if url.auth.access is Access.SUBMIT:
            if not access.same(url.auth.user, login.name):
                raise UrlRefused()
        elif url.auth.access is Access.USER:
            raise UrlRefused()
        return await access.content(wire, Asking(login.name, submits=True))
    except (BadUrl, BadMailboxName) as fault:
        raise UrlNotFetched() from fault
