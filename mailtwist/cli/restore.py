"""`mailtwist restore`: from a backup back into accounts, or all of it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from typing import Any

from attrs import evolve
from twisted.internet.threads import deferToThread

from ..backup import restore, snapshot
from ..backup.objects import Objects
from ..backup.tree import RESTORING
from ..carry.account import AccountEnd
from ..carry.chosen import Chosen, has_message_id
from ..carry.journal import Journal
from ..carry.model import IEnd
from ..carry.run import Carrier, Figures, Wishes
from ..config.load import load
from ..config.model import Config
from ..directory.model import Account
from ..errors import MailError
from ..service.build import MailService
from ..service.privileges import identity
from ..service.sharing import public_accounts
from ..store.maildir import scan
from .carry import told
from .progress import Progress

ABANDONED_S = 24 * 3600.0


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "restore",
        help="bring messages, mailboxes, accounts or all back from a backup",
        description="Of an account it brings back what is missing, with flags and "
        "dates, and touches nothing else; the server may run meanwhile.  With --all "
        "it fills an empty data folder; the server must not run.",
    )
    parser.add_argument("target", metavar="TARGET", help="the folder of the backup")
    parser.add_argument(
        "accounts",
        metavar="ACCOUNT",
        nargs="*",
        help='"#News" is the public folder of that name',
    )
    parser.add_argument("--snapshot", default="", metavar="ID", help="the newest")
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="PATTERN",
        help='only these folders, "/" between the parts of a name; may be repeated',
    )
    parser.add_argument(
        "--message-id",
        action="append",
        default=[],
        metavar="ID",
        help="only the message with that Message-ID; may be repeated",
    )
    parser.add_argument(
        "--into", metavar="FOLDER", default="", help="under this folder of the account"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--all",
        action="store_true",
        help="everything but mail that waits in the queue, into an empty data folder",
    )
    parser.add_argument(
        "--queue",
        action="store_true",
        help="with --all: that too; what was sent since then is sent again",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    objects = Objects(os.path.abspath(options.target))
    held = snapshot.read(objects.target, options.snapshot)
    if options.all:
        return _everything(options, objects, held)
    if not options.accounts:
        raise MailError("Name accounts, or say --all")
    config = load(options.config)
    os.umask(0o077)
    places = tempfile.mkdtemp(prefix=RESTORING, dir=_room(config))
    try:
        homes = {
            name: _beside(config, objects, held, name, f"{places}/{number}")
            for number, name in enumerate(options.accounts)
        }
        _give_away(config, places)
        return _carry(options, config, homes, places)
    finally:
        shutil.rmtree(places, ignore_errors=True)


def _everything(
    options: argparse.Namespace, objects: Objects, held: snapshot.Snapshot
) -> int:
    data = held.data
    if os.path.exists(options.config):
        data = os.path.abspath(load(options.config).server.data)
    os.umask(0o077)
    kept = restore.everything(objects, held, data, queue=options.queue)
    for path in kept:
        print(f"{path}: left as it is", file=sys.stderr)
    print(f"{held.id}: {len(held.accounts)} accounts are back in {data}")
    return 0


def _room(config: Config) -> str:
    """Where what comes back waits: the data folder has room for it.  What a killed
    restore left there goes."""
    data = os.path.abspath(config.server.data)
    for name in os.listdir(data):
        folder = os.path.join(data, name)
        if name.startswith(RESTORING) and scan.older(folder, ABANDONED_S):
            shutil.rmtree(folder, ignore_errors=True)
    return data


def _beside(
    config: Config,
    objects: Objects,
    held: snapshot.Snapshot,
    name: str,
    folder: str,
) -> Account:
    home = restore.home_of(held, name)
    mailbox = restore.beside(objects, held, home, folder)
    return Account(f"{name} in {held.id}", folder, mailbox=mailbox)


def _give_away(config: Config, places: str) -> None:
    """To the server's user, as who the accounts are opened."""
    found = identity(config.process) if os.geteuid() == 0 else None
    if found is None:
        return
    for folder, _, names in os.walk(places):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, found.uid, found.gid, follow_symlinks=False)


def _carry(
    options: argparse.Namespace,
    config: Config,
    homes: dict[str, Account],
    places: str,
) -> int:
    from .asking import awaited

    progress = Progress(sys.stderr, options.quiet)
    wishes = Wishes(
        only=tuple(options.folder),
        into=tuple(part for part in options.into.split("/") if part),
        follow_flags=False,
        dry_run=options.dry_run,
    )
    failed = 0

    public = {one.name: one for one in public_accounts(config)}

    async def bring(service: MailService) -> None:
        nonlocal failed
        for name, old in homes.items():
            try:
                account: Any = public.get(name)
                account = account or await service.auth.directory.account(name)
                if account is None:
                    raise MailError("there is no such account")
                figures = await one(service, account, old)
                progress.end()
                failed += bool(figures.failed)
                for line in figures.failed:
                    print(line, file=sys.stderr)
                print(f"{name}: {told(figures, options.dry_run)}")
            except MailError as fault:
                failed += 1
                print(f"{name}: {fault.public}")

    async def one(service: MailService, account: Account, old: Account) -> Figures:
        old = evolve(old, message_limit=None)
        source: IEnd = AccountEnd(old.name, service.store.mailboxes(old))
        if options.message_id:
            source = Chosen(source, has_message_id(options.message_id))
        target = AccountEnd(account.name, service.store.mailboxes(account))
        # A journal that nobody keeps: what was deleted since may come back again.
        journal = Journal(old.home, source.name, target.name)
        carrier = Carrier(source, target, journal, wishes, deferToThread, progress.show)
        try:
            return await carrier.run()
        finally:
            await source.close()
            await target.close()

    awaited(config, bring, as_server=True)
    return int(bool(failed))
