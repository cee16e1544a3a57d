"""`mailtwist quota`: what accounts hold, and what they may hold."""

from __future__ import annotations

import argparse

from ..config.load import load
from ..errors import MailError
from ..mailbox.model import Usage
from ..service.build import MailService
from .index import names


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
    show.add_argument(
        "accounts",
        metavar="ACCOUNT",
        nargs="*",
        help="those of the user database if none is named",
    )
    show.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line for each account; 1 if one could not be counted."""
    from .asking import awaited

    failed = 0

    async def ask(service: MailService) -> None:
        nonlocal failed
        for name in options.accounts or await names(service):
            try:
                account = await service.auth.directory.account(name)
                if account is None:
                    raise MailError("there is no such account")
                usage = await service.store.mailboxes(account).usage()
                print(f"{account.name}: {told(usage)}", flush=True)
            except MailError as fault:
                failed += 1
                print(f"{name}: {fault.public}", flush=True)

    awaited(load(options.config), ask, as_server=True)
    return int(bool(failed))


def told(usage: Usage) -> str:
    """ "2048 of 10240 octets (20%), 3 messages" """
    octets = _of(usage.octets, usage.limit_octets, "octets")
    return f"{octets}, {_of(usage.messages, usage.limit_messages, 'messages')}"


def _of(held: int, limit: int | None, what: str) -> str:
    if limit is None:
        return f"{held} {what}"
    share = f" ({100 * held / limit:.0f}%)" if limit else ""
    return f"{held} of {limit} {what}{share}"
