"""Hundreds of odd messages give the answers that Dovecot gives, but for differences
that are explained, one by one, in docs/imap-differences.md."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.parse import parse
from mailtwist.mime.part import Part
from tests.integration.explained import ENVELOPES as EXPLAINED_ENVELOPES
from tests.integration.explained import SEARCH_KEYS, SECTIONS, STRUCTURES
from tests.integration.side_by_side import Raw, SideBySide
from tests.mime import test_corpus
from tests.mime.odd_mail import messages
from tests.mime.odd_searches import SEARCHES, sent

FIELDS = [
    b"HEADER.FIELDS (FROM TO SUBJECT CONTENT-TYPE X-NONE)",
    b"HEADER.FIELDS.NOT (FROM RECEIVED SUBJECT)",
]
MOST_SECTIONS = 100  # asked of a message, as some are made to have thousands
KEYS = [
    "ALL",
    "ANSWERED",
    "SEEN",
    "NEW",
    "OLD",
    "SUBJECT x",
    "SUBJECT tree",
    'SUBJECT "tree 1"',
    'SUBJECT ""',
    'HEADER SUBJECT ""',
    'HEADER "Content-Type" multipart',
    'HEADER "MIME-Version" 1.0',
    "HEADER X-None x",
    "FROM ann",
    "FROM a@b",
    "NOT FROM ann",
    "TO c@d.test",
    "CC g@h",
    "BCC nobody",
    "OR FROM ann TO c@d",
    "BODY body",
    "BODY one",
    'BODY "two lines"',
    "BODY Subject",
    "TEXT digested",
    "TEXT ann",
    "TEXT nowhere",
    "NOT TEXT one",
    "LARGER 500",
    "SMALLER 100",
    "LARGER 200 SMALLER 300",
    "SENTBEFORE 1-Jan-2026",
    "SENTON 1-Jan-2026",
    "SENTSINCE 2-Jan-2026",
    "BEFORE 13-Jan-2026",
    "SINCE 12-Jan-2026",
    "ON 12-Jan-2026",
    "1:10",
    "UID 5:20",
    "NOT 1:700",
    "OR 1:3 OR 5 SUBJECT hello",
    "(FROM ann SUBJECT tree) NOT BODY one",
]


class Names:
    """What differs, by the names of the messages."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.found: dict[str, str] = {}

    def compare(self, number: int, what: bytes, theirs: object, ours: object) -> None:
        if theirs != ours:
            shown = f"{what.decode()}: Dovecot {theirs!r:.400}, we {ours!r:.400}"
            self.found.setdefault(self.names[number - 1], shown)


class ExactnessTests(SynchronousTestCase):
    timeout = 300

    def setUp(self) -> None:
        self.messages = {
            **{named(name): octets for name, octets in messages().items()},
            **{f"corpus {name}": octets for name, octets in test_corpus.messages()},
        }
        self.both = SideBySide(self.messages.values(), self.addCleanup)

    def explained(self, names: Names, why: dict[str, list[str]]) -> None:
        """Each difference is explained, and each explanation still needed."""
        expected = {name: reason for reason, found in why.items() for name in found}
        new = [
            f"{name}: {what}"
            for name, what in names.found.items()
            if name not in expected
        ]
        self.assertFalse(new, "\n".join(new[:20]))
        needless = expected.keys() & self.messages.keys() - names.found.keys()
        self.assertFalse(needless, "no longer different")

    def test_dovecot_and_we_agree(self) -> None:
        theirs, ours = self.both.dovecot, self.both.ours
        self.sizes_and_envelopes(theirs, ours)
        self.structures(theirs, ours)
        self.sections(theirs, ours)
        self.searches(theirs, self.both.plain)

    def sizes_and_envelopes(self, theirs: Raw, ours: Raw) -> None:
        names = Names(list(self.messages))
        for item in (b"RFC822.SIZE", b"INTERNALDATE", b"UID"):
            self.assertTrue(ours.fetch(item) == theirs.fetch(item), item)
        wanted, found = theirs.fetch(b"ENVELOPE"), ours.fetch(b"ENVELOPE")
        for number, envelope in wanted.items():
            names.compare(number, b"ENVELOPE", envelope, found[number])
        self.explained(names, EXPLAINED_ENVELOPES)

    def structures(self, theirs: Raw, ours: Raw) -> None:
        names = Names(list(self.messages))
        for item in (b"BODY", b"BODYSTRUCTURE"):
            wanted, found = theirs.fetch(item), ours.fetch(item)
            for number, structure in wanted.items():
                # types, encodings and names of parameters have no case
                names.compare(number, item, lower(structure), lower(found[number]))
        self.explained(names, STRUCTURES)

    def sections(self, theirs: Raw, ours: Raw) -> None:
        """Every section that a message has, in one FETCH."""
        names = Names(list(self.messages))
        for number, octets in enumerate(self.messages.values(), 1):
            inside = sections(parse(octets), b"")[:MOST_SECTIONS]
            wanted = [b"HEADER", b"TEXT", *FIELDS, *inside]
            items = b" ".join(b"BODY.PEEK[%b]" % section for section in wanted)
            command = b"FETCH %d (%b)" % (number, items)
            (told,), (found,) = theirs.fetched(command), ours.fetched(command)
            pairs = zip(told[::2], told[1::2], found[1::2], strict=True)
            for section, octets_there, octets_here in pairs:
                names.compare(number, section, octets_there, octets_here)
        self.explained(names, SECTIONS)

    def searches(self, theirs: Raw, ours: Raw) -> None:
        messages = list(self.messages.items())
        keys = [key for _, yes, no, _ in SEARCHES for key in (*yes, *no)]
        unexplained = []
        for key in dict.fromkeys([*KEYS, *keys]):
            command = b"CHARSET UTF-8 " + sent(key)
            wanted, found = theirs.search(command), ours.search(command)
            may_differ = [why for words, why, _ in SEARCH_KEYS if re.search(words, key)]
            for number in wanted ^ found:
                name, octets = messages[number - 1]
                if not any(why(name, octets) for why in may_differ):
                    unexplained.append(f"{key}: {number in found} for {name}")
        self.assertFalse(unexplained, "\n".join(unexplained[:40]))


def named(name: str) -> str:
    """The words that are enough to know the message by."""
    first, _, rest = name.partition(":")
    return name if first in ("header", "line ends") else first


def lower(value: object) -> object:
    if isinstance(value, bytes):
        return value.lower()
    return [lower(one) for one in value] if isinstance(value, list) else value


def sections(part: Part, path: bytes) -> list[bytes]:
    """Section numbers of the parts of a message, as RFC 3501 §6.4.5 counts them."""
    if not part.multipart:
        return _of_part(part, path + b"1")
    found = []
    for number, child in enumerate(part.children, 1):
        found += _of_part(child, path + b"%d" % number)
    return found


def _of_part(part: Part, number: bytes) -> list[bytes]:
    found = [number, number + b".MIME"]
    if part.multipart:
        return found + sections(part, number + b".")
    if part.encapsulates:
        found += [number + b".HEADER", number + b".TEXT"]
        found += [b"%b.%b" % (number, fields) for fields in FIELDS]
        return found + sections(part.children[0], number + b".")
    return found
