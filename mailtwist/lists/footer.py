"""A footer put behind a message so that every part stays what it was.

In a lone text it is more text; multipart/mixed gets one more part; anything else
becomes the first part of a new multipart/mixed.  Signed messages are left alone, unless
the list wants it otherwise.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp

from ..mime.charset import ascii_inside
from ..mime.compose import text_entity
from ..mime.header import fields
from ..mime.parameters import token
from ..mime.part import Part
from ..mime.text import TransferDecoder
from .incoming import Incoming, signed
from .model import MailingList

RULE = "_" * 47
_PLAIN = ("7bit", "8bit", "binary", "")


def footer_of(mailing_list: MailingList) -> str:
    """The list's footer with its own names put in, "" for none."""
    options = mailing_list.options
    text = options.footer
    for name, value in (
        ("{list}", str(mailing_list.address)),
        ("{request}", str(mailing_list.at("request"))),
        ("{unsubscribe}", str(mailing_list.at("unsubscribe"))),
        ("{description}", options.description),
    ):
        text = text.replace(name, value)
    return text.strip()


def with_footer(
    message: Incoming, found: list[bytes], text: str, *, in_signed: bool
) -> tuple[list[bytes], bytes]:
    """(raw fields, body) with the footer; `found` are the fields without it."""
    start, count = message.root.body
    body = message.octets[start : start + count]
    if not text or (signed(message.root) and not in_signed):
        return found, body
    lines = f"{RULE}\n{text}\n".replace("\r\n", "\n").replace("\n", "\r\n")
    if message.root.multipart:
        made = _one_more_part(message.root, body, lines)
    else:
        made = _more_text(message.root, body, lines)
    if made is not None:
        return found, made
    return _wrapped(found, body, lines)


def _more_text(root: Part, body: bytes, lines: str) -> bytes | None:
    """The text with the footer in its own encoding; None if that cannot be."""
    if (root.media_type, root.subtype) != ("text", "plain") or root.disposition:
        return None
    charset = (token(root.parameters, b"charset") or b"us-ascii").lower()
    utf8 = charset == b"utf-8"
    if not lines.isascii() and not utf8 or not ascii_inside(charset):
        return None
    octets = lines.encode()
    if root.encoding in _PLAIN:
        if not octets.isascii() and root.encoding in ("7bit", ""):
            return None
        return _ended(body) + octets
    if root.encoding == "quoted-printable":
        quoted = b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
        return _ended(body) + quoted.replace(b"\n", b"\r\n")
    if root.encoding == "base64":
        text = TransferDecoder("base64").feed(body, final=True)
        coded = b2a_base64(_ended(text) + octets, newline=False)
        return b"".join(
            coded[at : at + 76] + b"\r\n" for at in range(0, len(coded), 76)
        )
    return None


def _ended(body: bytes) -> bytes:
    """With a line end, if there is anything."""
    if not body or body.endswith(b"\n"):
        return body
    return body + b"\r\n"


def _one_more_part(root: Part, body: bytes, lines: str) -> bytes | None:
    boundary = token(root.parameters, b"boundary")
    if root.subtype != "mixed" or not boundary:
        return None
    end = body.rfind(b"\r\n--" + boundary + b"--")
    if end < 0:
        return None
    part = b"\r\n--" + boundary + b"\r\n" + text_entity(lines).rstrip(b"\r\n")
    return body[:end] + part + body[end:]


def _wrapped(found: list[bytes], body: bytes, lines: str) -> tuple[list[bytes], bytes]:
    """All of it as the first part of two."""
    inner, outer = [], []
    for raw in found:
        name = fields(raw)[0][0].lower() if raw else b""
        if name.startswith(b"content-"):
            inner.append(raw)
        elif name != b"mime-version":
            outer.append(raw)
    entity = b"".join(inner) + b"\r\n" + body
    boundary = free_boundary(entity)
    outer.append(b"MIME-Version: 1.0\r\n")
    outer.append(
        b'Content-Type: multipart/mixed;\r\n\tboundary="' + boundary + b'"\r\n'
    )
    if not entity.isascii():
        outer.append(b"Content-Transfer-Encoding: 8bit\r\n")
    return outer, multipart(boundary, [entity, text_entity(lines)])


def free_boundary(*parts: bytes) -> bytes:
    """One that stands in none of `parts`."""
    boundary = b"=_list"
    while any(boundary in part for part in parts):
        boundary += b"_"
    return boundary


def multipart(boundary: bytes, entities: list[bytes]) -> bytes:
    """The body of a multipart of these entities (header and body each)."""
    delimiter = b"--" + boundary
    parts = [
        delimiter + b"\r\n" + (one if one.endswith(b"\r\n") else one + b"\r\n")
        for one in entities
    ]
    return b"".join(parts) + delimiter + b"--\r\n"
