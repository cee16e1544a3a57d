"""`mailtwist quota`: what accounts hold, and what they may hold."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from attrs import evolve

from ..config.load import load
from ..config.sizes import octets_of
from ..errors import MailError
from ..mailbox.interfaces import IMailboxes
from ..mailbox.model import INBOX, Limits, Path, Quota, Usage
from .accounts import existing, known
from .each_account import add_accounts, each_account
from .user import MOST_LIMIT, line_for, message_limit

AS_SERVER = (
    "The server may run meanwhile. Start it as the server is started: as root, or as "
    "the user that the server runs as."
)


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "quota",
        help="show and change what accounts hold and may hold",
        description="Shows what accounts hold and may hold, as clients see it.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser(
        "list",
        aliases=["show"],
        help="what accounts hold",
        description="Shows what each account holds, with its limits, and the same of "
        f"mailboxes that have limits of their own. {AS_SERVER}",
    )
    add_accounts(listed)
    listed.set_defaults(run=run_list)

    recount = actions.add_parser(
        "recount",
        help="count all mail anew",
        description="Counts the files of each account and puts the figures right, "
        f"those in maildirsize too. {AS_SERVER}",
    )
    add_accounts(recount)
    recount.set_defaults(run=run_recount)

    change = actions.add_parser(
        "set",
        help="change what an account, or one of its mailboxes, may hold",
        description="Changes limits of an account of the user database, or of a "
        "mailbox with all below it of any account. What is not named stays.",
    )
    change.add_argument("accounts", metavar="ACCOUNT", nargs=1)
    change.add_argument(
        "--mailbox",
        metavar="NAME",
        help='the mailbox; "/" stands between levels; without, the whole account',
    )
    change.add_argument("--storage", metavar="SIZE", help='like "1 GiB", or "none"')
    change.add_argument("--messages", metavar="NUMBER", help='or "none"')
    change.add_argument(
        "--mailboxes",
        metavar="NUMBER",
        help='how many may lie below the mailbox, itself counted, or "none"',
    )
    change.set_defaults(run=run_set)


def run_list(options: argparse.Namespace) -> int:
    """Print a line for each account; 1 if one could not be counted."""
    telling = Telling()
    return telling.of(options, telling.told)


def run_recount(options: argparse.Namespace) -> int:
    """As `run_list`, after counting."""
    telling = Telling()

    async def tell(mailboxes: IMailboxes) -> str:
        await mailboxes.recount()
        return await telling.told(mailboxes)

    return telling.of(options, tell)


def run_set(options: argparse.Namespace) -> int:
    """Print what the account may hold now; raises MailError for what cannot be."""
    if options.mailbox is None:
        return _set_account(options)
    path = _path(options.mailbox)
    changes = _changes(options)

    async def tell(mailboxes: IMailboxes) -> str:
        held = [each for each in await mailboxes.quotas(path) if each.root == path]
        before = held[0].limits if held else Limits()
        await mailboxes.set_limits(path, evolve(before, **changes))
        return await Telling().told(mailboxes)

    return each_account(options, tell)


def _set_account(options: argparse.Namespace) -> int:
    changes = _changes(options)
    if "mailboxes" in changes:
        raise MailError("--mailboxes of accounts stands in the configuration")
    db = existing(load(options.config))
    account = known(db, options.accounts[0]).account
    if "octets" in changes:
        account = evolve(account, storage_limit_octets=changes["octets"])
    if "messages" in changes:
        account = evolve(account, message_limit=changes["messages"])
    db.change(account)
    print(line_for(account))
    return 0


def _changes(options: argparse.Namespace) -> dict[str, int | None]:
    """Fields of Limits that are to change; raises MailError."""
    found: dict[str, int | None] = {}
    if options.storage is not None:
        found["octets"] = _size(options.storage)
    for field in ("messages", "mailboxes"):
        text = getattr(options, field)
        if text is not None:
            found[field] = message_limit(text, f"--{field}")
    if not found:
        raise MailError("give --storage, --messages or --mailboxes")
    return found


def _size(text: str) -> int | None:
    if text.lower() == "none":
        return None
    octets = octets_of(text)
    if not octets or octets > MOST_LIMIT:
        raise MailError(f'--storage {text}: give a size like "1 GiB", or "none"')
    return octets


def _path(name: str) -> Path:
    path = tuple(name.split("/"))
    if not all(path):
        raise MailError(f"--mailbox {name}: a part of the name is empty")
    return INBOX + path[1:] if path[0].upper() == "INBOX" else path


class Telling:
    """Of one account after the other, and then of the domains that they share."""

    def __init__(self) -> None:
        self._domains: dict[str, Quota] = {}  # as the last account had it

    def of(
        self,
        options: argparse.Namespace,
        tell: Callable[[IMailboxes], Awaitable[str]],
    ) -> int:
        """Print what there is to tell; as `each_account`."""
        failed = each_account(options, tell)
        for name, quota in sorted(self._domains.items()):
            print(f"all of {name}: {_of_mailbox(quota)}")
        return failed

    async def told(self, mailboxes: IMailboxes) -> str:
        """Lines of an account and of its mailboxes with limits."""
        lines = [told(await mailboxes.usage())]
        for quota in await mailboxes.quotas():
            if quota.domain:
                self._domains[quota.domain] = quota
            elif quota.root:
                lines.append(f"  {'/'.join(quota.root)}: {_of_mailbox(quota)}")
        return "\n".join(lines)


def told(usage: Usage) -> str:
    """ "2048 of 10240 octets (20%), 3 messages" """
    octets = _of(usage.octets, usage.limit_octets, "octets")
    return f"{octets}, {_of(usage.messages, usage.limit_messages, 'messages')}"


def _of_mailbox(quota: Quota) -> str:
    limits = quota.limits
    told = [
        _of(quota.octets, limits.octets, "octets"),
        _of(quota.messages, limits.messages, "messages"),
    ]
    if limits.mailboxes is not None:
        told.append(_of(quota.mailboxes, limits.mailboxes, "mailboxes"))
    return ", ".join(told)


def _of(held: int, limit: int | None, what: str) -> str:
    if limit is None:
        return f"{held} {what}"
    share = f" ({100 * held / limit:.0f}%)" if limit else ""
    return f"{held} of {limit} {what}{share}"
