"""Headers in UTF-8 (RFC 6532) for clients that know ASCII only (RFC 6857, RFC 6858).

Text becomes encoded words, parameters take the form of RFC 2231, a domain its A-labels.
An address whose local part is not ASCII has no such form: an empty group shows it
(RFC 6854), so nobody replies to what cannot be reached.  Message ids move to fields of
their own, as they are compared and not read.  A field that is not UTF-8 stays as it is:
it is old mail with raw octets, which such clients know.  Nothing here raises.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from urllib.parse import quote

from ..address import ascii_domain
from .address_list import (
    END_OF_GROUP,
    MISSING_DOMAIN,
    MISSING_MAILBOX,
    Listed,
    addresses,
)
from .header import fields, unfold
from .parameters import Parameters, content_type, disposition
from .text import decoded_words

_ADDRESSES = frozenset(
    b"from sender reply-to to cc bcc return-path disposition-notification-to"
    b" resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc".split()
)
_IDENTIFIERS = frozenset({b"message-id", b"in-reply-to", b"references"})

MOST_ENCODED = 45  # octets in an encoded word: 60 in base64, 75 with its frame

_WORD = rb"[!-\x7f]*[\x80-\xff][!-\xff]*"  # a word with an octet over 127
_RUN = re.compile(rb"( ?)((?<![!-\xff])" + _WORD + rb"(?:[ \t]+" + _WORD + rb")*)")
_FOR = re.compile(rb"\s+for\s+[^;\s]*[\x80-\xff][^;\s]*", re.I)
_PHRASE = re.compile(rb"[!#-'*+/-9=?A-Z^-~\t -]+")
_DOT_ATOM = re.compile(rb"[!#-'*+./-9=?A-Z^-~-]+")
_TOKEN = re.compile(rb"[!#-'*+.0-9A-Z^-~-]+")
_SPECIAL = re.compile(rb'(["\\])')


def ascii_header(header: bytes) -> bytes:
    """A header, or a message whose header is whole, with the header in ASCII."""
    made, at = [], 0
    for start, stop, text in ascii_fields(header):
        made += [header[at:start], text]
        at = stop
    return b"".join([*made, header[at:]]) if made else header


def ascii_fields(header: bytes) -> list[tuple[int, int, bytes]]:
    """(start, stop, the field instead) of each field that changes, in order."""
    found: list[tuple[int, int, bytes]] = []
    at = 0
    for name, raw in fields(header):
        start, at = at, at + len(raw)
        if raw.isascii() or not name.isascii() or not name:
            continue
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        end = b"\r\n" if raw.endswith(b"\n") else b""
        found.append((start, at, _field(name, raw) + end))
    return found


def _field(name: bytes, raw: bytes) -> bytes:
    """One field without its last line end."""
    value = raw[raw.index(b":") + 1 :]
    known = name.lower()
    made = None
    if known in _ADDRESSES:
        made = _addresses(value)
    elif known in _IDENTIFIERS:
        return b"Downgraded-%b: %b" % (name, _words(unfold(value).decode()))
    elif known == b"content-type":
        made = _content_type(value)
    elif known == b"content-disposition":
        made = _disposition(value)
    elif known == b"received":
        value = _FOR.sub(b"", value)
    if made is None or not made.isascii():
        made = unstructured(value.strip(b"\r\n").lstrip(b" \t"))
    return b"%b: %b" % (name, made)


# -- text ---------------------------------------------------------------------------


def unstructured(value: bytes) -> bytes:
    """UTF-8 with each run of words that are not ASCII as encoded words.

    Each run but the first begins a line, so that no line gets longer than it may.
    """
    first = True

    def encoded(found: re.Match[bytes]) -> bytes:
        nonlocal first
        space, run = found[1], found[2]
        folds = (
            space and not first and value[found.start() - 1 : found.start()] != b"\n"
        )
        first = False
        return (b"\r\n " if folds else space) + _words(run.decode())

    return _RUN.sub(encoded, value)


def _words(text: str) -> bytes:
    """All of `text` as encoded words (RFC 2047 §2), one on a line."""
    pieces, piece = [], b""
    for character in text:
        octets = character.encode()
        if len(piece) + len(octets) > MOST_ENCODED:
            pieces.append(piece)
            piece = b""
        piece += octets
    pieces.append(piece)
    return b"\r\n ".join(
        b"=?utf-8?B?%b?=" % b2a_base64(one, newline=False) for one in pieces
    )


def _phrase(octets: bytes) -> bytes:
    """A display name."""
    if not octets.isascii():
        return _words(decoded_words(octets))
    return octets if _PHRASE.fullmatch(octets) else _quoted(octets)


def _quoted(octets: bytes) -> bytes:
    return b'"%b"' % _SPECIAL.sub(rb"\\\1", octets)


# -- addresses ----------------------------------------------------------------------


def _addresses(value: bytes) -> bytes | None:
    """An address list; None if it cannot be read as one."""
    made: list[bytes] = []
    group: bytes | None = None
    members: list[bytes] = []
    apart: list[bytes] = []  # groups that stand for addresses of the group
    for one in addresses([value]):
        if one.mailbox == MISSING_MAILBOX or one.host == MISSING_DOMAIN:
            return None
        if one == END_OF_GROUP:
            made.append(b"%b: %b;" % (group or b'""', b",\r\n ".join(members)))
            made += apart
            group, members, apart = None, [], []
        elif one.host is None:
            group = _phrase(one.mailbox or b"")
        elif (shown := _mailbox(one)) is None:
            (made if group is None else apart).append(_lost(one))
        else:
            (made if group is None else members).append(shown)
    return b",\r\n ".join(made) or None


def _mailbox(one: Listed) -> bytes | None:
    """An address as it stands in a list; None if ASCII has no form of it."""
    local, host = one.mailbox or b"", one.host or b""
    if not local.isascii():
        return None
    if not host.isascii():
        try:
            host = ascii_domain(host.decode()).encode("ascii")
        except ValueError:
            return None
    if not _DOT_ATOM.fullmatch(local):
        local = _quoted(local)
    route = b"%b:" % one.route if one.route and one.route.isascii() else b""
    if one.name is None and not route:
        return b"%b@%b" % (local, host)
    name = b"" if one.name is None else _phrase(one.name) + b" "
    return b"%b<%b%b@%b>" % (name, route, local, host)


def _lost(one: Listed) -> bytes:
    """The empty group that shows an address which ASCII has no form of."""
    address = b"%b@%b" % (one.mailbox or b"", one.host or b"")
    text = address.decode("utf-8", "replace")
    if one.name is not None:
        text = f"{decoded_words(one.name)} <{text}>"
    return b"%b:;" % _words(text)


# -- parameters ---------------------------------------------------------------------


def _content_type(value: bytes) -> bytes | None:
    found = content_type(value)
    if found is None or not found[1]:
        return None
    return b"%b/%b%b" % (found[0], found[1], _parameters(found[2]))


def _disposition(value: bytes) -> bytes | None:
    found = disposition(value)
    return None if found is None else found[0] + _parameters(found[1])


def _parameters(parameters: Parameters) -> bytes:
    """Those that are not ASCII as RFC 2231 §4 writes them."""
    made = []
    for name, value in parameters:
        if not value.isascii():
            text = quote(value, safe="")
            if name.endswith(b"*"):
                text = quote(value, safe="'%")
                made.append(b"%b=%b" % (name, text.encode()))
            else:
                made.append(b"%b*=utf-8''%b" % (name, text.encode()))
        elif name.endswith(b"*") or _TOKEN.fullmatch(value):
            made.append(b"%b=%b" % (name, value))
        else:
            made.append(b"%b=%b" % (name, _quoted(value)))
    return b"".join(b";\r\n " + one for one in made)
