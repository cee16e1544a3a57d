"""`mailtwist user import`: accounts of Dovecot, Courier and the system, with their
passwords as they are.

All of it is one transaction: a fault takes nothing in.  No hash is ever printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..address import Address
from ..config.load import load
from ..config.model import Config
from ..directory.passwd_formats import Found, rows_of, system_rows
from ..directory.user_import import Importing, Planned, Skipped
from ..directory.userdb import UserDb
from ..errors import BadAddress, MailError
from .accounts import told

FORMATS = ("dovecot", "courier", "shadow", "system")
PASSWD, SHADOW = "/etc/passwd", "/etc/shadow"
MOST_FILE = 256 * 1024**2  # octets


def configure(leaves: Any) -> None:
    parser = leaves.add_parser(
        "import",
        help="take accounts of other programs, with their passwords",
        description="The passwords stay what they are; each is hashed anew when it is "
        "next used.  Accounts that there are already stay as they are.",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help=f'"-" for standard input; a folder of Courier\'s; of the system {PASSWD}',
    )
    parser.add_argument("--format", choices=FORMATS, default="dovecot")
    parser.add_argument(
        "--shadow", metavar="FILE", default=SHADOW, help=f"of the system; {SHADOW}"
    )
    parser.add_argument("--domain", help="of names without one; the default domain")
    parser.add_argument(
        "--new-homes",
        action="store_true",
        help="mail goes where that of new accounts goes, whatever the file says",
    )
    parser.add_argument(
        "--least-uid",
        type=int,
        metavar="UID",
        default=1000,
        help="skip accounts with a uid below, but for --new-homes; 1000",
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell")
    parser.set_defaults(run=told(run))


def run(options: argparse.Namespace) -> int:
    config = load(options.config)
    db = UserDb(config)
    there = db.path.exists()
    importing = Importing(
        db.account_of,
        lambda key: there and db.has_key(key),
        frozenset(domain.name for domain in config.domain),
        domain_of(config, options.domain),
        options.new_homes,
        options.least_uid,
    )
    plan = importing.planned(rows(options))
    for one in plan:
        text = line_for(one)
        print("".join(c if c.isprintable() else "?" for c in text))
    taken = [one.imported for one in plan if isinstance(one, Planned)]
    if taken and not options.dry_run:
        db.import_accounts(taken)
    done = "would be taken" if options.dry_run else "taken"
    print(f"{len(taken)} {done}, {len(plan) - len(taken)} skipped")
    return 0


def line_for(one: Planned | Skipped) -> str:
    """One account for people, without a secret."""
    if isinstance(one, Skipped):
        return f"line {one.line}: {one.name or 'no account'}: skipped: {one.why}"
    account = one.imported.account
    text = (
        f"line {one.line}: {account.name}: {one.scheme}, mail in {account.mailbox_path}"
    )
    if one.ignored:
        text += f"; not obeyed here: {', '.join(one.ignored)}"
    return text


def domain_of(config: Config, told_domain: str | None) -> str:
    """Of names without one; the only local domain if nobody says."""
    if told_domain:
        try:
            return Address.parse(f"x@{told_domain}").domain
        except BadAddress as fault:
            raise BadAddress(f"--domain {told_domain}: {fault.public}") from fault
    if config.auth.default_domain:
        return config.auth.default_domain
    return config.domain[0].name if len(config.domain) == 1 else ""


def rows(options: argparse.Namespace) -> Iterator[Found]:
    if options.format == "system":
        passwd = text_of(options.file or PASSWD)
        return system_rows(passwd, text_of(options.shadow))
    if options.file is None:
        raise MailError(f"FILE: name the file of {options.format}, or -")
    path = Path(options.file)
    if options.format == "courier" and path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return rows_of("courier", "".join(text_of(str(one)) + "\n" for one in files))
    return rows_of(options.format, text_of(options.file))


def text_of(path: str) -> str:
    """Raises OSError, MailError for a file that is too long to be one of accounts."""
    if path == "-":
        octets = sys.stdin.buffer.read(MOST_FILE + 1)
    else:
        with open(path, "rb") as file:
            octets = file.read(MOST_FILE + 1)
    if len(octets) > MOST_FILE:
        raise MailError(f"{path}: is longer than {MOST_FILE // 1024**2} MiB")
    return octets.decode(errors="surrogateescape")
