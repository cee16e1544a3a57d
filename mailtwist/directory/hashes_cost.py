"""How much work a stored hash may ask for.

Whoever can write a hash into a table, a directory or a file could otherwise name
parameters that keep a thread of the server busy for hours, or that take all memory,
each time somebody tries that account.  The limits leave room for what programs write
today (some milliseconds to a second) and for some years to come.
"""

from __future__ import annotations

import re

MOST_MEMORY_KIB = 1024 * 1024  # of argon2, scrypt and yescrypt
MOST_ARGON2_KIB = 4 * MOST_MEMORY_KIB  # memory times passes: what is written in all
MOST_BCRYPT = 16  # log2 of the rounds
MOST_SHA_ROUNDS = 5_000_000  # of SHA-crypt and its older kin
MOST_PBKDF2_ROUNDS = 10_000_000  # SCRAM too (RFC 5802 §2.2)

_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d+),t=(\d+),p=\d+\$")
_BCRYPT = re.compile(r"\$2[abxy]?\$(\d+)\$")
_SHA_CRYPT = re.compile(r"\$(?:[56]\$rounds=|md5,rounds=|sha1\$)(\d+)")
_PBKDF2 = re.compile(r"(?:\$pbkdf2[^$]*\$|\$1\$[^$]*\$)?(\d+)[$,]", re.ASCII)
_SCRYPT = re.compile(r"\$7\$(.)(.{5})")
_YESCRYPT = re.compile(r"\$g?y\$[./0-9A-Za-z](.)(.)")
_BLOCK_KIB = 128 / 1024  # scrypt's memory is 128 octets times N times r


class TooCostly(Exception):
    """The hash asks for more work than a login may cost; its text says which limit."""


def affordable(text: str) -> None:
    """Raises TooCostly for a text of crypt(3), argon2, PBKDF2 or SCRAM beyond the
    limits (without `{SCHEME}`; see `hashes_schemes.checked`).

    Other texts pass: damaged ones are for whoever reads them whole."""
    if found := _ARGON2.match(text):
        memory, passes = int(found[1]), int(found[2])
        _limit("argon2 memory in KiB", memory, MOST_MEMORY_KIB)
        _limit("argon2 memory in KiB times passes", memory * passes, MOST_ARGON2_KIB)
    elif found := _BCRYPT.match(text):
        _limit("bcrypt cost", int(found[1]), MOST_BCRYPT)
    elif found := _SHA_CRYPT.match(text):
        _limit("rounds", int(found[1]), MOST_SHA_ROUNDS)
    elif found := _PBKDF2.match(text):
        _limit("PBKDF2 rounds", int(found[1]), MOST_PBKDF2_ROUNDS)
    elif found := _SCRYPT.match(text):
        blocks = sum(_ITOA64.find(c) << 6 * i for i, c in enumerate(found[2]))
        _memory("scrypt", 1 << max(0, _ITOA64.find(found[1])), blocks)
    elif found := _YESCRYPT.match(text):
        _memory(
            "yescrypt", 2 << max(0, _ITOA64.find(found[1])), _ITOA64.find(found[2]) + 1
        )


def _memory(kind: str, n: int, r: int) -> None:
    _limit(f"{kind} memory in KiB", round(n * r * _BLOCK_KIB), MOST_MEMORY_KIB)


def _limit(what: str, found: int, most: int) -> None:
    if found > most:
        raise TooCostly(f"{what}: {found}, and at most {most} are computed here")
