"""What a search asks for: RFC 3501 §6.4.4 as values, free of any protocol.

The IMAP grammar makes these, `mailbox.search` answers them.  Needles are str, already
decoded from the client's charset.  Dates are `datetime.date` without zone, as the RFC
disregards time and zone.  NEW, OLD, SEEN and the like are combinations of these keys.
"""

from __future__ import annotations

from datetime import date
from enum import Enum

from attrs import frozen

from .seqset import SequenceSet


@frozen
class All:
    """Every message."""


@frozen
class HasFlag:
    """`flag` as stored: "\\\\Seen", "\\\\Recent" or a keyword."""

    flag: str


@frozen
class InSequence:
    """Message sequence numbers; only a session can answer it."""

    numbers: SequenceSet


@frozen
class InUid:
    uids: SequenceSet


@frozen
class Saved:
    """The messages that the last SEARCH with SAVE found (RFC 5182 §2.1)."""


class When(Enum):
    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@frozen
class InternalDate:
    when: When
    day: date


@frozen
class Older:
    """Arrived `age_s` seconds ago or before (RFC 5032 §2)."""

    age_s: int


@frozen
class Younger:
    """Arrived `age_s` seconds ago or later; both ends count (RFC 5032 §2)."""

    age_s: int


@frozen
class SentDate:
    """The Date: header field, disregarding time and zone."""

    when: When
    day: date


@frozen
class SavedDate:
    """When it came into this mailbox; the internal date if that is not known (RFC 8514
    §4.3)."""

    when: When
    day: date


@frozen
class SaveDateSupported:
    """All messages of a mailbox that knows when they came into it (RFC 8514 §4.3)."""


@frozen
class EmailId:
    """EMAILID is exactly `value`, as told in FETCH (RFC 8474 §6)."""

    value: str


@frozen
class ThreadId:
    """THREADID is exactly `value`, as told in FETCH (RFC 8474 §6)."""

    value: str


@frozen
class Larger:
    octets: int


@frozen
class Smaller:
    octets: int


@frozen
class Header:
    """The field `name` holds `needle`; an empty needle asks for the field alone."""

    name: str
    needle: str


@frozen
class Body:
    needle: str


@frozen
class Text:
    """Header or body holds `needle`."""

    needle: str


@frozen
class ModSeq:
    """MODSEQ of at least `least` (RFC 7162 §3.1.5)."""

    least: int


@frozen
class Not:
    key: SearchKey


@frozen
class Fuzzy:
    """Something like `key`, as the server sees it (RFC 6203 §3)."""

    key: SearchKey


@frozen
class Or:
    left: SearchKey
    right: SearchKey


@frozen
class Filter:
    """The search that the account or the server keeps as `name` (RFC 5466 §3.1).

    It is put in before anything is looked for: no mailbox can answer it.
    """

    name: str


@frozen
class And:
    keys: tuple[SearchKey, ...]


SearchKey = (
    All
    | HasFlag
    | InSequence
    | InUid
    | Saved
    | InternalDate
    | Older
    | Younger
    | SentDate
    | SavedDate
    | SaveDateSupported
    | EmailId
    | ThreadId
    | Larger
    | Smaller
    | Header
    | Body
    | Text
    | ModSeq
    | Not
    | Fuzzy
    | Or
    | Filter
    | And
)
