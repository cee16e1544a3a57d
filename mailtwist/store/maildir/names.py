"""File names in a Maildir: BASE,S=OCTETS,W=OCTETS:2,FLAGS.

    1700000000.M000123P4711R9f2c04d1Q7.mx.example.test,S=2048,W=2048:2,FSa

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

MOST_HOST = 100  # characters of the host; a file name has at most 255 octets

_FIELD = re.compile(r",([SW])=(\d{1,18})(?=,|\Z)", re.ASCII)
_USUAL = re.compile(r"[^,]*,S=(\d{1,18}),W=(\d{1,18})\Z", re.ASCII)
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9._\[\]-]")
_LETTER_OF = {flag: letter for letter, flag in LETTERS.items()}


@frozen
class MaildirName:
    """The parts of a file name.

    `base` is everything before the info part, with its ,S= and ,W=: the message's name
    for as long as it lives.  `letters` are the info letters in ASCII order, those that
    mean nothing to us too; `rest` is what some programs write behind them, with its
    comma.
    """

    base: str
    letters: str = ""
    octets: int | None = None  # S=
    crlf_octets: int | None = None  # W=
    rest: str = ""

    @classmethod
    def parse(cls, filename: str) -> MaildirName:
        """Any file name; an info part that is not version 2 counts as no letters."""
        base, mark, info = filename.partition(":")
        letters = rest = ""
        if mark and info.startswith("2,"):
            letters, comma, rest = info[2:].partition(",")
            letters, rest = "".join(sorted(set(letters))), comma + rest
        return cls(base, letters, *sizes_in(base), rest)

    def format(self) -> str:
        """The name as it stands in cur/."""
        return f"{self.base}{INFO}{self.letters}{self.rest}"


def sizes_in(base: str) -> tuple[int | None, int | None]:
    """(octets, octets with CRLF line ends) as a name says; the first of each counts."""
    usual = _USUAL.match(base)
    if usual:
        return int(usual[1]), int(usual[2])
    sizes = dict(reversed(_FIELD.findall(base)))
    octets, crlf_octets = sizes.get("S"), sizes.get("W")
    return octets and int(octets), crlf_octets and int(crlf_octets)


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
    """Names that no other process, host or moment makes.

    `TIME.MmicrosecondsPpidRrandomQcount.HOST`, as the Maildir page asks.  Q makes two
    in one microsecond differ; R tells apart processes of equal id in containers that
    share a folder and a host name.
    """

    def __init__(
        self, hostname: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._host = encoded_host(hostname or socket.gethostname())
        self._now, self._count = now, count(1)
        self._pid, self._process = 0, ""

    def base(self, octets: int, crlf_octets: int | None = None) -> str:
        """A new base for a file of `octets`."""
        crlf = octets if crlf_octets is None else crlf_octets
        return f"{self._unique()},S={octets},W={crlf}"

    def draft(self) -> str:
        """A new name for tmp/ of a file whose size is not known yet."""
        return self._unique()

    def _unique(self) -> str:
        pid = os.getpid()
        if pid != self._pid:  # first use, or first use after a fork
            self._process = f"P{pid}R{os.urandom(4).hex()}"
            self._pid = pid
        second, micros = divmod(int(self._now() * 1_000_000), 1_000_000)
        number = next(self._count)  # atomic, so any thread may ask
        return f"{second}.M{micros:06d}{self._process}Q{number}.{self._host}"


def encoded_host(hostname: str) -> str:
    """A host as in a file name: "/" is \\057 and ":" is \\072 (the Maildir rule).

    A comma and all else that is not a letter, digit, dot, hyphen, underscore or bracket
    is written so too; a long name is cut.
    """
    encoded = _NOT_IN_HOST.sub(
        lambda found: "".join(f"\\{octet:03o}" for octet in os.fsencode(found[0])),
        hostname,
    )
    return encoded[:MOST_HOST] or "localhost"
