"""`mailtwist auth test USER`: who lets this name in, asked step by step.

The sources are asked as a login asks them, one after the other; nothing is counted by
the throttle.  A password comes from a prompt or standard input and is never shown.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from attrs import asdict, frozen
from twisted.cred.error import UnauthorizedLogin

from ..auth.chain import Refused, refusal
from ..auth.chain_source import why_of
from ..auth.credentials import Door, PasswordCredentials
from ..auth.login import Peer
from ..auth.names import address_of, login_key, master_of
from ..config.listener import translated
from ..config.load import load
from ..config.model import Config
from ..config.source import LOGIN_PROTOCOLS
from ..directory.model import Account
from ..errors import AuthUnavailable, MailError
from ..interfaces import IMailAccount, IScramCredentials
from ..sasl import text
from ..secret import Secret
from ..service.auth import Auth
from ..service.build import MailService
from ..service.sources import BuiltSource
from .accounts import asked_password, until_text, uses_text


def configure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("auth", help="explain logins")
    leaves = parser.add_subparsers(metavar="WHAT", required=True)
    test = leaves.add_parser(
        "test",
        help="what each source says of a name and a password",
        description="Asks every source as a login would, tells what the account may, "
        "and which mechanisms are offered.  The password is asked for on the terminal, "
        "or is one line of standard input.  Exit status 0 if the login would succeed.",
    )
    test.add_argument("user", metavar="USER", help="as a client sends it")
    test.add_argument("--protocol", choices=LOGIN_PROTOCOLS)
    test.add_argument("--listener", metavar="NAME", help="as if at this listener")
    test.add_argument(
        "--no-password", action="store_true", help="look up the account only"
    )
    test.add_argument("--json", action="store_true", help="for programs")
    test.set_defaults(run=run)


@frozen
class Told:
    """What one source said.  `password` is "right", "wrong", "" if it was not asked,
    or why it cannot say; `account` is what it knows of the account."""

    name: str
    kind: str
    skipped: str = ""
    account: str = ""
    allowed: str = ""
    password: str = ""
    keys: str = ""
    down: bool = False


@frozen
class Explained:
    """All that is told; `verdict` for people, `accepted` for programs."""

    user: str
    key: str
    spelling: str
    master: str
    protocol: str
    sources: tuple[Told, ...]
    verdict: str
    accepted: bool
    with_tls: tuple[str, ...]
    without_tls: tuple[str, ...]
    notes: tuple[str, ...]


def run(options: argparse.Namespace) -> int:
    from .asking import awaited

    config = load(options.config)
    door = door_of(config, options.protocol, options.listener)
    try:
        user = text.username(options.user.encode(errors="surrogateescape"))
    except MailError as fault:
        raise MailError("USER: no account can be called so") from fault
    password = None
    if not options.no_password:
        password = Secret(asked_password(twice=False))

    async def ask(service: MailService) -> Explained:
        return await explained(service.auth, config, user, password, door)

    found = awaited(config, ask)
    if options.json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines(found)))
    return 0 if found.accepted else 1


def door_of(config: Config, protocol: str | None, listener: str | None) -> Door:
    """Raises MailError for a listener that is none."""
    if listener is None:
        return Door(protocol or "imap4")
    named = {one.name: translated(one) for one in config.listener if one.name}
    if listener not in named:
        names = ", ".join(sorted(named)) or "none has a name"
        raise MailError(f"--listener {listener}: known: {names}")
    return Door(protocol or named[listener].protocol, listener)


async def explained(
    auth: Auth, config: Config, user: str, password: Secret | None, door: Door
) -> Explained:
    """Asks every source; raises nothing that a source says."""
    default = config.auth.default_domain
    name = f"{user}@{default}" if default and "@" not in user else user
    who, master = name, ""
    split = master_of(name)
    masters = {login_key(one.account, default) for one in config.master}
    if split is not None and login_key(split[1], default) in masters:
        who, master = split
    judged = master or who
    told = []
    for one in auth.sources:
        told.append(await source_told(one, who, judged, password, door, default))
    verdict, accepted = await decided(auth, name, who, password, door)
    notes = [
        f"SCRAM is {'not' if one.parts.hides_scram() else 'still'} offered: source "
        f"{one.source.called} has passwords that its keys cannot judge (imported ones "
        "not used yet, application passwords)"
        for one in auth.sources
        if one.open_to(door) and one.parts.lacks_keys()
    ]
    for one in auth.sources:
        checker = one.checker
        if checker is None or IScramCredentials in checker.credential_interfaces:
            continue
        if checker.open_to(door):
            notes.append(
                f"SCRAM is not offered here: source {checker.name} has no keys"
            )
    address = address_of(who, default)
    return Explained(
        user,
        login_key(who, default),
        "no name by PRECIS, or no address" if address is None else str(address),
        login_key(master, default) if master else "",
        door.protocol,
        tuple(told),
        verdict,
        accepted,
        offered(auth, config, door, tls=True),
        offered(auth, config, door, tls=False),
        tuple(notes),
    )


async def source_told(
    one: BuiltSource,
    who: str,
    judged: str,
    password: Secret | None,
    door: Door,
    default: str,
) -> Told:
    """`who` is the account, `judged` the name whose password is asked for."""
    answer: dict[str, Any] = {}
    if one.directory is not None:
        try:
            account = await one.directory.account(login_key(who, default))
            answer["account"] = "not here" if account is None else words(account)
            if account is not None:
                answer["allowed"] = may_words(account, door.protocol)
        except MailError as fault:
            answer["account"] = f"cannot say: {why_of(fault)}"
    checker = one.checker
    if checker is None or not one.source.logins:
        answer["skipped"] = "it has accounts only"
    elif not checker.open_to(door):
        answer["skipped"] = narrowed(one, door)
    elif not checker.has_domain_of(judged):
        answer["skipped"] = f"only for {', '.join(one.source.domains)}"
    else:
        if password is not None:
            answer["password"] = await password_told(checker, judged, password, door)
        if IScramCredentials in checker.credential_interfaces:
            answer["keys"] = await keys_told(checker, login_key(judged, default))
    down = one.health.down
    return Told(one.source.called, one.source.kind, down=down, **answer)


def narrowed(one: BuiltSource, door: Door) -> str:
    source = one.source
    if source.protocols and door.protocol not in source.protocols:
        return f"only for {', '.join(source.protocols)}"
    return f"only at the listeners {', '.join(source.listeners)}"


async def password_told(checker: Any, name: str, password: Secret, door: Door) -> str:
    try:
        await checker.check(PasswordCredentials(name.encode(), password, door))
    except UnauthorizedLogin:
        return "wrong"
    except AuthUnavailable as fault:
        return f"cannot say: {why_of(fault)}"
    return "right"


async def keys_told(checker: Any, key: str) -> str:
    try:
        found = await checker.scram_keys(key, "SCRAM-SHA-256")
    except AuthUnavailable as fault:
        return f"cannot say: {why_of(fault)}"
    return "none" if found is None else f"{found[1].iterations} iterations"


def words(account: Account) -> str:
    """What a source knows of an account."""
    found = [account.name, "enabled" if account.enabled else "disabled"]
    found.append(f"for {uses_text(account.uses)}")
    if account.login_until_s is not None:
        found.append(f"until {until_text(account.login_until_s)}")
    found.append(f"mail in {account.mailbox_path}")
    if account.uid is not None:
        found.append(f"uid {account.uid}")
    return ", ".join(found)


def may_words(account: Account, protocol: str) -> str:
    if not account.enabled:
        return "no: disabled"
    fault = refusal(account, protocol, time.time())
    return "yes" if fault is None else f"no: {fault.public}"


async def decided(
    auth: Auth, name: str, who: str, password: Secret | None, door: Door
) -> tuple[str, bool]:
    """(for people, would it succeed), as the portal decides."""
    if password is None:
        try:
            account = await auth.directory.account(who)
        except AuthUnavailable as fault:
            return f"cannot say now: {why_of(fault)}", False
        if account is None:
            return "no source has such an account", False
        allowed = may_words(account, door.protocol)
        return f"{account.name} may log in over {door.protocol}: {allowed}", (
            allowed == "yes"
        )
    credentials = PasswordCredentials(name.encode(), password, door)
    try:
        login: Any = auth.portal.login(credentials, None, IMailAccount)
        _, avatar, logout = await login
    except Refused as fault:
        return f"refused: {fault.fault.public}", False
    except UnauthorizedLogin:
        return "refused: no source accepts that name and password, or it may not", False
    except AuthUnavailable as fault:
        return f"told to try again later: {why_of(fault)}", False
    logout()
    return f"{avatar.account.name} is logged in", True


def offered(auth: Auth, config: Config, door: Door, *, tls: bool) -> tuple[str, ...]:
    """Mechanisms and commands for a connection in this state."""
    peer = Peer("127.0.0.1", tls, "", door.protocol, door.listener)
    names = list(auth.authenticator.mechanisms(peer))
    if tls and config.auth.channel_binding:
        bound = [f"{one}-PLUS" for one in names if one.startswith("SCRAM-")]
        names = bound + names
    if door.protocol == "pop3" and auth.authenticator.apop(peer):
        names.append("APOP")
    if auth.authenticator.plaintext(tls=tls):
        names += {"pop3": ["USER and PASS"], "imap4": ["LOGIN command"]}.get(
            door.protocol, []
        )
    return tuple(names)


def lines(found: Explained) -> Iterator[str]:
    yield f"{found.user}: key {found.key}; other sources are asked for {found.spelling}"
    if found.master:
        yield f"the master {found.master} asks to be let in, with its own password"
    for one in found.sources:
        yield f"source {one.name}{f' ({one.kind})' * (one.kind != one.name)}:"
        if one.account:
            yield f"  account: {one.account}"
        if one.allowed:
            yield f"  may log in over {found.protocol}: {one.allowed}"
        if one.skipped:
            yield f"  not asked for the password: {one.skipped}"
        if one.password:
            yield f"  password: {one.password}"
        if one.keys:
            yield f"  SCRAM-SHA-256 keys: {one.keys}"
        if one.down:
            yield "  it is down"
    yield f"decision: {found.verdict}"
    for state, names in (("with", found.with_tls), ("without", found.without_tls)):
        yield f"offered {state} TLS: {', '.join(names) or 'nothing'}"
    yield from found.notes
