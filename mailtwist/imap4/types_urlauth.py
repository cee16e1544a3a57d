"""What clients ask about URLs that carry their authorization (RFC 4467 §7)."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from ..mailbox.model import Path


@frozen
class GenUrlAuth:
    """GENURLAUTH: URLs that end with their access identifier, each with the name of a
    mechanism in upper case."""

    urls: tuple[tuple[bytes, str], ...]


class UrlItem(Enum):
    """What URLFETCH may tell of a URL (RFC 5524 §3.1)."""

    BODY = "BODY"
    BINARY = "BINARY"
    STRUCTURE = "BODYPARTSTRUCTURE"


@frozen
class UrlFetch:
    """URLFETCH: URLs as the client wrote them, with the items asked for; none is the
    simple form, which tells the octets alone."""

    urls: tuple[tuple[bytes, tuple[UrlItem, ...]], ...]


@frozen
class ResetKey:
    """RESETKEY of a mailbox, or of all with None; mechanisms in upper case."""

    path: Path | None = None
    mechanisms: tuple[str, ...] = ()


UrlCommand = GenUrlAuth | UrlFetch | ResetKey
