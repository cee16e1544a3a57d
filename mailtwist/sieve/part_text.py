"""The text of a part, decoded as far as the budget goes."""

from __future__ import annotations

from ..mime.html_text import visible
from ..mime.parameters import token
from ..mime.part import Part
from ..mime.text import BodyDecoder
from .state import Run

_OCTETS = 64  # decoded for one unit of work
_PIECE = 1 << 16


def body_octets(run: Run, part: Part) -> bytes:
    """The body as it stands."""
    run.budget.spend(1 + part.body[1] // 1024)
    return run.message.body_of(part)


def text_of(
    run: Run, part: Part, most: int | None = None, *, shown: bool = True
) -> str:
    """The body without transfer encoding and in its charset; of HTML what is shown.

    With `most`, at least so many characters if there are."""
    octets = body_octets(run, part)
    encoding, charset = part.encoding, token(part.parameters, b"charset") or b""
    decoder = BodyDecoder(encoding, charset)
    pieces, got = [], 0
    for at in range(0, max(len(octets), 1), _PIECE):
        piece = octets[at : at + _PIECE]
        run.budget.spend(1 + len(piece) // _OCTETS)
        pieces.append(decoder.feed(piece, final=at + _PIECE >= len(octets)))
        got += len(pieces[-1])
        if most is not None and got >= most and part.subtype != "html":
            break
    text = "".join(pieces)
    if shown and part.media_type == "text" and part.subtype == "html":
        run.budget.spend(len(text) // 16)
        return visible(text)
    return text
