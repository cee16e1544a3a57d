"""The cursor over one whole command and what its rules need to know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import SyntaxFault
from ...wire import Scanner
from ..framer import Frame

MOST_LEVELS = 100  # of parentheses, NOT and OR in a search


class CommandScanner(Scanner):
    """A Scanner that finds the octets of literals behind their markers.

    `delimiter` and `utf8` say how mailbox names are read; with `utf8` quoted strings
    are UTF-8 too.  `charsets`: SEARCH may name one.  `uid` is True while the arguments
    of a UID command are parsed, `uid_only` if message numbers are refused.  `level`:
    so many levels of nesting are around what is parsed.
    """

    def __init__(
        self,
        frame: Frame,
        *,
        delimiter: str = "/",
        utf8: bool = False,
        uid_only: bool = False,
        charsets: bool = True,
        level: int = 0,
    ) -> None:
        super().__init__(frame.text)
        self.literals = frame.literals
        self.delimiter, self.utf8, self.charsets = delimiter, utf8, charsets
        self.uid, self.uid_only = False, uid_only
        self._level = level

    @contextmanager
    def level(self) -> Iterator[None]:
        """One level of nesting; raises SyntaxFault if there are too many."""
        if self._level >= MOST_LEVELS:
            raise SyntaxFault(f"at most {MOST_LEVELS} levels", self.at)
        self._level += 1
        try:
            yield
        finally:
            self._level -= 1
