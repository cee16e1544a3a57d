"""URLs that carry their authorization (RFC 4467), for IMAP sessions and for BURL.

A token is an HMAC with the key of the mailbox over the URL as it was written.  Its
first two digits name the algorithm, so that another can follow this one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection

from attrs import evolve, frozen

from ..errors import BadMailboxName, BadParameter, BadUrl, MailboxFault
from ..mailbox.interfaces import IMailboxes
from .grammar.url import imap_url
from .names import split
from .types_url import Access, ImapUrl, UrlAuth
from .url_content import UrlContent, opened

MECHANISM = "INTERNAL"
_HMAC_SHA256 = b"01"

# The mailboxes of the account of this name; None if there is no such account now.
Owners = Callable[[str], Awaitable[IMailboxes | None]]


@frozen
class Asking:
    """Who presents a URL: the name of the account that is logged in.

    `anonymous`: nobody proved to be anybody.  `submits`: it is a message submission
    server, which vouches for the user whom a URL of the submit+ form names.
    """

    name: str
    anonymous: bool = False
    submits: bool = False


class UrlAccess:
    """`hosts` are the names of this server in URLs.  `key` gives what user names are
    compared by; `now` seconds since 1970.  `submitters`: the logins of message
    submission servers."""

    def __init__(
        self,
        owners: Owners,
        *,
        hosts: Collection[str],
        key: Callable[[str], str],
        now: Callable[[], float],
        delimiter: str = "/",
        submitters: Collection[str] = (),
    ) -> None:
        self._owners, self._key, self._now = owners, key, now
        self._hosts = frozenset(host.lower() for host in hosts)
        self._delimiter = delimiter
        self._submitters = frozenset(map(key, submitters))

    def asking(self, name: str, mechanism: str) -> Asking:
        """A login as it presents URLs; `mechanism` is the one that it used."""
        submits = self._key(name) in self._submitters
        return Asking(name, mechanism == "ANONYMOUS", submits)

    def same(self, user: str | None, name: str) -> bool:
        """True if both are one account."""
        return user is not None and self._key(user) == self._key(name)

    def local(self, url: ImapUrl) -> bool:
        """True if the URL is one of this server."""
        return url.host in self._hosts

    async def authorized(
        self, wire: bytes, mechanism: str, name: str, mailboxes: IMailboxes
    ) -> bytes:
        """The URL with its token, for its owner (RFC 4467 §5, §7).

        Raises BadParameter for what cannot be authorized.
        """
        if mechanism != MECHANISM:
            raise BadParameter(f"{MECHANISM} is the one mechanism")
        try:
            url = imap_url(wire)
        except BadUrl as fault:
            raise BadParameter(fault.public) from fault
        if url.auth is None or url.auth.mechanism is not None:
            raise BadParameter("The URL has to end with its access identifier")
        if not self.local(url):
            raise BadParameter("The URL is not one of this server")
        if not self.same(url.user, name):
            raise BadParameter("The URL has to name you as the owner of the mailbox")
        try:
            path = split(url.mailbox, self._delimiter)
            key = await mailboxes.access_key(path, make=True)
        except MailboxFault as fault:
            raise BadParameter("The URL names no mailbox") from fault
        verifier = b":%b:%b" % (MECHANISM.lower().encode(), _token(key or b"", wire))
        return wire + verifier

    async def content(
        self, wire: bytes, asking: Asking, *, binary: bool = False
    ) -> UrlContent:
        """What an authorized URL names, to be closed by the caller.

        Raises BadUrl for every reason not to give it, which tells nobody more.
        """
        try:
            url = imap_url(wire)
            owner = await self._owner(url, asking)
            path = split(url.mailbox, self._delimiter)
            return await opened(owner, evolve(url, auth=None), path, binary=binary)
        except (BadUrl, BadMailboxName) as fault:
            raise BadUrl(wire, fault.public) from fault

    async def own(self, mailboxes: IMailboxes, url: ImapUrl) -> UrlContent:
        """What a URL without authorization names among the asker's own mailboxes.

        Raises BadUrl, BadMailboxName."""
        return await opened(mailboxes, url, split(url.mailbox, self._delimiter))

    async def _owner(self, url: ImapUrl, asking: Asking) -> IMailboxes:
        """The mailboxes that the URL opens (RFC 4467 §6)."""
        auth = url.auth
        if auth is None or auth.mechanism != MECHANISM or not self.local(url):
            raise _refused()
        if not self._allows(auth, asking) or url.user is None:
            raise _refused()
        if auth.expires_at is not None and auth.expires_at < self._now():
            raise _refused()
        owner = await self._owners(url.user)
        key = None
        if owner is not None:
            try:
                key = await owner.access_key(split(url.mailbox, self._delimiter))
            except MailboxFault:
                key = None
        # Who guesses learns nothing of which mailboxes there are by the time it takes.
        wanted = _token(key or secrets.token_bytes(32), auth.rump)
        right = hmac.compare_digest(wanted, auth.token.lower())
        if owner is None or key is None or not right:
            raise _refused()
        return owner

    def _allows(self, auth: UrlAuth, asking: Asking) -> bool:
        match auth.access:
            case Access.ANONYMOUS:
                return True
            case Access.AUTHUSER:
                return not asking.anonymous
            case Access.USER:
                return not asking.anonymous and self.same(auth.user, asking.name)
            case Access.SUBMIT:
                return asking.submits


def _token(key: bytes, rump: bytes) -> bytes:
    return _HMAC_SHA256 + hmac.digest(key, rump, "sha256").hex().encode()


def _refused() -> BadUrl:
    return BadUrl(b"", "The URL is not authorized")
