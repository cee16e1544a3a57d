"""What a user's `.forward` may say."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SyntaxFault
from .alias_grammar import AtDomain, Command, File, Include, Value, values


def forward_values(text: str, *, commands: bool) -> tuple[str, Sequence[Value]]:
    """(why the list cannot be followed or "", its values).

    Users include no files; commands and files are theirs only if `commands`."""
    try:
        listed = values(text)
    except SyntaxFault as fault:
        return fault.public, ()
    for value in listed:
        if isinstance(value, Include | AtDomain):
            return f"{value} is not allowed there", ()
        if isinstance(value, Command | File) and not commands:
            return f"{value} needs alias.forward_commands", ()
    return "", listed
