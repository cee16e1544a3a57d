"""The addresses of a From, Sender or Resent-From field, read strictly (RFC 5322 §3.4).

For whoever decides by them: what two readers might take for two different addresses is
no address here.  Comments, groups (RFC 6854), UTF-8 (RFC 6532) and the obsolete forms
of RFC 5322 §4.4 that can be read in one way only are understood; names are passed over,
with encoded words and 8-bit octets in them as they stand.
"""

from __future__ import annotations

import re

from ..address import Address, normal_domain
from ..errors import BadAddress
from .header import unfold

_TOKEN = re.compile(
    rb"(?P<space>[ \t]++)"
    rb"|(?P<atom>[^\x00-\x20()<>@,;:\\\".\[\]\x7f]++)"
    rb"|\"(?P<quoted>(?:[^\"\\\x00]|\\[^\x00])*+)\""
    rb"|(?P<literal>\[[^\[\]\\\x00-\x20]*+\])"
    rb"|(?P<special>[<>@,;:.])"
)
_PARENTHESIS = re.compile(rb"\\.|[()]", re.S)
_PAIR = re.compile(rb"\\(.)", re.S)
_END = ("end", b"")
_DOT = ("special", b".")
_BEHIND = (_END, ("special", b","), ("special", b";"))
_WORDS = ("atom", "quoted")

Token = tuple[str, bytes]


def mailbox_list(value: bytes) -> list[Address]:
    """The addresses of a raw field value; none of a group without members.

    Raises BadAddress for anything that is no list of addresses with domains."""
    return _Reader(_tokens(unfold(value))).addresses()


def _tokens(text: bytes) -> list[Token]:
    """Without white space and comments."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] == 0x28:
            at = _behind_comment(text, at)
            continue
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadAddress(f"Bad character at octet {at} of an address list")
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    found.append(_END)
    return found


def _behind_comment(text: bytes, at: int) -> int:
    depth = 0
    for match in _PARENTHESIS.finditer(text, at):
        depth += {b"(": 1, b")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    raise BadAddress("A comment in an address list has no end")


class _Reader:
    """A walk over the tokens of one value."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at = tokens, 0
        self._found: list[Address] = []

    def addresses(self) -> list[Address]:
        any_there = self._members(in_group=False)
        if self._tokens[self._at] != _END:
            raise BadAddress("An address list has something behind its end")
        if not any_there:
            raise BadAddress("An address list is empty")
        return self._found

    def _members(self, *, in_group: bool) -> bool:
        """Addresses with commas between them; whether there was any, or a group."""
        found = False
        while True:
            token = self._tokens[self._at]
            if self._takes(b","):  # obs-mbox-list: nothing between two commas
                continue
            if token == _END or token == ("special", b";"):
                return found
            self._one(in_group=in_group)
            found = True
            if self._tokens[self._at] not in _BEHIND:
                raise BadAddress("Addresses need a comma between them")

    def _one(self, *, in_group: bool) -> None:
        words = self._words()
        if self._takes(b"@"):
            self._add(words)
        elif self._takes(b"<"):
            self._route()
            local = self._words()
            self._need(b"@")
            self._add(local)
            self._need(b">")
        elif words and not in_group and self._takes(b":"):
            self._members(in_group=True)
            self._need(b";")
        else:
            raise BadAddress("An address needs a local part and a domain")

    def _words(self) -> list[Token]:
        """Words and dots: a phrase, or a local part."""
        start = self._at
        while (token := self._tokens[self._at])[0] in _WORDS or token == _DOT:
            self._at += 1
        return self._tokens[start : self._at]

    def _route(self) -> None:
        """obs-route: passed over (RFC 5322 §4.4)."""
        if self._tokens[self._at] not in (("special", b"@"), ("special", b",")):
            return
        while not self._takes(b":"):
            if not self._takes(b","):
                self._need(b"@")
                self._domain()

    def _add(self, local: list[Token]) -> None:
        """An address whose "@" was just read."""
        parts = local[::2]
        dots = all(token == _DOT for token in local[1::2])
        if (
            not len(local) % 2
            or not dots
            or any(kind not in _WORDS for kind, _ in parts)
        ):
            raise BadAddress("Bad local part")
        words = [
            _PAIR.sub(rb"\1", text) if kind == "quoted" else text
            for kind, text in parts
        ]
        local_part, domain = _text(b".".join(words)), self._domain()
        said = Address(local_part, normal_domain(domain))
        self._found.append(Address.parse(str(said)))  # which has limits

    def _domain(self) -> str:
        kind, text = self._tokens[self._at]
        if kind == "literal":
            self._at += 1
            return _text(text)
        labels = []
        while True:
            kind, text = self._tokens[self._at]
            if kind != "atom":
                raise BadAddress("Bad domain")
            labels.append(text)
            self._at += 1
            if not self._takes(b"."):
                return _text(b".".join(labels))

    def _takes(self, special: bytes) -> bool:
        if self._tokens[self._at] != ("special", special):
            return False
        self._at += 1
        return True

    def _need(self, special: bytes) -> None:
        if not self._takes(special):
            raise BadAddress(f"An address needs {special.decode()} there")


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as bad:
        raise BadAddress("Address is not valid Unicode") from bad
