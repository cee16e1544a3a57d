"""What stands in an mbox file: where its messages are, their marks, who they are.

A message is known again by its *key*, a digest of the octets that a client sees.  In a
file that others changed, messages whose header is as it was, where it was, are not read
again; from the first that is not so the file is read anew.  Runs in a thread, under a
lock.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from attrs import define, field

from ...errors import MailboxFault
from ...mime import mbox
from ...mime.mbox import Decoder, Form
from ...mime.mbox_marks import Marks, marks_in

CHUNK_OCTETS = mbox.PIECE_OCTETS
_LONGEST_END = 4


@define(slots=True, eq=False)
class Entry:
    """A message in the file; `uid` 0 until it has one, and for UW's pseudo message.

    From `start` its From_ line, from `text` its header, from `body` the rest, up to
    `stop` with the empty line; `head` is a digest of what stands before `body`.
    """

    start: int
    text: int
    body: int
    stop: int
    marks: Marks
    form: Form
    key: str
    octets: int  # with CRLF, as a client sees it
    head: bytes
    uid: int = 0

    def moved(self, by: int) -> Entry:
        """The same message elsewhere in the file."""
        return Entry(
            self.start + by,
            self.text + by,
            self.body + by,
            self.stop + by,
            self.marks,
            self.form,
            self.key,
            self.octets,
            self.head,
            self.uid,
        )


@define
class Layout:
    """All of a file as it was at a time; not changed afterwards.

    `places` of UIDs in `entries`; `stamped` if every message has its UID in the file.
    """

    size: int = 0
    entries: list[Entry] = field(factory=list)
    places: dict[int, int] = field(factory=dict)
    stamped: bool = True

    @classmethod
    def of(cls, entries: list[Entry], size: int) -> Layout:
        places = {entry.uid: at for at, entry in enumerate(entries) if entry.uid}
        stamped = all(
            entry.marks.uid == entry.uid or entry.marks.pseudo for entry in entries
        )
        return cls(size, entries, places, stamped)

    def entry(self, uid: int) -> Entry | None:
        at = self.places.get(uid)
        return None if at is None else self.entries[at]


def looked(descriptor: int, known: Layout) -> tuple[list[Entry], list[Entry]]:
    """(entries that are as they were, entries after them that were read anew).

    Raises MailboxFault for a file that is no mbox."""
    size = os.fstat(descriptor).st_size
    kept = []
    for entry in known.entries:
        if entry.stop > size:
            break
        head = os.pread(descriptor, entry.body - entry.start, entry.start)
        if _digest(head) != entry.head:
            break
        kept.append(entry)
    # What follows the last one may belong to it now.
    begin = kept[-1].stop if kept else 0
    if kept and begin < size and not _starts(descriptor, begin):
        begin = kept.pop().start
    return kept, list(_read(descriptor, begin, size))


def _starts(descriptor: int, at: int) -> bool:
    line, _, rest = os.pread(descriptor, mbox.MOST_FROM, at).partition(b"\n")
    return bool(rest or line) and mbox.is_from_line(line + b"\n")


def _read(descriptor: int, begin: int, size: int) -> Iterator[Entry]:
    starts = mbox.Starts(begin)
    found: list[tuple[int, int]] = []
    for at in range(begin, size, CHUNK_OCTETS):
        count = min(CHUNK_OCTETS, size - at)
        found += starts.take(os.pread(descriptor, count, at))
    if not found:
        if os.pread(descriptor, size - begin, begin).strip(b"\r\n"):
            raise MailboxFault("Mailbox is no mbox file", status="4.2.0")
        return
    if found[0][0] != begin:
        raise MailboxFault("Mailbox is no mbox file", status="4.2.0")
    stops = [start for start, _ in found[1:]] + [size]
    for (start, text), stop in zip(found, stops, strict=True):
        yield entry_of(descriptor, start, text, stop)


def entry_of(descriptor: int, start: int, text: int, stop: int) -> Entry:
    """Read one message."""
    first = os.pread(descriptor, min(CHUNK_OCTETS, stop - text), text)
    header = mbox.header_of(first)
    marks = marks_in(header)
    form = marks.form or _form(descriptor, text, stop, first)
    digest = hashlib.blake2b(digest_size=16)
    octets = 0
    for piece in shown(descriptor, text, stop, form):
        digest.update(piece)
        octets += len(piece)
    line = os.pread(descriptor, text - start, start)
    return Entry(
        start,
        text,
        text + len(header),
        stop,
        marks,
        form,
        digest.hexdigest(),
        octets,
        _digest(line + header),
    )


def _form(descriptor: int, text: int, stop: int, first: bytes) -> Form:
    """How to read a message of another program."""
    if stop - text <= len(first):
        return mbox.form_in(first, None)
    forms = (
        mbox.form_in(piece, None)
        for piece in mbox.whole_lines(_chunks(descriptor, text, stop))
    )
    return next((form for form in forms if form.quoted), mbox.PLAIN)


def head_digest(head: bytes) -> bytes:
    """Of the From_ line and the header."""
    return _digest(head)


def _digest(octets: bytes) -> bytes:
    return hashlib.blake2b(octets, digest_size=16).digest()


# -- octets -----------------------------------------------------------------------


def shown(descriptor: int, text: int, stop: int, form: Form) -> Iterator[bytes]:
    """A message as a client sees it."""
    return (octets for octets, _ in shown_at(descriptor, text, stop, form))


def shown_at(
    descriptor: int, start: int, stop: int, form: Form, *, in_header: bool = True
) -> Iterator[tuple[bytes, int]]:
    """A message, or its rest from the start of a line behind the header, in pieces with
    the place in the file where each ends."""
    decoder = Decoder(form, in_header=in_header)
    at = start
    for piece in mbox.whole_lines(stored(descriptor, start, stop, form)):
        at += len(piece)
        yield decoder.take(piece), at


def stored(descriptor: int, text: int, stop: int, form: Form) -> Iterator[bytes]:
    """Octets of the file without the end that is not the message's."""
    last = os.pread(descriptor, _LONGEST_END, max(text, stop - _LONGEST_END))
    last = last[: stop - text]
    stop -= len(last) - len(mbox.without_end(last, form))
    return _chunks(descriptor, text, stop)


def _chunks(descriptor: int, start: int, stop: int) -> Iterator[bytes]:
    for at in range(start, stop, CHUNK_OCTETS):
        yield os.pread(descriptor, min(CHUNK_OCTETS, stop - at), at)
