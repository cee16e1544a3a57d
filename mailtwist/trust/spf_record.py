"""The text of SPF records as values (RFC 7208 §12)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import frozen

MOST_TERMS = 10  # that ask DNS, RFC 7208 §4.6.4

_VERSION = re.compile(rb"v=spf1(?: |\Z)", re.I)
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.S)
_DIRECTIVE = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)", re.S)
_DUAL_CIDR = re.compile(r"(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d{0,2}))?\Z")
_EXPAND = r"%\{[A-Za-z]\d*[Rr]?[.\-+,/_=]*\}"
_MACRO_STRING = re.compile(rf"(?:{_EXPAND}|%[%_-]|[!-$&-~])*")
_END = re.compile(
    rf"(?:{_EXPAND}|\.(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*"
    r"|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?)\Z"
)
_PARTS = re.compile(r"%\{([A-Za-z])(\d*)([Rr]?)([.\-+,/_=]*)\}|%([%_-])|[^%]+")
_LETTERS = "slodiphv"
_EXPLAINS = "crt"  # only in explanations


class BadRecord(Exception):
    """A record that breaks the grammar: permerror."""


@frozen
class Macro:
    """%{...}: the last `count` parts (0 for all), turned around with `reverse`."""

    letter: str  # lower case
    count: int
    reverse: bool
    delimiters: str
    escapes: bool


MacroText = tuple[str | Macro, ...]


@frozen
class Mechanism:
    """One directive; `domain` is None for the domain in hand, the prefixes count for
    `a` and `mx`, `network` for `ip4` and `ip6`."""

    kind: str
    result: str
    domain: MacroText | None = None
    ipv4_prefix: int = 32
    ipv6_prefix: int = 128
    network: IPv4Network | IPv6Network | None = None
    text: str = ""

    @property
    def asks(self) -> bool:
        """True if it counts as a question to DNS."""
        return self.kind not in ("all", "ip4", "ip6")


@frozen
class Record:
    mechanisms: tuple[Mechanism, ...]
    redirect: MacroText | None = None
    explanation: MacroText | None = None


def selected(records: Sequence[bytes]) -> list[bytes]:
    """Those that are SPF records of this version (§4.5)."""
    return [one for one in records if _VERSION.match(one)]


@lru_cache(1000)  # of the domains that send most
def parsed(octets: bytes) -> Record:
    """The record; raises BadRecord."""
    try:
        text = octets.decode("ascii")
    except UnicodeDecodeError as bad:
        raise BadRecord("is not ASCII") from bad
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, MacroText] = {}
    for term in text[6:].split(" "):
        if not term:
            continue
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise BadRecord(f"has {name} twice")
            modifiers[name] = _domain_spec(value)
        else:
            macro_text(value, explains=True)
    return Record(tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"))


def macro_text(text: str, *, explains: bool = False, spaces: bool = False) -> MacroText:
    """A macro-string, with `spaces` an explain-string (§7.1); raises BadRecord."""
    if not _MACRO_STRING.fullmatch(text.replace(" ", "") if spaces else text):
        raise BadRecord(f"has a bad macro in {text!r}")
    return tuple(_expansions(text, explains))


def _expansions(text: str, explains: bool) -> Iterator[str | Macro]:
    for found in _PARTS.finditer(text):
        letter, digits, reverse, delimiters, escaped = found.groups()
        if escaped:
            yield {"%": "%", "_": " ", "-": "%20"}[escaped]
        elif letter is None:
            yield found[0]
        else:
            lower = letter.lower()
            if lower not in _LETTERS and not (explains and lower in _EXPLAINS):
                raise BadRecord(f"has the unknown macro {found[0]}")
            if digits and not int(digits[:4]):
                raise BadRecord(f"has a count of none in {found[0]}")
            yield Macro(
                lower,
                int(digits[:4] or 0),
                bool(reverse),
                delimiters or ".",
                letter.isupper(),
            )


def _domain_spec(text: str) -> MacroText:
    if not _MACRO_STRING.fullmatch(text) or not _END.search(text):
        raise BadRecord(f"has a bad domain in {text!r}")
    return macro_text(text)


def _mechanism(term: str) -> Mechanism:
    found = _DIRECTIVE.fullmatch(term)
    if found is None:
        raise BadRecord(f"has the bad term {term!r}")
    kind, rest = found[2].lower(), found[3]
    result = _QUALIFIERS[found[1] or "+"]
    match kind:
        case "all":
            if rest:
                raise BadRecord(f"has the bad term {term!r}")
            return Mechanism(kind, result, text=term)
        case "include" | "exists":
            if not rest.startswith(":"):
                raise BadRecord(f"has {kind} without a domain")
            return Mechanism(kind, result, _domain_spec(rest[1:]), text=term)
        case "ptr":
            return Mechanism(kind, result, _optional(rest, term), text=term)
        case "a" | "mx":
            cidr = _DUAL_CIDR.search(rest)
            prefix4, prefix6 = (cidr[1], cidr[2]) if cidr else (None, None)
            domain = _optional(rest[: cidr.start()] if cidr else rest, term)
            bits4 = 32 if prefix4 is None else int(prefix4)
            bits6 = 128 if prefix6 is None else int(prefix6)
            if bits4 > 32 or bits6 > 128:
                raise BadRecord(f"has a prefix too long in {term!r}")
            return Mechanism(kind, result, domain, bits4, bits6, text=term)
        case "ip4" | "ip6":
            network = _network(rest, 4 if kind == "ip4" else 6)
            return Mechanism(kind, result, network=network, text=term)
        case _:
            raise BadRecord(f"has the unknown mechanism {kind!r}")


def _optional(rest: str, term: str) -> MacroText | None:
    if not rest:
        return None
    if not rest.startswith(":"):
        raise BadRecord(f"has the bad term {term!r}")
    return _domain_spec(rest[1:])


def _network(rest: str, version: int) -> IPv4Network | IPv6Network:
    address, slash, prefix = rest[1:].partition("/")
    if rest[:1] != ":" or "%" in address or (slash and not _is_prefix(prefix)):
        raise BadRecord(f"has a bad network in {rest!r}")
    try:
        network = ip_network(rest[1:], strict=False)
    except ValueError as bad:
        raise BadRecord(f"has a bad network in {rest!r}") from bad
    if network.version != version:
        raise BadRecord(f"has a network of the other version in {rest!r}")
    return network


def _is_prefix(text: str) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,2}", text) is not None
