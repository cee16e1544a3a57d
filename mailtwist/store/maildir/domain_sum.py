"""What all accounts of a domain hold together, as a file that all processes share.

It has a record for each account, a copy of what the account's own page (`ledger`)
says: what it holds, and what is in flight.  Whoever changes the page puts the copy
there while he still has the page, so no copy is older than what another one told.  The
head of the file has the sums, so a change reads and writes the head and one record,
whatever the number of accounts.

Killed between any two system calls: the head says which record it is about and what is
to be in it, and is written first; the next one who comes does what is missing.  A copy
may still tell of a flight that its account's page knows nothing of, or knows to be cut
short: before anybody is refused, the copies with flights are compared with their pages
(`settle`).  Accounts whose pages are not ours to read (`tell`) have no flights: those
are in a record of the process that has them under way (`fly`).

Nothing is synced: after a boot the records that are whole are summed anew, and what is
missing comes with the counts that accounts need then.

Locks: an account's page first, then the sum of its domain, never the other way.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path as FilePath
from zlib import crc32

from attrs import define, evolve, frozen

from ...directory.model import DomainLimit
from ...directory.owner import give_to_owner_of
from ...mailbox.model import Quota
from .ledger import NAME, TRUSTED_S, Amount, Book, Page, boot_id
from .octet_locks import alone

MAGIC = b"mtsum001"
RECORD_OCTETS = 512
MUTEX = 0  # octet that is locked
SUM_WRONG = "the sum of the domain is wrong"  # what fsck says
PROCESS = "process "  # begins the name of one

_HEAD = struct.Struct("<8s40sd11q")
_RECORD = struct.Struct("<16s5qH450s")
_CHECK = struct.Struct("<I")
_MOST_HOME = 450
_NONE = -1


@frozen
class Figures:
    """Of an account: what it holds, what is in flight, and how many flights are."""

    octets: int = 0
    messages: int = 0
    coming_octets: int = 0
    coming_messages: int = 0
    flights: int = 0

    @property
    def values(self) -> tuple[int, int, int, int, int]:
        return (
            self.octets,
            self.messages,
            self.coming_octets,
            self.coming_messages,
            self.flights,
        )


NOTHING = Figures()


@define
class Head:
    """Of the file.  `settled_at` seconds since 1970; `place` and `figures` are the last
    change: a record, and what it is to be."""

    boot: str = ""
    settled_at: float = 0.0
    count: int = 0
    sums: tuple[int, int, int, int] = (0, 0, 0, 0)
    place: int = _NONE
    figures: Figures = NOTHING

    def written(self) -> bytes:
        packed = _HEAD.pack(
            MAGIC,
            self.boot.encode()[:40],
            self.settled_at,
            self.count,
            *self.sums,
            self.place,
            *self.figures.values,
        )
        return _checked(packed)

    @classmethod
    def read(cls, octets: bytes) -> Head | None:
        """None for octets that are no head of this boot."""
        packed = _unchecked(octets, _HEAD.size)
        if packed is None:
            return None
        magic, boot, at, count, *rest = _HEAD.unpack(packed)
        text = boot.rstrip(b"\0").decode("ascii", "replace")
        if magic != MAGIC or text != boot_id()[:40]:
            return None
        sums = (rest[0], rest[1], rest[2], rest[3])
        return cls(text, at, count, sums, rest[4], Figures(*rest[5:]))


@frozen
class Record:
    """Of an account with the folder `home`; the path may be cut."""

    key: bytes
    figures: Figures
    home: bytes

    def written(self) -> bytes:
        return _checked(
            _RECORD.pack(self.key, *self.figures.values, len(self.home), self.home)
        )

    @classmethod
    def read(cls, octets: bytes) -> Record | None:
        """None for octets that are none, or for a place that is free."""
        packed = _unchecked(octets, _RECORD.size)
        if packed is None:
            return None
        key, *figures, length, home = _RECORD.unpack(packed)
        return cls(key, Figures(*figures), home[:length])

    @property
    def path(self) -> str | None:
        """The account's folder; None if it is too long, or not for us to look at."""
        return os.fsdecode(self.home) if self.key == _key(self.home) else None


def this_process() -> str:
    """A name in place of a folder's; no other process ever has it."""
    pid = os.getpid()
    return f"{PROCESS}{pid} {_started(pid)}"


