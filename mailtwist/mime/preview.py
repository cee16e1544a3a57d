"""The beginning of a message as a list shows it (RFC 8970)."""

from __future__ import annotations

import re
from html import unescape

from .html_text import visible
from .parameters import token
from .part import Part
from .text import BodyDecoder

MOST_CHARACTERS = 200  # RFC 8970 §3.3 asks for no more
MOST_PLAIN, MOST_HTML = 16_384, 65_536  # octets that are read of a part

# Lines that say nothing of what the message is about: quotations and who is quoted.
_QUOTED = re.compile(r"^>.*$\n?", re.M)
_SIGNATURE = re.compile(r"^-- ?$", re.M)
# What cannot be seen: control and format characters, with which newsletters also fill
# up their previews, combining ones that stand alone, and what UTF-8 has no form for.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)
_SPACE = re.compile(r"\s+")


def shown_part(message: Part) -> Part | None:
    """The part to take it from: the first text/plain of the body, else text/html.

    Attachments, encrypted parts and messages in messages say nothing of this one.
    """
    html: Part | None = None
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part.disposition and part.disposition[0].lower() == b"attachment":
            continue
        if part.multipart and part.subtype != "encrypted":
            waiting.extend(reversed(part.children))
        if part.media_type != "text" or not part.body[1]:
            continue
        if part.subtype == "plain":
            return part
        if part.subtype == "html" and html is None:
            html = part
    return html


def octets_of(part: Part) -> int:
    """How many of its octets `preview` needs."""
    return min(part.body[1], MOST_HTML if part.subtype == "html" else MOST_PLAIN)


def preview(part: Part, octets: bytes) -> bytes:
    """The first words of a part in UTF-8, from the beginning of its body.

    At most MOST_CHARACTERS, without markup, and without what is quoted if there is
    anything else.  Raises nothing on any octets.
    """
    charset = token(part.parameters, b"charset") or b""
    final = len(octets) >= part.body[1]
    text = BodyDecoder(part.encoding, charset).feed(octets, final=final)
    if part.subtype == "html":
        text = unescape(visible(text))
    else:
        text = text.replace("\r\n", "\n")
        text = _SIGNATURE.split(text, maxsplit=1)[0] or text
        if _seen(_QUOTED.sub("", text)):
            text = _QUOTED.sub("", text)
    return _seen(text).encode("utf-8")


def _seen(text: str) -> str:
    seen = _SPACE.sub(" ", _UNSEEN.sub("", text)).strip()
    return seen[:MOST_CHARACTERS].rstrip()
