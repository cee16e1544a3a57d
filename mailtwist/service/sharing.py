"""What is shared, from the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..address import Address
from ..auth.names import account_key, login_key
from ..auth.senders import OfAlias, OfDomain, OfOwner, OfTable, SendAs
from ..config.model import Config
from ..config.sharing import PublicFolder as PublicConfig
from ..config.sharing import rights_of
from ..directory.model import Account
from ..directory.public_folders import PublicFolders
from ..interfaces import IDirectory, IRouter, ISendAs, ITable
from ..mailbox.interfaces import IRights, IStore
from ..mailbox.model import Namespaces
from ..mailbox.posting import Posting
from ..mailbox.rights import Rights, parsed
from ..mailbox.sharing import PublicFolder, Sharing, prepared
from ..store.shares import Shares

FOLDER = "public"  # in the data folder
FILE = "shares.sqlite"


def build_shares(reactor: Any, config: Config) -> Shares:
    """The index; opened when it is first asked."""
    return Shares(reactor, os.path.join(os.path.abspath(config.server.data), FILE))


def build_sharing(
    reactor: Any, config: Config, directory: IDirectory, store: IStore, shares: Shares
) -> Sharing:
    """Opens nothing."""

    def key(name: str) -> str:
        return login_key(name, config.auth.default_domain)

    return Sharing(
        reactor=reactor,
        shares=shares,
        trees=partial(tree_of, directory, store),
        key=key,
        public={
            one.name: public_folder(config, one, store, key)
            for one in config.public_folder
        },
        names=Namespaces(
            config.sharing.others,
            config.sharing.shared,
            config.deleted.namespace if config.deleted.keep_s else "",
        ),
        anyone=config.sharing.anyone,
        own_seen=config.sharing.own_seen,
    )


def build_send_as(
    config: Config,
    router: IRouter,
    tables: Mapping[str, ITable],
    shares: Shares | None,
) -> SendAs:
    """Every place that says who may send from whose address."""
    default_domain = config.auth.default_domain
    separator = config.delivery.subaddress_separator
    of_domains = {one.name: one.senders for one in config.domain if one.senders}
    of_tables = [OfTable(tables[name], separator) for name in config.smtp.sender_logins]
    places: list[ISendAs] = [OfOwner(), OfDomain(of_domains)]
    places += [] if shares is None else [shares]
    places += [*of_tables, OfAlias(router)]
    return SendAs(places, lambda name: login_key(name, default_domain))


async def tree_of(directory: IDirectory, store: IStore, name: str) -> IRights | None:
    """The mailboxes of the account of a name; None if there is none."""
    account = await directory.account(name)
    return None if account is None else kept(store, account)


def kept(store: IStore, account: Account) -> IRights | None:
    """Its mailboxes, if their store keeps rights."""
    mailboxes = store.mailboxes(account)
    if not IRights.providedBy(mailboxes):
        return None
    tree: IRights = mailboxes
    return tree


def account_of(config: Config, one: PublicConfig) -> Account:
    """A public folder as an account of a name that nobody can log in with."""
    home = os.path.join(os.path.abspath(config.server.data), FOLDER, one.name)
    maildir = one.maildir.rstrip("/") + "/" if one.maildir else ""
    return Account(f"#{one.name}", home, mailbox=maildir)


def archive_folder(config: Config) -> PublicConfig:
    """The public folder of the archives of mailing lists: nobody has rights there but
    by the list of a mailbox."""
    for one in config.public_folder:
        if one.name == config.lists.archive_folder:
            return one
    return PublicConfig(name=config.lists.archive_folder, rights=())


def public_accounts(config: Config) -> list[Account]:
    """Those of the file, and that of the archives if there is one."""
    folders = list(config.public_folder)
    archives = archive_folder(config)
    if archives not in folders and os.path.isdir(account_of(config, archives).home):
        folders.append(archives)
    return [account_of(config, one) for one in folders]


def public_folder(
    config: Config, one: PublicConfig, store: IStore, key: Callable[[str], str]
) -> PublicFolder:
    account = account_of(config, one)

    def tree() -> IRights:
        mailboxes: Any = store.mailboxes(account)
        kept: IRights = mailboxes
        return kept

    return PublicFolder(tree, list_of(one, key))


def show_public(
    config: Config, store: IStore, sharing: Sharing, one: PublicConfig
) -> None:
    """Show one more public folder, if it is not shown yet."""

    def key(name: str) -> str:
        return login_key(name, config.auth.default_domain)

    sharing.show(one.name, partial(public_folder, config, one, store, key))


def make_homes(config: Config) -> None:
    """Places for the state of public folders."""
    for one in config.public_folder:
        os.makedirs(account_of(config, one).home, mode=0o700, exist_ok=True)


def list_of(one: PublicConfig, key: Callable[[str], str]) -> dict[str, Rights]:
    """Of the mailboxes of a public folder that have none."""
    rights = map(rights_of, one.rights)
    return {prepared(who, key): parsed(letters) for who, letters in rights}


def public_addresses(config: Config) -> PublicFolders:
    """Who gets what is sent to the address of a public folder."""
    return PublicFolders(
        {
            account_key(Address.parse(one.address)): account_of(config, one)
            for one in config.public_folder
            if one.address
        }
    )


def build_posting(config: Config, store: IStore) -> Posting:
    def key(name: str) -> str:
        return login_key(name, config.auth.default_domain)

    folders = config.public_folder
    defaults = {account_of(config, one).name: list_of(one, key) for one in folders}
    return Posting(store, defaults)
