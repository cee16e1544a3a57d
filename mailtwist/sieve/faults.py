"""What is wrong with a script, for its author: line, column and a sentence."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import MailError


class Place(NamedTuple):
    """Where something begins in a script; line and column (in characters) from 1."""

    line: int
    column: int


class Fault(NamedTuple):
    """One mistake."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"line {self.place.line}, column {self.place.column}: {self.text}"


class ScriptError(MailError):
    """A script that cannot be used; `faults` in the order of the script."""

    status = "5.6.0"

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__(printable("; ".join(map(str, faults))))


class ScriptFailed(MailError):
    """A script that stopped while it ran: a limit, or a value it cannot use."""

    status = "5.6.0"

    def __init__(self, place: Place, text: str) -> None:
        self.fault = Fault(place, text)
        super().__init__(printable(str(self.fault)))


def printable(text: str) -> str:
    """`text` in printable ASCII."""
    if text.isascii() and text.isprintable():
        return text
    made = text.encode("ascii", "backslashreplace").decode()
    return "".join(one if one.isprintable() else "?" for one in made)
