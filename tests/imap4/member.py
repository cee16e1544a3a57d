"""What one client of a mailbox knows, from the untagged responses alone."""

from __future__ import annotations

import re

from attrs import define, field

_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\Z", re.S)
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_SUBJECT = re.compile(rb"Subject: (\S+)")
_VANISHED = re.compile(rb"\* VANISHED( \(EARLIER\))? (\S+)\Z")
_NUMBER = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT)\Z")
_HIGHEST = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")

# Commands with message numbers in them or their answers: the numbers stay as they are
# until these are done (RFC 3501 §7.4.1, RFC 9051 §7.5.1).
KEEP_NUMBERS = ("FETCH", "STORE", "SEARCH")


class Wrong(AssertionError):
    """The server told what cannot be true."""


@define
class Told:
    """One FETCH response: what it said, None where it said nothing."""

    number: int
    uid: int | None
    flags: frozenset[str] | None
    modseq: int | None
    subject: str | None


@define
class Copy:
    """What a client keeps of a mailbox that it left."""

    validity: int
    highest: int
    flags: dict[int, frozenset[str]]


@define(eq=False)
class Member:
    """A client with (or without) a mailbox selected.

    `uids`: by message number, None where only EXISTS was heard.  `flags` and `modseqs`
    are what was told last, and so what must be true after a NOOP.
    """

    client: object
    box: str | None = None
    read_only: bool = False
    condstore: bool = False
    qresync: bool = False
    idle: bool = False
    uids: list[int | None] = field(factory=list)
    flags: dict[int, frozenset[str]] = field(factory=dict)
    modseqs: dict[int, int] = field(factory=dict)
    kept: dict[str, Copy] = field(factory=dict)
    highest: int = 0
    validity: int = 0
    fetched: list[Told] = field(factory=list)
    found: list[int] | None = None  # of SEARCH

    def known(self) -> list[tuple[int, int]]:
        """(message number, UID) of those whose UID was told."""
        return [(n, uid) for n, uid in enumerate(self.uids, 1) if uid is not None]

    def ask(self, command: str, octets: bytes = b"") -> bytes:
        """The tagged answer; what comes before it is taken in."""
        self.fetched, self.found = [], None
        *lines, answer = self.client.ask(command.encode() + octets)
        for line in lines:
            self.hear(line, command)
        if found := _HIGHEST.search(answer):
            self.highest = max(self.highest, int(found[1]))
        if answer.startswith(b"BAD"):
            raise Wrong(f"{command}: {answer!r}")
        return answer

    def hear(self, line: bytes, command: str = "") -> None:
        if match := _NUMBER.match(line):
            self._hear_number(int(match[1]), match[2], command)
        elif match := _VANISHED.match(line):
            self._hear_vanished(match, command)
        elif match := _FETCH.match(line):
            self._hear_fetch(int(match[1]), match[2])
        elif line.startswith(b"* SEARCH"):
            self.found = [int(word) for word in line.split()[2:] if word.isdigit()]
        elif match := _VALIDITY.search(line):
            self.validity = int(match[1])
        elif match := _HIGHEST.search(line):
            self.highest = max(self.highest, int(match[1]))
        elif line.startswith(b"* BYE"):
            raise Wrong(f"{command}: {line!r}")

    def _hear_number(self, number: int, what: bytes, command: str) -> None:
        if what == b"EXISTS":
            if number < len(self.uids):
                raise Wrong(f"{command}: {number} EXISTS after {len(self.uids)}")
            self.uids += [None] * (number - len(self.uids))
        elif what == b"EXPUNGE":
            if command.startswith(KEEP_NUMBERS):
                raise Wrong(f"EXPUNGE in the answer of {command}")
            if self.qresync:
                raise Wrong(f"{command}: EXPUNGE where VANISHED is due")
            if not 1 <= number <= len(self.uids):
                raise Wrong(f"{command}: EXPUNGE {number} of {len(self.uids)}")
            self._forget(self.uids.pop(number - 1))

    def _hear_vanished(self, match: re.Match[bytes], command: str) -> None:
        if not self.qresync:
            raise Wrong(f"{command}: VANISHED without QRESYNC")
        gone = numbers(match[2])
        if match[1]:  # EARLIER: numbers are as EXISTS told already
            for uid in gone:
                self._forget(uid)
            return
        if command.startswith(KEEP_NUMBERS):
            raise Wrong(f"VANISHED in the answer of {command}")
        for uid in gone:
            if uid in self.uids:
                self.uids.remove(uid)
                self._forget(uid)
                continue
            # One of those that only EXISTS told of, between the UIDs that are known.
            behind = [at for at, one in enumerate(self.uids) if one and one > uid]
            place = min(behind, default=len(self.uids)) - 1
            if place < 0 or self.uids[place] is not None:
                raise Wrong(f"{command}: VANISHED {gone} of {self.uids}")
            del self.uids[place]

    def _forget(self, uid: int | None) -> None:
        if uid is not None:
            self.flags.pop(uid, None)
            self.modseqs.pop(uid, None)

    def _hear_fetch(self, number: int, items: bytes) -> None:
        if not 1 <= number <= len(self.uids):
            raise Wrong(f"FETCH of {number} of {len(self.uids)}")
        uid = int(found[1]) if (found := _UID.search(items)) else None
        known = self.uids[number - 1]
        if uid is not None and known not in (None, uid):
            raise Wrong(f"{number} was {known} and is {uid}")
        if uid is not None:
            self.uids[number - 1] = uid
        flags = modseq = None
        if found := _FLAGS.search(items):
            flags = frozenset(found[1].decode().split()) - {"\\Recent"}
        if found := _MODSEQ.search(items):
            modseq = int(found[1])
            self.highest = max(self.highest, modseq)
        uid = uid or known
        if uid is not None and flags is not None:
            self.flags[uid] = flags
            self.modseqs.pop(uid, None)  # of the flags before
        if uid is not None and modseq is not None:
            self.modseqs[uid] = modseq
        subject = found[1].decode() if (found := _SUBJECT.search(items)) else None
        self.fetched.append(Told(number, uid, flags, modseq, subject))

    def enter(self, box: str, read_only: bool) -> None:
        self.box, self.read_only = box, read_only
        self.highest = self.validity = 0
        self.uids, self.flags, self.modseqs = [], {}, {}

    def leave(self) -> None:
        """Keep a copy for the next time, if all of it is known."""
        if (
            self.box is not None
            and all(self.uids)
            and len(self.flags) == len(self.uids)
        ):
            self.kept[self.box] = Copy(self.validity, self.highest, dict(self.flags))
        self.box = None


def numbers(sequence_set: bytes) -> list[int]:
    """The numbers of `1:3,5`, in order."""
    found: list[int] = []
    for part in sequence_set.split(b","):
        first, _, last = part.partition(b":")
        low, high = int(first), int(last or first)
        found += range(min(low, high), max(low, high) + 1)
    return found
