"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §7)."""

from __future__ import annotations

from ...errors import SyntaxFault
from ...mailbox.rights import NEGATIVE, NO_RIGHTS, Action, RightsChange, parsed
from ...sasl.prep import saslprep
from ..types_kept import GetAcl, ListRights, MyRights, SetAcl
from .mailbox import mailbox
from .scanner import CommandScanner
from .strings import astring, sp, text

MOST_OCTETS = 255  # of an identifier


def set_acl(s: CommandScanner) -> SetAcl:
    """mailbox SP identifier SP mod-rights."""
    sp(s)
    path = mailbox(s)
    sp(s)
    name = _identifier(s)
    sp(s)
    letters = text(s, astring(s, "rights"), "rights")
    action = Action(letters[:1]) if letters[:1] in ("+", "-") else Action.REPLACE
    return SetAcl(
        path, name, RightsChange(action, parsed(letters[len(action.value) :]))
    )


def delete_acl(s: CommandScanner) -> SetAcl:
    """mailbox SP identifier: no rights are left."""
    sp(s)
    path = mailbox(s)
    sp(s)
    return SetAcl(path, _identifier(s), RightsChange(Action.REPLACE, NO_RIGHTS))


def get_acl(s: CommandScanner) -> GetAcl:
    sp(s)
    return GetAcl(mailbox(s))


def list_rights(s: CommandScanner) -> ListRights:
    """mailbox SP identifier."""
    sp(s)
    path = mailbox(s)
    sp(s)
    at = s.at
    name = _identifier(s)
    s.at = at
    return ListRights(path, name, astring(s, "an identifier"))


def my_rights(s: CommandScanner) -> MyRights:
    sp(s)
    return MyRights(mailbox(s))


def _identifier(s: CommandScanner) -> str:
    """Prepared (§3)."""
    at = s.at
    octets = astring(s, "an identifier")
    name = saslprep(text(s, octets, "an identifier"))
    if not name or name == NEGATIVE or len(octets) > MOST_OCTETS:
        raise SyntaxFault("an identifier", at)
    return name
