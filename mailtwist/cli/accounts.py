"""What the commands about accounts ask for, and the database that they work on."""

from __future__ import annotations

import argparse
import getpass
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from ..config.load import load
from ..config.model import Config
from ..directory.model import USES
from ..directory.user_rows import Row
from ..directory.userdb import UserDb
from ..errors import AuthFailed, MailError
from ..sasl.text import MOST_PASSWORD

NAME = "USER@DOMAIN"
USES_HELP = f"what it is for: some of {', '.join(USES)} between commas"


def told(
    run: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """`run`, with faults of the database told in a sentence."""

    def runs(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except sqlite3.Error as fault:
            path = UserDb(load(options.config)).path
            raise MailError(f"{path}: {fault}") from fault
        except OSError as fault:
            raise MailError(f"{fault.filename}: {fault.strerror}") from fault

    return runs


class NoDatabase(MailError):
    """No account was ever added."""


def existing(config: Config) -> UserDb:
    """The database, if there is one; a look makes none."""
    db = UserDb(config, create=False)
    if not db.path.exists():
        raise NoDatabase(f"{db.path}: there are no accounts yet")
    return db


def known(db: UserDb, text: str) -> Row:
    row = db.account(text)
    if row is None:
        raise MailError(f"{text}: there is no account of that name")
    return row


def asked_password(*, twice: bool = True) -> bytes:
    """From the terminal; else one line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if twice and getpass.getpass("Again: ") != password:
            raise AuthFailed("The two passwords differ")
        octets = password.encode(errors="surrogateescape")
    else:
        octets = sys.stdin.buffer.readline(MOST_PASSWORD + 3).rstrip(b"\r\n")
    if not octets:
        raise AuthFailed("An empty password is no password")
    if len(octets) > MOST_PASSWORD:
        raise AuthFailed(f"A password has at most {MOST_PASSWORD} octets")
    return octets


def uses_of(text: str) -> frozenset[str] | None:
    """Of "pop3,receive", "all" or "none"; raises MailError that says what may be."""
    words = {word.strip().lower() for word in text.split(",")} - {""}
    if words == {"all"}:
        return None
    if words == {"none"}:
        return frozenset()
    if not words or words - set(USES):
        raise MailError(f"{text}: give some of {', '.join(USES)}, or all, or none")
    return frozenset(words)


def until_of(text: str) -> float | None:
    """Unix time of "2027-01-31", which is its beginning, "2027-01-31T12:00+01:00" or
    "never"; UTC if nothing is said.  Raises MailError."""
    if text.lower() == "never":
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found.timestamp()
    except (ValueError, OverflowError) as fault:
        raise MailError(f'{text}: give a date like "2027-01-31", or "never"') from fault


def until_text(until_s: float) -> str:
    """As `until_of` reads it."""
    try:
        return datetime.fromtimestamp(until_s, UTC).isoformat(timespec="minutes")
    except (ValueError, OverflowError, OSError):
        return f"{until_s:.0f} s of Unix time"


def uses_text(uses: frozenset[str] | None) -> str:
    """As `uses_of` reads it."""
    return "all" if uses is None else ",".join(sorted(uses)) or "none"
