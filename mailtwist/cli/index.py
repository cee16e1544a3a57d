"""`mailtwist index`: build, bring up to date or rebuild the text index of accounts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..config.load import load
from ..directory.model import Account
from ..directory.userdb import UserDb
from ..errors import MailError
from ..mailbox.interfaces import IIndexedMailboxes
from ..mailbox.model import TextFigures
from ..service.build import MailService


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "index",
        help="build or rebuild the full-text index of accounts",
        description="Puts all messages into the index that are not in it and says how "
        "large it is. The server may run meanwhile, and does the same by itself where "
        'search.index is "background". Start it as the server is started: as root, or '
        "as the user that the server runs as.",
    )
    parser.add_argument(
        "accounts",
        metavar="ACCOUNT",
        nargs="*",
        help="those of the user database if none is named",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="empty each index first, and begin anew"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each account; 1 if one could not be indexed."""
    from .asking import awaited

    failed = 0

    async def ask(service: MailService) -> None:
        nonlocal failed
        for name in options.accounts or await names(service):
            try:
                account = await service.auth.directory.account(name)
                if account is None:
                    raise MailError("there is no such account")
                figures = await indexed(service, account, anew=options.rebuild)
                print(f"{account.name}: {told(figures)}", flush=True)
            except MailError as fault:
                failed += 1
                print(f"{name}: {fault.public}", flush=True)

    awaited(load(options.config), ask, as_server=True)
    return int(bool(failed))


async def names(service: MailService) -> Sequence[str]:
    """Of all accounts in the user database."""

    def listed(db: UserDb) -> list[str]:
        return [row.account.name for row in db.accounts()]

    found: list[str] = await service.auth.thread.run(listed)
    return found


async def indexed(service: MailService, account: Account, *, anew: bool) -> TextFigures:
    mailboxes = service.store.mailboxes(account)
    if not IIndexedMailboxes.providedBy(mailboxes):
        raise MailError("its mail has no index")
    figures: TextFigures = await mailboxes.index_text(anew)
    return figures


def told(figures: TextFigures) -> str:
    line = (
        f"{figures.messages} messages in {figures.mailboxes} mailboxes indexed, "
        f"{figures.added} of them now, {figures.octets / 1e6:.1f} MB"
    )
    return line + (f", {figures.dead} gone ones in it" if figures.dead else "")
