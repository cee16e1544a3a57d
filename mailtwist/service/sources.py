"""From `[[source]]` to checkers and directories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

from attrs import evolve, frozen
from twisted.cred.checkers import ICredentialsChecker

from ..auth.chain_source import Health, SourceChecker
from ..auth.checkers.ldap import BindChecker
from ..auth.checkers.saslauthd import SaslauthdChecker
from ..auth.checkers.stored import StoredChecker
from ..auth.checkers.system import SystemChecker
from ..auth.checkers.userdb import UserDbChecker
from ..auth.credentials import Door
from ..config.model import Config
from ..config.source import Source
from ..directory.asked import AskedDirectory
from ..directory.ldap import LdapDirectory
from ..directory.limited import Defaults
from ..directory.mysql import MysqlDirectory
from ..directory.passwd_file import PasswdFileDirectory
from ..directory.reread import Open
from ..directory.system import SystemDirectory
from ..directory.union import Named, SourceDirectory, UnionDirectory
from ..directory.user_directory import UserDbThread, UserDirectory
from ..errors import ConfigError
from ..interfaces import IDirectory
from ..keeper.process import Keepers


async def nothing() -> None:
    """What has no threads and no files closes so."""


@frozen
class Parts:
    """What a kind of source is made of.

    A source without a `checker` has accounts only, one without a `directory` passwords
    only.  `stamp` gives something that changes when its content does, where that can be
    seen; `remembers` tells that its directory answers from memory; `lacks_keys` that
    SCRAM cannot judge somebody there, although the checker may have keys of others;
    `hides_scram` that it is offered to nobody for their sake; `apart` that its
    directory may answer while its checker does not.
    Checkers and directories raise SourceDown if there is no answer at all.
    """

    checker: ICredentialsChecker | None
    directory: IDirectory | None
    close: Callable[[], Awaitable[None]] = nothing
    keeps_secrets: Callable[[], bool] = lambda: False
    stamp: Callable[[], object] = lambda: None
    remembers: bool = False
    lacks_keys: Callable[[], bool] = lambda: False
    hides_scram: Callable[[], bool] = lambda: False
    apart: bool = False


@frozen
class BuiltSource:
    """One source, as the chain and the directory ask it."""

    source: Source
    parts: Parts
    health: Health
    checker: SourceChecker | None
    directory: SourceDirectory | None

    def open_to(self, door: Door) -> bool:
        """True if logins at this door ask it."""
        return self.checker is not None and self.checker.open_to(door)


Builder = Callable[[Any, Config, Source, Open], Parts]


def stored_parts(
    reactor: Any,
    config: Config,
    source: Source,
    directory: AskedDirectory,
    scheme: str = "CRYPT",
) -> Parts:
    """A source whose hashes are compared here."""
    checker = StoredChecker(
        reactor, source.called, directory, scheme, config.auth.threads
    )

    async def close() -> None:
        await checker.close()
        await directory.close()

    return Parts(checker, directory, close)


def mysql_parts(reactor: Any, config: Config, source: Source, open_: Open) -> Parts:
    directory = MysqlDirectory(reactor, config, source, open_)
    return stored_parts(reactor, config, source, directory, directory.settings.scheme)


def ldap_parts(reactor: Any, config: Config, source: Source, open_: Open) -> Parts:
    directory = LdapDirectory(reactor, config, source, open_)
    settings = directory.settings
    if settings.verify == "bind":
        return Parts(BindChecker(directory), directory, directory.close)
    return stored_parts(reactor, config, source, directory, settings.scheme)


def passwd_file_parts(
    reactor: Any, config: Config, source: Source, open_: Open
) -> Parts:
    directory = PasswdFileDirectory(reactor, config, source)
    parts = stored_parts(reactor, config, source, directory)
    return evolve(parts, stamp=directory.stamp, remembers=True)


def saslauthd_parts(reactor: Any, config: Config, source: Source, open_: Open) -> Parts:
    default = config.auth.default_domain or (source.domains or ("",))[0]
    return Parts(SaslauthdChecker(reactor, source, default), None)


BUILDERS: dict[str, Builder] = {
    "saslauthd": saslauthd_parts,
    "mysql": mysql_parts,
    "ldap": ldap_parts,
    "passwd_file": passwd_file_parts,
}


def build_sources(
    reactor: Any,
    config: Config,
    thread: UserDbThread,
    keepers: Keepers,
    open_: Open,
) -> list[BuiltSource]:
    """All of them, in order.  Raises ConfigError for settings that cannot be used."""
    sources = config.source or (Source(kind="userdb"),)
    return [
        build_source(reactor, config, source, thread, keepers, open_)
        for source in sources
    ]


def build_source(
    reactor: Any,
    config: Config,
    source: Source,
    thread: UserDbThread,
    keepers: Keepers,
    open_: Open,
) -> BuiltSource:
    """Raises ConfigError, as `build_sources`."""
    try:
        if source.kind == "userdb":
            parts = userdb_parts(reactor, config, thread)
        elif source.kind == "system":
            parts = system_parts(reactor, config, source, keepers)
        else:
            parts = builder_of(source)(reactor, config, source, open_)
    except ValueError as fault:
        raise ConfigError(f"source {source.called}: {fault}") from fault
    health = Health(reactor, source)
    default = config.auth.default_domain
    directory = None
    if parts.directory is not None:
        directory = SourceDirectory(
            source,
            parts.directory,
            Health(reactor, source) if parts.apart else health,
            reactor.seconds,
            domains=[domain.name for domain in config.domain],
            default_domain=default,
            remembers=parts.remembers,
            limited=Defaults(config).of,
        )
    checker = None
    if parts.checker is not None:
        checker = SourceChecker(
            reactor,
            source,
            parts.checker,
            directory,
            health,
            default_domain=default,
            stamp=parts.stamp,
        )
    return BuiltSource(source, parts, health, checker, directory)


def builder_of(source: Source) -> Builder:
    try:
        return BUILDERS[source.kind]
    except KeyError:
        raise ConfigError(
            f"source {source.called}: kind {source.kind} is not in this build"
        ) from None


def userdb_parts(reactor: Any, config: Config, thread: UserDbThread) -> Parts:
    directory = UserDirectory(reactor, config, thread)
    checker = UserDbChecker(reactor, config, thread)

    def hides_scram() -> bool:
        known = directory.offers()
        return known.lacks_keys and (config.auth.scram_waits or not known.has_keys)

    return Parts(
        checker,
        directory,
        checker.close,
        lambda: directory.offers().keeps_secrets,
        directory.stamp,
        remembers=True,
        lacks_keys=lambda: directory.offers().lacks_keys,
        hides_scram=hides_scram,
    )


def system_parts(
    reactor: Any, config: Config, source: Source, keepers: Keepers
) -> Parts:
    if source.logins and find_spec("pamela") is None:
        raise ValueError("PAM needs pamela: pip install mailtwist[pam]")
    directory = SystemDirectory(reactor, config, source)

    async def close() -> None:
        await keepers.stop()
        await directory.close()

    checker = SystemChecker(config, source, keepers, directory)
    # Mail for users of the machine needs no PAM.
    return Parts(checker, directory, close, apart=True)


def union_of(sources: list[BuiltSource]) -> UnionDirectory:
    return UnionDirectory(
        [
            Named(one.source.called, one.directory)
            for one in sources
            if one.directory is not None
        ]
    )
