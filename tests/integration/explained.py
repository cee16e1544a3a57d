"""Where we and Dovecot differ on odd messages, by the rows of docs/imap-differences.md.

The words before the colon of its name (tests.mime.odd_mail) stand for a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable


def addresses(*rows: int) -> list[str]:
    return [f"{field} {row}" for row in rows for field in ("From", "To")]


def types(*rows: int) -> list[str]:
    return [f"{kind} {row}" for row in rows for kind in ("type", "type of a part")]


def fields(names: str, rows: Iterable[int]) -> list[str]:
    return [f"{name} {row}" for name in names.split() for row in rows]


WHITE = range(7, 11)  # rows of values with white space that is no single space

ENVELOPES: dict[str, list[str]] = {
    "the first of a field that is there twice": [
        "envelope 10",
        "header: Subject and From twice",
        "header: Date twice",
        "header: Message-ID twice",
    ],
    "a fold is one space, nothing around a value": [
        "envelope 21",
        "id 1",
        *fields("In-Reply-To", [1, 3, *WHITE]),
    ],
    "white space inside a Subject as written": fields("Subject", [4, 5]),
    "a comment is the name": addresses(13, 14, 57),
    "an address as the name": [*addresses(51), "corpus issue358.txt"],
    "white space around dots": addresses(18),
    "empty members of a list": ["envelope 14", "envelope 27", *addresses(42, 43)],
    "broken addresses": [
        *addresses(44, 45, 46, 47, 48, 49, 50, 53, 54, 56, 58, 59),
        "corpus stack-overflow.txt",
    ],
}
STRUCTURES: dict[str, list[str]] = {
    "a Content-Type that cannot be read": [
        "shape 9",
        "shape 10",
        "corpus missing-subtype.txt",
        *types(16, 17, 37, 40, 41, 42, 43, 44, 45, 46),
    ],
    "a multipart without parts": ["shape 12", "shape 24", "shape 25", "structure 7"],
    "only the beginning of a boundary": ["shape 29"],
    "the line end before an outer boundary": [
        "shape 38",
        "type of a part 62",
        "corpus feedback-report.txt",
        "corpus rfc2060.txt",
    ],
    "without MIME-Version": ["structure 27", "structure 29"],
    "values without quotes, or with one": [
        *types(10, 11, 47, 48, 49, 50),
        "disposition 4",
    ],
    "parameters without a name or a value": [*types(14), "disposition 11"],
    "RFC 2231": types(26, 31, 32, 33, 34),
    "words behind an encoding": ["encoding 9", "encoding 10", "encoding 13"],
    "a fold is one space, nothing around a value": [
        "id 1",
        *fields("Content-Description Content-ID", [1, 3, *WHITE]),
    ],
    "no type of disposition": ["disposition 18", "disposition 19"],
    "languages": fields("Content-Language", [4, 5]),
}
SECTIONS: dict[str, list[str]] = {
    "the blank line of chosen fields": [
        "shape 0",
        "shape 3",
        "shape 4",
        "structure 0",
        "envelope 1",
        "type 62",
        "body 7",
    ],
    "a multipart without parts": ["shape 12", "shape 24", "shape 25", "structure 7"],
    "only the beginning of a boundary": ["shape 29"],
    "the line end before an outer boundary": [
        "shape 34",
        "shape 38",
        "type of a part 62",
        "corpus body.5.txt",
        "corpus body.6.txt",
        "corpus body.7.txt",
        "corpus rfc2060.txt",
    ],
}


def _in_odd_field(name: str, octets: bytes) -> bool:
    return name.startswith(("From ", "To ", "envelope "))


def _without_plain_date(name: str, octets: bytes) -> bool:
    found = re.search(rb"^Date: ?([^\r\n]*)", octets, re.M | re.I)
    plain = rb"(\w{3}, )? ?\d{1,2} \w{3} \d{4} \d\d:\d\d(:\d\d)? ([+-]\d{4}|GMT).*"
    dates = len(re.findall(rb"^date:", octets, re.M | re.I))
    return (
        not found
        or not re.fullmatch(plain, found[1])
        or dates > 1
        or name in ("Date 5", "Date 6", "Date 8")
    )


def _more_than_plain_text(name: str, octets: bytes) -> bool:
    odd = ("type", "encoding", "body", "shape", "corpus", "disposition", "structure")
    inside = (b"message/", b"multipart/digest", b"multipart/")
    return name.startswith(odd) or any(one in octets.lower() for one in inside)


# Which keys, which messages may be found by one only, and the reason.
SEARCH_KEYS: list[tuple[str, Callable[[str, bytes], bool], str]] = [
    ("FROM|TO|CC|BCC", _in_odd_field, "the field as it stands, not as it is parsed"),
    ("SENT", _without_plain_date, "no Date is no day; odd dates are read"),
    ("BODY", _more_than_plain_text, "headers of forwarded messages, names, odd types"),
    ("SUBJECT GR", lambda name, _: name == "search 2", "ss and \u00df"),
]
