"""The QRESYNC parameter of SELECT and EXAMINE (RFC 7162 §3.2.5, §7)."""

from __future__ import annotations

from ...errors import BadParameter, UidRequired
from ...seqset import STAR, SequenceSet
from ..types import Resync
from .scanner import CommandScanner
from .sequence import sequence_set
from .strings import mod_sequence, nz_number, sp


def resync(s: CommandScanner) -> Resync:
    """ "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")".

    Quirk: a mod-sequence of 0, which asks for everything.
    """
    s.expect(b"(", "an opening parenthesis")
    uid_validity = nz_number(s, "a UIDVALIDITY")
    sp(s)
    modseq = mod_sequence(s)
    known: SequenceSet | None = None
    matches: tuple[SequenceSet, SequenceSet] | None = None
    if s.text.startswith(b" ", s.at) and not s.text.startswith(b" (", s.at):
        sp(s)
        known = _plain_set(s)
    if s.skip(b" ("):
        if s.uid_only:
            raise UidRequired()
        numbers = _plain_set(s)
        sp(s)
        uids = _plain_set(s)
        if _count(numbers) != _count(uids):
            raise BadParameter("As many message numbers as UIDs are needed")
        matches = numbers, uids
        s.expect(b")", "a closing parenthesis")
    s.expect(b")", "a closing parenthesis")
    return Resync(uid_validity, modseq, known, matches)


def _plain_set(s: CommandScanner) -> SequenceSet:
    """A sequence-set in which "*" and "$" mean nothing."""
    found = sequence_set(s)
    if found.saved or found.ranges[-1][1] == STAR:
        raise BadParameter("Numbers are needed here")
    return found


def _count(numbers: SequenceSet) -> int:
    return sum(high - low + 1 for low, high in numbers.ranges)
