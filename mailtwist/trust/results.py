"""Authentication-Results: what checks found, written and read back (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import field, frozen

MOST_OCTETS = 16 * 1024  # of a field that is read
MOST_RESULTS = 50
WIDTH = 76

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+./?^_`{|}~@:-]+\Z")
_UNSAFE = re.compile(r"[^ !#-\[\]-~\u0080-\U0010ffff]")
_TOKEN = re.compile(
    r"\s*(?:(?P<comment>\()|\"(?P<quoted>(?:[^\"\\]|\\.)*)\""
    r"|(?P<word>[^\s;=\"()]+)|(?P<mark>[;=]))",
    re.S,
)
_ESCAPE = re.compile(r"\\(.)", re.S)


@frozen
class MethodResult:
    """What one method said: `spf=pass smtp.mailfrom=a.test`.

    `properties` by "ptype.property"; `comment` stands in brackets behind the result.
    """

    method: str
    result: str
    properties: Mapping[str, str] = field(factory=dict)
    reason: str = ""
    comment: str = ""

    def encode(self) -> str:
        parts = [f"{self.method}={self.result}"]
        if self.comment:
            parts.append(f"({_comment(self.comment)})")
        if self.reason:
            parts.append(f"reason={quoted(_ascii(self.reason))}")
        parts += [f"{name}={_value(each)}" for name, each in self.properties.items()]
        return " ".join(parts)


def encoded(
    authserv_id: str,
    results: Sequence[MethodResult],
    name: str = "Authentication-Results: ",
) -> str:
    """The field with its CRLF, folded; without results it says "none" (§2.2)."""
    if not results:
        return f"{name}{authserv_id}; none\r\n"
    folded = "".join(f";\r\n\t{_folded(one.encode())}" for one in results)
    return f"{name}{authserv_id}{folded}\r\n"


def _folded(text: str) -> str:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n\t ".join(lines)


def authserv_id(value: str) -> str:
    """Whose results a field's value claims to be, lower case; "" if it cannot be
    read."""
    tokens = _tokens(value[:MOST_OCTETS])
    return tokens[0][1].lower() if tokens and tokens[0][0] == "word" else ""


def parsed(value: str) -> tuple[str, list[MethodResult]] | None:
    """(authserv-id, results) of a field's value without its name; None if it cannot be
    read.  Unknown methods and results are left as they are."""
    if len(value) > MOST_OCTETS:
        return None
    groups: list[list[tuple[str, str]]] = [[]]
    for token in _tokens(value):
        if token == ("mark", ";"):
            groups.append([])
        else:
            groups[-1].append(token)
    front = groups.pop(0)
    if not front or front[0][0] == "mark":
        return None
    found = [_result(group) for group in groups[:MOST_RESULTS] if group]
    return front[0][1].lower(), [one for one in found if one is not None]


def _result(tokens: Sequence[tuple[str, str]]) -> MethodResult | None:
    """method [/version] = result, then name = value."""
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(tokens):
        behind = tokens[at + 1 : at + 3]
        if len(behind) < 2 or behind[0] != ("mark", "=") or behind[1][0] == "mark":
            if not pairs:
                return None
            at += 1
            continue
        pairs.append((tokens[at][1].lower(), behind[1][1]))
        at += 3
    if not pairs:
        return None
    (method, result), *rest = pairs
    properties = {name: value for name, value in rest if name != "reason"}
    reason = next((value for name, value in rest if name == "reason"), "")
    return MethodResult(
        method.partition("/")[0].strip(), result.lower(), properties, reason
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    """Words, quoted strings and marks; comments are nothing."""
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            at += 1
        elif match["comment"]:
            at = _behind_comment(text, match.end())
        else:
            at = match.end()
            if match["quoted"] is not None:
                found.append(("quoted", _ESCAPE.sub(r"\1", match["quoted"])))
            elif match["word"]:
                found.append(("word", match["word"]))
            else:
                found.append(("mark", match["mark"]))
    return found


def _behind_comment(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        letter = text[at]
        at += 2 if letter == "\\" else 1
        depth += (letter == "(") - (letter == ")")
    return at


def quoted(text: str) -> str:
    """As a quoted-string; what cannot stand in one is a question mark."""
    return f'"{_UNSAFE.sub("?", text)}"'


def _value(text: str) -> str:
    return text if _PLAIN.match(text) else quoted(text)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _comment(text: str) -> str:
    return re.sub(r"[^ !#-'*-\[\]-~]", "?", text)
