"""Address lists of header fields for ENVELOPE (RFC 5322 §3.4, RFC 3501 §7.4.2).

Read tolerantly, in octets: groups, routes, comments as names, quoted strings, 8-bit
octets and encoded words as they stand, and what is broken as well as it can be told.
Nothing here raises, and every octet is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .header import unfold

MISSING_DOMAIN = b"MISSING_DOMAIN"
MISSING_MAILBOX = b"MISSING_MAILBOX"


class Listed(NamedTuple):
    """One address structure of RFC 3501 §7.4.2; all None is the end of a group."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


END_OF_GROUP = Listed(None, None, None, None)

# What nearly all addresses look like; anything else goes to the tokens below.
_PLAIN = re.compile(
    rb'[ \t]*+(?:(?:"([^"\\\r\n]*+)"|([^\s()<>@,;:"\[\]\\]++'
    rb'(?:[ \t]++[^\s()<>@,;:"\[\]\\]++)*)|)[ \t]*+'
    rb'<([^\s()<>@,;:"\[\]\\]++)@([^\s()<>@,;:"\[\]\\]++)>'
    rb'|([^\s()<>@,;:"\[\]\\]++)@([^\s()<>@,;:"\[\]\\]++))[ \t]*+(?:,|\Z)'
)
_TOKEN = re.compile(
    rb"(?P<space>\s++)"
    rb"|(?P<atom>[^\s()<>@,;:\"\[\]]++)"
    rb"|\"(?P<quoted>[^\"\\]*+(?:\\.[^\"\\]*+)*)(?:\"|\\?\Z)"
    rb"|(?P<literal>\[[^\]\\]*+(?:\\.[^\]\\]*+)*(?:\]|\\?\Z))"
    rb"|(?P<special>.)",
    re.S,
)
_PARENTHESIS = re.compile(rb"\\.|[()]", re.S)
_ESCAPE = re.compile(rb"\\(.)", re.S)

# (kind, text): kinds are space, atom, quoted, literal, special, comment.
_Token = tuple[str, bytes]
_END: _Token = ("end", b"")
_AT: _Token = ("special", b"@")
_OPEN: _Token = ("special", b"<")
_CLOSE: _Token = ("special", b">")
_SPACE: _Token = ("space", b" ")


def addresses(values: list[bytes]) -> list[Listed]:
    """The addresses of raw field values (several when a field is repeated)."""
    found: list[Listed] = []
    for value in values:
        text = unfold(value)
        at = 0
        while at < len(text):
            plain = _PLAIN.match(text, at)
            if not plain:
                found += _Reader(text, at).addresses()
                break
            quoted, words, mailbox, host, bare_mailbox, bare_host = plain.groups()
            if bare_mailbox:
                found.append(Listed(None, None, bare_mailbox, bare_host))
            else:
                if words and b"\t" in words or words and b"  " in words:
                    words = b" ".join(words.split())
                found.append(Listed(quoted or words or None, None, mailbox, host))
            at = plain.end()
    return found


def _tokens(text: bytes, at: int) -> list[_Token]:
    found: list[_Token] = []
    while at < len(text):
        if text[at] == 0x28:
            comment, at = _comment(text, at)
            found.append(("comment", comment))
            continue
        match = _TOKEN.match(text, at)
        if match is None:  # cannot be: the last branch takes any octet
            break
        kind = match.lastgroup or "quoted"
        octets = match[kind]
        if kind == "quoted":
            octets = _ESCAPE.sub(rb"\1", octets)
        found.append((kind, octets))
        at = match.end()
    found.append(_END)
    return found


def _comment(text: bytes, at: int) -> tuple[bytes, int]:
    """The inside of the comment at `at`, unescaped, and the offset behind it."""
    depth, start = 0, at + 1
    for match in _PARENTHESIS.finditer(text, at):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
            if not depth:
                return _ESCAPE.sub(rb"\1", text[start : match.start()]), match.end()
    return _ESCAPE.sub(rb"\1", text[start:]), len(text)


def _phrase(tokens: list[_Token]) -> bytes:
    """Words as written, one space where there was any."""
    return b"".join(b" " if kind == "space" else text for kind, text in tokens).strip()


def _packed(tokens: list[_Token]) -> bytes:
    """A local part or domain: white space is not part of it."""
    return b"".join(text for kind, text in tokens if kind != "space")


