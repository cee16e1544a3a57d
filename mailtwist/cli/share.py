"""`mailtwist share`: addresses and mailboxes that several people work with.

    mailtwist share add ops@example.org --members ann@example.org,$team --send-as

makes the account if there is none, which nobody logs in to; gives the members its INBOX
and its Sent; and lets them send from its address.  What is there already stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from attrs import evolve

from ..address import Address
from ..auth.names import account_key, login_key
from ..config.load import load
from ..config.model import Config
from ..directory.model import Account
from ..directory.user_rows import Imported
from ..directory.userdb import UserDb
from ..errors import MailboxExists, MailError
from ..mailbox.interfaces import IRights
from ..mailbox.model import INBOX, Path
from ..mailbox.rights import (
    ANYONE,
    GROUP,
    NEGATIVE,
    Action,
    RightsChange,
    encoded,
    parsed,
)
from ..mailbox.sharing import Sharing, prepared
from ..service.build import MailService
from ..service.shares_rebuild import Rebuilt, rebuild
from ..service.sharing import kept, tree_of
from ..store.shares import SharesFile
from .user import local_address

MEMBERS = "lrswipkxte"
SENT: Path = ("Sent",)
RECEIVES = frozenset({"receive"})  # what an account is for that nobody logs in to

Result = TypeVar("Result")


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "share",
        help="share an address, or mailboxes of an account",
        description="Who may do what with the mailboxes of an account (RFC 4314), and "
        "who may send from its address. The server may run meanwhile. Start it as the "
        "server is started: as root, or as the user that the server runs as.",
    )
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    add = leaves.add_parser(
        "add",
        help="give members the mailboxes of an address",
        description="Makes the account if there is none, which gets mail and nobody "
        "logs in to; gives the members its INBOX and Sent, or the mailboxes named.",
    )
    _named(add)
    add.add_argument(
        "--rights",
        metavar="LETTERS",
        default=MEMBERS,
        help=f"what they may do (default: {MEMBERS})",
    )
    add.add_argument(
        "--send-as", action="store_true", help="let them send from the address, too"
    )
    add.add_argument(
        "--keep-sent",
        action="store_true",
        help="put a copy of what they send from the address into its Sent",
    )
    add.set_defaults(run=run_add)

    remove = leaves.add_parser(
        "remove",
        help="take it from members, or from all",
        description="Takes all rights from the members, and the right to send from the "
        "address. Without --members from everybody. The account and its mail stay.",
    )
    _named(remove)
    remove.set_defaults(run=run_remove)

    rebuild = leaves.add_parser(
        "rebuild",
        help="make the index of who has what of whom anew",
        description="Asks the accounts for what they gave to others: those of the user "
        "database, those that the index has, and those named.",
    )
    rebuild.add_argument(
        "names",
        metavar="ACCOUNT",
        nargs="*",
        help="accounts of other sources; what they gave is found if the index knew it",
    )
    rebuild.set_defaults(run=run_rebuild)

    listing = leaves.add_parser("list", help="who has what of whom")
    listing.add_argument(
        "names", metavar="ADDRESS", nargs="*", help="all that share if none is named"
    )
    listing.set_defaults(run=run_list)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="ADDRESS")
    parser.add_argument(
        "--members",
        metavar="LIST",
        default="",
        help="accounts, $GROUPs or anyone, between commas",
    )
    parser.add_argument(
        "--mailbox",
        metavar="NAME",
        action="append",
        default=[],
        help="a mailbox by its name with /, instead of INBOX and Sent; may be repeated",
    )


def members_of(config: Config, text: str) -> list[str]:
    """As lists of rights have them; raises MailError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = []
    for name in names:
        member = prepared(name, lambda one: login_key(one, config.auth.default_domain))
        plain = member.removeprefix(NEGATIVE)
        if plain != ANYONE and not plain.startswith(GROUP) and "@" not in plain:
            raise MailError(f"{name}: give whole addresses, $GROUPs or anyone")
        found.append(member)
    return found


def mailboxes_of(options: argparse.Namespace, default: tuple[Path, ...]) -> list[Path]:
    return [tuple(name.split("/")) for name in options.mailbox] or list(default)


def run_add(options: argparse.Namespace) -> int:
    config = load(options.config)
    members = members_of(config, options.members)
    if not members:
        raise MailError("--members: name those that it is shared with")
    wanted = RightsChange(Action.REPLACE, parsed(options.rights))
    address = local_address(config, options.name)
    paths = mailboxes_of(options, (INBOX, SENT))

    async def ask(service: MailService) -> str:
        account = await service.auth.directory.account(str(address))
        made = account is None
        if account is None:
            account = await service.auth.thread.run(partial(_made, address=address))
        tree = _tree(service, account, options.name)
        for path in paths:
            uses = frozenset({"\\Sent"}) if path == SENT else frozenset()
            with suppress(MailboxExists):
                await tree.create(path, uses)
            for member in members:
                await _set(service, tree, path, member, wanted)
        if options.send_as:
            for member in members:
                await service.shares.run(_let_send, member, account_key(address), True)
        if options.keep_sent:
            await service.shares.run(SharesFile.keep_sent, account_key(address))
        done = f"{tree.owner} added; " if made else ""
        names = ", ".join("/".join(path) for path in paths)
        sends = ", and may send from it" if options.send_as else ""
        return f"{done}{', '.join(members)} share {names} of {tree.owner}{sends}"

    print(_asked(config, ask))
    return 0


