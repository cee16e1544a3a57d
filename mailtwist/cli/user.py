"""`mailtwist user add|passwd|list|remove`: the accounts of the user database.

A password comes from a prompt, or from one line of standard input when that is no
terminal - never from the command line, where every user of the machine could read it.
"""

from __future__ import annotations

import argparse
import getpass
import json
import shutil
import sys

from ..address import Address
from ..config.load import load, octets_of
from ..config.model import Config
from ..directory.userdb import UserDb
from ..errors import BadAddress, MailError


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("user", help="add, change, list, remove accounts")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    add = leaves.add_parser("add", help="a new account")
    add.add_argument("name", metavar="USER@DOMAIN")
    add.add_argument(
        "--storage-limit", metavar="SIZE", help='most it may keep, like "1 GiB"'
    )
    add.add_argument(
        "--keep-secret",
        action="store_true",
        help="keep the password, sealed, for APOP and CRAM-MD5",
    )
    add.add_argument(
        "--send-as",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="a further address it may send from; may be given again",
    )
    add.set_defaults(run=run_add)

    passwd = leaves.add_parser("passwd", help="a new password")
    passwd.add_argument("name", metavar="USER@DOMAIN")
    kept = passwd.add_mutually_exclusive_group()
    kept.add_argument("--keep-secret", action="store_true", default=None)
    kept.add_argument("--forget-secret", dest="keep_secret", action="store_false")
    passwd.set_defaults(run=run_passwd)

    listing = leaves.add_parser("list", help="all accounts")
    listing.add_argument("--json", action="store_true", help="with everything known")
    listing.set_defaults(run=run_list)

    remove = leaves.add_parser("remove", help="forget an account; its mail stays")
    remove.add_argument("name", metavar="USER@DOMAIN")
    remove.add_argument("--mail", action="store_true", help="delete its mail too")
    remove.set_defaults(run=run_remove)


def run_add(options: argparse.Namespace) -> int:
    config = load(options.config)
    address = local_address(config, options.name)
    limit = None
    if options.storage_limit is not None:
        limit = octets_of(options.storage_limit)
        if not limit:
            raise MailError(f'--storage-limit {options.storage_limit}: give "1 GiB"')
    for text in options.send_as:
        Address.parse(text)
    db = UserDb(config)
    if db.account(str(address)) is not None:
        raise MailError(f"{address}: there is an account of that name already")
    account = db.add(
        address,
        asked_password(),
        storage_limit_octets=limit,
        keep_secret=options.keep_secret,
        send_as=tuple(options.send_as),
    )
    print(f"{account.name} added; its mail goes to {account.home}")
    return 0


def run_passwd(options: argparse.Namespace) -> int:
    config = load(options.config)
    db = UserDb(config)
    name = known_name(db, config, options.name)
    db.set_password(name, asked_password(), keep_secret=options.keep_secret)
    print(f"{name} has a new password")
    return 0


def run_list(options: argparse.Namespace) -> int:
    rows = UserDb(load(options.config)).accounts()
    if options.json:
        shown = [
            {
                "name": row.account.name,
                "home": row.account.home,
                "storage_limit_octets": row.account.storage_limit_octets,
                "enabled": row.account.enabled,
                "send_as": sorted(row.account.send_as),
                "keeps_secret": row.keeps_secret,
            }
            for row in rows
        ]
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for row in rows:
            print(row.account.name)
    return 0


def run_remove(options: argparse.Namespace) -> int:
    config = load(options.config)
    db = UserDb(config)
    account = db.remove(known_name(db, config, options.name))
    if options.mail:
        shutil.rmtree(account.home, ignore_errors=False)
        print(f"{account.name} removed, with its mail")
    else:
        print(f"{account.name} removed; its mail stays in {account.home}")
    return 0


def local_address(config: Config, text: str) -> Address:
    """The address of a new account; raises MailError that says what may be."""
    try:
        address = Address.parse(text)
    except BadAddress as fault:
        raise MailError(f"{text}: {fault.public}") from fault
    domains = [domain.name for domain in config.domain]
    if not address.domain and config.auth.default_domain:
        address = Address(address.local_part, config.auth.default_domain)
    if address.domain not in domains:
        raise MailError(
            f"{text}: not in a local domain; known: {', '.join(domains) or 'none'}"
        )
    return address


def known_name(db: UserDb, config: Config, text: str) -> str:
    domain = config.auth.default_domain
    name = f"{text}@{domain}" if domain and "@" not in text else text
    row = db.account(name)
    if row is None:
        raise MailError(f"{text}: there is no account of that name")
    return row.account.name


def asked_password() -> bytes:
    """From the terminal, twice; else one line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise MailError("The two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise MailError("An empty password is no password")
    return password.encode()
