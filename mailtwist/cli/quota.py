"""`mailtwist quota`: what accounts hold, and what they may hold."""

from __future__ import annotations

import argparse

from ..mailbox.interfaces import IMailboxes
from ..mailbox.model import Usage
from .each_account import add_accounts, each_account


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "quota",
        help="show what accounts hold and may hold",
        description="Shows what accounts hold and may hold, as clients see it.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="count the mail of accounts",
        description="Counts the messages of each account and their octets on disk, and "
        "shows them with its limits. The server may run meanwhile. Start it as the "
        "server is started: as root, or as the user that the server runs as.",
    )
    add_accounts(show)
    show.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each account; 1 if one could not be counted."""

    async def tell(mailboxes: IMailboxes) -> str:
        return told(await mailboxes.usage())

    return each_account(options, tell)


def told(usage: Usage) -> str:
    """ "2048 of 10240 octets (20%), 3 messages" """
    octets = _of(usage.octets, usage.limit_octets, "octets")
    return f"{octets}, {_of(usage.messages, usage.limit_messages, 'messages')}"


def _of(held: int, limit: int | None, what: str) -> str:
    if limit is None:
        return f"{held} {what}"
    share = f" ({100 * held / limit:.0f}%)" if limit else ""
    return f"{held} of {limit} {what}{share}"
