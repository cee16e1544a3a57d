"""The file names of a Maildir: unique bases, sizes and flag letters.

    1700000000.M000123P4711R9f2c04d1Q7.mx.example.test,S=2048,W=2048:2,FSa
    |------------------- base -------------------------------------| |info|

The *base* is all before the first colon; it names the message for as long as it lives,
whatever program made it, and is what a UID is kept for.  S= is the size of the file in
octets and W= its size with CRLF line ends (both as Dovecot and Courier write them);
the info carries the flag letters of `flags.LETTERS` in upper case and the mailbox's
keyword letters a to z.  What another program wrote is kept octet for octet until a flag
changes, and letters that mean nothing to us are kept even then.
"""

from __future__ import annotations

import os
import re
import time
from itertools import count

from attrs import evolve, frozen

from ...flags import LETTERS

KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"

MOST_HOST = 100  # characters of the host in a name; a file name has at most 255 octets

_SIZE = re.compile(r",S=(\d{1,19})(?=,|$)", re.ASCII)
_VIRTUAL_SIZE = re.compile(r",W=(\d{1,19})(?=,|$)", re.ASCII)
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9._\[\]-]")
_KNOWN = frozenset(LETTERS) | frozenset(KEYWORD_LETTERS)


@frozen
class MaildirName:
    """One file name, taken apart.

    `info` is what stands behind the first colon, None without a colon.  Names of octets
    that are no UTF-8 come as `os.fsdecode` gives them.
    """

    base: str
    info: str | None = None

    @classmethod
    def parse(cls, filename: str) -> MaildirName:
        """Any file name; `parse(name).format() == name` always."""
        base, colon, info = filename.partition(":")
        return cls(base, info if colon else None)

    def format(self) -> str:
        return self.base if self.info is None else f"{self.base}:{self.info}"

    @property
    def octets(self) -> int | None:
        """Size of the file as its name tells it, or None."""
        found = _SIZE.search(self.base)
        return int(found[1]) if found else None

    @property
    def virtual_octets(self) -> int | None:
        """RFC822.SIZE (line ends counted as CRLF) as the name tells it, or None."""
        found = _VIRTUAL_SIZE.search(self.base)
        return int(found[1]) if found else None

    @property
    def letters(self) -> str:
        """System and keyword letters that mean something here, as written; "" if none.

        Only an info of version 2 has flags; version 1 is for experiments.
        """
        if self.info is None or not self.info.startswith("2,"):
            return ""
        return "".join(c for c in self._written() if c in _KNOWN)

    def with_letters(self, letters: str) -> MaildirName:
        """The name with exactly these of the known letters, sorted, once each.

        Letters of other programs and fields behind the flags stay.
        """
        written, comma, rest = "", "", ""
        if self.info is not None and self.info.startswith("2,"):
            written, comma, rest = self.info[2:].partition(",")
        kept = {c for c in written if c not in _KNOWN}
        return evolve(
            self, info="2," + "".join(sorted({*kept, *letters})) + comma + rest
        )

    def _written(self) -> str:
        return (self.info or "")[2:].partition(",")[0]


def is_message(filename: str) -> bool:
    """True if a file of this name in new/ or cur/ is a message.

    Names with a leading dot are not (the Maildir rule); NFS and editors make them.
    """
    return not filename.startswith(".")


class NameMaker:
    """Makes bases that no other process, host or moment makes.

    Unique by time in microseconds, process id, counter and host; the random part tells
    apart processes of equal id in containers that share a folder.
    """

    def __init__(self, hostname: str) -> None:
        self.host = encoded_host(hostname)
        self._count = count()  # next() on it is atomic, so any thread may ask
        self._pid = 0
        self._process = ""

    def base(self, octets: int | None = None, virtual_octets: int | None = None) -> str:
        """A new base, with the sizes in octets that are known."""
        pid = os.getpid()
        if pid != self._pid:  # first use, or first use after a fork
            self._process = f"P{pid}R{os.urandom(4).hex()}"
            self._pid = pid
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        base = (
            f"{second}.M{nanosecond // 1000:06d}{self._process}"
            f"Q{next(self._count)}.{self.host}"
        )
        if octets is not None:
            base += f",S={octets}"
        if virtual_octets is not None:
            base += f",W={virtual_octets}"
        return base


def encoded_host(hostname: str) -> str:
    """A host as in a file name: "/" is \\057 and ":" is \\072 (the Maildir rule).

    A comma and all that is not a letter, digit, dot, hyphen, underscore or bracket are
    written so too; a long name is cut.
    """
    encoded = _NOT_IN_HOST.sub(
        lambda found: "".join(f"\\{octet:03o}" for octet in os.fsencode(found[0])),
        hostname,
    )
    return encoded[:MOST_HOST] or "localhost"
