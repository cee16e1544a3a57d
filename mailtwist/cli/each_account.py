"""What a command does for one account after the other, with a line for each."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from attrs import evolve

from ..config.load import load
from ..directory.model import Account
from ..errors import MailError
from ..mailbox.interfaces import IMailboxes
from ..service.build import MailService


def add_accounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "accounts",
        metavar="ACCOUNT",
        nargs="*",
        help="those of the user database if none is named",
    )


def each_account(
    options: argparse.Namespace,
    tell: Callable[[IMailboxes], Awaitable[str]],
    *,
    deleted: bool = False,
) -> int:
    """Print what `tell` says of each account's mailboxes, or its MailError; 1 if one
    failed, else 0.  `deleted`: of what it deleted, too, where that is kept."""
    from .asking import awaited

    config = load(options.config)
    failed = 0

    async def ask(service: MailService) -> None:
        nonlocal failed
        for name in options.accounts or await service.account_names():
            try:
                account: Account | None = await service.auth.directory.account(name)
                if account is None:
                    raise MailError("there is no such account")
                line = await tell(service.store.mailboxes(account))
                print(f"{account.name}: {line}", flush=True)
                if deleted and config.deleted.keep_s:
                    kept = evolve(account, deleted=True)
                    line = await tell(service.store.mailboxes(kept))
                    print(f"{account.name}, deleted: {line}", flush=True)
            except MailError as fault:
                failed += 1
                print(f"{name}: {fault.public}", flush=True)

    awaited(config, ask, as_server=True)
    return int(bool(failed))
