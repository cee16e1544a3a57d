"""`mailtwist backup`: a copy of everything, made while the server runs."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence

from ..backup import make, snapshot
from ..backup.objects import Objects
from ..config.load import load
from ..config.model import Config
from ..directory.model import Account
from ..errors import MailError
from ..service.build import MailService
from ..service.sharing import public_accounts


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "backup",
        help="copy accounts, mail, queue and configuration",
        description="Adds a snapshot to the folder TARGET, of which only what is new "
        "takes room.  The server may run meanwhile.  Start it as root, or as the user "
        "that the server runs as if all mail is that user's.",
    )
    parser.add_argument("target", metavar="TARGET")
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="NAME",
        help="an account of another source than the user database; may be repeated",
    )
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="PATH",
        help="a further file or folder, such as alias files; may be repeated",
    )
    parser.add_argument(
        "--keys",
        action="store_true",
        help="private keys too, and the one that seals kept secrets",
    )
    parser.add_argument(
        "--keep",
        type=int,
        metavar="COUNT",
        help="afterwards remove all snapshots but the newest",
    )
    parser.add_argument("--list", action="store_true", help="only tell what there is")
    parser.add_argument(
        "--verify", action="store_true", help="only read all of it and tell what is bad"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 if something could not be read, or is damaged."""
    target = os.path.abspath(options.target)
    if options.list:
        for name in snapshot.ids(target):
            held = snapshot.read(target, name)
            print(f"{name}: {held.hostname}, {len(held.accounts)} accounts")
        return 0
    if options.keep is not None and options.keep < 1:
        raise MailError("--keep: at least 1")
    objects = Objects(target)
    if options.verify:
        snapshot.read(target)  # there is one
        faults = make.verify(objects)
        print("\n".join(faults) or f"{len(snapshot.ids(target))} snapshots are sound")
        return int(bool(faults))
    return _make(options, objects)


def _make(options: argparse.Namespace, objects: Objects) -> int:
    os.umask(0o077)
    config = load(options.config)
    if objects.target.startswith(os.path.abspath(config.server.data) + "/"):
        raise MailError("The backup would lie in what it is of")
    hostname = config.server.hostname or socket.getfqdn()
    others = [os.path.abspath(path) for path in (options.config, *options.include)]
    accounts = [
        *make.accounts_of(config),
        *_named(config, options.account),
        *public_accounts(config),
    ]
    with objects.alone():
        made = make.make(
            objects, config, accounts, others, hostname=hostname, keys=options.keys
        )
        for fault in made.faults:
            print(fault, file=sys.stderr)
        print(f"{made.id}: {made.objects} objects, {made.octets / 1e6:.1f} MB new")
        if options.keep is not None:
            gone = make.keep(objects, options.keep)
            print(f"{gone} objects of older snapshots removed")
    return int(bool(made.faults))


def _named(config: Config, names: Sequence[str]) -> list[Account]:
    """Raises MailError for one that there is not."""
    from .asking import awaited

    async def look(service: MailService) -> list[Account]:
        found = []
        for name in names:
            account: Account | None = await service.auth.directory.account(name)
            if account is None:
                raise MailError(f"There is no account {name!a}")
            found.append(account)
        return found

    return awaited(config, look) if names else []
