"""The columns of a large mailbox in one file, which is read ten times as fast as rows.

Written when an account's databases are closed, read when the mailbox is opened again.
It may be deleted at any time.  The state has a token of the file that was written last:
a file that belongs to another time of the state, as after a restored backup, is passed
over.  What the state learned since then is put on top.

    mailtwist-columns 1 CRC
    {"token": ..., "uid_next": ..., ...}
    UIDs, MODSEQs, sizes, dates, kinds (numbers of pairs of info and keywords), bases

If nothing was learned since and the folder's time stamps are the same, the folder need
not be listed.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import sys
import zlib
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.logger import Logger

from ...directory.owner import give_to_owner_of
from .live import Live, Stamp
from .scan import stamp_of

if TYPE_CHECKING:
    from .account import AccountFiles

log = Logger()

FOLDER = "columns"  # in the account's, beside the state
LEAST = 2_000  # messages; fewer are read from the state as fast
_FIRST = b"mailtwist-columns 1 %08x\n"
_FIRST_OCTETS = len(_FIRST % 0)

# The columns that are numbers: attribute of Live, type code of array.
_NUMBERS = (
    ("uids", "I"),
    ("modseqs", "Q"),
    ("octets", "Q"),
    ("file_octets", "Q"),
    ("internal_dates", "q"),
)
_TOTALS = ("unseen", "deleted", "deleted_octets", "total_octets", "total_file_octets")
_KINDS = "I"


def save(files: AccountFiles) -> None:
    """In a thread, within a turn: write the files of large mailboxes that changed."""
    worth = [live for live in files.live.values() if _worth(live)]
    if not worth:
        return
    folder = os.path.join(os.path.dirname(files.state.path), FOLDER)
    try:
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            give_to_owner_of(Path(folder).parent, Path(folder))
        with files.state.transaction():
            for live in worth:
                token = secrets.token_hex(8)
                _write(os.path.join(folder, str(live.row.id)), live, token)
                files.state.set_columns_token(live.row.id, token)
                live.saved_as = _now(live)
            known = files.state.columns_tokens()
        for name in os.listdir(folder):
            if not name.isdecimal() or int(name) not in known:
                os.unlink(os.path.join(folder, name))
    except (OSError, sqlite3.Error) as fault:
        log.error("columns were not kept: {fault}", fault=fault)


def fill(files: AccountFiles, live: Live) -> bool:
    """In a thread, in a transaction: fill `live` from its file; False if there is none
    to be used, and then nothing was done."""
    token = files.state.columns_tokens(live.row.id).get(live.row.id)
    if token is None:
        return False
    folder = os.path.join(os.path.dirname(files.state.path), FOLDER)
    try:
        octets = Path(folder, str(live.row.id)).read_bytes()
        head, values = _parsed(octets, token)
        if head["highest_modseq"] > live.row.highest_modseq:
            return False
        _fill(live, head, values)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False
    return True


# -- writing ----------------------------------------------------------------------


def _worth(live: Live) -> bool:
    return not live.gone and len(live) >= LEAST and live.saved_as != _now(live)


def _now(live: Live) -> tuple[object, ...]:
    return live.row.uid_next, live.row.highest_modseq, _trusted(live)


def _trusted(live: Live) -> tuple[int, ...]:
    """What the folder looks like while it holds what `live` does; empty if that is not
    certain."""
    if live.doubted_at is not None or live.removed or live.stamp is None:
        return ()
    found = _witness(live.folder)
    return found if found[:2] == live.stamp else ()


def _witness(folder: str) -> tuple[int, ...]:
    """Its stamp, and when something was last done to new/ and cur/ themselves, which
    no program can set."""
    try:
        done = [os.stat(f"{folder}/{part}").st_ctime_ns for part in ("new", "cur")]
        return *stamp_of(folder), *done
    except OSError:
        return ()


def _write(path: str, live: Live, token: str) -> None:
    kinds: dict[tuple[str, str], int] = {}
    pairs = zip(live.infos, live.keywords, strict=True)
    numbers = [kinds.setdefault(pair, len(kinds)) for pair in pairs]
    head = {
        "token": token,
        "byteorder": sys.byteorder,
        "messages": len(live),
        "uid_next": live.row.uid_next,
        "highest_modseq": live.row.highest_modseq,
        "witness": _trusted(live),
        "kinds": list(kinds),
        **{name: getattr(live, name) for name in _TOTALS},
    }
    parts = [json.dumps(head).encode() + b"\n"]
    parts += [array(code, getattr(live, name)).tobytes() for name, code in _NUMBERS]
    parts += [array(_KINDS, numbers).tobytes(), "\n".join(live.bases).encode()]
    body = b"".join(parts)
    with open(f"{path}.new", "wb") as file:
        file.write(_FIRST % zlib.crc32(body))
        file.write(body)
    give_to_owner_of(Path(path).parent, Path(f"{path}.new"))
    os.replace(f"{path}.new", path)


# -- reading ----------------------------------------------------------------------


def _parsed(octets: bytes, token: str) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """(the head, columns by attribute); raises ValueError if it is not that file."""
    if octets[:_FIRST_OCTETS] != _FIRST % zlib.crc32(
        memoryview(octets)[_FIRST_OCTETS:]
    ):
        raise ValueError("not whole")
    at = octets.index(b"\n", _FIRST_OCTETS) + 1
    head = json.loads(octets[_FIRST_OCTETS:at])
    if head["token"] != token or head["byteorder"] != sys.byteorder:
        raise ValueError("of another time, or machine")
    columns: dict[str, list[Any]] = {}
    for name, code in (*_NUMBERS, ("kinds", _KINDS)):
        numbers = array(code)
        end = at + head["messages"] * numbers.itemsize
        numbers.frombytes(octets[at:end])
        columns[name], at = numbers.tolist(), end
    columns["bases"] = octets[at:].decode().split("\n")
    if {len(column) for column in columns.values()} != {head["messages"]}:
        raise ValueError("columns of unequal length")
    return head, columns


def _fill(live: Live, head: dict[str, Any], columns: dict[str, list[Any]]) -> None:
    kinds = columns.pop("kinds")
    infos = [info for info, _ in head["kinds"]]
    keywords = [words for _, words in head["kinds"]]
    flags = [live.names.flags(info, words) for info, words in head["kinds"]]
    columns["infos"] = list(map(infos.__getitem__, kinds))
    columns["keywords"] = list(map(keywords.__getitem__, kinds))
    columns["flags"] = list(map(flags.__getitem__, kinds))
    row, witness = live.row, tuple(head["witness"])
    then = head["uid_next"], head["highest_modseq"]
    live.restore(
        columns,
        {name: head[name] for name in _TOTALS},
        evolve(row, uid_next=then[0], highest_modseq=then[1]),
    )
    same = then == (row.uid_next, row.highest_modseq)
    if same and witness == _witness(live.folder) and witness and not live.removed:
        stamp: Stamp = witness[0], witness[1]
        live.stamp = stamp
    live.saved_as = (*then, witness)
