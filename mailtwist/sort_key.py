"""What SORT and THREAD ask for (RFC 5256, RFC 5957), free of any protocol."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class SortKey(Enum):
    """sort-key; without the field a message sorts as the empty string, before all."""

    ARRIVAL = "ARRIVAL"  # the internal date
    CC = "CC"  # local part of the first address, as FROM and TO
    DATE = "DATE"  # the Date field as UTC, else the internal date
    DISPLAYFROM = "DISPLAYFROM"  # the name, else the address (RFC 5957 §3)
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    RELEVANCY = "RELEVANCY"  # of FUZZY keys, the highest first (RFC 6203 §6)
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"  # the base subject
    TO = "TO"


@frozen
class SortCriterion:
    key: SortKey
    reverse: bool = False


class ThreadAlgorithm(Enum):
    """thread-alg."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"
    REFS = "REFS"  # draft-ietf-morg-inthread: by references only, newest thread last
