"""UIDs and keywords that Dovecot or Courier kept in a folder before it was ours.

They are read when there is no uidlist of ours, so that clients need not fetch all anew;
of both, what was written last.  Nothing of theirs is changed, so they can have the
folder back.

    dovecot-uidlist              3 V1600000000 N42 G...
                                 17 :BASE:2,S
    dovecot-keywords             0 work
    courierimapuiddb             1 1600000000 42
                                 17 BASE
    courierimapkeywords/:list    keywords, an empty line, then BASE:0 1
    courierimapkeywords/BASE     keywords of one message; newer, as .NUMBER.BASE is

Dovecot's keywords have letters in the file names; Courier's have none, and get none.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping

from ...flags import canonical
from .keywords import MOST_KEYWORDS
from .uidlist import UidList, text

DOVECOT = "dovecot-uidlist"
DOVECOT_KEYWORDS = "dovecot-keywords"
COURIER = "courierimapuiddb"
COURIER_KEYWORDS = "courierimapkeywords"
COURIER_LIST = ":list"

_KEYWORD = re.compile(r"""[!#$&'+-\[^-z|}~]{1,255}""")
_NEWER = re.compile(r"\.(\d{1,18})\.(.+)", re.ASCII | re.DOTALL)


def read(folder: str) -> UidList | None:
    """What another server's files say; None if there are none that can be read."""
    written: dict[str, int] = {}
    for name in (DOVECOT, COURIER):
        with contextlib.suppress(OSError):
            written[name] = os.stat(f"{folder}/{name}").st_mtime_ns
    for name in sorted(written, key=lambda name: written[name], reverse=True):
        with contextlib.suppress(OSError, ValueError):
            return _dovecot(folder) if name == DOVECOT else _courier(folder)
    return None


def _uid_next(noted: str, uids: dict[str, int]) -> int:
    return max(int(noted), max(uids.values(), default=0) + 1)


# -- Dovecot ----------------------------------------------------------------------


def _dovecot(folder: str) -> UidList:
    """Version 3: `3 V<validity> N<next> ...`, then `<uid> <fields> :<file name>`."""
    lines = text(f"{folder}/{DOVECOT}")
    version, *fields = lines[0].split()
    values = {word[0]: word[1:] for word in fields}
    if version != "3" or not {"V", "N"} <= values.keys():
        raise ValueError(lines[0])
    uids: dict[str, int] = {}
    for line in lines[1:]:
        head, mark, name = line.partition(" :")
        uid = head.partition(" ")[0]
        if mark and uid.isdecimal():
            uids[name.partition(":")[0]] = int(uid)
    uid_next = _uid_next(values["N"], uids)
    return UidList(int(values["V"]), uid_next, uids, letters(folder))


def letters(folder: str) -> dict[str, str]:
    """Dovecot's keywords by letter."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in text(f"{folder}/{DOVECOT_KEYWORDS}"):
            number, _, keyword = line.partition(" ")
            if number.isdecimal() and int(number) < 26 and _KEYWORD.fullmatch(keyword):
                found[chr(ord("a") + int(number))] = keyword
    return found


def write_letters(folder: str, keywords: Mapping[str, str]) -> None:
    """Put down keywords by letter for Dovecot, durably but for the folder; raises
    OSError."""
    path = f"{folder}/{DOVECOT_KEYWORDS}"
    lines = [f"{ord(key) - ord('a')} {keywords[key]}\n" for key in sorted(keywords)]
    with open(f"{path}.new", "wb") as file:
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)


# -- Courier ----------------------------------------------------------------------


def _courier(folder: str) -> UidList:
    """`1 <validity> <next>`, then `<uid> <base>`."""
    lines = text(f"{folder}/{COURIER}")
    version, validity, uid_next, *_ = lines[0].split()
    if version != "1":
        raise ValueError(lines[0])
    uids: dict[str, int] = {}
    for line in lines[1:]:
        uid, _, base = line.partition(" ")
        if uid.isdecimal() and base:
            uids[base] = int(uid)
    words = without_letter(folder)
    kept = {base: words[base] for base in uids if base in words}
    return UidList(int(validity), _uid_next(uid_next, uids), uids, without_letter=kept)


def without_letter(folder: str) -> dict[str, str]:
    """Courier's keywords, between spaces, by base."""
    folder = f"{folder}/{COURIER_KEYWORDS}"
    spelled: dict[str, str] = {}

    def keywords(words: list[str]) -> str:
        kept = set()
        for word in words:
            key = word.lower()
            if key not in spelled and len(spelled) < MOST_KEYWORDS:
                spelled[key] = canonical(word) if _KEYWORD.fullmatch(word) else ""
            kept.add(spelled.get(key, ""))
        return " ".join(sorted(kept - {""}))

    found: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        lines = text(f"{folder}/{COURIER_LIST}")
        end = lines.index("")
        for line in lines[end + 1 :]:
            base, _, numbers = line.rpartition(":")
            at = [int(number) for number in numbers.split() if number.isdecimal()]
            found[base] = keywords([lines[n] for n in at if n < end])
    for base, name in _newest(folder).items():
        with contextlib.suppress(OSError):
            found[base] = keywords(text(f"{folder}/{name}"))
    return found


def _newest(folder: str) -> dict[str, str]:
    """{base: file}, of the files for single messages those that count."""
    best: dict[str, tuple[float, str]] = {}
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.is_file(follow_symlinks=False)]
    except OSError:
        return {}
    for name in names:
        numbered = _NEWER.fullmatch(name)
        rank, base = (
            (int(numbered[1]), numbered[2]) if numbered else (float("inf"), name)
        )
        if base != COURIER_LIST and best.get(base, (-1, ""))[0] < rank:
            best[base] = rank, name
    return {base: name for base, (_, name) in best.items()}
