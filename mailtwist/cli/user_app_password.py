"""`mailtwist user app-password`: a password for each program or device.

They are generated, shown once, and good for logins that send the password (PLAIN,
LOGIN, USER and PASS), beside the account's own.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from ..config.load import load
from ..directory.app_passwords import AppPassword
from .accounts import NAME, USES_HELP, existing, known, told, uses_of, uses_text


def configure(leaves: Any) -> None:
    parser = leaves.add_parser(
        "app-password", help="further passwords, one for each program or device"
    )
    kinds = parser.add_subparsers(metavar="WHAT", required=True)

    add = kinds.add_parser("add", help="make one and show it, once")
    add.add_argument("name", metavar=NAME)
    add.add_argument("called", metavar="CALLED", help="what it is for, like phone")
    add.add_argument("--uses", metavar="LIST", help=USES_HELP)
    add.set_defaults(run=told(run_add))

    listing = kinds.add_parser("list", help="their names and when they were used")
    listing.add_argument("name", metavar=NAME)
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=told(run_list))

    remove = kinds.add_parser("remove", help="revoke one")
    remove.add_argument("name", metavar=NAME)
    remove.add_argument("called", metavar="CALLED")
    remove.set_defaults(run=told(run_remove))


def run_add(options: argparse.Namespace) -> int:
    uses = None if options.uses is None else uses_of(options.uses)
    db = existing(load(options.config))
    account = known(db, options.name).account
    print(db.add_app_password(account.name, options.called, uses))
    return 0


def run_list(options: argparse.Namespace) -> int:
    db = existing(load(options.config))
    found = db.app_passwords(known(db, options.name).account.name)
    if options.json:
        print(json.dumps([shown(one) for one in found], indent=2, ensure_ascii=False))
        return 0
    for one in found:
        words = [one.name, f"for {uses_text(one.uses)}", f"made {_day(one.made_at_ns)}"]
        words.append(f"used {_day(one.used_at_ns)}" if one.used_at_ns else "never used")
        print("  ".join(words))
    return 0


def run_remove(options: argparse.Namespace) -> int:
    db = existing(load(options.config))
    account = known(db, options.name).account
    db.remove_app_password(account.name, options.called)
    print(f"{options.called} of {account.name} lets nobody in any more")
    return 0


def shown(one: AppPassword) -> dict[str, object]:
    """One for programs; its use is known to the hour."""
    return {
        "name": one.name,
        "uses": None if one.uses is None else sorted(one.uses),
        "made_at_ns": one.made_at_ns,
        "used_at_ns": one.used_at_ns,
    }


def _day(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d")
