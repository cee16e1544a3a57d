"""`mailtwist user`: the accounts of the user database.

A password comes from a prompt, or from one line of standard input when that is no
terminal - never from the command line, where every user of the machine could read it.
All of it works while the server runs; it sees a change at once.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

from attrs import evolve

from ..address import Address
from ..config.load import load
from ..config.model import Config
from ..config.sizes import octets_of
from ..directory.model import INBOX_IS, MAILDIR, MBOX, Account
from ..directory.user_rows import Row
from ..directory.userdb import AccountExists, UserDb
from ..errors import BadAddress, MailError
from . import user_app_password, user_import
from .accounts import (
    NAME,
    USES_HELP,
    NoDatabase,
    asked_password,
    existing,
    known,
    told,
    until_of,
    until_text,
    uses_of,
    uses_text,
)

MOST_LIMIT = 2**62  # octets


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("user", help="add, change, list, remove accounts")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    add = leaves.add_parser("add", help="a new account")
    add.add_argument("name", metavar=NAME)
    add.add_argument(
        "--storage-limit", metavar="SIZE", help='most it may keep, like "1 GiB"'
    )
    limits(add)
    add.add_argument(
        "--keep-secret",
        action="store_true",
        help="keep the password, sealed, for APOP, CRAM-MD5 and DIGEST-MD5",
    )
    add.add_argument(
        "--send-as",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="a further address it may send from, or all of @DOMAIN; may be repeated",
    )
    add.set_defaults(run=told(run_add))

    passwd = leaves.add_parser("passwd", help="a new password")
    passwd.add_argument("name", metavar=NAME)
    kept = passwd.add_mutually_exclusive_group()
    kept.add_argument(
        "--keep-secret",
        action="store_true",
        default=None,
        help="keep it, sealed, for APOP and digests; without: as before",
    )
    kept.add_argument(
        "--forget-secret",
        dest="keep_secret",
        action="store_false",
        help="do not keep it any more",
    )
    passwd.add_argument(
        "--revoke-app-passwords",
        action="store_true",
        help="end them too, as after a theft",
    )
    passwd.set_defaults(run=told(run_passwd))

    change = leaves.add_parser("set", help="change what an account may")
    change.add_argument("name", metavar=NAME)
    change.add_argument(
        "--storage-limit", metavar="SIZE", help='like "1 GiB", or "none"'
    )
    limits(change)
    change.add_argument(
        "--send-as",
        metavar="ADDRESS",
        action="append",
        help="instead of those it had; may be repeated; an empty one for none",
    )
    able = change.add_mutually_exclusive_group()
    able.add_argument(
        "--enable", dest="enabled", action="store_true", default=None, help="let it in"
    )
    able.add_argument(
        "--disable",
        dest="enabled",
        action="store_false",
        help="refuse its logins and mail for it; its mail stays",
    )
    change.set_defaults(run=told(run_set))

    listing = leaves.add_parser("list", help="all accounts")
    listing.add_argument("--json", action="store_true", help="with everything known")
    listing.set_defaults(run=told(run_list))

    remove = leaves.add_parser("remove", help="forget an account; its mail stays")
    remove.add_argument("name", metavar=NAME)
    remove.add_argument("--mail", action="store_true", help="delete its mail too")
    remove.set_defaults(run=told(run_remove))

    user_app_password.configure(leaves)
    user_import.configure(leaves)


def limits(parser: argparse.ArgumentParser) -> None:
    """What a new account and an old one may be told."""
    parser.add_argument(
        "--message-limit", metavar="NUMBER", help='most messages, or "none"'
    )
    parser.add_argument("--uses", metavar="LIST", help=f"{USES_HELP}; or all, or none")
    parser.add_argument(
        "--login-until",
        metavar="DATE",
        help='when it expires, like "2027-01-31", or "never"',
    )
    parser.add_argument(
        "--groups",
        metavar="LIST",
        help="groups it is in, between commas, for lists of rights; or none",
    )
    parser.add_argument(
        "--mailbox",
        metavar="LOCATION",
        help="where its mail lies: a Maildir with / at its end, a file, "
        "mbox:FOLDER:INBOX=FILE or maildir:FOLDER:INBOX=FILE; below its home or "
        "absolute; empty for Maildir/",
    )


def run_add(options: argparse.Namespace) -> int:
    config = load(options.config)
    address = local_address(config, options.name)
    limit = storage_limit(options.storage_limit)
    send_as = senders(options.send_as)
    more = told_limits(options)
    db = UserDb(config)
    if db.account(str(address)) is not None:  # before anybody types a password
        raise AccountExists(f"{address}: there is an account of that name already")
    account = db.add(
        address,
        asked_password(),
        storage_limit_octets=limit,
        keep_secret=options.keep_secret,
        send_as=send_as,
        **more,
    )
    print(f"{account.name} added; its mail goes to {account.home}")
    return 0


def run_passwd(options: argparse.Namespace) -> int:
    db = existing(load(options.config))
    row = known(db, options.name)
    db.set_password(
        row.account.name,
        asked_password(),
        keep_secret=options.keep_secret,
        revoke=options.revoke_app_passwords,
    )
    print(f"{row.account.name} has a new password")
    return 0


def run_set(options: argparse.Namespace) -> int:
    db = existing(load(options.config))
    account = known(db, options.name).account
    if options.storage_limit is not None:
        none = options.storage_limit.lower() == "none"
        limit = None if none else storage_limit(options.storage_limit)
        account = evolve(account, storage_limit_octets=limit)
    account = evolve(account, **told_limits(options))
    if options.enabled is not None:
        account = evolve(account, enabled=options.enabled)
    if options.send_as is not None:
        texts = [text for text in options.send_as if text]
        account = evolve(account, send_as=frozenset(senders(texts)))
    db.change(account)
    print(line_for(account))
    return 0


def told_limits(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of Account that options of `limits` name; raises MailError."""
    found: dict[str, Any] = {}
    if options.message_limit is not None:
        found["message_limit"] = message_limit(options.message_limit)
    if options.uses is not None:
        found["uses"] = uses_of(options.uses)
    if options.login_until is not None:
        found["login_until_s"] = until_of(options.login_until)
    if options.groups is not None:
        found["groups"] = groups_of(options.groups)
    if options.mailbox is not None:
        found["mailbox"] = location_of(options.mailbox)
    return found


