"""IMAP URLs as values (RFC 5092)."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from .types import Section


class Access(Enum):
    """Who may use a URL that carries its authorization (RFC 4467 §3)."""

    SUBMIT = "submit+"
    USER = "user+"
    AUTHUSER = "authuser"
    ANONYMOUS = "anonymous"


@frozen
class UrlAuth:
    """iurlauth-rump and, if they are there, mechanism and token (RFC 4467 §9).

    `user` belongs to SUBMIT and USER.  `expires_at` is seconds since 1970 UTC.  `rump`
    is the URL that the token authorizes, as it was written; `mechanism` in upper case.
    """

    access: Access
    user: str
    expires_at: int | None
    rump: bytes
    mechanism: str | None = None
    token: bytes = field(default=b"", repr=False)


@frozen
class ImapUrl:
    """A URL of a message or a part of one (RFC 5092 §6).

    `user` and `host` are None in a relative URL; host in lower case.  `mailbox` is the
    decoded name, not yet split.  `partial` is the first octet and how many, None for
    all that follow (RFC 5550).
    """

    mailbox: str
    uid: int
    user: str | None = None
    host: str | None = None
    port: int | None = None
    uid_validity: int | None = None
    section: Section = field(factory=Section)
    partial: tuple[int, int | None] | None = None
    auth: UrlAuth | None = None
