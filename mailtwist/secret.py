"""A value that never shows in a log, a repr or a traceback."""

from __future__ import annotations


class Secret:
    """Holds octets; only `reveal()` gives them out.

    Equality is not offered: compare with `hmac.compare_digest` on revealed octets.
    """

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        return self._octets

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")
