"""Names of mailboxes in Unicode Normalization Form C (RFC 9051 §5.1, RFC 6855 §3).

A name that a client spells in another form means the mailbox of the normalized name, in
every command; only a mailbox that another program made under just that spelling comes
first.
"""

from __future__ import annotations

from typing import Any, TypeVar

from attrs import evolve

from ...mailbox.model import Path
from ..names import nfc
from ..response import Answer, Kind
from ..session import Session
from ..types import Create, Delete, Rename
from .list import oldname_line

Named = TypeVar("Named")


async def normalized(session: Session, command: Named) -> Named:
    """`command` with the names that it means; `session.supplied` is the one that its
    client wrote, if that was another."""
    session.supplied = None
    given: Any = command
    changed: dict[str, Path] = {}
    for name in ("path", "old", "new"):
        path: Path | None = getattr(command, name, None)
        if path is None or (normal := nfc(path)) == path:
            continue
        makes = isinstance(command, Create) or name == "new"
        if makes or not await _listed(session, path):
            changed[name] = normal
    if not changed:
        return command
    session.supplied = given.old if isinstance(given, Rename) else given.path
    renamed: Named = evolve(given, **changed)
    return renamed


async def _listed(session: Session, path: Path) -> bool:
    return any(info.path == path for info in await session.mailboxes.listed())


ANNOUNCED = (Create, Delete, Rename)


async def announce(
    session: Session, command: Create | Delete | Rename, found: Answer | None
) -> None:
    """LIST with OLDNAME after what was done (RFC 9051 §6.3.9.7)."""
    if session.supplied is None or not session.engine.rev2:
        return
    if found is not None and found.kind is Kind.OK:
        path = command.new if isinstance(command, Rename) else command.path
        gone = isinstance(command, Delete)
        session.put(await oldname_line(session, path, session.supplied, gone=gone))
