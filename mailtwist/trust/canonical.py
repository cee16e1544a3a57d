"""The canonical forms that are signed: header fields, and the body as it comes.

RFC 6376 §3.4.  A body passes in pieces of any size and nothing of it is kept but a few
octets: what may turn out to be empty lines at its end goes into a copy of the hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

Field = tuple[bytes, bytes]  # its name as written, and all of it with its line end

_WHITE = re.compile(rb"[ \t]+")
_TABS = bytes.maketrans(b"\t", b" ")


def relaxed_field(name: bytes, raw: bytes) -> bytes:
    """A field in relaxed form, with CRLF (§3.4.2)."""
    value = raw[raw.find(b":") + 1 :].replace(b"\r\n", b"").replace(b"\n", b"")
    value = _WHITE.sub(b" ", value).strip(b" ")
    return name.lower() + b":" + value + b"\r\n"


def simple_field(name: bytes, raw: bytes) -> bytes:
    """A field as it is, with CRLF."""
    return raw if raw.endswith(b"\n") else raw + b"\r\n"


FIELD_FORMS = {"relaxed": relaxed_field, "simple": simple_field}


def chosen(fields: Sequence[Field], names: Iterable[bytes]) -> Iterator[Field]:
    """The fields that a list of names means, from the last one of a name upwards;
    names that have no field (any more) mean nothing (§5.4.2)."""
    left: dict[bytes, list[Field]] = {}
    for field in fields:
        left.setdefault(field[0].lower(), []).append(field)
    for name in names:
        some = left.get(name.lower())
        if some:
            yield some.pop()


class Body:
    """The hashes of one body: `simple` and `relaxed`, whole or its first octets.

    `want` first, then `feed`, then `digest`.
    """

    def __init__(self) -> None:
        self._forms: dict[str, _Form] = {}
        self._hashes: dict[tuple[str, str, int | None], _Hash] = {}
        self._ended = False

    def want(self, form: str, algorithm: str, length: int | None = None) -> None:
        """A hash by `algorithm`, of the first `length` octets of this form."""
        key = form, algorithm, length
        if key in self._hashes:
            return
        made = self._hashes[key] = _Hash(algorithm, length)
        self._forms.setdefault(form, _FORMS[form]()).hashes.append(made)

    def feed(self, octets: bytes) -> None:
        for form in self._forms.values():
            form.feed(octets)

    def digest(
        self, form: str, algorithm: str, length: int | None = None
    ) -> tuple[bytes, int]:
        """(hash, octets that the whole canonical body has)."""
        if not self._ended:
            self._ended = True
            for one in self._forms.values():
                one.end()
        found = self._hashes[form, algorithm, length]
        return found.firm.digest(), found.whole


class _Hash:
    """`firm` is what is hashed for sure; `loose` has the empty lines behind it too."""

    def __init__(self, algorithm: str, length: int | None) -> None:
        self._left = length
        self.whole = self._passed = 0
        self.firm: Any = hashlib.new(algorithm, usedforsecurity=False)
        self._loose: Any = None

    def feed(self, content: bytes, empty: bytes) -> None:
        """Octets that count, then line ends that may be the last ones."""
        if content:
            if self._loose is not None:
                self.firm, self._loose = self._loose, None
            self._hash(self.firm, content)
            self.whole = self._passed
        if empty:
            if self._loose is None:
                self._loose = self.firm.copy()
            self._hash(self._loose, empty)

    def _hash(self, to: Any, octets: bytes) -> None:
        self._passed += len(octets)
        if self._left is not None:
            octets = octets[: max(0, self._left - self._passed + len(octets))]
        to.update(octets)

    def end(self, last: bytes) -> None:
        """`last` takes the place of all line ends at the end."""
        self._passed, self._loose = self.whole, None
        self._hash(self.firm, last)
        self.whole = self._passed


class _Form:
    """Octets in, canonical octets into `hashes`.

    `cut` gives (canonical octets, octets to look at again) of what came, `last` what
    is left of those when nothing follows; `filled` if an empty body has a line end.
    """

    def __init__(
        self,
        cut: Callable[[bytes], tuple[bytes, bytes]],
        last: Callable[[bytes], bytes],
        *,
        filled: bool,
    ) -> None:
        self.hashes: list[_Hash] = []
        self._cut, self._last, self._filled = cut, last, filled
        self._held = b""

    def feed(self, octets: bytes) -> None:
        ready, self._held = self._cut(self._held + octets)
        self._pass(ready)

    def end(self) -> None:
        self._pass(self._last(self._held))
        for one in self.hashes:
            one.end(b"\r\n" if self._filled or one.whole else b"")

    def _pass(self, octets: bytes) -> None:
        at = _line_ends(octets)
        for one in self.hashes:
            one.feed(octets[:at], octets[at:])


def _line_ends(octets: bytes) -> int:
    """Where the line ends begin that nothing follows."""
    at = len(octets.rstrip(b"\r\n"))
    if octets.endswith(b"\r"):
        return len(octets)
    for odd, size in ((b"\n\n", 2), (b"\r\r", 1)):
        found = octets.rfind(odd, at)
        if found >= 0:
            at = max(at, found + size)
    return at + octets.startswith(b"\n", at)


def _simple_cut(window: bytes) -> tuple[bytes, bytes]:
    """§3.4.3: all as it is."""
    if window.endswith(b"\r"):
        return window[:-1], b"\r"
    return window, b""


def _relaxed_cut(window: bytes) -> tuple[bytes, bytes]:
    """§3.4.4: white space within a line is one space, at its end nothing."""
    cut = len(window) - window.endswith(b"\r")
    kept = window[:cut].rstrip(b" \t")
    white = b" " if len(kept) < cut else b""
    return _one_spaced(kept), white + window[cut:]


def _one_spaced(octets: bytes) -> bytes:
    if b"\t" in octets:
        octets = octets.translate(_TABS)
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets.replace(b" \r\n", b"\r\n")


_FORMS: dict[str, Callable[[], _Form]] = {
    "simple": lambda: _Form(_simple_cut, lambda held: held, filled=True),
    "relaxed": lambda: _Form(
        _relaxed_cut, lambda held: held.rstrip(b" "), filled=False
    ),
}
