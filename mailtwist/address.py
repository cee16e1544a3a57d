"""Mail addresses as values: local part, domain, and their forms on the wire.

RFC 5321 §4.1.2 (Mailbox), RFC 6531 §3.3 (UTF-8), RFC 5890 (A-labels and U-labels).
The local part is kept unquoted; the domain is kept lower case, as U-labels, or as an
address literal with its brackets.
"""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna
from attrs import field, frozen

from .errors import BadAddress

MOST_LOCAL_PART = 64  # octets, RFC 5321 §4.5.3.1.1
MOST_DOMAIN = 255  # octets, RFC 5321 §4.5.3.1.2
MOST_PATH = 256  # octets with < and >, RFC 5321 §4.5.3.1.3

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_QUOTED_STRING = re.compile(
    r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\U0010ffff]|\\[\x20-\x7e])*)"'
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@frozen
class Address:
    """One mailbox: `local_part` unquoted, `domain` normalized ("" if there is none)."""

    local_part: str
    domain: str = field(default="")

    @classmethod
    def parse(cls, text: str) -> Address:
        """From "local@domain"; a bare local part has no domain.  Raises BadAddress."""
        if text.startswith('"'):
            found = _QUOTED_STRING.match(text)
            if not found:
                raise BadAddress("Bad quoted local part")
            local_part = _QUOTED_PAIR.sub(r"\1", found[1])
        else:
            found = _DOT_STRING.match(text)
            if not found:
                raise BadAddress("Bad local part")
            local_part = found[0]
        rest = text[found.end() :]
        if rest and not rest.startswith("@"):
            raise BadAddress("Bad character in local part")
        if _octets(local_part) > MOST_LOCAL_PART:
            raise BadAddress("Local part is longer than 64 octets")
        return cls(local_part, normal_domain(rest[1:]) if rest else "")

    @cached_property
    def quoted_local_part(self) -> str:
        """As it stands before the @, quoted where it must be."""
        if _DOT_STRING.fullmatch(self.local_part):
            return self.local_part
        escaped = self.local_part.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    @property
    def ascii(self) -> bool:
        """True if it can be said without SMTPUTF8 (the domain as A-labels)."""
        return self.local_part.isascii()

    def __str__(self) -> str:
        """With U-labels: for people, logs and UTF-8 headers."""
        local_part = self.quoted_local_part
        return f"{local_part}@{self.domain}" if self.domain else local_part

    def encode(self, *, utf8: bool = False) -> bytes:
        """On the wire, without brackets: A-labels unless `utf8`."""
        return str(self).encode() if utf8 else self._ascii_encoded

    @cached_property
    def _ascii_encoded(self) -> bytes:
        local_part = self.quoted_local_part.encode()
        if not self.domain:
            return local_part
        return local_part + b"@" + ascii_domain(self.domain).encode()


def normal_domain(text: str) -> str:
    """`text` lower case with U-labels, or as an address literal; raises BadAddress."""
    if text.startswith("["):
        return _literal(text)
    text = text.removesuffix(".")
    if not text or _octets(text) > MOST_DOMAIN:
        raise BadAddress("Domain is empty or too long")
    try:
        if text.isascii() and "xn--" not in (lower := text.lower()):
            labels = lower.split(".")
        else:
            text = text.replace("\u3002", ".").replace("\uff0e", ".")
            labels = idna.decode(idna.encode(text, uts46=True), uts46=True).split(".")
    except (idna.IDNAError, UnicodeError) as bad:
        raise BadAddress("Domain is not a valid host name") from bad
    if not all(_LABEL.fullmatch(label) or not label.isascii() for label in labels):
        raise BadAddress("Domain is not a valid host name")
    return ".".join(labels)


def _octets(text: str) -> int:
    """Length in UTF-8; raises BadAddress for what has no such form."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as bad:
        raise BadAddress("Address is not valid Unicode") from bad


def ascii_domain(domain: str) -> str:
    """A domain made by `normal_domain` with A-labels."""
    if domain.isascii():
        return domain
    return idna.encode(domain, uts46=True).decode()


def _literal(text: str) -> str:
    """address-literal (RFC 5321 §4.1.3) in one spelling."""
    inner = text[1:-1] if text.endswith("]") else ""
    try:
        if "%" in inner:  # a zone means something on one host only (RFC 4007 §11)
            raise BadAddress("Bad address literal")
        if inner[:5].lower() == "ipv6:":
            return f"[IPv6:{IPv6Address(inner[5:])}]"
        return f"[{IPv4Address(inner)}]"
    except AddressValueError as bad:
        raise BadAddress("Bad address literal") from bad
