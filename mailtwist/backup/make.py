"""Making a snapshot of a server, while it runs, and looking after those there are."""

from __future__ import annotations

import os
from collections.abc import Iterable

from attrs import frozen

from ..config.model import Config
from ..directory.model import Account
from ..directory.userdb import UserDb
from ..errors import MailError
from ..store.mbox.journal import is_journal
from ..store.mbox.lock import OwnRights
from ..store.mbox.place import MboxPlace
from . import snapshot, tree
from .objects import Objects
from .snapshot import Home, Part, Snapshot

# What seals and proves: of use to nobody who has only the rest.
KEYS = ("userdb.key", "tls", "dkim")


@frozen
class Made:
    """`octets` is what was written; `faults` what could not be read."""

    id: str
    objects: int
    octets: int
    faults: list[str]


def accounts_of(config: Config) -> list[Account]:
    """Those of the user database."""
    db = UserDb(config)
    return [row.account for row in db.accounts()] if db.path.exists() else []


def make(
    objects: Objects,
    config: Config,
    accounts: Iterable[Account],
    others: Iterable[str] = (),
    *,
    hostname: str,
    keys: bool = False,
) -> Made:
    """Blocks.  `others` are further files and folders.  Raises MailError."""
    data = os.path.abspath(config.server.data)
    accounts = list(accounts)
    lister = tree.Lister(objects, keys=keys)
    before = objects.fresh
    for account in accounts:
        lister.faults += _unfinished(account)
    parts = []
    for root in _roots(data, accounts, others):
        if not os.path.lexists(root):
            if root == data or root in others:
                raise MailError(f"{root!a} is not there")
            continue  # an account that was never used
        digest = lister.tree(root, KEYS if root == data else ())
        folder = root if os.path.isdir(root) else os.path.dirname(root)
        parts.append(Part(folder, digest))
    name = snapshot.new_id(objects.target)
    homes = {one.name: Home(one.home, one.mailbox) for one in accounts}
    made = Snapshot(name, hostname, data, parts, homes)
    snapshot.write(objects, made)
    count = len(set(snapshot.named(objects, made)))
    return Made(name, count, objects.fresh - before, lister.faults)


def _unfinished(account: Account) -> list[str]:
    """Finish what a killed process left of mbox files; what could not be."""
    faults: list[str] = []
    if not account.is_mbox or not os.path.isdir(account.home):
        return faults
    if not any(map(is_journal, os.listdir(account.home))):
        return faults
    inbox, folders = account.mailbox_path, account.folders_path
    place = MboxPlace(account.home, inbox, folders, OwnRights())
    for file in place.listed().values():
        try:
            place.repair(file)
        except FileNotFoundError:
            continue  # nobody has mail there yet
        except (OSError, MailError) as fault:
            faults.append(f"{file}: {tree.why(fault)}")
    return faults


def _roots(
    data: str, accounts: Iterable[Account], others: Iterable[str]
) -> Iterable[str]:
    """Each folder that is not below another."""
    wanted = {data, *map(os.path.abspath, others)}
    for account in accounts:
        wanted |= {os.path.abspath(account.home), os.path.abspath(account.mailbox_path)}
        if account.is_mbox:
            wanted.add(os.path.abspath(account.folders_path))
    return sorted(
        one
        for one in wanted
        if not any(one != other and one.startswith(f"{other}/") for other in wanted)
    )


def verify(objects: Objects) -> list[str]:
    """What is wrong with the snapshots: a line each.  Reads all of it."""
    faults: list[str] = []
    sound: dict[str, bool] = {}
    for name in snapshot.ids(objects.target):
        try:
            digests = set(snapshot.named(objects, snapshot.read(objects.target, name)))
        except MailError as fault:
            faults.append(f"{name}: {fault.public}")
            continue
        for digest in digests:
            if digest not in sound:
                sound[digest] = objects.is_sound(digest)
        broken = sum(not sound[digest] for digest in digests)
        if broken:
            faults.append(f"{name}: {broken} objects are damaged or missing")
    return faults


def keep(objects: Objects, count: int) -> int:
    """Remove all snapshots but the newest `count`, and what only they had; how many
    objects went.  Raises MailError where a snapshot that stays cannot be read."""
    names = snapshot.ids(objects.target)
    staying = names[-count:]
    wanted: set[str] = set()
    for name in staying:
        wanted.update(snapshot.named(objects, snapshot.read(objects.target, name)))
    for name in names[:-count]:
        snapshot.remove(objects.target, name)
    return objects.drop_others(wanted)
