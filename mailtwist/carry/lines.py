"""Line ends of messages: CRLF on the way, LF in files where that loses nothing."""

from __future__ import annotations

from ..store.maildir.content import with_crlf


def for_file(octets: bytes) -> bytes:
    """With LF, unless `with_crlf` would not give back the same (RFC 5322 has no bare
    CR, but there are such messages)."""
    lf = octets.replace(b"\r\n", b"\n")
    return lf if with_crlf(lf) == octets else octets