class _Reader:
    """A walk over the tokens of one value."""

    def __init__(self, text: bytes, at: int) -> None:
        self._tokens, self._at = _tokens(text, at), 0
        closes = (at for at, token in enumerate(self._tokens) if token == _CLOSE)
        self._last_close = max(closes, default=-1)
        self._found: list[Listed] = []
        self._in_group = False

    def addresses(self) -> list[Listed]:
        while self._one():
            pass
        if self._in_group:
            self._found.append(END_OF_GROUP)
        return self._found

    def _until(self, stops: bytes) -> tuple[list[_Token], list[bytes], bytes]:
        """Tokens up to one of the special octets `stops` (eaten), comments apart."""
        words: list[_Token] = []
        comments: list[bytes] = []
        while True:
            kind, text = token = self._tokens[self._at]
            if kind == "end":
                return words, comments, b""
            self._at += 1
            if kind == "special" and text in stops:
                return words, comments, text
            if kind == "comment":
                comments.append(text)
                words.append(_SPACE)
            else:
                words.append(token)

    def _one(self) -> bool:
        """Read up to the next separator; False at the end of the value."""
        words, comments, stop = self._until(b",;:<" if not self._in_group else b",;<")
        if stop == b":":
            if any(token == _AT for token in words):
                # a colon where none may be: nothing starts a group with an @ in it
                words.append(_SPACE)
                more, comments, stop = self._until(b",;<")
                words += more
            else:
                self._found.append(Listed(None, None, _phrase(words), None))
                self._in_group = True
                return True
        if stop == b"<":
            stop = self._angle(words, comments)
            if stop == b">":
                _, _, stop = self._until(b",;")
        else:
            self._bare(words, comments)
        if stop == b";" and self._in_group:
            self._found.append(END_OF_GROUP)
            self._in_group = False
        return bool(stop)

    def _angle(self, words: list[_Token], before: list[bytes]) -> bytes:
        """name-addr: `words` stood before the "<"; what ended it."""
        inner, comments, stop = self._until(b">,;")
        while stop in (b",", b";") and stop:
            if self._at > self._last_close:
                break  # never closed: the address ends here
            inner.append(("special", stop))  # a source route may have commas
            more, others, stop = self._until(b">,;")
            inner += more
            comments += others
        name = _phrase(words) or b" ".join(before + self._comments_behind(comments))
        opened = 0
        while opened < len(inner) and inner[opened] in (_OPEN, _SPACE):
            opened += 1
        inner = inner[opened:]
        route = None
        colon = _index(inner, b":")
        if inner and _packed(inner).startswith(b"@") and colon is not None:
            route, inner = _packed(inner[:colon]), inner[colon + 1 :]
        mailbox, host = _split(inner)
        self._add(name.strip(), route, mailbox, host)
        return stop

    def _comments_behind(self, comments: list[bytes]) -> list[bytes]:
        """`comments` and those that come right behind the ">"."""
        found, at = list(comments), self._at
        while self._tokens[at][0] in ("space", "comment"):
            if self._tokens[at][0] == "comment":
                found.append(self._tokens[at][1])
            at += 1
        return found

    def _bare(self, tokens: list[_Token], comments: list[bytes]) -> None:
        """addr-spec without brackets; words before it, else the last comment, are its
        name."""
        comments = comments[-1:]
        words = _words(tokens)
        start = 0
        for at, word in enumerate(words):
            if _AT in word:
                before = [token for one in words[start:at] for token in (*one, _SPACE)]
                name = _phrase(before) or b"".join(comments).strip()
                mailbox, host = _split(word)
                self._add(name, None, mailbox, host.rstrip(b">"))
                start = at + 1
        if start or not words:  # found some; what is behind the last is nothing
            return
        if len(words) == 1:
            self._add(b"".join(comments).strip(), None, _packed(words[0]), b"")
        else:
            self._add(_phrase(tokens), None, b"", b"")

    def _add(
        self, name: bytes, route: bytes | None, mailbox: bytes, host: bytes
    ) -> None:
        self._found.append(
            Listed(
                name or None, route, mailbox or MISSING_MAILBOX, host or MISSING_DOMAIN
            )
        )


def _words(tokens: list[_Token]) -> list[list[_Token]]:
    """Tokens between white space; white space around a dot or an @ parts nothing."""
    words: list[list[_Token]] = []
    apart = True
    for kind, text in tokens:
        if kind == "space":
            apart = True
            continue
        glued = (kind, text) == _AT or (kind == "atom" and text.startswith(b"."))
        if words and (not apart or glued or _glues(words[-1][-1])):
            words[-1].append((kind, text))
        else:
            words.append([(kind, text)])
        apart = False
    return words


def _glues(token: _Token) -> bool:
    return token == _AT or (token[0] == "atom" and token[1].endswith(b"."))


def _index(tokens: list[_Token], special: bytes) -> int | None:
    for at, token in enumerate(tokens):
        if token == ("special", special):
            return at
    return None


def _split(tokens: list[_Token]) -> tuple[bytes, bytes]:
    """(local part, domain) at the last @; without one all is the local part."""
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at] == _AT:
            return _packed(tokens[:at]), _packed(tokens[at + 1 :])
    return _phrase(tokens), b""
