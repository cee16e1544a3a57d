"""`mailtwist index`: build, bring up to date or rebuild the text index of accounts."""

from __future__ import annotations

import argparse

from ..errors import MailError
from ..mailbox.interfaces import IIndexedMailboxes, IMailboxes
from ..mailbox.model import TextFigures
from .each_account import add_accounts, each_account


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "index",
        help="build or rebuild the full-text index of accounts",
        description="Puts all messages into the index that are not in it and says how "
        "large it is. The server may run meanwhile, and does the same by itself where "
        'search.index is "background". Start it as the server is started: as root, or '
        "as the user that the server runs as.",
    )
    add_accounts(parser)
    parser.add_argument(
        "--rebuild", action="store_true", help="empty each index first, and begin anew"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each account; 1 if one could not be indexed."""

    async def tell(mailboxes: IMailboxes) -> str:
        if not IIndexedMailboxes.providedBy(mailboxes):
            raise MailError("its mail has no index")
        return told(await mailboxes.index_text(options.rebuild))

    return each_account(options, tell)


def told(figures: TextFigures) -> str:
    line = (
        f"{figures.messages} messages in {figures.mailboxes} mailboxes indexed, "
        f"{figures.added} of them now, {figures.octets / 1e6:.1f} MB"
    )
    return line + (f", {figures.dead} gone ones in it" if figures.dead else "")
