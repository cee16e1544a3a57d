"""IMAP URLs of messages and parts of them (RFC 5092 §11, RFC 4467 §9).

Only URLs that name one message are read: what else an IMAP URL may mean (a server, a
mailbox, a search) nobody can ask for here.
"""

from __future__ import annotations

import re
from datetime import datetime

from ...errors import BadUrl, MailError
from ..framer import Frame
from ..types import Section
from ..types_url import Access, ImapUrl, UrlAuth
from .fetch import section_spec
from .scanner import CommandScanner
from .strings import MOST_MOD_SEQUENCE, MOST_NUMBER

MOST_URL = 8000  # octets

_URL = re.compile(
    rb"(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?(?://(?P<server>[^/?]*))?(?P<path>[^?]*)",
    re.I,
)
_CHARS = re.compile(rb"(?:[\w.~!$'()*+,&=:@/;?\[\]-]|%[0-9a-f]{2})*", re.I | re.A)
_ESCAPE = re.compile(rb"%([0-9a-f]{2})", re.I)
_SERVER = re.compile(
    rb"(?:(?P<user>[^;@:]*)(?:;AUTH=[^;@]+)?@)?"
    rb"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:@;]+)(?::(?P<port>[0-9]{0,5}))?",
    re.I,
)
_PATH = re.compile(
    rb"/(?P<mailbox>[^;]+)(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?"
    rb"/;UID=(?P<uid>[1-9][0-9]{0,9})"
    rb"(?:/;SECTION=(?P<section>[^;]+?))?"
    rb"(?:/;PARTIAL=(?P<start>[0-9]{1,19})(?:\.(?P<count>[1-9][0-9]{0,18}))?)?"
    rb"(?P<rump>(?:;EXPIRE=(?P<expire>[^;]+))?"
    rb";URLAUTH=(?P<access>submit\+|user\+|authuser|anonymous)(?P<for>[^;:]*))?"
    rb"(?P<verifier>:(?P<mechanism>[a-z0-9.-]+):(?P<token>[0-9a-f]{32,1000}))?",
    re.I,
)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.A
)


def imap_url(url: bytes, base: bytes = b"") -> ImapUrl:
    """`url`, read relative to the `base` (RFC 5092 §7), which is an absolute path.

    Raises BadUrl for what is no URL of a message.
    """
    if len(url) > MOST_URL or not _CHARS.fullmatch(url):
        raise BadUrl(url[:MOST_URL], "The URL is too long or holds what it may not")
    found = _URL.fullmatch(url)
    if found is None or (found["scheme"] or b"imap").lower() != b"imap":
        raise BadUrl(url, "Only IMAP URLs are known here")
    if found["scheme"] is not None and found["server"] is None:
        raise BadUrl(url, "The URL names no server")
    path = found["path"]
    if found["server"] is None:
        path = _resolved(path, base)
    part = _PATH.fullmatch(path)
    if part is None or (part["verifier"] and not part["rump"]):
        raise BadUrl(url, "The URL is not that of a message")
    try:
        user, host, port = _server(found["server"])
        return ImapUrl(
            _text(part["mailbox"]),
            _number(part["uid"]),
            user,
            host,
            port,
            None if part["validity"] is None else _number(part["validity"]),
            _section(part["section"]),
            _partial(part["start"], part["count"]),
            _auth(url, part),
        )
    except (MailError, ValueError) as fault:
        raise BadUrl(url) from fault


def encoded_path(mailbox: str) -> bytes:
    """The absolute path of a mailbox, as a base for relative URLs."""
    return b"/" + _UNSAFE.sub(
        lambda octet: b"%%%02X" % octet[0][0], mailbox.encode("utf-8")
    )


_UNSAFE = re.compile(rb"[^\w.~!$'()*+,&=:@/-]", re.A)


def _resolved(path: bytes, base: bytes) -> bytes:
    """RFC 3986 §5.2 for paths; ";UID=" stands behind the mailbox (RFC 5092 §9.1)."""
    if not path.startswith(b"/"):
        start = base + b"/" if path.startswith(b";") else base[: base.rfind(b"/") + 1]
        path = start + path
    if b"/." not in path:
        return path
    kept: list[bytes] = []
    parts = path.split(b"/")
    for part in parts:
        if part == b"..":
            del kept[max(1, len(kept) - 1) :]
        elif part != b".":
            kept.append(part)
    if parts[-1] in (b".", b".."):
        kept.append(b"")
    return b"/".join(kept)


def _server(server: bytes | None) -> tuple[str | None, str | None, int | None]:
    if server is None:
        return None, None, None
    found = _SERVER.fullmatch(server)
    if found is None:
        raise ValueError("no server")
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > 65535:
        raise ValueError("no port")
    user = _text(found["user"]) if found["user"] else None
    return user, _text(found["host"]).lower(), port


def _text(encoded: bytes) -> str:
    """Percent-decoded UTF-8; raises ValueError."""
    octets = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), encoded)
    return octets.decode("utf-8")


def _number(digits: bytes, most: int = MOST_NUMBER) -> int:
    value = int(digits)
    if value > most:
        raise ValueError("too large")
    return value


def _section(encoded: bytes | None) -> Section:
    """enc-section: section-spec of FETCH."""
    if encoded is None:
        return Section()
    s = CommandScanner(Frame(_text(encoded).encode("utf-8")))
    section = section_spec(s)
    s.end()
    return section


def _partial(start: bytes | None, count: bytes | None) -> tuple[int, int | None] | None:
    if start is None:
        return None
    how_many = None if count is None else _number(count, MOST_MOD_SEQUENCE)
    return _number(start, MOST_MOD_SEQUENCE), how_many


def _auth(url: bytes, part: re.Match[bytes]) -> UrlAuth | None:
    if part["rump"] is None:
        return None
    access, user = Access(part["access"].decode().lower()), _text(part["for"])
    if (access in (Access.SUBMIT, Access.USER)) != bool(user):
        raise ValueError("a user where none may be, or none where one must")
    verifier = part["verifier"] or b""
    return UrlAuth(
        access,
        user,
        None if part["expire"] is None else _seconds(_text(part["expire"])),
        url.removesuffix(verifier),
        part["mechanism"].decode().upper() if verifier else None,
        part["token"] if verifier else b"",
    )


def _seconds(date_time: str) -> int:
    """date-time (RFC 3339 §5.6) in seconds since 1970; raises ValueError."""
    found = _DATE_TIME.fullmatch(date_time.upper())
    if found is None:
        raise ValueError("no date-time")
    return int(datetime.fromisoformat(found[1] + found[2]).timestamp())
