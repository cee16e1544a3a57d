"""DKIM signatures made (RFC 6376 §5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .canonical import Body, Field
from .dkim import header_digest
from .keys import PrivateKey
from .tags import folded_base64

# What is signed of a message if it is there (RFC 6376 §5.4.1).
SIGNED = (
    *(b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Subject", b"Date"),
    *(b"Message-ID", b"In-Reply-To", b"References", b"MIME-Version"),
    *(b"Content-Type", b"Content-Transfer-Encoding", b"Content-Disposition"),
    *(b"List-Id", b"List-Post", b"List-Help", b"List-Subscribe", b"List-Owner"),
    *(b"List-Unsubscribe", b"List-Unsubscribe-Post", b"List-Archive"),
    *(b"Resent-From", b"Resent-To", b"Resent-Cc", b"Resent-Date"),
    *(b"Resent-Message-ID", b"Resent-Sender", b"Autocrypt"),
)
# Of these none may be added later: what shows whom it is from, to, and about.
OVERSIGNED = frozenset(
    {b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date"}
    | {b"message-id", b"mime-version", b"content-type"}
)
HEADER_FORM, BODY_FORM = "relaxed", "relaxed"
WIDTH = 72


class Signer:
    """Signs one message with each of `keys`: its body passes through `feed`.

    A signature covers every field of SIGNED that is there, and one more of those that
    are OVERSIGNED."""

    def __init__(self, fields: Sequence[Field], keys: Sequence[PrivateKey]) -> None:
        self._fields, self._keys = fields, keys
        self._body = Body()
        self._body.want(BODY_FORM, "sha256")

    def feed(self, octets: bytes) -> None:
        """Some octets of the body."""
        self._body.feed(octets)

    def signatures(self, now_s: int, expires_s: int = 0) -> bytes:
        """The DKIM-Signature fields, one for each key, each with CRLF.

        They expire `expires_s` seconds from now, never if that is 0."""
        digest, _ = self._body.digest(BODY_FORM, "sha256")
        names = list(signed_fields(self._fields))
        return b"".join(
            _signature(key, self._fields, names, digest, now_s, expires_s)
            for key in self._keys
        )


def signed_fields(fields: Sequence[Field]) -> Iterator[bytes]:
    """The names for h=."""
    there: dict[bytes, int] = {}
    for name, _ in fields:
        there[name.lower()] = there.get(name.lower(), 0) + 1
    for name in SIGNED:
        count = there.get(name.lower(), 0)
        yield from [name] * (count + (name.lower() in OVERSIGNED))


def _signature(
    key: PrivateKey,
    fields: Sequence[Field],
    names: Sequence[bytes],
    body: bytes,
    now_s: int,
    expires_s: int,
) -> bytes:
    expires = f" x={now_s + expires_s};" if expires_s else ""
    return signed_field(
        "DKIM-Signature",
        [
            f"v=1; a={key.algorithm}-sha256; c={HEADER_FORM}/{BODY_FORM};",
            f"d={key.domain}; s={key.selector};",
            f"t={now_s};{expires}",
            f"h={folded_names(names)};",
            f"bh={folded_base64(body)};",
        ],
        key,
        fields,
        names,
    )


def signed_field(
    name: str,
    lines: Sequence[str],
    key: PrivateKey,
    fields: Sequence[Field],
    names: Sequence[bytes],
) -> bytes:
    """A field of these tags with b= behind them, over `names` of `fields`."""
    front = f"{name}: " + "\r\n\t".join([*lines, "b="])
    own = name.encode(), front.encode()
    digest = header_digest(fields, names, HEADER_FORM, own)
    return f"{front}{folded_base64(key.signature(digest))}\r\n".encode()


def folded_names(names: Sequence[bytes]) -> str:
    lines, line = [], ""
    for name in names:
        word = name.decode()
        if line and len(line) + len(word) > WIDTH:
            lines.append(line)
            line = ""
        line += f"{word}:"
    lines.append(line)
    return "\r\n\t ".join(lines).removesuffix(":")
