"""`mailtwist list members|subscribe|unsubscribe|alter|role|import|export`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import evolve, frozen

from ..address import Address
from ..errors import MailError
from ..lists import statements
from ..lists.model import EACH, MODES, ROLES, MailingList, Member
from ..lists.plan import Alter, Change, Join, Leave, Plan
from ..lists.scoring import forgiven
from ..service.build import MailService

SWITCHES = ("vacation", "copies", "moderated")
_LINE = re.compile(
    r"(?:(?P<name>.*?)\s*<(?P<in>[^<>\s]+)>|(?P<out>\S+))\s*(?P<mode>\w*)"
)


@frozen
class Person:
    """One line of an import."""

    address: Address
    name: str = ""
    mode: str = EACH


def configure(leaves: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def leaf(name: str, help_: str, run: Any, people: str = "") -> Any:
        made = leaves.add_parser(name, help=help_)
        made.add_argument("list", metavar="LIST")
        if people:
            made.add_argument("people", metavar="ADDRESS", nargs=people)
        made.set_defaults(run=run)
        return made

    members = leaf("members", "who is on a list, and in which role", run_members)
    members.add_argument("--json", action="store_true", help="a line for each member")

    add = leaf("subscribe", "put people on a list", run_subscribe, "+")
    add.add_argument("--mode", choices=MODES, default=EACH, help="what they get")
    add.add_argument("--name", default="", help="of one person")
    add.add_argument("--quiet", action="store_true", help="do not welcome them")

    remove = leaf("unsubscribe", "take people off a list", run_unsubscribe, "+")
    remove.add_argument("--quiet", action="store_true", help="do not tell them")

    alter = leaf("alter", "change how members get mail", run_alter, "+")
    alter.add_argument("--mode", choices=MODES, help="what they get")
    for switch in SWITCHES:
        alter.add_argument(f"--{switch}", choices=("on", "off"))
    alter.add_argument(
        "--forgive", action="store_true", help="forget their bounces, send again"
    )

    role = leaves.add_parser("role", help="give or take a role")
    role.add_argument("list", metavar="LIST")
    role.add_argument("deed", choices=("give", "take"))
    role.add_argument("role", choices=ROLES)
    role.add_argument("people", metavar="ADDRESS", nargs="+")
    role.set_defaults(run=run_role)

    for name, help_, run in (
        ("import", "put all people of a file on a list", run_import),
        ("export", "write the members as import reads them", run_export),
    ):
        made = leaf(name, help_, run)
        made.add_argument("file", metavar="FILE", nargs="?", default="-")
        if name == "import":
            made.description = (
                "One address a line, or `Name <address>`, and behind it each, digest, "
                "plain or nomail. Nobody is told; who is there stays as it is."
            )


def run_members(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> tuple[list[Member], list[tuple[str, str]]]:
        found = await named(service, options.list)
        store = service.lists.store
        roles = [
            (role, str(address))
            for role in ROLES
            for address in await store.people(found.number, role)
        ]
        return await store.members(found.number), roles

    members, roles = asked(options, ask)
    for line in told(members, roles, as_json=options.json):
        print(line)
    return 0


def told(
    members: list[Member], roles: list[tuple[str, str]], *, as_json: bool
) -> Iterator[str]:
    """A line for each member, and for each role."""
    for one in members:
        facts = {
            "mode": one.mode,
            **{name: getattr(one, name) for name in SWITCHES},
            "accepted": one.accepted,
            "score": one.score,
            "stopped": one.stopped,
        }
        if as_json:
            about = {"address": str(one.address), "name": one.name}
            yield json.dumps(about | facts, ensure_ascii=False)
            continue
        words = [one.mode]
        words += [name for name in ("vacation", "moderated") if facts[name]]
        words += [] if one.copies else ["no copies"]
        words += [f"score {one.score:g}"] if one.score else []
        words += ["stopped"] if one.stopped else []
        yield f"{one.address}  {one.name}".rstrip() + f"  ({', '.join(words)})"
    for role, address in roles:
        if as_json:
            yield json.dumps({"address": address, "role": role}, ensure_ascii=False)
        else:
            yield f"{role}  {address}"


def run_subscribe(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named, person

    people = [
        Person(person(text), options.name, options.mode) for text in options.people
    ]

    async def ask(service: MailService) -> int:
        found = await named(service, options.list)
        new = await strangers(service, found, people)
        for one in new:
            if options.quiet:
                await joined(service, found, [one])
            else:
                await service.lists.desk.add(found, one.address, one.mode, one.name)
        return len(new)

    print(f"{asked(options, ask)} new members")
    return 0


async def strangers(
    service: MailService, found: MailingList, people: list[Person]
) -> list[Person]:
    """Those who are not on the list."""
    places = [
        (one, await service.lists.store.standing(found.number, one.address))
        for one in people
    ]
    return [one for one, place in places if place.member is None]


async def joined(
    service: MailService, found: MailingList, people: list[Person]
) -> None:
    """All of them are members in one transaction; nobody is told."""
    now_s = time.time()
    changes: tuple[Change, ...] = tuple(
        Join(str(one.address), one.name, one.mode, now_s) for one in people
    )
    await service.lists.store.apply(found, Plan(changes))


async def member(service: MailService, found: MailingList, address: Address) -> Member:
    """Raises MailError."""
    place = await service.lists.store.standing(found.number, address)
    if place.member is None:
        raise MailError(f"{address} is not on {found.address}")
    return place.member


def run_unsubscribe(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named, person

    people = [person(text) for text in options.people]

    async def ask(service: MailService) -> None:
        found = await named(service, options.list)
        for one in [await member(service, found, address) for address in people]:
            if options.quiet:
                plan = Plan((Leave(str(one.address)),))
                await service.lists.store.apply(found, plan)
            else:
                await service.lists.desk.remove(found, one)

    asked(options, ask)
    return 0


def run_alter(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named, person

    people = [person(text) for text in options.people]
    values: dict[str, Any] = {"mode": options.mode} if options.mode else {}
    for switch in SWITCHES:
        said = getattr(options, switch)
        if said:
            values[switch] = said == "on"

    async def ask(service: MailService) -> None:
        found = await named(service, options.list)
        changes: list[Change] = []
        for address in people:
            one = evolve(await member(service, found, address), **values)
            changes.append(Alter(forgiven(one) if options.forgive else one))
        await service.lists.store.apply(found, Plan(tuple(changes)))

    asked(options, ask)
    return 0


def run_role(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named, person

    people = [person(text) for text in options.people]
    deed = statements.give_role if options.deed == "give" else statements.take_role

    async def ask(service: MailService) -> None:
        found = await named(service, options.list)
        for one in people:
            await service.lists.store.write(
                partial(deed, number=found.number, role=options.role, address=one)
            )

    asked(options, ask)
    return 0


def people_in(text: str) -> list[Person]:
    """Raises MailError with all lines that cannot be read."""
    from .mailing_list import person

    found, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        mode = (parts["mode"] or EACH) if parts else ""
        if parts is None or mode not in MODES:
            wrong.append(f"line {number}: {line}")
            continue
        try:
            address = person(parts["in"] or parts["out"])
        except MailError as fault:
            wrong.append(f"line {number}: {fault.public}")
            continue
        found.append(Person(address, (parts["name"] or "").strip('" '), mode))
    if wrong:
        raise MailError("\n".join(wrong[:20]))
    return found


def run_import(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    try:
        if options.file == "-":
            text = sys.stdin.read()
        else:
            with open(options.file, encoding="utf-8") as file:
                text = file.read()
    except (OSError, UnicodeDecodeError) as fault:
        raise MailError(f"{options.file}: {fault}") from fault
    people = people_in(text)

    async def ask(service: MailService) -> int:
        found = await named(service, options.list)
        new = await strangers(service, found, people)
        await joined(service, found, new)
        return len(new)

    print(f"{asked(options, ask)} of {len(people)} are new members")
    return 0


def run_export(options: argparse.Namespace) -> int:
    from .mailing_list import asked, named

    async def ask(service: MailService) -> list[Member]:
        found = await named(service, options.list)
        return await service.lists.store.members(found.number)

    lines = [exported(one) for one in asked(options, ask)]
    if options.file == "-":
        sys.stdout.write("".join(lines))
        return 0
    try:
        with open(options.file, "w", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as fault:
        raise MailError(f"{options.file}: {fault.strerror}") from fault
    return 0


def exported(one: Member) -> str:
    """As `people_in` reads it."""
    address = f"{one.name} <{one.address}>" if one.name else str(one.address)
    return f"{address} {one.mode}\n"
