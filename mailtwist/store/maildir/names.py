"""File names in a Maildir: BASE,S=OCTETS,W=OCTETS:2,FLAGS.

The base is unique for all time; what follows may change or be missing, and names made
by other programs are kept as they are.  S is the size of the file, W its size with CRLF
line ends (Maildir++; Dovecot and Courier read both).
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from itertools import count

from attrs import frozen

from ...flags import LETTERS

INFO = ":2,"
KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_FIELD = re.compile(r",([SW])=(\d{1,18})(?=,|\Z)")
_LETTER_OF = {flag: letter for letter, flag in LETTERS.items()}


@frozen
class MaildirName:
    """The parts of a file name.

    `base` is everything before the info part, with its ,S= and ,W=: the message's name
    for as long as it lives.  `letters` are the info letters in ASCII order.
    """

    base: str
    letters: str = ""
    octets: int | None = None  # S=
    crlf_octets: int | None = None  # W=

    @classmethod
    def parse(cls, filename: str) -> MaildirName:
        """Any file name; an info part that is not version 2 counts as no letters."""
        base, mark, info = filename.partition(":")
        letters = ""
        if mark and info.startswith("2,"):
            letters = "".join(sorted(set(info[2:].partition(",")[0])))
        sizes = dict(_FIELD.findall(base))
        return cls(
            base,
            letters,
            int(sizes["S"]) if "S" in sizes else None,
            int(sizes["W"]) if "W" in sizes else None,
        )

    def format(self) -> str:
        """The name as it stands in cur/."""
        return f"{self.base}{INFO}{self.letters}"


def letters_for(flags: frozenset[str], keywords: dict[str, str]) -> str:
    """Info letters of these flags; `keywords` maps folded keywords to a-z."""
    found = {_LETTER_OF[flag] for flag in flags if flag in _LETTER_OF}
    found.update(
        letter for flag in flags if (letter := keywords.get(flag.lower())) is not None
    )
    return "".join(sorted(found))


def flags_of(letters: str, keywords: dict[str, str]) -> frozenset[str]:
    """The flags of info letters; `keywords` maps a-z to keywords as written."""
    return frozenset(
        flag
        for letter in letters
        if (flag := LETTERS.get(letter) or keywords.get(letter)) is not None
    )


class UniqueNames:
    """Names that no other process and no other moment makes.

    `TIME.MmicrosecondsPpidQcount.HOST` as the Maildir page asks; Q makes two in one
    microsecond differ.
    """

    def __init__(
        self, hostname: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        host = hostname or socket.gethostname()
        self._host = host.replace("/", "\\057").replace(":", "\\072").replace(",", "_")
        self._now, self._count, self._pid = now, count(1), os.getpid()

    def base(self, octets: int, crlf_octets: int | None = None) -> str:
        """A new base for a file of `octets`."""
        now = self._now()
        second = int(now)
        crlf = octets if crlf_octets is None else crlf_octets
        if (pid := os.getpid()) != self._pid:  # after a fork
            self._pid = pid
        return (
            f"{second}.M{int((now - second) * 1_000_000):06d}P{self._pid}"
            f"Q{next(self._count)}.{self._host},S={octets},W={crlf}"
        )

    def draft(self) -> str:
        """A new name for tmp/ of a file whose size is not known yet."""
        return f"{int(self._now())}.P{os.getpid()}Q{next(self._count)}.{self._host}"
