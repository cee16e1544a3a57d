"""Looking at a folder: what came, what went, which flags other programs changed.

Runs in a thread, inside a state transaction.  New files are renamed from new/ to cur/,
get a UID in the order they were delivered and only then, when the transaction is
durable, is anybody told.  A crash in between leaves a file in cur/ without a UID, which
the next look takes in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

from attrs import evolve

from ..state import MailboxRow, State
from .live import Delta, Message, Stamp
from .names import MaildirName

READ_OCTETS = 1 << 20

_BARE_LF = re.compile(rb"(?<!\r)\n")
_TIME = re.compile(r"(\d{1,12})(?:\.M(\d{1,9}))?")


def stamp_of(folder: str) -> Stamp:
    return (
        os.stat(f"{folder}/new").st_mtime_ns,
        os.stat(f"{folder}/cur").st_mtime_ns,
    )


def intake(
    state: State,
    row: MailboxRow,
    folder: str,
    known: Callable[[], dict[str, Message]],
    seen: Stamp | None,
) -> Delta:
    """Everything that differs from `known` (by base), made durable in `state`.

    `seen` is the stamp of the last look: if cur/ is as it was then, it is not listed.
    """
    before = stamp_of(folder)
    arrived = sorted(
        (name for name in os.listdir(f"{folder}/new") if name[0] != "."), key=_age
    )
    for name in arrived:
        _take(folder, name)
    modseq = row.highest_modseq + 1
    if seen is not None and seen[1] == before[1]:
        looked = _arrived(arrived)
    else:
        looked = _compared(folder, known(), modseq)
    present, fresh, changed, missing = looked
    added = list(_numbered(folder, fresh, present, row.uid_next, modseq))
    after = before if not arrived else stamp_of(folder)
    if not (changed or added or missing):
        return Delta(row, stamp=after)
    uid_next = added[-1].uid + 1 if added else row.uid_next
    new_row = evolve(row, uid_next=uid_next, highest_modseq=modseq)
    state.add_messages(row.id, map(as_row, added))
    state.set_flags(row.id, ((m.letters, m.keywords, modseq, m.uid) for m in changed))
    state.vanish(row.id, modseq, missing)
    state.set_counters(row.id, uid_next, modseq)
    append_uidlist(folder, new_row, added)
    return Delta(new_row, added, changed, missing, stamp=after)


# (letters by base, bases without a UID, changed messages, UIDs that are gone)
Looked = tuple[dict[str, str], list[str], list[Message], list[int]]


def _arrived(names: list[str]) -> Looked:
    present = dict(map(_split, names))
    return present, list(present), [], []


def _compared(folder: str, known: dict[str, Message], modseq: int) -> Looked:
    present = _listed(folder)
    missing = [base for base in known if base not in present]
    if missing:  # a listing may miss a file that is renamed meanwhile
        again = _listed(folder)
        missing = [base for base in missing if base not in again]
        present = {**present, **again}
    changed = [
        evolve(message, letters=present[base], modseq=modseq)
        for base, message in known.items()
        if base in present and present[base] != message.letters
    ]
    fresh = sorted((base for base in present if base not in known), key=_age)
    return present, fresh, changed, sorted(known[base].uid for base in missing)


def as_row(m: Message) -> tuple[int, str, str, str, int, int, int, int]:
    return (
        m.uid,
        m.base,
        m.letters,
        m.keywords,
        m.modseq,
        m.octets,
        m.file_octets,
        m.internal_date,
    )


def _age(name: str) -> tuple[int, int, str]:
    """Delivery order: the time in the name, to the microsecond if it is there."""
    found = _TIME.match(name)
    if not found:
        return 0, 0, name
    return int(found[1]), int(found[2] or 0), name


def _take(folder: str, name: str) -> None:
    """new/NAME becomes cur/NAME:2, unless someone else was faster."""
    base, _, info = name.partition(":")
    target = name if info.startswith("2,") else f"{base}:2,"
    try:
        os.rename(f"{folder}/new/{name}", f"{folder}/cur/{target}")
    except FileNotFoundError:
        return


def _listed(folder: str) -> dict[str, str]:
    """Flag letters by base of every file in cur/."""
    names = os.listdir(f"{folder}/cur")
    return dict(_split(name) for name in names if name[0] != ".")


def _split(name: str) -> tuple[str, str]:
    base, _, info = name.partition(":")
    return base, info[2:].partition(",")[0] if info[:2] == "2," else ""


def _numbered(
    folder: str, bases: list[str], present: dict[str, str], uid: int, modseq: int
) -> Iterable[Message]:
    """Messages for files that have no UID yet; one that vanished is left out."""
    for base in bases:
        letters = present[base]
        message = _read(folder, base, letters, uid, modseq)
        if message is not None:
            yield message
            uid += 1


def _read(
    folder: str, base: str, letters: str, uid: int, modseq: int
) -> Message | None:
    for name in (f"{base}:2,{letters}", base):
        path = f"{folder}/cur/{name}"
        try:
            seen = os.stat(path)
            octets = _crlf_octets(path, MaildirName.parse(base), seen.st_size)
        except FileNotFoundError:
            continue
        return Message(
            uid, base, letters, "", modseq, octets, seen.st_size, int(seen.st_mtime)
        )
    return None


def _crlf_octets(path: str, name: MaildirName, size: int) -> int:
    """RFC822.SIZE: from the name if that fits the file, else counted."""
    if name.octets == size and name.crlf_octets is not None:
        return name.crlf_octets
    with open(path, "rb", buffering=0) as file:
        lone, held = 0, b""
        while octets := file.read(READ_OCTETS):
            lone += len(_BARE_LF.findall(held + octets))
            held = b"\r" if octets.endswith(b"\r") else b""
        return size + lone


def append_uidlist(folder: str, row: MailboxRow, added: Iterable[Message]) -> None:
    """UIDs by base as text, from which state that was lost is restored."""
    lines = "".join(f"{m.uid} {m.base}\n" for m in added)
    path = f"{folder}/mailtwist-uidlist"
    with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
        if not file.tell():
            file.write(f"1 V{row.uid_validity}\n")
        file.write(lines)


def read_uidlist(folder: str) -> tuple[int, dict[str, int]] | None:
    """(UIDVALIDITY, UID by base), or None if there is none that can be read."""
    path = f"{folder}/mailtwist-uidlist"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            version, validity = file.readline().split()
            if version != "1":
                return None
            uids = {}
            for line in file:
                uid, _, base = line.rstrip("\n").partition(" ")
                if uid.isdecimal() and base:
                    uids[base] = int(uid)
            return int(validity.removeprefix("V")), uids
    except (OSError, ValueError):
        return None


def salvaged(folder: str, uids: dict[str, int], modseq: int) -> list[Message]:
    """The messages in cur/ that a uidlist has UIDs for, by UID."""
    present = _listed(folder)
    known = sorted((uids[base], base) for base in present if base in uids)
    found = (_read(folder, base, present[base], uid, modseq) for uid, base in known)
    return [message for message in found if message is not None]
