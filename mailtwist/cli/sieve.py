"""`mailtwist sieve`: scripts checked, tried out on a message, and kept for accounts."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from typing import Any

from ..address import Address
from ..config.load import load
from ..config.model import Config
from ..delivery.model import Envelope, LocalRecipient
from ..directory.model import Account
from ..errors import BadAddress, MailError
from ..flags import canonical
from ..mailbox.events import Cause
from ..mailbox.interfaces import IScripts
from ..service.build import MailService
from ..service.sieve import known_of, limits_of
from ..service.trust import authserv_id_of
from ..sieve.actions import Outcome
from ..sieve.check import compiled
from ..sieve.circumstances import Circumstances, after_event
from ..sieve.compiled import Program
from ..sieve.doubts import doubts
from ..sieve.faults import ScriptError
from ..sieve.message import Message, address_parts
from ..sieve.run import Script, interpret
from ..sieve.telling import lines_of
from ..sieve.verdicts import spam_percent, virus_level
from .accounts import NAME

MOST_MESSAGE = 256 << 20  # octets of a message that is tried


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "sieve", help="check, try and keep the filters of users (Sieve)"
    )
    leaves = parser.add_subparsers(metavar="WHAT", required=True)
    check = leaves.add_parser("check", help="say what is wrong with scripts")
    check.add_argument("files", metavar="SCRIPT", nargs="+")
    check.set_defaults(run=run_check)
    for name, text in (
        ("test", "say what would become of a message, and do nothing"),
        ("trace", "the same, with every test and action on the way"),
    ):
        leaf = leaves.add_parser(name, help=text)
        leaf.add_argument("message", metavar="MESSAGE", help='a file, "-" for input')
        leaf.add_argument("--script", metavar="FILE", help="else those of the user")
        leaf.add_argument("--user", metavar=NAME, help="whose mail it is")
        leaf.add_argument("--sender", metavar="ADDRESS", help="else that of From")
        leaf.add_argument("--recipient", metavar="ADDRESS", help="else the user's")
        leaf.add_argument(
            "--event",
            choices=[cause.value for cause in Cause],
            help="as after an IMAP client did this to it",
        )
        leaf.add_argument("--mailbox", default="INBOX", help="where, with --event")
        leaf.add_argument("--flags", default="", help="its flags now, with --event")
        leaf.add_argument("--changed", default="", help="those that changed")
        leaf.set_defaults(run=run_test, trace=name == "trace")
    _add_keeping(leaves)


def _add_keeping(leaves: Any) -> None:
    listing = leaves.add_parser("list", help="the scripts of a user")
    put = leaves.add_parser("put", help="check a script and keep it")
    get = leaves.add_parser("get", help="print a script")
    activate = leaves.add_parser("activate", help="have a user's mail go through one")
    deactivate = leaves.add_parser("deactivate", help="through none")
    delete = leaves.add_parser("delete", help="remove a script")
    for leaf, run in (
        (listing, run_list),
        (put, run_put),
        (get, run_get),
        (activate, run_activate),
        (deactivate, run_activate),
        (delete, run_delete),
    ):
        leaf.add_argument("user", metavar=NAME)
        if leaf not in (listing, deactivate):
            leaf.add_argument("name", metavar="NAME")
        leaf.set_defaults(run=run, name=None)
    put.add_argument("file", metavar="FILE", help='a file, "-" for input')
    put.add_argument("--activate", action="store_true", help="use it from now on")


def _read(path: str, most: int) -> bytes:
    """Raises MailError."""
    try:
        if path == "-":
            octets = sys.stdin.buffer.read(most + 1)
        else:
            with open(path, "rb") as file:
                octets = file.read(most + 1)
    except OSError as fault:
        raise MailError(f"{path}: {fault.strerror}") from fault
    if len(octets) > most:
        raise MailError(f"{path}: more than {most} octets")
    return octets


def _config(options: argparse.Namespace) -> Config:
    """What is configured; where there is nothing, what holds without."""
    return load(options.config) if os.path.exists(options.config) else Config()


# -- checking -------------------------------------------------------------------------


def run_check(options: argparse.Namespace) -> int:
    config = _config(options)
    good = [_checked(path, config) for path in options.files]  # all are told
    return int(not all(good))


def _compiled(octets: bytes, config: Config) -> Program:
    """Raises ScriptError, ConfigError."""
    return compiled(octets, known_of(config), config.sieve.script_octets)


def _checked(path: str, config: Config) -> bool:
    """True if a script is good; what is wrong is printed as compilers do."""
    octets = _read(path, config.sieve.script_octets)
    try:
        program = _compiled(octets, config)
    except ScriptError as fault:
        for each in fault.faults:
            print(f"{path}:{each.place.line}:{each.place.column}: {each.text}")
        return False
    for each in doubts(program, config.sieve.redirects):
        place = f"{each.place.line}:{each.place.column}"
        print(f"{path}:{place}: warning: {each.text}")
    return True


# -- trying ---------------------------------------------------------------------------


def run_test(options: argparse.Namespace) -> int:
    """1 if a script failed."""
    octets = _read(options.message, MOST_MESSAGE)
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if options.event and options.script is None:
        raise MailError("Give --script with --event")
    if options.user is None:
        if options.script is None:
            raise MailError("Give --user, or --script, or both")
        outcome = _alone(options, octets)
    else:
        from .asking import awaited

        outcome = awaited(
            load(options.config),
            lambda service: _with_user(service, options, octets),
            as_server=True,
        )
    for line in lines_of(outcome, trace=options.trace):
        print(line)
    return int(bool(outcome.failed))


def _script(options: argparse.Namespace, config: Config) -> Script:
    """Raises MailError that tells the mistakes."""
    octets = _read(options.script, config.sieve.script_octets)
    try:
        return Script(options.script, _compiled(octets, config))
    except ScriptError as fault:
        raise MailError(f"{options.script}: {fault.public}") from fault


def _addresses(
    options: argparse.Namespace, message: Message, user: str
) -> tuple[Address | None, Address | None]:
    """(reverse-path, recipient): as said, else as the message and the user have it."""

    def parsed(text: str) -> Address | None:
        if not text:
            return None
        try:
            return Address.parse(text)
        except BadAddress as fault:
            raise MailError(f"{text}: {fault.public}") from fault

    def first(name: bytes) -> str:
        found = address_parts(message.header.raw(name))
        return f"{found[0][0]}@{found[0][1]}" if found and found[0][1] else ""

    sender = first(b"from") if options.sender is None else options.sender
    recipient = options.recipient or user or first(b"to")
    return parsed(sender), parsed(recipient)


def _alone(options: argparse.Namespace, octets: bytes) -> Outcome:
    """Without an account: whatever a script asks for is not there."""
    config = _config(options)
    message = Message(octets)
    sender, recipient = _addresses(options, message, "")
    here = Circumstances(
        datetime.now().astimezone(),
        sender,
        recipient,
        separators=config.delivery.subaddress_separator,
        spam_percent=spam_percent(
            message.header, authserv_id_of(config, config.server.hostname)
        ),
        virus_level=virus_level(message.header),
    )
    if options.event:
        here = _after_event(options, here, str(recipient or ""))
    script = _script(options, config)
    work = interpret(
        [script], message, here, limits_of(config), known=known_of(config), trace=True
    )
    try:
        while True:  # None is "no" to every question
            next(work)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


def _after_event(
    options: argparse.Namespace, here: Circumstances, user: str
) -> Circumstances:
    return after_event(
        here,
        options.event,
        options.mailbox,
        user=user,
        email=user,
        flags=frozenset(map(canonical, options.flags.split())),
        changed=options.changed,
    )


async def _with_user(
    service: MailService, options: argparse.Namespace, octets: bytes
) -> Outcome:
    delivery = service.sieving.scripted
    if delivery is None:
        raise MailError("sieve.enabled is false")
    account = await _account(service, options.user)
    message = Message(octets)
    sender, address = _addresses(options, message, account.name)
    recipient = LocalRecipient(address or Address(account.name), account)
    if options.script is None:
        scripts, bad = await delivery.scripts(recipient)
        for name, fault in bad:
            print(f"{name}: {fault}")
    else:
        scripts = [_script(options, service.config)]
    if options.event:
        here = _after_event(options, delivery.circumstances(message), account.name)
        outcome, _ = await delivery.run(account, message, scripts, here, trace=True)
        return outcome
    envelope = Envelope("test", "test", sender, (recipient,))
    outcome, _ = await delivery.outcome(
        envelope, recipient, message, scripts, trace=True
    )
    return outcome


# -- keeping --------------------------------------------------------------------------


async def _account(service: MailService, name: str) -> Account:
    account: Account | None = await service.auth.directory.account(name)
    if account is None:
        raise MailError(f"{name}: there is no such account")
    return account


def _scripts(options: argparse.Namespace, work: Any) -> int:
    """Do `work` with the scripts of the user."""
    from .asking import awaited

    async def ask(service: MailService) -> None:
        account = await _account(service, options.user)
        mailboxes = service.store.mailboxes(account)
        if not IScripts.providedBy(mailboxes):
            raise MailError("Its mail has no place for scripts")
        await work(IScripts(mailboxes))

    awaited(load(options.config), ask, as_server=True)
    return 0


def run_list(options: argparse.Namespace) -> int:
    async def show(scripts: IScripts) -> None:
        for one in await scripts.scripts():
            print(f"{one.name}\t{one.octets}{chr(9) + 'active' if one.active else ''}")

    return _scripts(options, show)


def run_put(options: argparse.Namespace) -> int:
    """1 if the script is wrong."""
    config = load(options.config)
    octets = _read(options.file, config.sieve.script_octets)
    if options.file != "-" and not _checked(options.file, config):
        return 1
    try:
        _compiled(octets, config)
    except ScriptError as fault:
        raise MailError(fault.public) from fault

    async def put(scripts: IScripts) -> None:
        await scripts.put_script(options.name, octets, config.sieve.scripts)
        if options.activate:
            await scripts.activate_script(options.name)

    return _scripts(options, put)


def run_get(options: argparse.Namespace) -> int:
    async def get(scripts: IScripts) -> None:
        octets = await scripts.script(options.name)
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()

    return _scripts(options, get)


def run_activate(options: argparse.Namespace) -> int:
    async def activate(scripts: IScripts) -> None:
        await scripts.activate_script(options.name)

    return _scripts(options, activate)


def run_delete(options: argparse.Namespace) -> int:
    async def delete(scripts: IScripts) -> None:
        await scripts.remove_script(options.name)

    return _scripts(options, delete)
