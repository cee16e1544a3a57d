"""sequence-set (RFC 3501 §9, RFC 5182 §3), and commands made of sets and numbers."""

from __future__ import annotations

import re

from ...errors import BadParameter, SyntaxFault
from ...seqset import SAVED, STAR, SequenceSet
from ..types_events import CancelUpdate, UidBatches
from ..types_search import PartialRange
from .scanner import CommandScanner
from .strings import MOST_NUMBER, astring, nz_number, sp

_RANGE = re.compile(
    rb"([1-9][0-9]{0,9}):([1-9][0-9]{0,9})(?![0-9])"
    rb"|-([1-9][0-9]{0,9}):-([1-9][0-9]{0,9})(?![0-9])"
)
_ONE = rb"(?:\*|[1-9][0-9]{0,9}(?![0-9]))"
SEQUENCE_SET = re.compile(rb"%b(?::%b)?(?:,%b(?::%b)?)*" % (_ONE, _ONE, _ONE, _ONE))


def sequence_set(s: CommandScanner) -> SequenceSet:
    """Its ranges, sorted and joined: n log n in the number of ranges; SAVED for "$"."""
    at = s.at
    if s.skip(b"$"):
        return SAVED
    found = s.match(SEQUENCE_SET, "a sequence set")
    ranges = []
    for item in found[0].split(b","):
        low, _, high = item.partition(b":")
        ranges.append((_number(low, at), _number(high or low, at)))
    return SequenceSet.of(ranges)


def partial_range(s: CommandScanner) -> PartialRange:
    at = s.at
    found = s.match(_RANGE, "a range like 1:100 or -1:-100")
    first, last, first_back, last_back = found.groups()
    low, high = sorted((int(first or first_back), int(last or last_back)))
    if high > MOST_NUMBER:
        raise SyntaxFault(f"numbers up to {MOST_NUMBER}", at)
    return PartialRange(low, high, first is None)


def cancel_update(s: CommandScanner) -> CancelUpdate:
    """1*(SP quoted) (RFC 5267 §5).  Quirk: tags as atoms."""
    tags: list[bytes] = []
    while not tags or (s.skip(b" ") and not s.done):
        if not tags:
            sp(s)
        tags.append(astring(s, "a tag"))
    return CancelUpdate(tuple(tags))


def uidbatches(s: CommandScanner) -> UidBatches:
    """SP nz-number [SP nz-number ":" nz-number] (RFC 10022)."""
    sp(s)
    size = nz_number(s, "a size above 0")
    if not s.skip(b" ") or s.done:
        return UidBatches(size)
    first = nz_number(s, "a batch above 0")
    s.expect(b":", "a colon")
    last = nz_number(s, "a batch above 0")
    if last < first:
        raise BadParameter("The first batch is behind the last one")
    return UidBatches(size, (first, last))


def _number(digits: bytes, at: int) -> int:
    if digits == b"*":
        return STAR
    if (value := int(digits)) > MOST_NUMBER:
        raise SyntaxFault(f"numbers up to {MOST_NUMBER}", at)
    return value
