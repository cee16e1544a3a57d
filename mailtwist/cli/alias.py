"""`mailtwist alias test|query|check`: aliases and lookup tables, tried out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..address import Address
from ..config.load import load
from ..config.model import Config
from ..delivery.explain import Decision, target_text, targets_of
from ..delivery.model import LocalRecipient, RemoteRecipient
from ..errors import ConfigError, MailError
from ..interfaces import ITable
from ..service.build import MailService
from ..tables.build import Tables, mistakes, text_files


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("alias", help="try out aliases and lookup tables")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    test = leaves.add_parser("test", help="what an address becomes in the end")
    test.add_argument("addresses", metavar="ADDRESS", nargs="+")
    test.set_defaults(run=run_test)

    query = leaves.add_parser(
        "query", help="the value of a key in a table (postmap -q, postalias -q)"
    )
    query.add_argument(
        "table", metavar="TABLE", help="name of a [[table]], or a file of alias.files"
    )
    query.add_argument("keys", metavar="KEY", nargs="+")
    query.set_defaults(run=run_query)

    check = leaves.add_parser(
        "check",
        help="read every alias and table file, tell lines that cannot be used",
        description="Files are reread when they change: there is nothing to rebuild "
        "(newaliases, postmap).",
    )
    check.set_defaults(run=run_check)


def run_test(options: argparse.Namespace) -> int:
    """Print the targets of each address; 1 if one is refused."""
    from .asking import awaited

    addresses = [Address.parse(text) for text in options.addresses]

    async def ask(service: MailService) -> list[Decision]:
        return [await service.router.explain(one, may_relay=True) for one in addresses]

    found = awaited(load(options.config), ask)
    for decision in found:
        print(f"{decision.address}: {', '.join(results(decision))}")
    return int(any(decision.fault is not None for decision in found))


def results(decision: Decision) -> Sequence[str]:
    """What became of the address, one text a target."""
    match decision.recipient:
        case LocalRecipient() as local:
            return [f"mailbox of {local.account.name}"]
        case RemoteRecipient() as remote:
            return [target_text(target) for target in targets_of(remote)]
    fault = decision.fault or MailError()
    return [f"refused, {fault.status} {fault.public}"]


def run_query(options: argparse.Namespace) -> int:
    """Print each value that is there; 1 if a key is not."""
    from .asking import awaited

    async def ask(service: MailService) -> list[str | None]:
        table = named(service.routing.tables, options.table)
        return [await table.find(key) for key in options.keys]

    found = awaited(load(options.config), ask)
    for value in found:
        if value is not None:
            print(value)
    return int(None in found)


def named(tables: Tables, name: str) -> ITable:
    """The table of that name, or the alias file at that path; raises ConfigError."""
    for table in (*tables.by_name.values(), *tables.alias_files):
        if table.name == name:
            return table
    known = [*tables.by_name, *(table.name for table in tables.alias_files)]
    raise ConfigError(f"{name}: no such table; known: {', '.join(known) or 'none'}")


def run_check(options: argparse.Namespace) -> int:
    """Print every line that cannot be used; 1 if there is one."""
    config = load(options.config)
    wrong, lines = checked(config)
    for line in lines:
        print(line, file=sys.stderr)
    if not lines:
        print("every alias and table file can be used")
    return int(wrong)


def checked(config: Config) -> tuple[bool, list[str]]:
    """Whether a line of an alias or table file cannot be used, and what there is to
    tell."""
    found = [
        finding for path, make in text_files(config) for finding in mistakes(path, make)
    ]
    return any(wrong for wrong, _ in found), [line for _, line in found]
