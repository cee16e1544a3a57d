"""UIDs as text beside the messages, from which lost state is restored.

    1 V1700000000 N4712 O5f3a1c0d9e8b7a65
    K a $Junk
    4711 1700000000.M1P2Q3.mx,S=100,W=100
    W 4711 later $MDNSent

UIDVALIDITY, the next UID when the file was last written whole, the mailbox's object id,
keywords by letter, UIDs by base, and keywords that have no letter.  Lines are added as
messages come; a UID named twice belongs to the later line.  What other servers kept is
read by `predecessors`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from attrs import field, frozen

from ..state import MailboxRow

FILE = "mailtwist-uidlist"

LEAST_OCTETS = 65_536  # below, the lines of expunged messages do not matter
LINE_OCTETS = 100  # of one message, about


@frozen
class UidList:
    uid_validity: int
    uid_next: int
    uids: dict[str, int] = field(factory=dict)  # by base
    keywords: dict[str, str] = field(factory=dict)  # by letter
    object_id: str = ""
    without_letter: dict[str, str] = field(factory=dict)  # keywords by base
    bases: dict[int, str] = field(factory=dict)  # by UID, also of those that went


def append(
    folder: str,
    row: MailboxRow,
    added: Iterable[tuple[int, str]],
    keywords: Iterable[tuple[str, str]] = (),
    words: Iterable[tuple[int, str]] = (),
) -> None:
    """Put down (UID, base) pairs, (letter, keyword) pairs and, for UIDs that have or
    had some, keywords without a letter."""
    lines = _lines(added, keywords, words)
    if lines:
        with open(f"{folder}/{FILE}", "ab") as file:
            file.write(lines if file.tell() else _head(row) + lines)


def rewrite(
    folder: str,
    row: MailboxRow,
    messages: Iterable[tuple[int, str]],
    keywords: Mapping[str, str],
    words: Iterable[tuple[int, str]] = (),
) -> None:
    """Write the file anew, without what is gone."""
    path = f"{folder}/{FILE}"
    with open(f"{path}.new", "wb") as file:
        file.write(_head(row) + _lines(messages, keywords.items(), words))
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)


def overgrown(folder: str, messages: int) -> bool:
    """True if most of the file is about messages that are gone."""
    try:
        octets = os.stat(f"{folder}/{FILE}").st_size
    except OSError:
        return messages > 0
    return octets > LEAST_OCTETS + 4 * LINE_OCTETS * messages


def _head(row: MailboxRow) -> bytes:
    object_id = row.object_id.encode()
    return b"1 V%d N%d O%b\n" % (row.uid_validity, row.uid_next, object_id)


def _lines(
    messages: Iterable[tuple[int, str]],
    keywords: Iterable[tuple[str, str]],
    words: Iterable[tuple[int, str]],
) -> bytes:
    lines = [f"K {letter} {keyword}\n" for letter, keyword in keywords]
    lines += [f"{uid} {base}\n" for uid, base in messages]
    lines += [f"W {uid} {some}\n" for uid, some in words]
    return "".join(lines).encode()


# -- reading ----------------------------------------------------------------------


def read(folder: str) -> UidList | None:
    """What the folder's uidlist says; None if there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return _ours(text(f"{folder}/{FILE}"))
    return None


def is_here(folder: str) -> bool:
    """True if the folder is a mailbox of this server's, or was one."""
    return os.path.lexists(f"{folder}/{FILE}")


def text(path: str) -> list[str]:
    """The lines of a file; names that are no text have lone surrogates."""
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape").split("\n")


def _ours(lines: list[str]) -> UidList:
    """Raises ValueError for a file that is not one."""
    version, validity, *more = lines[0].split()
    if version != "1" or validity[0] != "V":
        raise ValueError(lines[0])
    uids: dict[int, str] = {}
    keywords: dict[str, str] = {}
    words: dict[int, str] = {}
    for line in lines[1:-1]:  # the last line is empty, or was cut off by a crash
        first, _, rest = line.partition(" ")
        if first == "K":
            letter, _, keyword = rest.partition(" ")
            keywords[letter] = keyword
        elif first == "W":
            uid, _, some = rest.partition(" ")
            words[int(uid)] = some
        elif first.isdecimal() and rest:
            uids[int(first)] = rest
    noted = max((int(word[1:]) for word in more if word[0] == "N"), default=1)
    return UidList(
        int(validity[1:]),
        max(noted, max(uids, default=0) + 1),
        {base: uid for uid, base in uids.items()},
        keywords,
        next((word[1:] for word in more if word[0] == "O"), ""),
        {uids[uid]: some for uid, some in words.items() if some and uid in uids},
        uids,
    )