def _made(db: UserDb, address: Address) -> Account:
    """An account without a password."""
    account = evolve(db.account_of(address), uses=RECEIVES)
    db.import_accounts([Imported(account)])
    return account


def _keep_no_more(file: SharesFile, address: str) -> None:
    file.keep_sent(address, keep=False)


def _let_send(file: SharesFile, member: str, address: str, may: bool) -> None:
    file.let_send(member, address, may=may)


async def _set(
    service: MailService, tree: IRights, path: Path, member: str, wanted: RightsChange
) -> None:
    sharing = _sharing(service)
    identifier = sharing.identifier(member, tree.owner)

    async def change() -> None:
        await tree.set_rights(path, identifier, wanted)

    await sharing.give(tree.owner, identifier, change)


def run_remove(options: argparse.Namespace) -> int:
    config = load(options.config)
    members = members_of(config, options.members)

    async def ask(service: MailService) -> str:
        account = await service.auth.directory.account(options.name)
        tree = _tree(service, account, options.name)
        lists = await tree.lists()
        nothing = RightsChange(Action.REPLACE, parsed(""))
        gone: set[str] = set()
        for path in mailboxes_of(options, tuple(lists)):
            for member in lists.get(path, {}):
                if member != tree.owner and (not members or member in members):
                    await _set(service, tree, path, member, nothing)
                    gone.add(member)
        for member in gone:
            await _sharing(service).settle(tree.owner, member, tree)
        if not options.mailbox:
            address = login_key(tree.owner)
            senders = await service.shares.run(SharesFile.senders, address)
            for member in set(senders) & set(members or senders):
                await service.shares.run(_let_send, member, address, False)
                gone.add(member)
            if not members:
                await service.shares.run(_keep_no_more, address)
        if not gone:
            raise MailError(f"{tree.owner} shares nothing with them")
        return f"{', '.join(sorted(gone))} share it no more with {tree.owner}"

    print(_asked(config, ask))
    return 0


def run_rebuild(options: argparse.Namespace) -> int:
    """1 if an account could not be asked."""
    config = load(options.config)

    async def ask(service: MailService) -> Rebuilt:
        directory = service.auth.directory
        names = await service.account_names()
        for name in options.names:
            account: Account | None = await directory.account(name)
            if account is None:
                raise MailError(f"{name}: there is no account of that name")
            names.append(account.name)
        trees = partial(tree_of, directory, service.store)
        return await rebuild(service.shares, trees, names)

    done = _asked(config, ask)
    for line in done.faults:
        print(line)
    print(
        f"{done.accounts} accounts asked; {done.added} shares added to the index, "
        f"{done.removed} removed"
    )
    return int(bool(done.faults))


def run_list(options: argparse.Namespace) -> int:
    config = load(options.config)

    async def ask(service: MailService) -> list[str]:
        pairs = await service.shares.run(SharesFile.shared)
        lines = []
        for name in options.names or sorted({owner for owner, _ in pairs}):
            account = await service.auth.directory.account(name)
            tree = _tree(service, account, name)
            for path, entries in sorted((await tree.lists()).items()):
                lines += [
                    f"{tree.owner}  {'/'.join(path)}  {member}  {encoded(held)}"
                    for member, held in sorted(entries.items())
                    if member != tree.owner
                ]
            senders = await service.shares.run(
                SharesFile.senders, login_key(tree.owner)
            )
            lines += [f"{tree.owner}  sent from by  {member}" for member in senders]
            if await service.shares.run(SharesFile.keeps_sent, login_key(tree.owner)):
                lines.append(f"{tree.owner}  Sent  keeps what they send")
        return lines

    for line in _asked(config, ask):
        print(line)
    return 0


def _tree(service: MailService, account: Account | None, name: str) -> IRights:
    """Raises MailError if there is no such account, or its mail cannot be shared."""
    if account is None:
        raise MailError(f"{name}: there is no account of that name")
    tree = kept(service.store, account)
    if tree is None:
        raise MailError(f"{name}: its mail cannot be shared")
    return tree


def _sharing(service: MailService) -> Sharing:
    sharing = service.auth.realm.sharing
    if sharing is None:
        raise MailError("sharing.enabled is off")
    return sharing


def _asked(config: Config, ask: Callable[[MailService], Awaitable[Result]]) -> Result:
    from .asking import awaited

    async def run(service: MailService) -> Result:
        return await ask(service)

    return awaited(config, run, as_server=True)
