"""Queries with `%s`, `%u`, `%d`, `%1` to `%9`: nothing of a key becomes syntax.

A string of SQL that holds codes becomes one bound parameter, whole: `'%u@%d'` is a `?`
with "ann@example.test" for it.  In LDAP filters and names each value is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from ..delivery.alias_grammar import unquoted

_CODE = re.compile(r"%(.?)", re.DOTALL)
_SQL = re.compile(
    r"'((?:[^'\\]|''|\\.)*)'|\"((?:[^\"\\]|\"\"|\\.)*)\"|(%.?)", re.DOTALL
)
_FILTER = re.compile(r"[\\*()\0]|[^\x20-\x7e]")
_NAME = re.compile(r'[,+"\\<>;=\0#]|^ | $')


@frozen
class Key:
    """What was asked for, and its parts by code; a missing part is None."""

    text: str

    def part(self, code: str) -> str | None:
        """The text for a code; None if the key has no such part."""
        if code == "s":
            return self.text
        user, mark, domain = self.text.rpartition("@")
        if code == "u":
            if not mark:
                return self.text
            return (unquoted(user) if user.startswith('"') else user) or None
        if not mark or not domain:
            return None
        if code == "d":
            return domain
        labels = domain.split(".")
        return labels[-int(code)] if int(code) <= len(labels) else None


@frozen
class Template:
    """A text with codes, checked."""

    text: str

    def filled(self, key: Key, escape: Callable[[str], str] = str) -> str | None:
        """None if the key has no such part: then there is nothing to ask."""
        missing = False

        def part(code: re.Match[str]) -> str:
            nonlocal missing
            if code[1] == "%":
                return "%"
            found = key.part(code[1])
            missing = missing or found is None
            return escape(found or "")

        text = _CODE.sub(part, self.text)
        return None if missing else text

    @property
    def constant(self) -> bool:
        return all(code == "%" for code in _CODE.findall(self.text))


def template(text: str, codes: str = "") -> Template:
    """Raises ValueError for a code that is none; `codes` are further ones that the keys
    have."""
    for code in _CODE.findall(text):
        if not code or code not in "sud%123456789" + codes:
            raise ValueError(f"%{code} is no code; a percent sign is %%")
    return Template(text)


@frozen
class Statement:
    """SQL with placeholders, and what is bound to them."""

    sql: str
    bound: tuple[Template, ...]

    def parameters(self, key: Key) -> list[str] | None:
        """None if the key has not all parts."""
        filled = [one.filled(key) for one in self.bound]
        found = [text for text in filled if text is not None]
        return found if len(found) == len(filled) else None


def statement(text: str, *, placeholder: str, percent: str = "%") -> Statement:
    """From a query; `percent` is how the driver wants a percent sign written.

    Raises ValueError for a code that is none, or a query without any."""
    bound: list[Template] = []

    def replaced(found: re.Match[str]) -> str:
        single, double, code = found.groups()
        if code is not None:
            if code == "%%":
                return percent
            bound.append(template(code))
            return placeholder
        inner = single if single is not None else double
        whole = template(inner)
        if whole.constant:
            return found[0].replace("%%", percent)
        if "\\" in inner:
            raise ValueError("a string with codes has no backslash")
        mark = "'" if single is not None else '"'
        bound.append(Template(inner.replace(mark * 2, mark)))
        return placeholder

    sql = _SQL.sub(replaced, text)
    if not bound:
        raise ValueError("the query has no %s, %u or %d")
    return Statement(sql, tuple(bound))


def filter_escaped(text: str) -> str:
    """For a value in an LDAP filter (RFC 4515 §3)."""
    return _FILTER.sub(_hex, text)


def name_escaped(text: str) -> str:
    """For a value in a distinguished name (RFC 4514 §2.4)."""
    return _NAME.sub(_hex, text)


def _hex(found: re.Match[str]) -> str:
    return "".join(f"\\{octet:02x}" for octet in found[0].encode())
