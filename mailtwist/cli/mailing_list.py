"""`mailtwist list`: mailing lists made, set and shown; their people are in
`mailing_list_people`, what waits and what was posted in `mailing_list_posts`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import Attribute, evolve, fields, resolve_types

from ..address import Address
from ..config.edit import read_value
from ..config.keys import Key
from ..config.listing import ListOptions, person_address
from ..config.load import load, read_option, told, toml
from ..config.model import Config
from ..errors import ConfigError, MailError
from ..lists import statements
from ..lists.model import MODERATOR, OWNER, MailingList
from ..service.build import MailService
from ..service.lists import local_list
from . import mailing_list_people, mailing_list_posts

Result = TypeVar("Result")


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("list", help="mailing lists")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)

    add = leaves.add_parser("add", help="make a mailing list")
    add.add_argument("list", metavar="LIST", help="its address")
    for role in (OWNER, MODERATOR):
        add.add_argument(
            f"--{role}",
            metavar="ADDRESS",
            action="append",
            default=[],
            help=f"its {role}",
        )
    add.add_argument(
        "--set",
        dest="settings",
        metavar="OPTION=VALUE",
        action="append",
        default=[],
        help="as `mailtwist list options` tells; may be repeated",
    )
    add.set_defaults(run=run_add)

    remove = leaves.add_parser(
        "remove",
        help="remove a mailing list",
        description="Its members, settings and what waits go; the messages of its "
        "archive stay in the public folder.",
    )
    remove.add_argument("list", metavar="LIST")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=run_remove)

    show = leaves.add_parser("show", help="all lists, or all of one")
    show.add_argument("list", metavar="LIST", nargs="?", default="")
    show.add_argument("--json", action="store_true", help="a line for each list")
    show.set_defaults(run=run_show)

    change = leaves.add_parser(
        "set",
        help="set options of a list",
        description="A running server goes by them at once. OPTION= alone gives the "
        "default back.",
    )
    change.add_argument("list", metavar="LIST")
    change.add_argument("settings", metavar="OPTION=VALUE", nargs="+")
    change.set_defaults(run=run_set)

    options = leaves.add_parser("options", help="what can be set")
    options.set_defaults(run=run_options)
    mailing_list_people.configure(leaves)
    mailing_list_posts.configure(leaves)


def asked(
    options: argparse.Namespace,
    ask: Callable[[MailService], Coroutine[Any, Any, Result]],
) -> Result:
    """What `ask` gives with the rights of the server."""
    from .asking import awaited

    return awaited(load(options.config), ask, as_server=True)


def list_options() -> dict[str, Attribute[Any]]:
    """The options of a list by name."""
    resolve_types(ListOptions)
    return {option.name: option for option in fields(ListOptions)}


def changed(
    before: ListOptions, settings: Sequence[str], config: Config
) -> ListOptions:
    """The options after `name=value` of each setting; raises ConfigError."""
    known = list_options()
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        option = known.get(name)
        if option is None or not equals:
            raise ConfigError(
                f"{setting}: give OPTION=VALUE, with one of {', '.join(known)}"
            )
        if not text:
            values[name] = option.default
            continue
        key = Key("mailing_list", 1, name, option)
        values[name] = read_option(option, read_value(key, text), name)
    after = evolve(before, **values)
    if after.one_click and not config.lists.url:
        raise ConfigError("one_click needs lists.url in the configuration")
    return after


def run_add(options: argparse.Namespace) -> int:
    config = load(options.config)
    address = local_list(config, options.list)
    wanted = changed(ListOptions(), options.settings, config)
    people = [
        (role, person(text))
        for role in (OWNER, MODERATOR)
        for text in getattr(options, role)
    ]

    async def ask(service: MailService) -> None:
        await free(service, address)

        def make(connection: Any) -> None:
            made = statements.add(connection, address, wanted, time.time())
            for role, one in people:
                statements.give_role(connection, made.number, role, one)

        await service.lists.store.write(make)

    asked(options, ask)
    print(f"{address} is a mailing list now")
    return 0


async def free(service: MailService, address: Address) -> None:
    """Raises MailError if the address is somebody's already, or of no domain here."""
    directory = service.routing.directory
    domains = [one.name for one in service.config.domain]
    if address.domain not in domains and not await directory.has_domain(address.domain):
        raise MailError(f"{address}: {address.domain} is no domain of this host")
    account = await directory.account_for(address)
    if account is not None:
        raise MailError(f"{address} is the address of an account")


def run_remove(options: argparse.Namespace) -> int:
    if not options.yes:
        print(f"Remove {options.list} and all its members? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1

    async def ask(service: MailService) -> None:
        found = await named(service, options.list)
        if found.configured:
            raise MailError(f"{found.address} is made by the configuration file")
        await service.lists.store.write(partial(statements.remove, mailing_list=found))

    asked(options, ask)
    print(f"{options.list} is removed")
    return 0


def run_set(options: argparse.Namespace) -> int:
    config = load(options.config)

    async def ask(service: MailService) -> None:
        found = await named(service, options.list)
        if found.configured:
            raise MailError(f"{found.address}: set it in the configuration file")
        after = changed(found.options, options.settings, config)
        await service.lists.store.write(
            partial(statements.set_options, mailing_list=found, options=after)
        )

    asked(options, ask)
    return 0


def run_show(options: argparse.Namespace) -> int:
    async def ask(service: MailService) -> list[tuple[MailingList, dict[str, Any]]]:
        if options.list:
            some = [await named(service, options.list)]
        else:
            some = await service.lists.store.lists()
        return [
            (
                one,
                await service.lists.store.read(
                    partial(statements.figures, number=one.number)
                ),
            )
            for one in some
        ]

    for one, figures in asked(options, ask):
        for line in shown(one, figures, whole=bool(options.list), as_json=options.json):
            print(line)
    return 0


def shown(
    one: MailingList, figures: dict[str, Any], *, whole: bool, as_json: bool
) -> Iterator[str]:
    """The lines about one list."""
    values = {name: getattr(one.options, name) for name in list_options()}
    if as_json:
        told_of = {"address": str(one.address), "configured": one.configured}
        yield json.dumps(told_of | figures | {"options": values}, ensure_ascii=False)
        return
    counts = ", ".join(f"{count} {name}" for name, count in figures.items())
    yield f"{one.address}  {one.options.description}".rstrip() + f"  ({counts})"
    if whole:
        for name, value in values.items():
            mark = " " if value == list_options()[name].default else "*"
            yield f"{mark} {name} = {toml(value)}"


def run_options(options: argparse.Namespace) -> int:
    for option in list_options().values():
        print(f"{option.name} = {toml(option.default)}")
        print(f"    {told(option)}")
        print(f"    {' '.join(str(option.metadata['help']).split())}")
    return 0


async def named(service: MailService, text: str) -> MailingList:
    """The list of this address; raises MailError."""
    address = local_list(service.config, text)
    return await service.lists.store.read(partial(statements.named, address=address))


def person(text: str) -> Address:
    """Raises MailError."""
    try:
        return person_address(text)
    except ValueError as fault:
        raise MailError(f"{text}: give a whole address") from fault
