"""Commands about mailboxes by name (RFC 3501 §6.3, RFC 6154 §3)."""

from __future__ import annotations

from ...errors import BadMailboxName, BadParameter, UnknownUse
from ...mailbox.model import Path
from ...mailbox.special_uses import KINDS
from .. import names
from ..types import (
    Create,
    Delete,
    Examine,
    Rename,
    Resync,
    Select,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)
from .resync import resync
from .scanner import CommandScanner
from .strings import astring, atom, end_of_command, parenthesized, sp, word

# \All and \Flagged would be the messages of other mailboxes.
_USES = {use.lower(): use for use in KINDS.values()}


def mailbox(s: CommandScanner) -> Path:
    """mailbox: its path; raises BadMailboxName."""
    return names.path_of(astring(s, "a mailbox name"), s.delimiter, utf8=s.utf8)


def select(s: CommandScanner) -> Select:
    return Select(*_selected(s))


def examine(s: CommandScanner) -> Examine:
    return Examine(*_selected(s))


def _selected(s: CommandScanner) -> tuple[Path, bool, Resync | None]:
    """mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §2.1).

    The whole command is read before a bad name is told, so that the fault of a name is
    never taken for one of syntax.
    """
    sp(s)
    wire = astring(s, "a mailbox name")
    condstore, resync = False, None
    if s.text.startswith(b" (", s.at):
        s.at += 1
        for parameter in parenthesized(s, _select_param):
            if isinstance(parameter, Resync):
                resync = parameter
            condstore = True  # QRESYNC is CONDSTORE too (RFC 7162 §3.2.5)
    end_of_command(s)
    path = names.path_of(wire, s.delimiter, utf8=s.utf8)
    return path, condstore, resync


def _select_param(s: CommandScanner) -> str | Resync:
    name = word(s)
    if name == "QRESYNC":
        sp(s)
        return resync(s)
    if name != "CONDSTORE":
        raise BadParameter(f"Unknown parameter {name[:40]}")
    return name


def create(s: CommandScanner) -> Create:
    """A delimiter at the end says that names under it are wanted (§6.3.3)."""
    sp(s)
    name = names.text_of(astring(s, "a mailbox name"), utf8=s.utf8)
    uses: set[str] = set()
    if s.skip(b" ("):
        if word(s) != "USE":
            raise BadParameter("Unknown parameter of CREATE")
        sp(s)
        uses.update(parenthesized(s, _use, empty=True))
        s.expect(b")", "a closing parenthesis")
    above = len(name) > 1 and name.endswith(s.delimiter)
    path = names.split(name[:-1] if above else name, s.delimiter)
    return Create(path, frozenset(uses))


def _use(s: CommandScanner) -> str:
    s.expect(b"\\", "a special use")
    use = _USES.get("\\" + atom(s, "a special use").decode().lower())
    if use is None:
        raise UnknownUse()
    return use


def delete(s: CommandScanner) -> Delete:
    sp(s)
    return Delete(mailbox(s))


def rename(s: CommandScanner) -> Rename:
    sp(s)
    old = mailbox(s)
    sp(s)
    name = names.text_of(astring(s, "a mailbox name"), utf8=s.utf8)
    if len(name) > 1 and name.endswith(s.delimiter):
        name = name[:-1]  # Quirk: clients that end names of folders with the delimiter
    return Rename(old, names.split(name, s.delimiter))


def subscribe(s: CommandScanner) -> Subscribe:
    sp(s)
    return Subscribe(mailbox(s))


def unsubscribe(s: CommandScanner) -> Unsubscribe:
    sp(s)
    return Unsubscribe(mailbox(s))


def status(s: CommandScanner) -> Status:
    sp(s)
    wire = astring(s, "a mailbox name")
    sp(s)
    items = status_items(s)
    try:
        return Status(names.path_of(wire, s.delimiter, utf8=s.utf8), items)
    except BadMailboxName:
        end_of_command(s)  # a fault of syntax is told first
        raise


def status_items(s: CommandScanner) -> tuple[StatusItem, ...]:
    """ "(" status-att *(SP status-att) ")", each once."""
    return tuple(dict.fromkeys(parenthesized(s, _status_item)))


def _status_item(s: CommandScanner) -> StatusItem:
    name = word(s, "a status item")
    try:
        return StatusItem(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown status item {name[:40]}") from fault
