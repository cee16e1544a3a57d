"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314), MYRIGHTS of LIST
(RFC 8440)."""

from __future__ import annotations

from ...errors import NoSuchMailbox, UnknownCommand
from ...mailbox.held_rights import keeper, need
from ...mailbox.interfaces import IRights
from ...mailbox.model import Path
from ...mailbox.rights import ORDER, OWNERS, Rights, encoded
from ..response import Answer, astring, ok, untagged
from ..session import Session
from ..types_kept import GetAcl, ListRights, MyRights, SetAcl
from .mailboxes import name_of

_ANY = frozenset("lrikxa")  # one of them is enough for MYRIGHTS (RFC 4314 §4)


def _kept(session: Session) -> IRights:
    kept = keeper(session.mailboxes)
    if kept is None:
        raise UnknownCommand()
    return kept


async def set_acl(session: Session, command: SetAcl) -> Answer:
    """DELETEACL too: no rights are left then."""
    kept = _kept(session)
    await need(kept, command.path, "a")
    await kept.set_rights(command.path, command.identifier, command.change)
    return ok("Rights changed")


async def get_acl(session: Session, command: GetAcl) -> Answer:
    kept = _kept(session)
    await need(kept, command.path, "a")
    words = [
        word
        for identifier, rights in (await kept.rights(command.path)).items()
        for word in (astring(identifier.encode()), astring(encoded(rights).encode()))
    ]
    session.put(untagged(b"ACL", name_of(session, command.path), *words))
    return ok("GETACL completed")


async def list_rights(session: Session, command: ListRights) -> Answer:
    """No right is tied to another; the owner's last ones are always granted (§3.4)."""
    kept = _kept(session)
    await need(kept, command.path, "a")
    owner = kept.owner_of(command.path)
    always = OWNERS if command.identifier == owner else frozenset()
    words = [encoded(always), *(right for right in ORDER + "cd" if right not in always)]
    session.put(
        untagged(
            b"LISTRIGHTS",
            name_of(session, command.path),
            astring(command.wire),
            *(astring(word.encode()) for word in words),
        )
    )
    return ok("LISTRIGHTS completed")


async def my_rights(session: Session, command: MyRights) -> Answer:
    found = await _kept(session).my_rights(command.path)
    if not found & _ANY:
        raise NoSuchMailbox()  # that it is there is not told (§6)
    session.put(line(session, command.path, found))
    return ok("MYRIGHTS completed")


def line(session: Session, path: Path, rights: Rights) -> bytes:
    """`* MYRIGHTS` (§3.8)."""
    letters = astring(encoded(rights).encode())
    return untagged(b"MYRIGHTS", name_of(session, path), letters)
