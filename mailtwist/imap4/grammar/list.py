"""LIST and LSUB (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154 §2)."""

from __future__ import annotations

from ...errors import BadParameter
from .. import names
from ..types import List, ListReturn, ListSelect, Lsub, StatusItem
from .mailbox import status_items
from .metadata import entries
from .scanner import CommandScanner
from .strings import astring, list_mailbox, parenthesized, sp, word

MOST_PATTERNS = 100


def list_(s: CommandScanner) -> List:
    """[SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]."""
    sp(s)
    select: frozenset[ListSelect] = frozenset()
    extended = s.text.startswith(b"(", s.at)
    if extended:
        select = frozenset(parenthesized(s, _select_option, empty=True))
        sp(s)
        if ListSelect.RECURSIVEMATCH in select and ListSelect.SUBSCRIBED not in select:
            raise BadParameter("RECURSIVEMATCH needs SUBSCRIBED")
    reference = _reference(s)
    sp(s)
    if s.text.startswith(b"(", s.at):
        extended = True
        patterns = tuple(parenthesized(s, _pattern))
        if len(patterns) > MOST_PATTERNS:
            raise BadParameter(f"At most {MOST_PATTERNS} patterns")
    else:
        patterns = (_pattern(s),)
    returns: set[ListReturn] = set()
    status: tuple[StatusItem, ...] = ()
    annotations: tuple[str, ...] = ()
    if s.skip(b" ") and not s.done:
        extended = True
        if word(s) != "RETURN":
            raise BadParameter("Only RETURN may follow the patterns")
        sp(s)
        for option, items, wanted in parenthesized(s, _return_option, empty=True):
            returns.add(option)
            status, annotations = items or status, wanted or annotations
    if ListSelect.SUBSCRIBED in select:
        returns.add(ListReturn.SUBSCRIBED)  # RFC 5258 §3.1
    return List(
        reference, patterns, select, frozenset(returns), status, extended, annotations
    )


def lsub(s: CommandScanner) -> Lsub:
    sp(s)
    reference = _reference(s)
    sp(s)
    return Lsub(reference, _pattern(s))


def _reference(s: CommandScanner) -> str:
    return names.text_of(astring(s, "a reference name"), utf8=s.utf8)


def _pattern(s: CommandScanner) -> str:
    return names.text_of(list_mailbox(s), utf8=s.utf8)


def _select_option(s: CommandScanner) -> ListSelect:
    name = word(s, "a selection option")
    try:
        return ListSelect(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown selection option {name[:40]}") from fault


def _return_option(
    s: CommandScanner,
) -> tuple[ListReturn, tuple[StatusItem, ...], tuple[str, ...]]:
    """With the items of STATUS and the entries of METADATA."""
    name = word(s, "a return option")
    try:
        option = ListReturn(name)
    except ValueError as fault:
        raise BadParameter(f"Unknown return option {name[:40]}") from fault
    if option is ListReturn.STATUS:
        sp(s)
        return option, status_items(s), ()
    if option is ListReturn.METADATA:
        sp(s)
        return option, (), entries(s)
    return option, (), ()