def is_running(name: str) -> bool:
    """True if the process of that name has not ended."""
    pid, _, started = name.removeprefix(PROCESS).partition(" ")
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """In the kernel's ticks since the boot; "" for no process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def _key(home: bytes) -> bytes:
    return blake2b(home, digest_size=16).digest()


def _checked(packed: bytes) -> bytes:
    return (packed + _CHECK.pack(crc32(packed))).ljust(RECORD_OCTETS, b"\0")


def _unchecked(octets: bytes, size: int) -> bytes | None:
    packed, check = octets[:size], octets[size : size + _CHECK.size]
    if len(check) < _CHECK.size or _CHECK.unpack(check)[0] != crc32(packed):
        return None
    return packed


def _aligned(octets: bytes, start: bytes) -> int | None:
    """The first record that begins so; a search, as there may be very many."""
    at = octets.find(start)
    while at > 0 and at % RECORD_OCTETS:
        at = octets.find(start, at + 1)
    return None if at < 0 else at // RECORD_OCTETS


class DomainSum:
    """The file, open and locked: for one change, or for one look."""

    def __init__(self, limit: DomainLimit, descriptor: int) -> None:
        self.limit, self._descriptor = limit, descriptor
        self._head = self._mended()

    # -- figures ------------------------------------------------------------------

    @property
    def held(self) -> Amount:
        """Octets and messages."""
        return self._head.sums[0], self._head.sums[1]

    @property
    def settled_lately(self) -> bool:
        """True if somebody may be refused for these figures."""
        return abs(time.time() - self._head.settled_at) <= TRUSTED_S

    def fits(self, more: Amount, beside: Amount = (0, 0)) -> bool:
        """True if `more` fits beside all that is there, in flight, and `beside`."""
        sums, limits = self._head.sums, (self.limit.octets, self.limit.messages)
        return all(
            limit is None
            or more[at] <= 0
            or sums[at] + sums[at + 2] + beside[at] + more[at] <= limit
            for at, limit in enumerate(limits)
        )

    def quota(self) -> Quota:
        return Quota((), *self.held, 0, self.limit.limits, self.limit.name)

    # -- changes ------------------------------------------------------------------

    def put(self, home: str, page: Page) -> None:
        """What the account's page says, which the caller has locked.

        A stale page does not know what is held: then that stays as it was told."""
        place, record = self._found(home, page.place)
        page.place = place
        flying = page.flying()
        figures = Figures(*page.amount(""), *flying, len(page.flights))
        if page.stale:
            before = record.figures
            figures = Figures(
                before.octets, before.messages, *flying, len(page.flights)
            )
        if figures != record.figures:
            self._set(place, evolve(record, figures=figures))

    def tell(self, home: str, hint: int, held: Amount) -> int:
        """What an account holds whose page is another process's; where it stands, for
        the next hint."""
        return self._figures(home, hint, Figures(*held), elsewhere=True)

    def fly(self, hint: int, coming: Amount, flights: int) -> int:
        """What this process has in flight to such accounts; where that stands."""
        return self._figures(this_process(), hint, Figures(0, 0, *coming, flights))

    def _figures(
        self, home: str, hint: int, figures: Figures, *, elsewhere: bool = False
    ) -> int:
        place, record = self._found(home, hint, elsewhere=elsewhere)
        if figures != record.figures:
            self._set(place, evolve(record, figures=figures))
        return place

    def _set(self, place: int, record: Record) -> None:
        """The head, which says it all, before the record."""
        before = self._read(place)
        old = NOTHING if before is None else before.figures
        sums = [
            max(0, there + new - gone)
            for there, new, gone in zip(
                self._head.sums, record.figures.values, old.values, strict=False
            )
        ]
        self._head.sums = (sums[0], sums[1], sums[2], sums[3])
        self._head.place, self._head.figures = place, record.figures
        self._write_head()
        self._write(place, record)

    def _found(
        self, home: str, hint: int, *, elsewhere: bool = False
    ) -> tuple[int, Record]:
        """The account's place, and what is there; a new place if it has none.

        `elsewhere`: its page cannot be had here."""
        name = os.fsencode(home)
        key = _key(name)
        if 0 <= hint < self._head.count:
            there = self._read(hint)
            if there is not None and there.key == key:
                return hint, there
        octets = self._octets()
        place = _aligned(octets, key)
        there = None if place is None else self._read(place)
        if place is not None and there is not None and there.key == key:
            return place, there
        place = _aligned(octets, bytes(RECORD_OCTETS))
        free = self._head.count if place is None else place
        fresh = Record(key, NOTHING, b"" if elsewhere else name[:_MOST_HOME])
        self._write(free, fresh)
        if free == self._head.count:
            self._head.count += 1
            self._write_head()
        return free, fresh

    # -- is it right? -------------------------------------------------------------

    def is_right(self, home: str, held: Amount) -> bool:
        """True if the account has this here, and all accounts have what the head
        says."""
        place = _aligned(self._octets(), _key(os.fsencode(home)))
        record = None if place is None else self._read(place)
        figures = NOTHING if record is None else record.figures
        own = figures.octets, figures.messages
        return own == held and self._head.sums == self._added()

    def add_up(self) -> None:
        """The sums of the head, anew."""
        self._head.sums = self._added()
        self._write_head()

    def _added(self) -> tuple[int, int, int, int]:
        each = [one.figures.values for one in self._records() if one is not None]
        columns = [sum(column) for column in zip(*each, strict=True)] or [0] * 4
        return columns[0], columns[1], columns[2], columns[3]

    # -- before somebody is refused -----------------------------------------------

    def suspects(self) -> list[str]:
        """Folders of accounts whose records tell of flights; records of accounts and
        processes that are no more go."""
        found = []
        for place, record in enumerate(self._records()):
            path = None if record is None else record.path
            if record is None or path is None:
                continue
            process = path.startswith(PROCESS)
            if process and is_running(path):
                continue
            if process or not os.path.exists(os.path.join(path, NAME)):
                self._set(place, evolve(record, figures=NOTHING))
                self._free(place)
            elif record.figures.flights:
                found.append(path)
        self._head.settled_at = time.time()
        self._write_head()
        return found

    # -- the file -----------------------------------------------------------------

    def _mended(self) -> Head:
        """The head, after what it says was done."""
        head = Head.read(os.pread(self._descriptor, RECORD_OCTETS, 0))
        if head is None:
            return self._summed()
        if head.place != _NONE:
            record = self._read(head.place)
            if record is not None and record.figures != head.figures:
                self._write(head.place, evolve(record, figures=head.figures))
        return head

    def _summed(self) -> Head:
        """Of a new file, or after a boot: nothing is in flight."""
        size = os.fstat(self._descriptor).st_size
        head = Head(boot_id()[:40], count=max(0, size // RECORD_OCTETS - 1))
        self._head = head
        held = [0, 0]
        for place, record in enumerate(self._records()):
            if record is None:
                self._free(place)
                continue
            octets, messages, *flying = record.figures.values
            if any(flying):
                self._write(place, evolve(record, figures=Figures(octets, messages)))
            held = [held[0] + octets, held[1] + messages]
        head.sums = (held[0], held[1], 0, 0)
        self._write_head()
        return head

    def _octets(self) -> bytes:
        """All records, in one read of the kernel's memory."""
        wanted, octets = self._head.count * RECORD_OCTETS, b""
        while len(octets) < wanted:
            at = RECORD_OCTETS + len(octets)
            more = os.pread(self._descriptor, wanted - len(octets), at)
            if not more:
                break
            octets += more
        return octets

    def _records(self) -> list[Record | None]:
        """All; None for each place that is free."""
        octets = self._octets()
        parts = range(0, self._head.count * RECORD_OCTETS, RECORD_OCTETS)
        return [Record.read(octets[at : at + RECORD_OCTETS]) for at in parts]

    def _read(self, place: int) -> Record | None:
        at = RECORD_OCTETS * (place + 1)
        return Record.read(os.pread(self._descriptor, RECORD_OCTETS, at))

    def _write(self, place: int, record: Record) -> None:
        os.pwrite(self._descriptor, record.written(), RECORD_OCTETS * (place + 1))

    def _free(self, place: int) -> None:
        os.pwrite(self._descriptor, bytes(RECORD_OCTETS), RECORD_OCTETS * (place + 1))

    def _write_head(self) -> None:
        os.pwrite(self._descriptor, self._head.written(), 0)


@contextmanager
def opened(limit: DomainLimit) -> Iterator[DomainSum]:
    """The sum of a domain, alone with it for a moment.  Raises OSError, SystemBusy."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(limit.file, flags, 0o600)
    except FileNotFoundError:
        folder = FilePath(limit.file).parent
        folder.mkdir(0o700, exist_ok=True)
        give_to_owner_of(folder.parent, folder)
        descriptor = os.open(limit.file, flags, 0o600)
    try:
        with alone(descriptor, MUTEX):
            if not os.fstat(descriptor).st_size:
                path = FilePath(limit.file)
                give_to_owner_of(path.parent, path)
            yield DomainSum(limit, descriptor)
    finally:
        os.close(descriptor)


def settle(limit: DomainLimit, *, anew: bool = False) -> None:
    """Make the sum one for which somebody may be refused: what tells of flights is
    compared with the pages of the accounts, if that was not done lately, or `anew`.
    The caller has no page."""
    with opened(limit) as total:
        if total.settled_lately and not anew:
            return
        suspects = total.suspects()
    for home in suspects:
        book = Book.open(os.path.join(home, NAME))
        if book is None:
            continue
        with book, book.changed() as page:
            book.clear(page)
            with opened(limit) as total:
                total.put(home, page)