def location_of(text: str) -> str:
    """A location as Account has it; raises MailError."""
    parts = text.removeprefix(MBOX).replace(INBOX_IS, "/").split("/")
    folder, inbox_is, inbox = text.removeprefix(MAILDIR).partition(INBOX_IS)
    mixed = text.startswith(MAILDIR)
    whole = folder and inbox_is and inbox and inbox[-1] != "/"
    if not text.isprintable() or ".." in parts or text == MBOX or (mixed and not whole):
        raise MailError(
            f"{text!r} is no mailbox; expected Maildir/, mbox:mail or"
            " maildir:Maildir:INBOX=FILE"
        )
    return text


def run_list(options: argparse.Namespace) -> int:
    try:
        rows = existing(load(options.config)).accounts()
    except NoDatabase:
        rows = []
    if options.json:
        print(json.dumps([shown(row) for row in rows], indent=2, ensure_ascii=False))
    else:
        for row in rows:
            print(line_for(row.account))
    return 0


def run_remove(options: argparse.Namespace) -> int:
    config = load(options.config)
    db = existing(config)
    account = db.remove(known(db, options.name).account.name)
    home = Path(account.home)
    if not options.mail:
        print(f"{account.name} removed; its mail stays in {home}")
        return 0
    if not home.is_relative_to(Path(config.server.data, "mail")):
        raise MailError(f"{account.name} removed; {home} is not ours to delete")
    if home.exists():
        shutil.rmtree(home)
    print(f"{account.name} removed, with its mail")
    return 0


def local_address(config: Config, text: str) -> Address:
    """The address of a new account; raises MailError that says what may be."""
    address = parsed(text)
    domains = [domain.name for domain in config.domain]
    if not address.domain and config.auth.default_domain:
        address = Address(address.local_part, config.auth.default_domain)
    if not address.domain:
        raise BadAddress(f"{text}: give the whole address, USER@DOMAIN")
    if address.domain not in domains:
        raise MailError(
            f"{text}: not in a local domain; known: {', '.join(domains) or 'none'}"
        )
    return address


def parsed(text: str) -> Address:
    try:
        return Address.parse(text)
    except BadAddress as fault:
        raise BadAddress(f"{text}: {fault.public}") from fault


def senders(texts: list[str]) -> list[str]:
    """Addresses and "@domain"s in their normal form; raises BadAddress."""
    return [
        f"@{parsed(f'x{text}').domain}" if text.startswith("@") else str(parsed(text))
        for text in texts
    ]


def storage_limit(text: str | None) -> int | None:
    """Octets; raises MailError that says what may be."""
    if text is None:
        return None
    octets = octets_of(text)
    if not octets or octets > MOST_LIMIT:
        raise MailError(f'--storage-limit {text}: give a size like "1 GiB"')
    return octets


def message_limit(text: str, option: str = "--message-limit") -> int | None:
    """Raises MailError that says what may be."""
    if text.lower() == "none":
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MOST_LIMIT):
        raise MailError(f'{option} {text}: give a number, or "none"')
    return int(text)


def groups_of(text: str) -> frozenset[str]:
    """Of "team,sales", or "none"; raises MailError."""
    names = frozenset(word.strip() for word in text.split(",")) - {""}
    for name in names:
        if not re.fullmatch(r"[^\s,$\x00-\x1f\x7f]{1,100}", name):
            raise MailError(f"{name!r}: a group's name has no space and no $")
    return frozenset() if names == {"none"} else names


def line_for(account: Account) -> str:
    """One account for people."""
    words = [account.name]
    if account.storage_limit_octets is not None:
        words.append(f"limit {account.storage_limit_octets / 1024**2:.6g} MiB")
    if account.message_limit is not None:
        words.append(f"limit {account.message_limit} messages")
    if account.uses is not None:
        words.append(f"for {uses_text(account.uses)}")
    if account.login_until_s is not None:
        words.append(f"until {until_text(account.login_until_s)}")
    if account.send_as:
        words.append(f"sends as {', '.join(sorted(account.send_as))}")
    if account.mailbox:
        words.append(f"mail in {account.mailbox}")
    if account.groups:
        words.append(f"in {', '.join(sorted(account.groups))}")
    if not account.enabled:
        words.append("disabled")
    return "  ".join(words)


def shown(row: Row) -> dict[str, object]:
    """One account for programs."""
    account = row.account
    return {
        "name": account.name,
        "home": account.home,
        "storage_limit_octets": account.storage_limit_octets,
        "enabled": account.enabled,
        "send_as": sorted(account.send_as),
        "uses": None if account.uses is None else sorted(account.uses),
        "message_limit": account.message_limit,
        "login_until_s": account.login_until_s,
        "mailbox": account.mailbox_path,
        "uid": account.uid,
        "gid": account.gid,
        "groups": sorted(account.groups),
        "keeps_secret": row.keeps_secret,
    }
