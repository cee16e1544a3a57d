"""What `--auth` takes instead of a configuration: one source, told in one line.

`userdb:FILE.sqlite`, `pam:SERVICE`, `mysql:SETTINGS.toml`, `ldap:URL`; behind it may
stand `;domain=NAME`, and for LDAP URLs `;settings=FILE` with what is secret.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from ..address import normal_domain
from ..auth.chain import CheckerChain
from ..auth.chain_source import Health, SourceChecker
from ..auth.checkers.ldap_url import UrlChecker
from ..auth.credentials import PasswordCredentials
from ..auth.fake import FakeKeys
from ..config.load import load_section
from ..config.model import Config, Server
from ..config.source import Source
from ..directory.ldap_url import LdapUrl
from ..directory.reread import open_here
from ..directory.user_directory import UserDbThread, offers
from ..errors import BadAddress
from ..keeper.process import Keepers
from ..tables.settings import LdapLogin
from .privileges import keeper_settings
from .sources import BUILDERS, Parts, system_parts, userdb_parts

NOWHERE = "localhost"  # the domain of names without one; nobody hears of it
SQLITE = b"SQLite format 3\0"
PAM_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d")
_SERVICE = re.compile(r"[A-Za-z0-9_.-]+")

Ask = Callable[[PasswordCredentials], Awaitable[bytes | tuple[()]]]


@frozen
class ShortForm:
    """`ask` gives the avatar ID; fails with UnauthorizedLogin or AuthUnavailable."""

    ask: Ask
    close: Callable[[], Awaitable[None]]


def short_form(reactor: Any, kind: str, argument: str) -> ShortForm | None:
    """None for an argument that is none, and names a configuration.

    `kind` is that of a source.  Raises ConfigError, ValueError for what cannot be
    used."""
    text, options = divided(argument)
    url = kind == "ldap" and "://" in text
    if options.keys() - ({"domain", "settings"} if url else {"domain"}):
        raise ValueError(
            "behind a semicolon stands domain=NAME or, of LDAP URLs, settings=FILE"
        )
    domain = options.get("domain", "")
    try:
        domain = normal_domain(domain) if domain else ""
    except BadAddress as fault:
        raise ValueError(f";domain= is no domain: {fault.public}") from fault
    if url:
        return ldap_form(reactor, text, domain, options.get("settings", ""))
    if kind == "userdb" and begins(text, SQLITE):
        return userdb_form(reactor, text, domain)
    if kind == "system" and not text.endswith(".toml") and "/" not in text:
        return system_form(reactor, text, domain)
    if kind in BUILDERS and is_settings(text):
        config, path = Config(), os.path.abspath(text)
        domains = (domain,) if domain else ()
        source = Source(kind=kind, settings=path, domains=domains)
        parts = BUILDERS[kind](reactor, config, source, open_here)
        return chained(reactor, config, source, parts, domain)
    if options:
        raise ValueError("a configuration takes no options")
    return None


def divided(argument: str) -> tuple[str, dict[str, str]]:
    """What is asked, and the options behind it; a file may be called as it likes."""
    if os.path.isfile(argument):
        return argument, {}
    text, *words = argument.split(";")
    pairs = [word.partition("=") for word in words]
    return text, {name: value for name, _, value in pairs}


def begins(path: str, octets: bytes) -> bool:
    """False for a file that cannot be read, too."""
    try:
        with open(path, "rb") as file:
            return file.read(len(octets)) == octets
    except OSError:
        return False


def is_settings(path: str) -> bool:
    """True for the file that `settings` of a source names: a configuration has no
    `account` at its top."""
    try:
        return "account" in tomllib.loads(Path(path).read_text())
    except (OSError, ValueError):
        return False


def ldap_form(reactor: Any, text: str, domain: str, settings: str) -> ShortForm:
    url = LdapUrl.parse(text)
    login = load_section(LdapLogin, settings) if settings else LdapLogin()
    source = Source(kind="ldap", timeout_s=login.timeout_s)
    judge = UrlChecker(reactor, source, url, login, domain)
    checker = SourceChecker(
        reactor, source, judge, None, Health(reactor, source), default_domain=domain
    )
    return ShortForm(checker.check, judge.close)


def userdb_form(reactor: Any, path: str, domain: str) -> ShortForm:
    """A file of another kind is left alone."""
    path = os.path.abspath(path)
    try:
        offers(path)
    except sqlite3.Error as fault:
        raise ValueError(f"{path}: is no user database: {fault}") from fault
    config = Config(server=Server(data=os.path.dirname(path)))
    thread = UserDbThread(reactor, config, path)
    parts = userdb_parts(reactor, config, thread)
    return chained(reactor, config, Source(kind="userdb"), parts, domain, thread)


def system_form(reactor: Any, service: str, domain: str) -> ShortForm:
    source = Source(kind="system", domains=(domain or NOWHERE,))
    source = evolve(source, service=service or source.service)
    if not _SERVICE.fullmatch(source.service) or not any(
        Path(folder, source.service).is_file() for folder in PAM_FOLDERS
    ):
        raise ValueError(f"{source.service}: no PAM service in {PAM_FOLDERS[0]}")
    config = Config(source=(source,))
    keepers = Keepers(reactor, keeper_settings(config, ""))
    parts = system_parts(reactor, config, source, keepers)
    return chained(reactor, config, source, parts, domain)


def chained(
    reactor: Any,
    config: Config,
    source: Source,
    parts: Parts,
    domain: str,
    thread: UserDbThread | None = None,
) -> ShortForm:
    """A chain of one source with all of its accounts, whatever their domains are."""
    if parts.checker is None or parts.directory is None:
        raise ValueError(f"a source of kind {source.kind} does not do alone")
    thread = thread or UserDbThread(reactor, config)
    health = Health(reactor, source)
    checker = SourceChecker(
        reactor, source, parts.checker, parts.directory, health, stamp=parts.stamp
    )
    fake = FakeKeys(thread.key_file, config.auth.scram_iterations)
    chain = CheckerChain([checker], fake, parts.directory)

    async def ask(credentials: PasswordCredentials) -> bytes:
        named = qualified(credentials, domain or NOWHERE)
        avatar_id = bytes(await chain.requestAvatarId(named))
        if domain or named is credentials:
            return avatar_id
        return avatar_id.removesuffix(b"@" + NOWHERE.encode())

    async def close() -> None:
        await parts.close()
        await thread.close()

    return ShortForm(ask, close)


def qualified(credentials: PasswordCredentials, domain: str) -> PasswordCredentials:
    """With the domain, if the name has none."""
    name = credentials.username
    if b"@" in name:
        return credentials
    return evolve(credentials, username=name + b"@" + domain.encode())
